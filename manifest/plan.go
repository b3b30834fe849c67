package manifest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/client/option"
)

// Make lists and checks everything that a spec asks for, and writes the plan into a folder, whole or not at all. What
// has to be fixed first is *Faults. progress may be nil.
func (d Disk) Make(ctx context.Context, spec Spec, folder string, progress func(Tally)) (Plan, error) {
	p, err := newPlanner(ctx, d, spec, progress)
	if err != nil {
		return Plan{}, err
	}
	defer p.earlier.close()
	if err := writePlan(p, folder, func() error { return buildPlan(p) }); err != nil {
		return Plan{}, err
	}
	return p.plan, nil
}

// Check is Make without writing anything. show is given each item that would be converted, left each line of what is left out for
// what it is; both may be nil.
func Check(ctx context.Context, spec Spec, show func(Item) error, left func(Line) error) (Plan, error) {
	p, err := newPlanner(ctx, Anywhere, spec, nil)
	if err != nil {
		return Plan{}, err
	}
	defer p.earlier.close()
	p.show, p.showLeft = show, left
	err = buildPlan(p)
	return p.plan, err
}

// LeftOut reads from a plan what it leaves out for what it is, and what it cannot use.
func (p Plan) LeftOut(show func(Line) error) error {
	return readLines(filepath.Join(p.Folder, SettledFile), func(_ int64, line Line) error {
		if line.Error != nil && line.Error.Step == "plan" {
			return show(line)
		}
		return nil
	})
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

// Root is the folder that a source is read from; that of a manifest is the folder it is in.
func Root(source string) string {
	if root, _, ok := splitPattern(source); ok {
		return root
	}
	if info, err := os.Stat(source); err == nil && !info.IsDir() {
		return filepath.Dir(source)
	}
	return source
}

// Elsewhere reads from a plan the folders of sources that are not in its root.
func (p Plan) Elsewhere() ([]string, error) {
	folders := map[string]bool{}
	err := readLines(p.Path(), func(_ int64, item Item) error {
		addElsewhere(folders, item)
		return nil
	})
	return slices.Sorted(maps.Keys(folders)), err
}

// Elsewhere are those that a spec has now, before it is planned.
func Elsewhere(ctx context.Context, s Spec) ([]string, error) {
	folders := map[string]bool{}
	_, err := Check(ctx, s, func(item Item) error {
		addElsewhere(folders, item)
		return nil
	}, func(Line) error { return nil })
	return slices.Sorted(maps.Keys(folders)), err
}

// addElsewhere adds the folders of a source outside of the root, and of its passwords, and where their symbolic links lead.
func addElsewhere(folders map[string]bool, item Item) {
	files := []string{item.Source}
	_, secret := item.Options.Split()
	for _, value := range secret {
		path, _ := option.FileOf(value)
		files = append(files, path)
	}
	for _, file := range files {
		if !filepath.IsAbs(file) {
			continue
		}
		folders[filepath.Dir(file)] = true
		if end, err := filepath.EvalSymlinks(file); err == nil {
			folders[filepath.Dir(end)] = true
		}
	}
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
func writePlan(p *planner, path string, fill func() error) error {
	top := firstMissing(path)
	in, err := p.disk.folder(path, true)
	if err != nil {
		return fmt.Errorf("make the batch's folder: %w", err)
	}
	defer in.close()
	p.plan.Folder, p.own = path, ownReport(p.plan.Output, path)
	if p.items, err = createLines(in, PlanFile); err == nil {
		p.settled, err = createLines(in, SettledFile)
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
		p.disk.removeMade(path, top)
		return err
	}
	p.plan.End = p.items.at
	p.disk.prune(path, time.Now())
	return nil
}

// keepRest keeps the lines of the batch's own earlier report for which there was no source this time, as long as
// something of their outputs is there: when the source comes back these are still ours to replace.
func (p *planner) keepRest() error {
	if p.noted == nil || p.own == "" {
		return nil
	}
	in, err := p.disk.folder(filepath.Dir(p.own), false)
	if err == nil {
		defer in.close()
		err = p.keepLines(in)
	}
	if notThere(err) {
		return nil
	}
	return err
}

func (p *planner) keepLines(in *folder) error {
	return readIn(in, filepath.Base(p.own), func(_ int64, line Line) error {
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
}

// Retry plans what a whole report says was not done: failed, with one of the codes or any, cancelled, not started. All
// other lines are kept for the next report.
func (d Disk) Retry(ctx context.Context, reportPath string, codes []string, folder string) (Plan, error) {
	p := &planner{ctx: ctx, disk: d, plan: Plan{Output: filepath.Dir(reportPath)}}
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
		Quality: line.Quality, Pages: line.Pages, Options: line.Options, Dest: line.Dest,
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

// prune removes what earlier batches have left, which would fill the disk: beside outputs those of the same name, in a place of
// state all. What fails is tried again with the next plan.
func (d Disk) prune(path string, now time.Time) {
	above, depth := filepath.Dir(path), 1
	switch {
	case inState(path):
		above, depth = filepath.Dir(filepath.Dir(above)), 3
	case filepath.Base(filepath.Dir(above)) != workFolder:
		return
	}
	in, err := d.folder(above, false)
	if err != nil {
		return
	}
	defer in.close()

	ended, _ := in.find(strings.Repeat("*/", depth) + endedFile)
	for _, mark := range ended {
		info, err := in.root.Lstat(mark)
		old := filepath.Dir(mark)
		if err != nil || filepath.Join(above, old) == path || now.Sub(info.ModTime()) <= pruneAfter {
			continue
		}
		_ = in.root.RemoveAll(old)
		for at := filepath.Dir(old); at != "."; at = filepath.Dir(at) {
			_ = in.root.Remove(at) // where it was the last of its name
		}
	}
}
