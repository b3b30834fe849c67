package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// runDetail is everything about one run.
type runDetail struct {
	runRow
	Step    *runStep  `json:"step"` // the step that runs or waits, null when none does
	Events  int64     `json:"history_events"`
	URL     string    `json:"url,omitempty"`
	Outcome result    `json:"outcome"`         // null while it runs
	Goal    *goalNow  `json:"goal,omitempty"`  // of a goal that runs
	Batch   *batchNow `json:"batch,omitempty"` // of a batch that runs
	Watch   *watchNow `json:"watch,omitempty"` // of a watch that goes on
}

type runStep struct {
	Name        string `json:"name"`
	Percent     int    `json:"percent"`
	Message     string `json:"message,omitempty"`
	Attempt     int    `json:"attempt"`
	NextIn      string `json:"next_attempt_in,omitempty"`
	LastFailure string `json:"last_failure,omitempty"`
}

func newRunsShow(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show RUN...", Short: "Show runs: step, attempts, last failure, outputs", Args: oneRunAtLeast(env, "show"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				for _, id := range args {
					detail, err := showRun(ctx, s, id)
					if err != nil {
						return err
					}
					if err := env.printDetail(detail, asJSON); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a run")
	return cmd
}

func showRun(ctx context.Context, s *Session, id string) (runDetail, error) {
	description, err := describe(ctx, s, id)
	if err != nil {
		return runDetail{}, err
	}
	info := description.GetWorkflowExecutionInfo()
	if err := s.readable(id, info.GetMemo()); err != nil {
		return runDetail{}, err
	}
	detail := runDetail{runRow: rowOf(info), Events: info.GetHistoryLength()}
	if detail.StartedAt, err = begunAt(ctx, s, info); err != nil {
		return runDetail{}, err
	}
	if s.UI != "" {
		detail.URL = s.RunURL(detail.WorkflowID, detail.RunID)
	}
	if info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		run := runOf(ctx, s, info)
		if detail.Outcome, err = run.await(ctx, run.run, run.runID); err != nil {
			return runDetail{}, fmt.Errorf("read how %s ended: %w", id, err)
		}
		return detail, nil
	}
	if isGoal(info) {
		detail.Goal = goalStands(ctx, s, id)
	}
	if isBatch(info) {
		detail.Batch = batchStands(ctx, s, id)
		return detail, nil // its many steps are counted there
	}
	if isWatch(info) {
		detail.Watch = watchStands(ctx, s, id)
	}
	if now := answering.StepOf(description); now.Step != "" {
		detail.Step = &runStep{Name: now.Step, Percent: now.Percent, Message: now.Message, Attempt: now.Attempt, LastFailure: now.Failure}
		if now.Wait > 0 {
			detail.Step.NextIn = now.Wait.Round(time.Second).String()
		}
	}
	return detail, nil
}

// begunAt is when the first of the runs was started that each continued the one before.
func begunAt(ctx context.Context, s *Session, info *workflow.WorkflowExecutionInfo) (time.Time, error) {
	first := info.GetFirstRunId()
	if first == "" || first == info.GetExecution().GetRunId() {
		return info.GetStartTime().AsTime(), nil
	}
	description, err := s.Temporal.DescribeWorkflowExecution(ctx, info.GetExecution().GetWorkflowId(), first)
	var forgotten *serviceerror.NotFound
	switch {
	case errors.As(err, &forgotten): // after its retention
		return info.GetStartTime().AsTime(), nil
	case err != nil:
		return time.Time{}, fmt.Errorf("look at the first run of %s: %w", info.GetExecution().GetWorkflowId(), err)
	}
	return description.GetWorkflowExecutionInfo().GetStartTime().AsTime(), nil
}

func (e *Env) printDetail(d runDetail, asJSON bool) error {
	if asJSON {
		return e.printJSON(d)
	}
	_, err := fmt.Fprintf(e.Stdout, "run      %s\nstatus   %s\nfile     %s → %s\nstarted  %s, took %s\nhistory  %d events\n",
		d.WorkflowID, d.Status, printable(d.Source), printable(d.Target), d.StartedAt.Local().Format("2006-01-02 15:04:05"), d.took(), d.Events)
	if err != nil {
		return err
	}
	e.row("page", d.URL)
	if d.Step != nil {
		e.row("step", fmt.Sprintf("%s, %d %%, attempt %d %s", d.Step.Name, d.Step.Percent, d.Step.Attempt, d.Step.Message))
		e.row("failure", d.Step.LastFailure)
		e.row("next try", d.Step.NextIn)
	}
	if d.Goal != nil {
		e.showGoalNow(d)
	}
	if d.Batch != nil {
		return e.showBatchNow(d)
	}
	if d.Watch != nil {
		return e.showWatchNow(d)
	}
	switch o := d.Outcome.(type) {
	case watchOutcome:
		e.showWatchOutcome(o)
	case outcome:
		e.showOutcome(o)
	case goalOutcome:
		e.showGoalOutcome(o)
	case batchOutcome:
		e.showBatchOutcome(o)
	}
	return nil
}

func (e *Env) showOutcome(o outcome) {
	e.row("job", o.JobID)
	for _, output := range o.Outputs {
		e.row("output", fmt.Sprintf("%s  %s  sha256 %s", output.Path, bytesText(output.Size), output.SHA256))
	}
	for _, warning := range o.Warnings {
		e.row("note", warning)
	}
	if o.Error != nil {
		e.row("error", o.Error.Code+": "+o.Error.Message)
	}
}

func (e *Env) row(name, value string) {
	if value != "" {
		_, _ = fmt.Fprintf(e.Stdout, "%-8s %s\n", name, printable(value))
	}
}

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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a run as it ends")
	return cmd
}

// watch follows goals too, which may be at questions or come to some: those are told, and whoever watches goes on.
func (e *Env) watch(ctx context.Context, s *Session, ids []string, asJSON bool) error {
	runs, err := e.toWatch(ctx, s, ids)
	if err != nil {
		return err
	}
	stops, end := lookForStops(ctx, s, runs, map[string]bool{}, func(now stop) error {
		e.say("%s waits for answers:", now.id)
		e.tellQuestions(now.id, now.questions)
		return nil
	})
	outcomes, err := e.follow(ctx, s, runs, asJSON, stops)
	end()
	if err != nil {
		return err
	}
	if code := exitCode(outcomes); code != ExitOK {
		return &Failure{Code: code}
	}
	return nil
}

// toWatch finds the runs of these ids, or all open ones that have an end.
func (e *Env) toWatch(ctx context.Context, s *Session, ids []string) (runs []*watched, err error) {
	for _, id := range ids {
		description, err := describe(ctx, s, id)
		if err != nil {
			return nil, err
		}
		runs = append(runs, runOf(ctx, s, description.GetWorkflowExecutionInfo()))
	}
	if len(ids) > 0 {
		return runs, nil
	}
	infos, err := listInfos(ctx, s, runsQuery(workflows.StateRunning, ""), 1000)
	if err != nil {
		return nil, err
	}
	watches := 0
	for _, info := range infos {
		if isWatch(info) { // which has no end
			watches++
			continue
		}
		runs = append(runs, runOf(ctx, s, info))
	}
	switch {
	case len(runs) == 0 && watches > 0:
		e.say("no runs are open but %s; name one to follow it", plural(watches, "watch", "watches"))
	case len(runs) == 0:
		e.say("no runs are open")
	}
	return runs, nil
}
