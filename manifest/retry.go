package manifest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
)

// Retry plans what a whole report says was not done: failed, with one of the codes or any, cancelled, not started. All
// other lines are kept for the next report.
func Retry(ctx context.Context, reportPath string, codes []string, folder string) (Plan, error) {
	p := &planner{ctx: ctx, plan: Plan{Output: filepath.Dir(reportPath)}}
	err := p.into(folder, func() error {
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

// again is the item of a line, as its source is now: it may have been mended.
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
