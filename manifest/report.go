package manifest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Failed plans anew what has failed in the parts so far: items whose last entry says so, with one of the codes or any,
// in a part whose name begins with one of the prefixes or any. The plan is the given one, with another file.
func Failed(ctx context.Context, p Plan, prefixes, codes []string) (Plan, error) {
	was, err := failures(p.Folder, prefixes)
	if err != nil {
		return Plan{}, err
	}
	p.PlanName = ""
	whole := p.Path()
	file, err := os.CreateTemp(p.Folder, "retry-*.jsonl")
	if err != nil {
		return Plan{}, fmt.Errorf("write the plan of the retry: %w", err)
	}
	_ = file.Close()
	p.PlanName = filepath.Base(file.Name())
	out, err := createLines(file.Name())
	if err != nil {
		return Plan{}, err
	}
	p.Items, p.Bytes, p.Marks, p.Every = 0, 0, nil, 0
	err = readLines(whole, func(_ int64, item Item) error {
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
		return Plan{}, removeTemp(err, out)
	}
	p.End = out.at
	return p, out.commit()
}

// failures are the codes of the items whose last entry is a failure, by index.
func failures(folder string, prefixes []string) (map[int]string, error) {
	paths, err := parts(folder)
	if err != nil {
		return nil, err
	}
	was := map[int]string{}
	for _, path := range paths {
		meant := len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(prefix string) bool {
			return strings.HasPrefix(filepath.Base(path), prefix)
		})
		err := readLines(path, func(_ int64, e Entry) error {
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
	parts   shelf
	where   []lineAt // the last entry of each item, by index
	out     *lines
	summary Summary
}

// Finish writes the whole report of a batch and its summary: one line for everything that its plan names, in the order
// of their indexes. What has no entry was not started.
func Finish(ctx context.Context, p Plan, name string) (Summary, error) {
	p.PlanName = ""
	f := &finisher{ctx: ctx, plan: p}
	defer f.parts.close()
	f.summary = Summary{Report: ReportPath(p.Output, name), Codes: map[string]int{}}
	if err := f.index(); err != nil {
		return Summary{}, err
	}
	err := os.MkdirAll(p.Output, 0o755) //nolint:gosec // as readable as the outputs
	if err != nil {
		return Summary{}, fmt.Errorf("make the output folder: %w", err)
	}
	if f.out, err = createLinesIn(p.Folder, f.summary.Report); err != nil {
		return Summary{}, err
	}
	if err := f.join(); err != nil {
		return Summary{}, removeTemp(err, f.out)
	}
	if err := f.out.commit(); err != nil {
		return Summary{}, err
	}
	summary, err := createLinesIn(p.Folder, filepath.Join(p.Output, name+summarySuffix))
	if err != nil {
		return Summary{}, err
	}
	if err := summary.write(f.summary); err != nil {
		return Summary{}, removeTemp(err, summary)
	}
	if err := summary.commit(); err != nil {
		return Summary{}, err
	}
	return f.summary, markEnded(p.Folder)
}

// index finds the last entry of each item. Of two parts the later one counts, of one part its later line.
func (f *finisher) index() error {
	var err error
	if f.parts.paths, err = parts(f.plan.Folder); err != nil {
		return err
	}
	for i, path := range f.parts.paths {
		err := readLines(path, func(offset int64, e Entry) error {
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
	settled, stop := pull[Line](filepath.Join(f.plan.Folder, SettledFile))
	defer stop()
	next, err := settled()
	if err != nil {
		return err
	}
	before := func(index int) error {
		for next != nil && next.Index < index {
			if err := f.write(*next); err != nil {
				return err
			}
			if next, err = settled(); err != nil {
				return err
			}
		}
		return nil
	}
	err = readLines(f.plan.Path(), func(_ int64, item planned) error {
		if err := before(item.Index); err != nil {
			return err
		}
		line, err := f.line(item)
		if err != nil {
			return err
		}
		return f.write(line)
	})
	if err != nil {
		return err
	}
	return before(1 << 62)
}

func (f *finisher) line(it planned) (Line, error) {
	item := it.Item
	line := Line{
		Index: item.Index, Source: f.plan.SourcePath(item), From: item.From, To: f.plan.Target(item), Quality: item.Quality, Pages: item.Pages,
		Dest: f.plan.DestPath(item), Status: StatusNotStarted, Outputs: []Output{}, Warnings: []string{}, Size: item.Size, ModTime: item.ModTime,
	}
	line.Former = it.Former
	if it.Asked {
		line.OnExist = onExistOverwrite
	}
	if item.Index >= len(f.where) || f.where[item.Index].file == nowhere {
		return line, nil
	}
	var e Entry
	if err := f.parts.read(f.where[item.Index], &e); err != nil {
		return line, err
	}
	if e.Size > 0 { // it may have changed between plan and upload
		line.Size = e.Size
	}
	line.Status, line.FileID, line.JobID, line.SHA256, line.Attempts = e.Status, e.FileID, e.JobID, e.SHA256, e.Attempts
	line.StartedAt, line.EndedAt, line.Error = e.StartedAt, e.EndedAt, e.Error
	if e.Status == StatusCompleted {
		line.Former = nil
	}
	line.Outputs, line.Warnings = append(line.Outputs, e.Outputs...), append(line.Warnings, e.Warnings...)
	return line, nil
}

func (f *finisher) write(line Line) error {
	f.summary.count(line)
	if err := f.ctx.Err(); err != nil {
		return err
	}
	return f.out.write(line)
}

func (s *Summary) count(line Line) {
	s.Files++
	switch line.Status {
	case StatusCompleted:
		s.Completed++
		s.BytesIn += line.Size
	case StatusCurrent:
		s.Current++
	case StatusSkipped:
		s.Skipped++
	case StatusFailed:
		s.Failed++
		if line.Error != nil {
			s.Codes[line.Error.Code]++
		}
	case StatusCancelled:
		s.Cancelled++
	case StatusNotStarted:
		s.NotStarted++
	}
	if len(line.Warnings) > 0 {
		s.Warnings++
	}
	s.Outputs += len(line.Outputs)
	for _, output := range line.Outputs {
		s.BytesOut += output.Size
	}
}

// pull reads values one by one; nil after the last, and where there is no file.
func pull[T any](path string) (next func() (*T, error), stop func()) {
	file, err := os.Open(path) //nolint:gosec // a file of the batch
	if notThere(err) {
		return func() (*T, error) { return nil, nil }, func() {}
	}
	if err != nil {
		return func() (*T, error) { return nil, err }, func() {}
	}
	decoder := json.NewDecoder(file)
	return func() (*T, error) {
		if !decoder.More() {
			return nil, nil
		}
		var value T
		if err := decoder.Decode(&value); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		return &value, nil
	}, func() { _ = file.Close() }
}
