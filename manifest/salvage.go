package manifest

import (
	"context"
	"fmt"
	"time"
)

// Known is an item of a batch, and what became of it, as the batch's run remembers.
type Known struct {
	Item  Item   `json:"item"`
	Entry *Entry `json:"entry,omitempty"` // nil for an item that was not begun
}

// Salvage writes the report of a batch whose plan is gone, from what its run remembers. What the report of that name has on
// other items stays in it, so that what was made before is known for our own: Salvage may be called for a part at a time.
// since is when the batch began.
func (d Disk) Salvage(ctx context.Context, p Plan, name string, since time.Time, known []Known) (Summary, error) {
	f := &finisher{ctx: ctx, plan: p}
	f.summary = Summary{Report: ReportPath(p.Output, name), Codes: map[string]int{}}
	in, err := d.folder(p.Output, true)
	if err != nil {
		return Summary{}, fmt.Errorf("make the output folder: %w", err)
	}
	defer in.close()
	if f.out, err = replaceLines(in, name+reportSuffix); err != nil {
		return Summary{}, err
	}
	if err := f.salvage(in, name+reportSuffix, since, known); err != nil {
		return Summary{}, removeTemp(err, f.out)
	}
	if err := f.out.commit(); err != nil {
		return Summary{}, err
	}
	return f.summary, writeSummary(in, name, f.summary)
}

func (f *finisher) salvage(in *folder, report string, since time.Time, known []Known) error {
	latest := map[uint64]int{}
	lines := make([]Line, len(known))
	for i, k := range known {
		lines[i] = f.plan.lineOf(planned{Item: k.Item})
		if k.Entry != nil {
			lines[i].apply(*k.Entry)
		}
		latest[lineKey(lines[i])] = i
	}

	next := 0
	add := func(line Line) error {
		line.Index = next
		next++
		return f.add(line)
	}
	err := readIn(in, report, func(_ int64, line Line) error {
		i, replaced := latest[lineKey(line)]
		switch {
		case replaced && lines[i].Status != StatusCompleted:
			lines[i].Former = line.left()
			return nil
		case replaced:
			return nil
		case line.Status == StatusCompleted && line.EndedAt.Before(since):
			line.Status = StatusCurrent
		}
		return add(line)
	})
	if err != nil && !notThere(err) {
		return err
	}
	for i, line := range lines {
		if latest[lineKey(line)] != i {
			continue
		}
		if err := add(line); err != nil {
			return err
		}
	}
	return nil
}
