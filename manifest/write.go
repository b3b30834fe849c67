package manifest

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// planned is a line of a plan file. What only the report needs of it stays there: items travel.
type planned struct {
	Item
	Asked  bool     `json:"asked,omitempty"`  // somebody asked for overwriting
	Former []Output `json:"former,omitempty"` // as in Line
}

// into writes the plan that fill makes into a folder, whole or not at all.
func (p *planner) into(folder string, fill func() error) error {
	top := firstMissing(folder)
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // as readable as the outputs beside it
		return fmt.Errorf("make the batch's folder: %w", err)
	}
	p.plan.Folder, p.own = folder, ownReport(p.plan.Output, folder)
	var err error
	if p.items, err = createLines(filepath.Join(folder, PlanFile)); err == nil {
		p.settled, err = createLines(filepath.Join(folder, SettledFile))
	}
	if err == nil {
		err = fill()
	}
	if err == nil {
		// The plan comes last: where it is, all is.
		err = p.settled.commit()
		if err == nil {
			err = p.items.commit()
		}
	}
	if err != nil {
		p.items.discard()
		p.settled.discard()
		removeMade(folder, top)
		return err
	}
	p.plan.End = p.items.at
	prune(folder, time.Now())
	return nil
}

// firstMissing is the highest folder that has to be made for this one; empty where it is there.
func firstMissing(folder string) (top string) {
	for at := folder; !exists(at); at = filepath.Dir(at) {
		top = at
	}
	return top
}

// removeMade takes back the folders that were made, as far as nothing is in them.
func removeMade(folder, top string) {
	for at := folder; top != "" && len(at) >= len(top); at = filepath.Dir(at) {
		if os.Remove(at) != nil {
			return
		}
	}
}

func (p *planner) settle(line Line) error {
	line.Index = p.index
	p.index++
	p.note(line)
	if p.settled == nil {
		return nil
	}
	return p.settled.write(line)
}

func (p *planner) take(it planned) error {
	it.Index = p.index
	p.index++
	p.note(p.line(candidate{Item: it.Item}, ""))
	if p.show != nil {
		if err := p.show(it.Item); err != nil {
			return err
		}
	}
	if p.items != nil {
		if p.plan.Items%p.plan.MarkEvery() == 0 {
			p.plan.Marks = append(p.plan.Marks, p.items.at)
		}
		if err := p.items.write(it); err != nil {
			return err
		}
	}
	p.plan.Items++
	p.plan.Bytes += it.Size
	return nil
}
