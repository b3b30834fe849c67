package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"

	"github.com/convilyn/convilyn-temporal/workflows"
)

// runDetail is everything about one run.
type runDetail struct {
	runRow
	Step    *runStep `json:"step"` // the step that runs or waits, null when none does
	Events  int64    `json:"history_events"`
	URL     string   `json:"url,omitempty"`
	Outcome *outcome `json:"outcome"` // null while it runs
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
	detail := runDetail{runRow: rowOf(info), Events: info.GetHistoryLength()}
	if s.UI != "" {
		detail.URL = s.RunURL(detail.WorkflowID, detail.RunID)
	}
	if info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		o, _ := await(ctx, attach(ctx, s, detail.runRow))
		detail.Outcome = &o
		return detail, nil
	}
	if now := stepOf(description); now.Step != "" {
		detail.Step = &runStep{Name: now.Step, Percent: now.Percent, Message: now.Message, Attempt: now.attempt, LastFailure: now.failure}
		if now.wait > 0 {
			detail.Step.NextIn = now.wait.Round(time.Second).String()
		}
	}
	return detail, nil
}

// attach follows a run that was started elsewhere.
func attach(ctx context.Context, s *Session, row runRow) *watched {
	w := &watched{runID: row.RunID, run: s.Temporal.GetWorkflow(ctx, row.WorkflowID, row.RunID)}
	w.item.workflowID, w.item.source = row.WorkflowID, row.Source
	w.item.input.Name, w.item.input.To.Format = row.Source, row.Target
	return w
}

func (e *Env) printDetail(d runDetail, asJSON bool) error {
	if asJSON {
		return e.printJSON(d)
	}
	_, err := fmt.Fprintf(e.Stdout, "run      %s\nstatus   %s\nfile     %s → %s\nstarted  %s, took %s\nhistory  %d events\n",
		d.WorkflowID, d.Status, d.Source, d.Target, d.StartedAt.Local().Format("2006-01-02 15:04:05"), d.took(), d.Events)
	if err != nil {
		return err
	}
	e.row("page", d.URL)
	if d.Step != nil {
		e.row("step", fmt.Sprintf("%s, %d %%, attempt %d %s", d.Step.Name, d.Step.Percent, d.Step.Attempt, d.Step.Message))
		e.row("failure", d.Step.LastFailure)
		e.row("next try", d.Step.NextIn)
	}
	if d.Outcome == nil {
		return nil
	}
	e.row("job", d.Outcome.JobID)
	for _, output := range d.Outcome.Outputs {
		e.row("output", fmt.Sprintf("%s  %s  sha256 %s", output.Path, bytesText(output.Size), output.SHA256))
	}
	for _, warning := range d.Outcome.Warnings {
		e.row("note", warning)
	}
	if d.Outcome.Error != nil {
		e.row("error", d.Outcome.Error.Code+": "+d.Outcome.Error.Message)
	}
	return nil
}

func (e *Env) row(name, value string) {
	if value != "" {
		_, _ = fmt.Fprintf(e.Stdout, "%-8s %s\n", name, value)
	}
}

func newRunsWatch(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "watch [RUN...]", Short: "Follow runs until they end (all open ones by default)",
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				return env.watch(ctx, s, args, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a run as it ends")
	return cmd
}

func (e *Env) watch(ctx context.Context, s *Session, ids []string, asJSON bool) error {
	var runs []*watched
	if len(ids) == 0 {
		rows, err := listRuns(ctx, s, workflows.StateRunning, 1000)
		if err != nil {
			return err
		}
		for _, row := range rows {
			runs = append(runs, attach(ctx, s, row))
		}
		if len(runs) == 0 {
			e.say("no runs are open")
		}
	}
	for _, id := range ids {
		description, err := describe(ctx, s, id)
		if err != nil {
			return err
		}
		runs = append(runs, attach(ctx, s, rowOf(description.GetWorkflowExecutionInfo())))
	}
	outcomes, err := e.follow(ctx, s, runs, asJSON)
	if err != nil {
		return err
	}
	if code := exitCode(outcomes); code != ExitOK {
		return &Failure{Code: code}
	}
	return nil
}
