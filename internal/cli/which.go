package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/runs"
)

// describe finds a run by its workflow id.
func describe(ctx context.Context, s *Session, id string) (runs.Description, error) {
	d, err := s.runs().Describe(ctx, id)
	if errors.Is(err, runs.ErrNoSuchRun) {
		return d, Usagef("no run is called %s; see 'runs list'", id)
	}
	return d, err
}

// attached are the works of runs that were started elsewhere, as far as their memos know.
var attached = map[*runs.Kind]func(runs.Run) work{
	runs.Conversion: conversionOf, runs.Goal: goalOf, runs.Batch: batchOf, runs.Watch: watchOf,
}

// attach follows a run that was started elsewhere. One of no kind of ours is followed as a conversion.
func attach(r runs.Run) *watched {
	of := attached[r.Kind]
	if of == nil {
		of = conversionOf
	}
	return &watched{work: of(r), runID: r.RunID}
}

// describeBatch finds a run that is a batch.
func describeBatch(ctx context.Context, s *Session, id string) (runs.Run, error) {
	d, err := describe(ctx, s, id)
	if err == nil && d.Kind != runs.Batch {
		err = noBatch(d.Run)
	}
	return d.Run, err
}

func noBatch(r runs.Run) error {
	if r.Kind == runs.Watch {
		return Usagef("%s is a watch; its waves are batches, see 'runs show %s'", r.ID, r.ID)
	}
	return Usagef("%s is not a batch; see 'runs list --lane batch'", r.ID)
}

func oneRunAtLeast(env *Env, verb string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return Usagef("name a run; '%s runs list' lists them, then '%s runs %s RUN'", env.Program, env.Program, verb)
		}
		return nil
	}
}

func oneBatch(env *Env, verb string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return Usagef("name one batch; '%s runs list --lane batch' lists them, then '%s runs %s RUN'", env.Program, env.Program, verb)
		}
		return nil
	}
}
