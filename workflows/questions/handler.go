package questions

import (
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// Signal is a way to answer without waiting for a verdict. SlotID and Value are the answer that it stands for, where its
// payload brings none.
type Signal struct{ Name, SlotID, Value string }

// Handler takes the answers to a run's questions.
type Handler struct {
	Ledger  *Ledger
	Signals []Signal
	// OnAnswer is called after an answer counted; may be nil.
	OnAnswer func(ctx workflow.Context)
}

// Listen takes answers, and queries about questions and answers, from now on.
func (h Handler) Listen(ctx workflow.Context) error {
	for _, signal := range h.Signals {
		run.OnSignal(ctx, signal.Name, func(ctx workflow.Context, raw json.RawMessage) { h.onSignal(ctx, signal, raw) })
	}
	err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateFillSlot, h.update, workflow.UpdateHandlerOptions{
		Validator: h.checkUpdate, Description: "answers a question; returns the receipt",
	})
	if err != nil {
		return fmt.Errorf("register the update %s: %w", UpdateFillSlot, err)
	}
	return run.AnswerQueries(ctx,
		run.Query{Name: QueryQuestions, Handler: func() ([]Question, error) { return h.Ledger.Questions(), nil }},
		run.Query{Name: QueryAnswers, Handler: func() ([]Receipt, error) { return append([]Receipt{}, h.Ledger.Receipts...), nil }},
	)
}

// Drain handles what has arrived and was not handled yet, before the run ends or continues as new.
func (h Handler) Drain(ctx workflow.Context) error {
	if err := run.AwaitListeners(ctx); err != nil {
		return err
	}
	for _, signal := range h.Signals {
		run.DrainSignal(ctx, signal.Name, func(ctx workflow.Context, raw json.RawMessage) { h.onSignal(ctx, signal, raw) })
	}
	return nil
}

// onSignal gives a signal's answer to the ledger. What cannot be read gets its verdict, too.
func (h Handler) onSignal(ctx workflow.Context, signal Signal, raw json.RawMessage) {
	var answer Answer
	if err := json.Unmarshal(raw, &answer); err != nil && signal.SlotID == "" {
		answer = Answer{} // refused, because it names no slot
	}
	if signal.SlotID != "" {
		answer.SlotID, answer.Value = signal.SlotID, run.Encode(signal.Value)
	}
	if answer.Channel == "" {
		answer.Channel = ChannelSignal
	}
	receipt := h.give(ctx, answer)
	if receipt.Verdict != VerdictAccepted {
		workflow.GetLogger(ctx).Info("an answer does not count", "slot_id", receipt.SlotID, "answer_id", receipt.AnswerID, "verdict", string(receipt.Verdict), "reason", receipt.Reason)
	}
}

func (h Handler) give(ctx workflow.Context, answer Answer) Receipt {
	switch answer.Channel {
	case ChannelPolicy, ChannelElsewhere, ChannelStart: // only the run itself writes these
		answer.Channel = ChannelSignal
	}
	receipt := h.Ledger.Give(answer, workflow.Now(ctx))
	if receipt.Verdict == VerdictAccepted && h.OnAnswer != nil {
		h.OnAnswer(ctx)
	}
	return receipt
}

// checkUpdate refuses what could not count. The caller gets the reason, and history no event.
func (h Handler) checkUpdate(answer Answer) error {
	if answer.AnswerID != "" && h.Ledger.receipt(answer.AnswerID) != nil {
		return nil // the first verdict again
	}
	verdict, reason := h.Ledger.judge(answer)
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

func (h Handler) update(ctx workflow.Context, answer Answer) (Receipt, error) {
	if answer.Channel == "" {
		answer.Channel = ChannelUpdate
	}
	return h.give(ctx, answer), nil
}
