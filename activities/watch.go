package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/convilyn/convilyn-temporal/manifest"
)

// StepFiles names AwaitFiles in failures and progress.
const StepFiles = "wait_for_files"

// AwaitFilesInput is a folder to watch.
type AwaitFilesInput struct {
	Spec     BatchSpec     `json:"spec"`
	Name     string        `json:"name"`           // of the batches that come of it
	Mark     string        `json:"mark,omitempty"` // of the files that were planned already
	Interval time.Duration `json:"interval"`       // between two looks at least
	Longest  time.Duration `json:"longest"`        // ends the wait without a plan
}

// AwaitFilesResult is what there is to do.
type AwaitFilesResult struct {
	Plan *BatchPlan `json:"plan,omitempty"` // nil where nothing came
	Mark string     `json:"mark,omitempty"` // for the next wait
}

// AwaitFiles looks at a folder now and then until there are files to convert that have stopped growing, and plans them.
// A folder that is not there is waited for. Repeating it makes another plan in another folder.
func (a *Activities) AwaitFiles(ctx context.Context, in AwaitFilesInput) (AwaitFilesResult, error) {
	work, attempt := startAttempt(ctx, StepFiles)
	defer attempt.end()
	result, err := a.awaitFiles(work, in, attempt)
	if err != nil {
		return AwaitFilesResult{}, failed(work, StepFiles, patient(err))
	}
	return result, nil
}

// lookShare bounds what looking may take of the time: a look at very many files is a rare one.
const lookShare = 20

func (a *Activities) awaitFiles(ctx context.Context, in AwaitFilesInput, attempt *attempt) (AwaitFilesResult, error) {
	watch := manifest.NewWatch(in.Spec, in.Name, in.Mark, a.now)
	begun := a.now()
	for {
		looked := a.now()
		plan, sight, err := watch.Look(ctx, func(t manifest.Tally) {
			attempt.set(Progress{Step: StepFiles, Message: "planning: " + tallyText(t)})
		})
		var faults *manifest.Faults
		switch {
		case errors.As(err, &faults):
			attempt.set(Progress{Step: StepFiles, Message: "waiting for the folder: " + faults.Error()})
		case err != nil:
			return AwaitFilesResult{}, err
		case plan != nil:
			return AwaitFilesResult{Plan: plan, Mark: watch.Mark()}, nil
		default:
			attempt.set(Progress{Step: StepFiles, Message: sightText(sight)})
		}
		if a.now().Sub(begun) >= in.Longest {
			return AwaitFilesResult{Mark: watch.Mark()}, nil
		}
		if err := a.sleep(ctx, max(in.Interval, lookShare*a.now().Sub(looked))); err != nil {
			return AwaitFilesResult{}, err
		}
	}
}

func sightText(s manifest.Sight) string {
	text := fmt.Sprintf("%d files seen, nothing new", s.Files)
	if s.Growing > 0 {
		text = fmt.Sprintf("%d files seen, %d changed just now", s.Files, s.Growing)
	}
	return text
}
