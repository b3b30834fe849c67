package convert

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// Question asks about the output that the pipeline holds.
func (p *Pipeline) Question(slotID string, more ...activities.Option) questions.Question {
	loss := questions.Loss{Source: p.Input.Source, Name: p.Input.Name, Folder: p.Input.To.Folder, Held: *p.Held}
	if p.Check != nil {
		loss.Check = *p.Check
	}
	return questions.LossQuestion(slotID, p.Input.SourceFormat, p.Input.To.Format, loss, more...)
}

// Settle puts the output that the pipeline holds in place, or fails with the refusal. Whoever calls it removes what is held then.
func (p *Pipeline) Settle(ctx workflow.Context, verdict questions.LossVerdict) error {
	if !verdict.Keeps() {
		return p.refusal(verdict)
	}
	// Renames a few files.
	ctx = p.enter(ctx, activities.StepReview, 10*time.Minute, "Put the output in place that is kept")
	var out activities.PlaceHeldResult
	err := workflow.ExecuteActivity(ctx, steps.PlaceHeld, activities.PlaceHeldInput{To: p.Input.To, Held: *p.Held}).Get(ctx, &out)
	if err != nil {
		return run.Cancelled(ctx, err)
	}
	p.Outputs, p.Done = out.Outputs, true
	p.Warnings = append(p.Warnings, activities.LossPrefix+"kept by "+verdict.By)
	p.Progress.Attempts = max(p.Progress.Attempts, out.Attempts)
	return nil
}

func (p *Pipeline) refusal(verdict questions.LossVerdict) error {
	code := activities.CodeLossRefused
	if verdict.Late {
		code = questions.CodeDeadline
	}
	failure := activities.Failure{
		Step: activities.StepReview, Kind: activities.FailureConversion, Code: code, Attempts: p.Progress.Attempts,
		Message: fmt.Sprintf("refused by %s: %s", verdict.By, strings.Join(p.Held.Losses, "; ")),
	}
	return temporal.NewApplicationErrorWithOptions(failure.Message, code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{failure}})
}

// Discard is what removes what the pipeline has fetched and not put in place; false where there is nothing.
func (p *Pipeline) Discard() (activities.DiscardPartsInput, bool) {
	in := activities.DiscardPartsInput{Folder: p.Input.To.Folder, Part: p.Part, Held: p.Held}
	return in, !p.Done && (p.Step == activities.StepDownload || p.Step == activities.StepReview)
}

// review asks people about the output, and does what they say. It waits for days if need be.
func (c *conversion) review(ctx workflow.Context) error {
	if workflow.GetVersion(ctx, "ask-about-losses", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return c.pipeline.Settle(ctx, questions.LossVerdict{Choice: questions.LossKeep})
	}
	policy := c.pipeline.Input.Policy
	c.pipeline.Step = activities.StepReview
	c.ledger.AskLoss(c.pipeline.Question(questions.SlotLoss), policy, workflow.Now(ctx))
	c.state = run.StateWaiting
	c.publishReview(ctx)

	decided := func() bool { return c.ledger.Decision(questions.SlotLoss) != "" }
	for {
		var err error
		if at := c.ledger.Find(questions.SlotLoss).Deadline; at != nil {
			_, err = workflow.AwaitWithTimeout(ctx, at.Sub(workflow.Now(ctx)), decided)
			c.ledger.AnswerOverdue(policy, workflow.Now(ctx))
		} else {
			err = workflow.Await(ctx, decided)
		}
		if err != nil {
			return err
		}
		if decided() {
			break // else the timer has fired a moment before the deadline
		}
	}

	verdict, _ := c.ledger.LossVerdict(questions.SlotLoss)
	c.ledger.Deliver(questions.SlotLoss, workflow.Now(ctx))
	c.state = run.StateRunning
	if verdict.Keeps() { // else the end says where it stands
		c.publishReview(ctx)
	}
	return c.pipeline.Settle(ctx, verdict)
}

// publishReview shows in lists what is asked.
func (c *conversion) publishReview(ctx workflow.Context) {
	memo, slots := c.ledger.Summary(questions.Memo{Name: run.Cut(c.pipeline.Input.Name, 200)})
	run.Publish(ctx, run.Position{
		State: c.state, Slots: slots, Memo: map[string]any{questions.MemoKey: memo}, Details: fmt.Sprintf("%s: %s", c.title(), c.state),
	})
}
