package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
)

// describe finds the run that somebody names: by id, by the beginning of an id, or by name.
func describe(ctx context.Context, s *Session, text string) (runs.Description, error) {
	d, err := s.runs().Find(ctx, strings.TrimSuffix(text, "…")) // as lists show an id that does not fit
	var several *runs.AmbiguousError
	switch {
	case text == "":
		return d, Usagef("name a run; see 'runs list'")
	case errors.Is(err, runs.ErrNoSuchRun):
		return d, Usagef("no run is called %s; see 'runs list'", term.OneLine(text))
	case errors.As(err, &several):
		return d, ambiguous(several)
	}
	return d, err
}

// ambiguous names the candidates.
func ambiguous(several *runs.AmbiguousError) error {
	lines := make([]string, 0, len(several.Found)+1)
	for _, r := range several.Found {
		lines = append(lines, term.OneLine(fmt.Sprintf("  %s  %s, %s, started %s", r.ID, r.State(), shownName(r), term.Moment(r.StartedAt, time.Now()))))
	}
	if several.More {
		lines = append(lines, "  ... and more; 'runs list --name TEXT' lists them")
	}
	return Usagef("%s names several runs; type more of an id:\n%s", several.Text, strings.Join(lines, "\n"))
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
