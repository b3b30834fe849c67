package goals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/childproc"
)

// given is the upper half of a Task on its way to a child.
type given struct {
	Inputs    []Input
	Answered  []Input
	Text      string
	Dir       string
	Answers   map[string]json.RawMessage
	Confirmed bool
}

// passed is the lower half on its way back, with how the pass ended.
type passed struct {
	End     string // of pauses; empty where the goal is at its end, or failed
	Failure *Failure
	Why     string // of Failure, for the log

	Pending  []Slot
	Approve  []Approval
	Preview  bool
	Retract  []string
	Files    []File
	Missing  []string
	Closing  string
	Warnings []string
}

var pauses = map[string]error{"waiting": ErrWaiting, "ready": ErrReady, "again": ErrAgain}

// conversion is what a pass asks to have converted, and converted what came of it.
type conversion struct {
	In     Input
	Target string
	Dir    string
}

type converted struct {
	Files    []File
	Warnings []string
	Failure  *Failure
	Cause    *engines.Error // of Failure, where an engine has refused
	Why      string         // of Failure, for the log
}

func workName(id string) string { return "goal " + id }

// Works are passes of these goals as a child runs them.
func Works(all ...Goal) []childproc.Work {
	out := make([]childproc.Work, len(all))
	for i, goal := range all {
		out[i] = childproc.Work{Name: workName(goal.ID), Do: func(ctx context.Context, in json.RawMessage, parent *childproc.Parent) (any, error) {
			var what given
			if err := json.Unmarshal(in, &what); err != nil {
				return nil, fmt.Errorf("read a pass: %w", err)
			}
			return runPass(ctx, goal, what, parent)
		}}
	}
	return out
}

func runPass(ctx context.Context, goal Goal, in given, parent *childproc.Parent) (passed, error) {
	t := &Task{
		Inputs: in.Inputs, Answered: in.Answered, Text: in.Text, Dir: in.Dir, Answers: in.Answers, Confirmed: in.Confirmed, Report: parent.Progress,
		Convert: func(_ context.Context, in Input, target, dir string) ([]File, []string, error) {
			var out converted
			if err := parent.Ask(conversion{In: in, Target: target, Dir: dir}, &out); err != nil {
				return nil, nil, err
			}
			return out.Files, out.Warnings, out.failed()
		},
	}
	err := Named(goal.Run(ctx, t))
	out := passed{
		Pending: t.Pending, Approve: t.Approve, Preview: t.Preview, Retract: t.Retract, Files: t.Files, Missing: t.Missing, Closing: t.Closing, Warnings: t.Warnings,
	}
	for end, pause := range pauses {
		if errors.Is(err, pause) {
			out.End, err = end, nil
		}
	}
	if errors.As(err, &out.Failure) {
		out.Why, err = err.Error(), nil
	}
	return out, err
}

// disks is how many times as much a job may hold on the disk as a conversion: it keeps what its steps have made of
// all its files.
const disks = 4

// In has the passes of the goal run in children, each for so long at most, without the conversions that it waits for.
func (g Goal) In(children *childproc.Children, atMost time.Duration) Goal {
	g.Run = func(ctx context.Context, t *Task) error {
		clock, limited, stop := startClock(ctx, atMost)
		defer stop()
		var out passed
		err := children.Do(limited, childproc.Job{
			Work: workName(g.ID), Title: "the job", Folders: []string{t.Dir}, Disk: disks * children.Limits().Disk, Progress: t.Report,
			In: given{Inputs: t.Inputs, Answered: t.Answered, Text: t.Text, Dir: t.Dir, Answers: t.Answers, Confirmed: t.Confirmed},
			Answer: func(ctx context.Context, question json.RawMessage) (any, error) {
				clock.pause()
				defer clock.goOn()
				return t.convert(ctx, question)
			},
		}, &out)
		if err != nil {
			var late *Failure
			if ctx.Err() == nil && errors.As(context.Cause(limited), &late) {
				err = late
			}
			// What was killed could not clear up; a limit on the disk is no good as long as it lies there.
			return errors.Join(Named(err), ClearHalfMade(t.Dir))
		}
		t.Pending, t.Approve, t.Preview, t.Retract = out.Pending, out.Approve, out.Preview, out.Retract
		t.Files, t.Missing, t.Closing, t.Warnings = out.Files, out.Missing, out.Closing, out.Warnings
		if out.Failure != nil {
			return childError{out.Failure, out.Why}
		}
		return pauses[out.End]
	}
	return g
}

// childError is a Failure with its causes as text.
type childError struct {
	failure *Failure
	why     string
}

func (e childError) Error() string { return e.why }

func (e childError) Unwrap() error { return e.failure }

// convert has the service convert what a child asks for, which must be the job's own.
func (t *Task) convert(ctx context.Context, question json.RawMessage) (any, error) {
	var what conversion
	if err := json.Unmarshal(question, &what); err != nil {
		return nil, fmt.Errorf("read what is to be converted: %w", err)
	}
	own := func(in Input) bool { return in.Path == what.In.Path }
	if !t.holds(what.Dir) || !t.holds(what.In.Path) && !slices.ContainsFunc(slices.Concat(t.Inputs, t.Answered), own) {
		return nil, fmt.Errorf("%s is none of the job's files", what.In.Name)
	}
	var out converted
	var err error
	out.Files, out.Warnings, err = t.Convert(ctx, what.In, what.Target, what.Dir)
	if errors.As(err, &out.Failure) {
		out.Why = err.Error()
		out.Cause, _ = engines.AsError(err)
		err = nil
	}
	return out, err
}

// holds reports whether a path lies below the job's folder.
func (t *Task) holds(path string) bool {
	below, err := filepath.Rel(t.Dir, path)
	return err == nil && filepath.IsLocal(below)
}

// failed is what Convert of a Task gave.
func (c converted) failed() error {
	switch {
	case c.Failure == nil:
		return nil
	case c.Cause == nil:
		return childError{c.Failure, c.Why}
	}
	return fmt.Errorf("%w (%w)", c.Failure, c.Cause)
}
