package manifest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What repeats for months with nobody at hand must lose no account of what it has made, and must not feed on it.

// keep leaves a line of an earlier report as it was.
func (p *planner) keep(line Line) error {
	switch line.Status {
	case StatusCompleted, StatusCurrent:
		line.Status = StatusCurrent
		p.plan.Current++
	case StatusFailed:
		p.plan.Faulty++
	default:
		p.plan.Skipped++
		line.Status = StatusSkipped
	}
	return p.settle(line)
}

// note remembers what this plan accounts for.
func (p *planner) note(line Line) {
	if p.noted != nil {
		p.noted[lineKey(line)] = struct{}{}
	}
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

// ownReport is the report that a batch with this folder writes in the end; empty for folders elsewhere.
func ownReport(output, folder string) string {
	of := filepath.Dir(folder)
	if filepath.Dir(of) != filepath.Join(output, workFolder) {
		return ""
	}
	return ReportPath(output, filepath.Base(of))
}

// made is the outputs that earlier batches have made in the folder that is read, of the formats that are made now. True
// are those that took the place of their own source.
type made struct {
	root, output         string // as in the plan
	realRoot, realOutput string
	paths                map[uint64]bool
}

// newMade is nil where the folders lie apart.
func newMade(root, output string) *made {
	m := &made{root: root, output: output, paths: map[uint64]bool{}}
	var err error
	if m.realRoot, err = filepath.EvalSymlinks(root); err != nil {
		return nil
	}
	if m.realOutput, err = filepath.EvalSymlinks(output); err != nil {
		return nil // then there is nothing in it
	}
	if !within(m.realRoot, m.realOutput) && !within(m.realOutput, m.realRoot) {
		return nil
	}
	return m
}

func rebase(path, from, to string) string {
	relative, err := filepath.Rel(from, path)
	if err != nil || !filepath.IsLocal(relative) {
		return path
	}
	return filepath.Join(to, relative)
}

func (m *made) add(line Line) {
	source := rebase(line.Source, m.root, m.realRoot)
	for _, output := range line.left() {
		path := rebase(output.Path, m.output, m.realOutput)
		m.paths[hashText(path)] = path == source
	}
}

// find says that a file is such an output; own that it is one of itself.
func (m *made) find(c candidate) (own, found bool) {
	if m == nil {
		return false, false
	}
	own, found = m.paths[hashText(rebase(c.path, m.root, m.realRoot))]
	return own, found
}

// product says that a file was made by an earlier batch out of another one. To convert it again to what it is would
// never end.
func (p *planner) product(c candidate) bool {
	own, found := p.made.find(c)
	return found && !own
}

// itself says that the source is what an earlier batch has made of it, untouched since.
func (p *planner) itself(known *Line, c candidate) bool {
	own, found := p.made.find(c)
	if known == nil || !found || !own {
		return false
	}
	return slices.ContainsFunc(known.left(), func(o Output) bool { return exists(o.Path) && standing(o, known.EndedAt) == stands })
}

// endedFile in a batch's folder says that its whole report is written, and all else in there no longer needed.
const endedFile = "ended"

// pruneAfter is longer than a step may take to learn that it was done.
const pruneAfter = 10 * time.Minute

func markEnded(folder string) error {
	return os.WriteFile(filepath.Join(folder, endedFile), nil, 0o644) //nolint:gosec // as readable as the plan beside it
}

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
