package manifest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const partsFolder = "parts"

// WritePart writes a part of a report, complete or not at all. Repeating it writes the same part.
func (d Disk) WritePart(path, name string, entries []Entry) error {
	plan := filepath.Join(path, PlanFile)
	in, _, err := d.batchFolder(plan)
	if err != nil {
		return err
	}
	defer in.close()
	parts, err := in.in(partsFolder)
	if gone := planGone(err, plan); errors.Is(gone, ErrPlanMissing) {
		return gone
	}
	if err != nil {
		return fmt.Errorf("make the folder of the report: %w", err)
	}
	defer parts.close()
	out, err := createLines(parts, name+".jsonl")
	if err != nil {
		return planGone(err, plan)
	}
	for i := range entries {
		if err := out.write(entries[i]); err != nil {
			return removeTemp(err, out)
		}
	}
	return planGone(out.commit(), plan)
}

// partFiles are the files of the parts in a batch's folder, oldest first. Who has got them closes the shelf.
func partFiles(of *folder) (shelf, error) {
	root, err := of.root.OpenRoot(partsFolder)
	if notThere(err) {
		return shelf{}, nil
	}
	if err != nil {
		return shelf{}, fmt.Errorf("list the parts of the report: %w", of.located(err))
	}
	s := shelf{in: &folder{root: root, path: filepath.Join(of.path, partsFolder)}}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		s.close()
		return shelf{}, fmt.Errorf("list the parts of the report: %w", s.in.located(err))
	}
	for _, entry := range entries { // sorted by name
		if name := entry.Name(); strings.HasSuffix(name, ".jsonl") && !strings.HasPrefix(name, ".") {
			s.names = append(s.names, name)
		}
	}
	return s, nil
}

// PlanFailed plans again what has failed in the parts so far: items whose last entry says so, with one of the codes or any,
// in a part whose name begins with one of the prefixes or any. The plan is the given one, with another file.
func (d Disk) PlanFailed(ctx context.Context, p Plan, prefixes, codes []string) (Plan, error) {
	p.PlanName = ""
	whole := p.Path()
	in, name, err := d.batchFolder(whole)
	if err != nil {
		return Plan{}, err
	}
	defer in.close()
	was, err := failures(in, prefixes)
	if err != nil {
		return Plan{}, planGone(err, whole)
	}
	// No two attempts write the same plan: the workflow may hold one of either.
	p.PlanName = "retry-" + rand.Text() + ".jsonl"
	out, err := createLines(in, p.PlanName)
	if err != nil {
		return Plan{}, fmt.Errorf("write the plan of the retry: %w", planGone(err, whole))
	}
	p.Items, p.Bytes, p.Marks, p.Every = 0, 0, nil, 0
	err = readIn(in, name, func(_ int64, item Item) error {
		code, failed := was[item.Index]
		if !failed || len(codes) > 0 && !slices.Contains(codes, code) {
			return ctx.Err()
		}
		item.Was = code
		p.Items++
		p.Bytes += item.Size
		return out.write(item)
	})
	if err != nil {
		return Plan{}, planGone(removeTemp(err, out), whole)
	}
	p.End = out.at
	return p, planGone(out.commit(), whole)
}

