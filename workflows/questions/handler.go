package questions

import (
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// Signal is a way to answer without waiting for a verdict, with the slot and value that it stands for;
// fill-slot brings its own.
type Signal struct{ Name, SlotID, Value string }

// Handler takes the answers to a run's questions.
type Handler struct {
	Ledger  *Ledger
	Signals []Signal
}

// Listen takes answers and questions about them from now on.
func (d Handler) Listen(ctx workflow.Context) error {
	for _, signal := range d.Signals {
		run.OnSignal(ctx, signal.Name, func(ctx workflow.Context, raw json.RawMessage) { d.hear(ctx, signal, raw) })
	}
	err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateFillSlot, d.update, workflow.UpdateHandlerOptions{
		Validator: d.checkUpdate, Description: "answers a question; returns the receipt",
	})
	if err != nil {
		return fmt.Errorf("register the update %s: %w", UpdateFillSlot, err)
	}
	return run.AnswerQueries(ctx,
		run.Query{Name: QueryQuestions, Handler: func() ([]Question, error) { return d.Ledger.Questions(), nil }},
		run.Query{Name: QueryAnswers, Handler: func() ([]Receipt, error) { return append([]Receipt{}, d.Ledger.Receipts...), nil }},
	)
}

// Drain hears what has arrived and was not heard yet, before the run ends or continues as new.
func (d Handler) Drain(ctx workflow.Context) error {
	if err := run.AwaitListeners(ctx); err != nil {
		return err
	}
	for _, signal := range d.Signals {
		run.DrainSignal(ctx, signal.Name, func(ctx workflow.Context, raw json.RawMessage) { d.hear(ctx, signal, raw) })
	}
	return nil
}

// hear gives a signal's answer to the ledger. What cannot be read gets its verdict, too.
func (d Handler) hear(ctx workflow.Context, signal Signal, raw json.RawMessage) {
	var answer Answer
	if err := json.Unmarshal(raw, &answer); err != nil && signal.SlotID == "" {
		answer = Answer{} // refused for want of a slot
	}
	if signal.SlotID != "" {
		answer.SlotID, answer.Value = signal.SlotID, run.Encode(signal.Value)
	}
	if answer.Channel == "" {
		answer.Channel = ChannelSignal
	}
	receipt := d.give(ctx, answer)
	if receipt.Verdict != VerdictAccepted {
		workflow.GetLogger(ctx).Info("an answer does not count", "slot_id", receipt.SlotID, "answer_id", receipt.AnswerID, "verdict", string(receipt.Verdict), "reason", receipt.Reason)
	}
}

func (d Handler) give(ctx workflow.Context, answer Answer) Receipt {
	switch answer.Channel {
	case ChannelPolicy, ChannelElsewhere, ChannelStart: // the run's own words
		answer.Channel = ChannelSignal
	}
	return d.Ledger.Give(answer, workflow.Now(ctx))
}

// checkUpdate refuses to the caller's face what could not count, and leaves no trace of it in history.
func (d Handler) checkUpdate(answer Answer) error {
	if answer.AnswerID != "" && d.Ledger.receipt(answer.AnswerID) != nil {
		return nil // the first verdict again
	}
	verdict, reason := d.Ledger.judge(answer)
	if verdict != VerdictInvalid && verdict != VerdictLate {
		return nil
	}
	return temporal.NewApplicationErrorWithOptions(reason, AnswerRefused, temporal.ApplicationErrorOptions{
		NonRetryable: true,
		Details: []any{Receipt{
			AnswerID: answer.AnswerID, SlotID: answer.SlotID, Verdict: verdict, Reason: reason, AnsweredBy: answer.AnsweredBy, Channel: answer.Channel,
		}},
	})
}

func (d Handler) update(ctx workflow.Context, answer Answer) (Receipt, error) {
	if answer.Channel == "" {
		answer.Channel = ChannelUpdate
	}
	return d.give(ctx, answer), nil
}
