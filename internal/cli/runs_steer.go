package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// steer is how batches are told something.
type steer struct {
	signal   string
	steering batch.Steering
	asJSON   bool
}

func (st *steer) flags(cmd *cobra.Command, env *Env) {
	cmd.Flags().StringVar(&st.steering.By, "by", "cli:"+env.userName(), "who says so")
	cmd.Flags().StringVar(&st.steering.Note, "note", "", "why, for people to see")
	cmd.Flags().BoolVar(&st.asJSON, "json", false, "print one JSON object a run")
}

func newRunsPause(env *Env) *cobra.Command {
	return newSteer(env, batch.SignalPause, "Pause batches and watches: nothing new is started, what is under way goes on to its end")
}

func newRunsResume(env *Env) *cobra.Command {
	return newSteer(env, batch.SignalResume, "Let paused batches and watches go on")
}

func newSteer(env *Env, signal, short string) *cobra.Command {
	st := steer{signal: signal}
	cmd := &cobra.Command{
		Use: signal + " RUN...", Short: short, Args: oneRunAtLeast(env, signal),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				for _, id := range args {
					if err := env.steer(ctx, s, id, st); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	st.flags(cmd, env)
	return cmd
}

func newRunsSetConcurrency(env *Env) *cobra.Command {
	st := steer{signal: batch.SignalSetConcurrency}
	cmd := &cobra.Command{
		Use: st.signal + " RUN N", Short: "Bound how many files of a batch are under way at once",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return Usagef("name a run and a number, as in '%s runs %s RUN 20'", env.Program, st.signal)
			}
			n, err := strconv.Atoi(args[1])
			if err != nil || n < 1 || n > batch.MaxConcurrency {
				return Usagef("%q is not a number from 1 to %d", args[1], batch.MaxConcurrency)
			}
			st.steering.Concurrency = n
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				return env.steer(ctx, s, args[0], st)
			})
		},
	}
	st.flags(cmd, env)
	return cmd
}

// steer sends one run a signal of its kind.
func (e *Env) steer(ctx context.Context, s *Session, named string, st steer) error {
	d, err := describe(ctx, s, named)
	if err != nil {
		return err
	}
	id := d.ID
	if !d.Kind.Takes(st.signal) {
		return noBatch(d.Run)
	}
	err = s.runs().Steer(ctx, id, st.signal, st.steering)
	if errors.Is(err, runs.ErrEnded) {
		if d.Kind.Endless {
			return Usagef("%s has ended; the command that started it starts it again", id)
		}
		return Usagef("%s has ended; '%s runs retry %s' starts what failed again", id, e.Program, id)
	}
	if err != nil {
		return err
	}
	if st.asJSON {
		return e.printJSON(map[string]string{"workflow_id": id, "told": st.signal})
	}
	e.printf("%s was told: %s", id, st.signal)
	return nil
}

func newRunsRetry(env *Env) *cobra.Command {
	st := steer{signal: batch.SignalRetryFailed}
	cmd := &cobra.Command{
		Use: "retry RUN", Short: "Try again what failed in a batch",
		Long: "A batch that runs tries its failed files again. One that has ended is started again under the same name, with what\n" +
			"its report calls failed, cancelled or not started; everything else stays as it is.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return Usagef("name one run, as in '%s runs retry RUN'; '%s runs list --lane batch' lists them", env.Program, env.Program)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				run, err := describeBatch(ctx, s, args[0])
				if err != nil {
					return err
				}
				if run.Open() {
					return env.steer(ctx, s, run.ID, st)
				}
				return env.startAgain(ctx, s, run, st)
			})
		},
	}
	st.flags(cmd, env)
	cmd.Flags().StringSliceVar(&st.steering.Codes, "code", nil, "only failures of this code; several with commas (default: all)")
	return cmd
}

// startAgain starts a batch that has ended with what its report has left.
func (e *Env) startAgain(ctx context.Context, s *Session, r runs.Run, st steer) error {
	report, err := reportOf(ctx, s, r)
	if err != nil {
		return err
	}
	var input batch.Input
	if err := s.runs().Input(ctx, r, &input); err != nil {
		return err
	}
	folder := manifest.NewFolder(s.State, input.Spec.Output, input.Name, time.Now())
	plan, err := manifest.Anywhere.Retry(ctx, report, st.steering.Codes, folder)
	if err := planFault(ctx, err); err != nil {
		return err
	}
	if plan.Items == 0 {
		if err := os.RemoveAll(plan.Folder); err != nil { // it was made for a run that is not needed
			return Usagef("clear the plan: %w", err)
		}
		return Usagef("nothing in %s is to be tried again", shortPath(report))
	}
	if err := nameElsewhere(s, plan); err != nil {
		return err
	}
	item := batchItem{workflowID: r.ID, source: r.Source, input: input}
	item.input.Plan, item.input.Resume = &plan, nil
	run, err := startOne(ctx, s, item, r.Labels)
	if err != nil {
		return fmt.Errorf("start the batch: %w", err)
	}
	return detached(e, s, []*watched{run}, st.asJSON)
}
