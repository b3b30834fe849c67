package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// startsAtOnce bounds the requests to Temporal while a command starts its runs.
const startsAtOnce = 16

const (
	maxLabels = 20
	maxLabel  = 100 // bytes
)

// labels are what runs are marked with at their start. A run that is there already keeps its own.
type labels []string

func (l *labels) flag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar((*[]string)(l), "label", nil, "TEXT that lists show and pick by, such as team=legal; may be repeated")
}

func (l labels) check() error {
	if len(l) > maxLabels {
		return Usagef("--label is given %d times; a run takes %d", len(l), maxLabels)
	}
	for _, label := range l {
		if label == "" || len(label) > maxLabel || term.OneLine(label) != label {
			return Usagef("--label %q must be one line of 1 to %d bytes", label, maxLabel)
		}
	}
	return nil
}

// startOne starts the run of a work, or attaches to the one that exists.
func startOne(ctx context.Context, s *Session, w work, marks labels) (*watched, error) {
	spec := w.spec()
	spec.Labels = marks
	runID, err := s.runs().Start(ctx, spec)
	if errors.Is(err, runs.ErrAlreadyDone) {
		done, _, earlierErr := earlierRun(ctx, s, w)
		if earlierErr != nil {
			return nil, earlierErr
		}
		if done != nil {
			return done, nil
		}
		// It ran to its end once, but its outputs are gone or are not what they were.
		runID, err = s.runs().StartAgain(ctx, spec)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.title(), err)
	}
	return &watched{work: w, runID: runID}, nil
}

// earlierRun looks for a run of the same work: done, with its outputs in place, or still running.
func earlierRun(ctx context.Context, s *Session, w work) (done *watched, running bool, err error) {
	d, err := s.runs().Describe(ctx, w.id())
	switch {
	case errors.Is(err, runs.ErrNoSuchRun):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("look for an earlier run of %s: %w", w.title(), err)
	case d.Status != workflows.StateCompleted:
		return nil, d.Open(), nil
	}
	earlier := &watched{work: w, runID: d.RunID}
	end, err := s.await(ctx, earlier)
	if err != nil {
		return nil, false, fmt.Errorf("read the result of the earlier run of %s: %w", w.title(), err)
	}
	if !end.inPlace() {
		return nil, false, nil
	}
	return earlier, false, nil
}

// findRun looks for a run that may not be there.
func findRun(ctx context.Context, s *Session, id string) (d runs.Description, found bool, err error) {
	d, err = s.runs().Describe(ctx, id)
	if errors.Is(err, runs.ErrNoSuchRun) {
		return d, false, nil
	}
	return d, err == nil, err
}

// freeID adds the first number that no run has.
func freeID(ctx context.Context, s *Session, id string) (string, error) {
	for n, free := 2, id; ; n++ {
		_, found, err := findRun(ctx, s, free)
		if err != nil || !found {
			return free, err
		}
		free = fmt.Sprintf("%s-%d", id, n)
	}
}

func detached(env *Env, s *Session, started []*watched, asJSON bool) error {
	for _, w := range started {
		if asJSON {
			if err := env.printJSON(w.begun(w.runID)); err != nil {
				return err
			}
		} else if _, err := fmt.Fprintln(env.Stdout, w.id()); err != nil {
			return err
		}
	}
	if s.Stays {
		env.remark("%d started; see them with '%s runs list'", len(started), env.Program)
	} else {
		env.remark("%d started; they go on while the stack is up: run '%s up'", len(started), env.Program)
	}
	return nil
}
