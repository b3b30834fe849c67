package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
)

func newRunsWatch(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "watch [RUN...]", Short: "Follow runs until they end (by default all open ones that come to an end by themselves)",
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				return env.watch(ctx, s, args, asJSON)
			})
		},
	}
	env.progressFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a run as it ends")
	return cmd
}

// watch follows goals too, which may wait for answers or come to that: their questions are printed, and whoever watches
// goes on.
func (e *Env) watch(ctx context.Context, s *Session, ids []string, asJSON bool) error {
	all, err := e.toWatch(ctx, s, ids)
	if err != nil {
		return err
	}
	asked, end := lookForQuestions(ctx, s, all, map[string]bool{}, func(now pending) error {
		e.printWaiting(now)
		return nil
	})
	outcomes, err := e.follow(ctx, s, all, asJSON, asked)
	end()
	if err != nil {
		return err
	}
	return exitFor(outcomes)
}

// toWatch finds the runs of these ids, or all open ones that have an end.
func (e *Env) toWatch(ctx context.Context, s *Session, ids []string) (all []*watched, err error) {
	for _, id := range ids {
		d, err := describe(ctx, s, id)
		if err != nil {
			return nil, err
		}
		all = append(all, attach(d.Run))
	}
	if len(ids) > 0 {
		return all, nil
	}

	open, err := s.runs().List(ctx, runs.Filter{State: workflows.StateRunning}, 1000)
	if err != nil {
		return nil, err
	}
	watches := 0
	for _, r := range open {
		if r.Kind.Endless {
			watches++
			continue
		}
		all = append(all, attach(r))
	}
	switch {
	case len(all) == 0 && watches > 0:
		e.printf("no runs are open but %s; name one to follow it", term.Plural(watches, "watch", "watches"))
	case len(all) == 0:
		e.printf("no runs are open")
	}
	return all, nil
}
