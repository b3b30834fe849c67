package manifest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

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
		return "is no regular file"
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

// Retry plans what a whole report says was not done: failed, with one of the codes or any, cancelled, not started. All
// other lines are kept for the next report.
func Retry(ctx context.Context, reportPath string, codes []string, folder string) (Plan, error) {
	p := &planner{ctx: ctx, plan: Plan{Folder: folder, Output: filepath.Dir(reportPath)}}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // as readable as the outputs
		return Plan{}, fmt.Errorf("make the batch's folder: %w", err)
	}
	var err error
	if p.items, err = createLines(filepath.Join(folder, PlanFile)); err != nil {
		return Plan{}, err
	}
	if p.settled, err = createLines(filepath.Join(folder, SettledFile)); err != nil {
		return Plan{}, removeTemp(err, p.items)
	}
	err = Lines(reportPath, func(line Line) error {
		if !undone(line, codes) {
			p.plan.Kept++
			return p.settle(line)
		}
		item := Item{Source: line.Source, Size: line.Size, ModTime: line.ModTime, From: line.From, To: line.To, Quality: line.Quality, Pages: line.Pages, Dest: line.Dest}
		return p.take(item)
	})
	if err != nil {
		p.items.discard()
		p.settled.discard()
		return Plan{}, err
	}
	if err := p.items.commit(); err != nil {
		p.settled.discard()
		return Plan{}, err
	}
	p.plan.End = p.items.at
	return p.plan, p.settled.commit()
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
