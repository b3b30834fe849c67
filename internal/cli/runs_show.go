package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// runDetail is everything about one run.
type runDetail struct {
	runRow
	Step    *runStep  `json:"step"` // the step that runs or waits, null when none does
	Events  int64     `json:"history_events"`
	URL     string    `json:"url,omitempty"`
	Outcome result    `json:"outcome"`         // null while it runs
	Goal    *goalNow  `json:"goal,omitempty"`  // of a goal that runs
	Asks    *asksNow  `json:"asks,omitempty"`  // of a conversion or a batch that waits for answers
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
					detail, err := detailOf(ctx, s, id)
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

// detailOf reads everything about a run.
func detailOf(ctx context.Context, s *Session, named string) (runDetail, error) {
	d, err := describe(ctx, s, named)
	if err != nil {
		return runDetail{}, err
	}
	id := d.ID
	if err := s.readable(d.Run); err != nil {
		return runDetail{}, err
	}
	detail := runDetail{runRow: rowOf(d.Run), Events: d.Events}
	if detail.StartedAt, err = s.runs().BegunAt(ctx, d.Run); err != nil {
		return runDetail{}, err
	}
	if s.UI != "" {
		detail.URL = s.RunURL(detail.WorkflowID, detail.RunID)
	}
	if !d.Open() {
		if detail.Outcome, err = s.await(ctx, attach(d.Run)); err != nil {
			return runDetail{}, fmt.Errorf("read how %s ended: %w", id, err)
		}
		return detail, nil
	}

	if seen, err := s.runs().Look(ctx, id); err == nil {
		detail.Trouble = seen.Troubles
	}
	switch d.Kind {
	case runs.Goal:
		detail.Goal = goalNowOf(ctx, s, id)
	case runs.Conversion:
		detail.Asks = asksNowOf(ctx, s, d.Run)
	case runs.Batch:
		detail.Asks = asksNowOf(ctx, s, d.Run)
		detail.Batch = batchNowOf(ctx, s, id, detail.Trouble)
	case runs.Watch:
		detail.Watch = watchNowOf(ctx, s, id)
	}
	if now := d.Step; now.Step != "" {
		detail.Step = &runStep{Name: now.Step, Percent: now.Percent, Message: now.Message, Attempt: now.Attempt, LastFailure: now.Failure}
		if now.Wait > 0 {
			detail.Step.NextIn = now.Wait.Round(time.Second).String()
		}
	}
	return detail, nil
}

// asksNow is what a conversion or a batch asks that waits for answers.
type asksNow struct {
	Questions []questions.Question `json:"questions"`
	Answers   []questions.Receipt  `json:"answers"`
	Trouble   string               `json:"trouble,omitempty"` // why the run could not be asked
}

// asksNowOf asks the run; nil where it waits for nobody.
func asksNowOf(ctx context.Context, s *Session, r runs.Run) *asksNow {
	if len(r.Memo.Questions) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, nowWithin)
	defer cancel()
	now := &asksNow{}
	var err error
	if now.Questions, err = s.runs().Questions(ctx, r.ID); err == nil {
		now.Answers, err = s.runs().Answers(ctx, r.ID)
	}
	if err != nil {
		now.Trouble = err.Error()
	}
	return now
}

func (now *asksNow) renderDetail(e *Env) {
	e.renderQuestions(now.Questions)
	e.renderReceipts(now.Answers)
	e.row("trouble", now.Trouble)
}

func (e *Env) printDetail(d runDetail, asJSON bool) error {
	if asJSON {
		return e.printJSON(d)
	}
	_, err := fmt.Fprintf(e.Stdout, "run      %s\nstatus   %s\nfile     %s → %s\nstarted  %s, took %s\nhistory  %d events\n",
		d.WorkflowID, e.paintOut(d.Status, d.Status), term.Printable(d.Source), term.Printable(d.Target), d.StartedAt.Local().Format("2006-01-02 15:04:05"), d.took(), d.Events)
	if err != nil {
		return err
	}
	e.row("labels", strings.Join(d.Labels, ", "))
	e.row("page", d.URL)
	for _, line := range troubleLines(d.Trouble) {
		e.row("trouble", line)
	}
	if d.Step != nil {
		e.row("step", fmt.Sprintf("%s, %d %%, attempt %d %s", d.Step.Name, d.Step.Percent, d.Step.Attempt, d.Step.Message))
		e.row("failure", d.Step.LastFailure)
		e.row("next try", d.Step.NextIn)
	}
	if d.Asks != nil && d.Batch == nil {
		d.Asks.renderDetail(e)
	}
	switch {
	case d.Goal != nil:
		d.Goal.renderDetail(e)
	case d.Batch != nil:
		err := d.Batch.renderDetail(e, d.WorkflowID)
		if d.Asks != nil {
			d.Asks.renderDetail(e)
		}
		return err
	case d.Watch != nil:
		d.Watch.renderDetail(e, d.WorkflowID)
	case d.Outcome != nil:
		d.Outcome.renderDetail(e)
	}
	return nil
}