// failures are the codes of the items whose last entry is a failure, by index.
func failures(in *folder, prefixes []string) (map[int]string, error) {
	parts, err := partFiles(in)
	if err != nil {
		return nil, err
	}
	defer parts.close()
	was := map[int]string{}
	for _, name := range parts.names {
		meant := len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		err := readIn(parts.in, name, func(_ int64, e Entry) error {
			delete(was, e.Index)
			if meant && e.Status == StatusFailed && e.Error != nil {
				was[e.Index] = e.Error.Code
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return was, nil
}

// finisher joins what is known of a batch into its report.
type finisher struct {
	ctx     context.Context //nolint:containedctx // of the one call that it lives for
	plan    Plan
	in      *folder // of the plan
	parts   shelf
	where   []lineAt // the last entry of each item, by index
	out     *lines
	summary Summary
}

// Finish writes the complete report of a batch and its summary: one line for everything that its plan names, in the order
// of their indexes. What has no entry was not started.
func (d Disk) Finish(ctx context.Context, p Plan, name string) (Summary, error) {
	p.PlanName = ""
	in, _, err := d.batchFolder(p.Path())
	if err != nil {
		return Summary{}, err
	}
	defer in.close()
	f := &finisher{ctx: ctx, plan: p, in: in}
	defer func() { f.parts.close() }()
	err = f.indexParts()
	if err == nil {
		err = f.writeTo(d, name)
	}
	if err == nil {
		err = in.write(endedFile, nil)
	}
	return f.summary, planGone(err, p.Path())
}

// writeTo writes report and summary.
func (f *finisher) writeTo(disk Disk, name string) error {
	f.summary = Summary{Report: ReportPath(f.plan.Output, name), Codes: map[string]int{}}
	output, err := disk.folder(f.plan.Output, true)
	if err != nil {
		return fmt.Errorf("make the output folder: %w", err)
	}
	defer output.close()
	if f.out, err = replaceLines(output, name+reportSuffix); err != nil {
		return err
	}
	if err := f.join(); err != nil {
		return removeTemp(err, f.out)
	}
	if err := f.out.commit(); err != nil {
		return err
	}
	return writeSummary(output, name, f.summary)
}

func writeSummary(in *folder, name string, s Summary) error {
	out, err := replaceLines(in, name+summarySuffix)
	if err != nil {
		return err
	}
	if err := out.write(s); err != nil {
		return removeTemp(err, out)
	}
	return out.commit()
}

// replaceLines makes a file, and removes what earlier writers of it have left that died. That is in the folder of the outputs, since
// the batch's own may be on another disk.
func replaceLines(in *folder, name string) (*lines, error) {
	left, _ := in.find(escapeGlob("."+name) + "[0-9]*")
	for _, temp := range left {
		_ = in.root.Remove(temp)
	}
	return createLines(in, name)
}

// indexParts finds the last entry of each item. Of two parts the later one counts, of one part its later line.
func (f *finisher) indexParts() error {
	var err error
	if f.parts, err = partFiles(f.in); err != nil {
		return err
	}
	for i, name := range f.parts.names {
		err := readIn(f.parts.in, name, func(offset int64, e Entry) error {
			for len(f.where) <= e.Index {
				f.where = append(f.where, lineAt{file: nowhere})
			}
			f.where[e.Index] = lineAt{i, offset}
			return f.ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// join merges the items of the plan and the lines that were settled without them.
func (f *finisher) join() error {
	settled, stop := pull[Line](f.in, SettledFile)
	defer stop()
	next, err := settled()
	if err != nil {
		return err
	}
	before := func(index int) error {
		for next != nil && next.Index < index {
			if err := f.add(*next); err != nil {
				return err
			}
			if next, err = settled(); err != nil {
				return err
			}
		}
		return nil
	}
	err = readIn(f.in, PlanFile, func(_ int64, item planned) error {
		if err := before(item.Index); err != nil {
			return err
		}
		line, err := f.lineOf(item)
		if err != nil {
			return err
		}
		return f.add(line)
	})
	if err != nil {
		return err
	}
	return before(1 << 62)
}

func (f *finisher) lineOf(it planned) (Line, error) {
	line, item := f.plan.lineOf(it), it.Item
	if item.Index >= len(f.where) || f.where[item.Index].file == nowhere {
		return line, nil
	}
	var e Entry
	if err := f.parts.read(f.where[item.Index], &e); err != nil {
		return line, err
	}
	line.apply(e)
	return line, nil
}

// lineOf is the line of an item that has not begun.
func (p Plan) lineOf(it planned) Line {
	item := it.Item
	line := Line{
		Index: item.Index, Source: p.SourcePath(item), From: item.From, To: p.Target(item), Quality: item.Quality, Pages: item.Pages, Options: item.Options,
		Dest: p.DestPath(item), Status: StatusNotStarted, Outputs: []Output{}, Warnings: []string{}, Size: item.Size, ModTime: item.ModTime,
	}
	line.Former = it.Former
	if it.Asked {
		line.OnExist = onExistOverwrite
	}
	return line
}

// apply adds what became of the item.
func (l *Line) apply(e Entry) {
	if e.Size > 0 { // it may have changed between plan and upload
		l.Size = e.Size
	}
	l.Status, l.FileID, l.JobID, l.SHA256, l.Attempts = e.Status, e.FileID, e.JobID, e.SHA256, e.Attempts
	l.StartedAt, l.EndedAt, l.Error = e.StartedAt, e.EndedAt, e.Error
	if e.Status == StatusCompleted {
		l.Former = nil
	}
	l.Outputs, l.Warnings = append(l.Outputs, e.Outputs...), append(l.Warnings, e.Warnings...)
	l.Check = e.Check
}

func (f *finisher) add(line Line) error {
	f.summary.count(line)
	if err := f.ctx.Err(); err != nil {
		return err
	}
	return f.out.write(line)
}

// Mismatch is an output that is not what the report says.
type Mismatch struct {
	Source  string `json:"source"`
	Path    string `json:"path"`
	Problem string `json:"problem"`
}

// Verified counts what was looked at.
type Verified struct {
	Files   int   `json:"files"`
	Outputs int   `json:"outputs"`
	Bytes   int64 `json:"bytes"`
	Wrong   int   `json:"wrong"` // outputs
}

// Verify hashes every output that a report names.
func Verify(ctx context.Context, reportPath string, show func(Mismatch) error, progress func(done int)) (Verified, error) {
	var v Verified
	err := Lines(reportPath, func(line Line) error {
		v.Files++
		for _, output := range line.Outputs {
			v.Outputs++
			v.Bytes += output.Size
			if problem := output.problem(); problem != "" {
				v.Wrong++
				if err := show(Mismatch{Source: line.Source, Path: output.Path, Problem: problem}); err != nil {
					return err
				}
			}
		}
		if progress != nil {
			progress(v.Files)
		}
		return ctx.Err()
	})
	return v, err
}

func (o Output) problem() string {
	info, err := os.Lstat(o.Path)
	switch {
	case notThere(err):
		return "is missing"
	case err != nil:
		return err.Error()
	case !info.Mode().IsRegular():
		return "is not a regular file"
	case info.Size() != o.Size:
		return fmt.Sprintf("has %d bytes; the report says %d", info.Size(), o.Size)
	}
	sum, err := hashFile(o.Path)
	switch {
	case err != nil:
		return err.Error()
	case sum != o.SHA256:
		return "its content has changed"
	}
	return ""
}
