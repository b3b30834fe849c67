package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
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

// steer tells one batch.
func (e *Env) steer(ctx context.Context, s *Session, id string, st steer) error {
	description, err := describe(ctx, s, id)
	if err != nil {
		return err
	}
	info := description.GetWorkflowExecutionInfo()
	if !isBatch(info) && (!isWatch(info) || st.signal != batch.SignalPause && st.signal != batch.SignalResume) {
		return noBatch(info)
	}
	err = s.desk().Steer(ctx, id, st.signal, st.steering)
	if errors.Is(err, answering.ErrEnded) {
		if isWatch(info) {
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
	e.say("%s was told: %s", id, st.signal)
	return nil
}

// describeBatch finds a run that is a batch.
func describeBatch(ctx context.Context, s *Session, id string) (*workflow.WorkflowExecutionInfo, error) {
	description, err := describe(ctx, s, id)
	if err != nil {
		return nil, err
	}
	info := description.GetWorkflowExecutionInfo()
	if !isBatch(info) {
		return nil, noBatch(info)
	}
	return info, nil
}

func noBatch(info *workflow.WorkflowExecutionInfo) error {
	id := info.GetExecution().GetWorkflowId()
	if isWatch(info) {
		return Usagef("%s is a watch; its waves are batches, see 'runs show %s'", id, id)
	}
	return Usagef("%s is no batch; see 'runs list --lane batch'", id)
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
				info, err := describeBatch(ctx, s, args[0])
				if err != nil {
					return err
				}
				if stateOf(info) == workflows.StateRunning {
					return env.steer(ctx, s, args[0], st)
				}
				return env.startAgain(ctx, s, info, st)
			})
		},
	}
	st.flags(cmd, env)
	cmd.Flags().StringSliceVar(&st.steering.Codes, "code", nil, "only failures of this code; several with commas (default: all)")
	return cmd
}

// startAgain starts a batch that has ended with what its report has left.
func (e *Env) startAgain(ctx context.Context, s *Session, info *workflow.WorkflowExecutionInfo, st steer) error {
	report, err := reportOf(ctx, s, info)
	if err != nil {
		return err
	}
	input, err := inputOf(ctx, s, info)
	if err != nil {
		return err
	}
	folder := manifest.NewFolder(input.Spec.Output, input.Name, time.Now())
	plan, err := manifest.Retry(ctx, report, st.steering.Codes, folder)
	if err := planFault(ctx, err); err != nil {
		return err
	}
	if plan.Items == 0 {
		if err := os.RemoveAll(plan.Folder); err != nil { // it was made for a run that is not needed
			return Usagef("clear the plan: %w", err)
		}
		return Usagef("nothing in %s is to be tried again", shortPath(report))
	}
	item := batchOf(info)
	item.input = input
	item.input.Plan, item.input.Resume = &plan, nil
	run, err := startOne(ctx, s, item)
	if err != nil {
		return fmt.Errorf("start the batch: %w", err)
	}
	return detached(e, s, []*watched{run}, st.asJSON)
}

// inputOf is what a batch was started with, out of its history.
func inputOf(ctx context.Context, s *Session, info *workflow.WorkflowExecutionInfo) (batch.Input, error) {
	var input batch.Input
	err := inputInto(ctx, s, info, &input)
	return input, err
}

// inputInto reads what a run was started with, out of its history.
func inputInto(ctx context.Context, s *Session, info *workflow.WorkflowExecutionInfo, into any) error {
	id, runID := info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId()
	first, err := s.Temporal.GetWorkflowHistory(ctx, id, runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Next()
	if err != nil {
		return fmt.Errorf("read what %s was started with: %w", id, err)
	}
	payloads := first.GetWorkflowExecutionStartedEventAttributes().GetInput()
	if err := converter.GetDefaultDataConverter().FromPayloads(payloads, into); err != nil {
		return fmt.Errorf("read what %s was started with: %w", id, err)
	}
	return nil
}
