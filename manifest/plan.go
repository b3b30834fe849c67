package manifest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Make lists and checks everything that a spec asks for, and writes the plan into a folder, whole or not at all. What
// has to be fixed first is *Faults. progress may be nil.
func Make(ctx context.Context, spec Spec, folder string, progress func(Tally)) (Plan, error) {
	p, err := newPlanner(ctx, spec, progress)
	if err != nil {
		return Plan{}, err
	}
	defer p.earlier.close()
	if err := writePlan(p, folder, func() error { return buildPlan(p) }); err != nil {
		return Plan{}, err
	}
	return p.plan, nil
}

// Check is Make without writing anything. show may be nil; it is given each item that would be converted.
func Check(ctx context.Context, spec Spec, show func(Item) error) (Plan, error) {
	p, err := newPlanner(ctx, spec, nil)
	if err != nil {
		return Plan{}, err
	}
	defer p.earlier.close()
	p.show = show
	err = buildPlan(p)
	return p.plan, err
}

func buildPlan(p *planner) error {
	if err := p.list(); err != nil {
		return err
	}
	if len(p.faults.Lines) > 0 {
		return &p.faults
	}
	if p.index == 0 && !p.spec.Lenient {
		return &Faults{Lines: []string{p.spec.Source + " has nothing that can be converted; see --include and --from"}}
	}
	return p.keepRest()
}

// list finds the sources, by the kind of what the spec names.
func (p *planner) list() error {
	if root, pattern, ok := splitPattern(p.spec.Source); ok {
		p.plan.Root = root
		return p.walk("", func(rel string) (bool, bool) {
			wanted, _ := p.included(rel)
			return wanted && match(pattern, rel), true
		})
	}
	info, err := os.Stat(p.spec.Source)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Faults{Lines: []string{p.spec.Source + " does not exist"}}
	case err != nil:
		return fmt.Errorf("look at the source: %w", err)
	case info.IsDir():
		p.plan.Root = p.spec.Source
		return p.walk("", p.included)
	}
	p.plan.Root = filepath.Dir(p.spec.Source)
	switch strings.ToLower(filepath.Ext(p.spec.Source)) {
	case ".jsonl", ".ndjson":
		return p.readJSONL()
	case ".csv":
		return p.readCSV()
	}
	return &Faults{Lines: []string{p.spec.Source + " is not a folder, a pattern or a manifest (.jsonl, .ndjson, .csv); use 'convert' for single files"}}
}

// writePlan writes the plan that fill makes into a folder, whole or not at all.
func writePlan(p *planner, folder string, fill func() error) error {
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

// keepRest keeps the lines of the batch's own earlier report for which there was no source this time, as long as
// something of their outputs is there: when the source comes back these are still ours to replace.
func (p *planner) keepRest() error {
	if p.noted == nil || p.own == "" {
		return nil
	}
	err := readLines(p.own, func(_ int64, line Line) error {
		_, noted := p.noted[lineKey(line)]
		_, claimed := p.taken[hashText(strings.ToLower(line.Dest+"."+line.To))] // by another source, or with other options
		if noted || claimed || !slices.ContainsFunc(line.left(), func(o Output) bool { return exists(o.Path) }) {
			return p.ctx.Err()
		}
		if line.Status != StatusCompleted && line.Status != StatusCurrent { // there is nothing to try any more
			line.Status, line.Error = StatusSkipped, nil
		}
		return p.keep(line)
	})
	if notThere(err) {
		return nil
	}
	return err
}

// Retry plans what a whole report says was not done: failed, with one of the codes or any, cancelled, not started. All
// other lines are kept for the next report.
func Retry(ctx context.Context, reportPath string, codes []string, folder string) (Plan, error) {
	p := &planner{ctx: ctx, plan: Plan{Output: filepath.Dir(reportPath)}}
	err := writePlan(p, folder, func() error {
		return Lines(reportPath, func(line Line) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !undone(line, codes) {
				p.plan.Kept++
				return p.settle(line)
			}
			return p.take(again(line))
		})
	})
	if err != nil {
		return Plan{}, err
	}
	return p.plan, nil
}

// again is the item of a line, with its source as it is now.
func again(line Line) planned {
	it := planned{Former: line.Former, Asked: line.OnExist == onExistOverwrite, Item: Item{
		Source: line.Source, Size: line.Size, ModTime: line.ModTime, From: line.From, To: line.To,
		Quality: line.Quality, Pages: line.Pages, Dest: line.Dest,
	}}
	if info, err := os.Stat(line.Source); err == nil {
		it.Size, it.ModTime = info.Size(), info.ModTime().UTC()
	}
	if it.Asked || ours(line) {
		it.OnExist = onExistOverwrite
	}
	return it
}

func undone(line Line, codes []string) bool {
	switch line.Status {
	case StatusFailed:
		return len(codes) == 0 || line.Error != nil && slices.Contains(codes, line.Error.Code)
	case StatusCancelled, StatusNotStarted:
		return true
	case StatusCompleted, StatusCurrent, StatusSkipped:
	}
	return false
}

// pruneAfter is longer than a step may take to learn that it was done.
const pruneAfter = 10 * time.Minute

// prune removes what earlier batches of the same name have left: those that repeat would fill the disk with it.
func prune(folder string, now time.Time) {
	all := filepath.Dir(folder)
	if filepath.Base(filepath.Dir(all)) != workFolder {
		return
	}
	entries, _ := os.ReadDir(all) // it is tried again with the next plan
	for _, entry := range entries {
		old := filepath.Join(all, entry.Name())
		info, err := os.Lstat(filepath.Join(old, endedFile))
		if err == nil && old != folder && now.Sub(info.ModTime()) > pruneAfter {
			_ = os.RemoveAll(old) // likewise
		}
	}
}
