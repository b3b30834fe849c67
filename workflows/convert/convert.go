// Package convert is the workflow ConvertFile: one file through upload, create, await and download.
package convert

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// WorkflowType is the type of ConvertFile.
const WorkflowType = "ConvertFile"

// Result is a finished conversion.
type Result struct {
	Outputs  []activities.Output     `json:"outputs"`
	Warnings []string                `json:"warnings,omitempty"`
	Check    *activities.CheckResult `json:"check,omitempty"` // nil where nothing was asked to be compared
	FileID   string                  `json:"file_id"`
	JobID    string                  `json:"job_id"`
	// Attempts is the highest number of attempts that any one step took; 1 when all went well at once.
	Attempts int `json:"attempts"`
	// Answers are what people have said about an output that lacks something.
	Answers []questions.Receipt `json:"answers,omitempty"`
}

// Status answers run.QueryStatus.
type Status struct {
	State  string `json:"state"`
	Step   string `json:"step"` // the step that runs, or ran last
	Round  int    `json:"round"`
	FileID string `json:"file_id,omitempty"`
	JobID  string `json:"job_id,omitempty"`
}

// ConvertFile uploads a file, has it converted, and downloads the results.
func ConvertFile(ctx workflow.Context, input Input) (Result, error) { //nolint:revive // named as the registered type, for those who search for it
	c := &conversion{state: run.StateRunning}
	c.pipeline = Pipeline{Input: input, Progress: &c.progress, Entered: c.publishStep}
	err := run.AnswerQueries(ctx, run.Query{Name: run.QueryStatus, Handler: func() (Status, error) { return c.status(), nil }})
	if err != nil {
		return Result{}, err
	}
	c.answers = questions.Handler{Ledger: &c.ledger, Signals: []questions.Signal{{Name: questions.SignalFillSlot}}}
	if err := c.answers.Listen(ctx); err != nil {
		return Result{}, err
	}
	err = c.pipeline.Run(ctx)
	if err == nil && c.pipeline.Held != nil {
		err = c.review(ctx)
	}
	err = c.end(ctx, err)
	return c.result(), err
}

type conversion struct {
	pipeline Pipeline
	progress Progress
	state    string
	ledger   questions.Ledger
	answers  questions.Handler
}

func (c *conversion) status() Status {
	return Status{State: c.state, Step: c.pipeline.Step, Round: c.progress.Round, FileID: c.progress.FileID, JobID: c.progress.JobID}
}

func (c *conversion) result() Result {
	return Result{
		Outputs: c.pipeline.Outputs, Warnings: c.pipeline.Warnings, Check: c.pipeline.Check,
		FileID: c.progress.FileID, JobID: c.progress.JobID, Attempts: c.progress.Attempts, Answers: c.ledger.Receipts,
	}
}

// title names the conversion for people, in Markdown.
func (c *conversion) title() string {
	return fmt.Sprintf("**%s** to %s", c.pipeline.Input.Name, c.pipeline.Input.To.Format)
}

// publishStep shows the step in Temporal's page alone: it leaves no event in history.
func (c *conversion) publishStep(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("%s, step: %s", c.title(), c.pipeline.Step))
}

// end cleans up, and publishes how the run ended.
func (c *conversion) end(ctx workflow.Context, err error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if in, some := c.pipeline.Discard(); err != nil && some {
		DiscardParts(ctx, in)
	}
	if drainErr := c.answers.Drain(ctx); drainErr != nil {
		workflow.GetLogger(ctx).Error("cannot hear the last answers", "error", drainErr)
	}
	asked := len(c.ledger.Rounds) > 0
	c.ledger.Close()
	c.state = run.EndState(err)
	c.countEnd(ctx, err)
	if asked {
		c.publishReview(ctx)
	} else {
		run.Publish(ctx, run.Position{State: c.state, Details: fmt.Sprintf("%s: %s", c.title(), c.state)})
	}
	return c.failure(err)
}

func (c *conversion) countEnd(ctx workflow.Context, err error) {
	code := ""
	if c.state == run.StateFailed {
		code = c.pipeline.Failure(err).Code
	}
	run.CountFile(ctx, run.LaneTurbo, c.state, code)
	run.CountRun(ctx, run.LaneTurbo, c.state)
}

// failure names file, step, code and attempts in one line; the step's failure is in its details.
func (c *conversion) failure(err error) error {
	if err == nil || temporal.IsCanceledError(err) {
		return err
	}
	failure := c.pipeline.Failure(err)
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("%s: %s: %s: %s (attempt %d)", c.pipeline.Input.Name, failure.Step, failure.Code, failure.Message, failure.Attempts),
		failure.Code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{failure}})
}
