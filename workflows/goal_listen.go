package workflows

import (
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// answerSignals are the ways to answer without waiting for a verdict, each with the slot and value that it
// stands for; fill-slot brings its own.
var answerSignals = []struct{ name, slotID, value string }{
	{SignalFillSlot, "", ""},
	{SignalApprovePreview, QuestionPreview, PreviewApprove},
	{SignalRejectPreview, QuestionPreview, PreviewReject},
}

// listen takes answers and questions from now on.
func (r *goalRun) listen(ctx workflow.Context) error {
	for i := range answerSignals {
		workflow.Go(ctx, func(ctx workflow.Context) {
			channel := workflow.GetSignalChannel(ctx, answerSignals[i].name)
			for {
				var raw json.RawMessage
				channel.Receive(ctx, &raw)
				r.hear(ctx, i, raw)
			}
		})
	}
	err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateFillSlot, r.update, workflow.UpdateHandlerOptions{
		Validator: r.checkUpdate, Description: "answers a question; returns the receipt",
	})
	if err != nil {
		return fmt.Errorf("register the update %s: %w", UpdateFillSlot, err)
	}
	for _, query := range []struct {
		name    string
		handler any
	}{
		{QueryStatus, func() (RunGoalStatus, error) { return r.status(), nil }},
		{QueryQuestions, func() ([]Question, error) { return r.state.Ledger.questions(), nil }},
		{QueryAnswers, func() ([]Receipt, error) { return append([]Receipt{}, r.state.Ledger.Receipts...), nil }},
	} {
		if err := workflow.SetQueryHandler(ctx, query.name, query.handler); err != nil {
			return fmt.Errorf("register the query %s: %w", query.name, err)
		}
	}
	return nil
}

// drain hears what has arrived and was not heard yet, before the run ends or continues as new. A listener may hold
// a signal that it was handed and has not come to hear: a coroutine that is younger than all of them runs after them.
func (r *goalRun) drain(ctx workflow.Context) error {
	heard := false
	workflow.Go(ctx, func(workflow.Context) { heard = true })
	if err := workflow.Await(ctx, func() bool { return heard && workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	for i := range answerSignals {
		channel := workflow.GetSignalChannel(ctx, answerSignals[i].name)
		for {
			var raw json.RawMessage
			if !channel.ReceiveAsync(&raw) {
				break
			}
			r.hear(ctx, i, raw)
		}
	}
	return nil
}

// hear gives a signal's answer to the ledger. What cannot be read gets its verdict, too.
func (r *goalRun) hear(ctx workflow.Context, signal int, raw json.RawMessage) {
	var answer Answer
	if err := json.Unmarshal(raw, &answer); err != nil && answerSignals[signal].slotID == "" {
		answer = Answer{} // refused for want of a slot
	}
	if answerSignals[signal].slotID != "" {
		answer.SlotID, answer.Value = answerSignals[signal].slotID, encoded(answerSignals[signal].value)
	}
	if answer.Channel == "" {
		answer.Channel = ChannelSignal
	}
	receipt := r.give(ctx, answer)
	if receipt.Verdict != VerdictAccepted {
		workflow.GetLogger(ctx).Info("an answer does not count", "slot_id", receipt.SlotID, "answer_id", receipt.AnswerID, "verdict", string(receipt.Verdict), "reason", receipt.Reason)
	}
}

func (r *goalRun) give(ctx workflow.Context, answer Answer) Receipt {
	switch answer.Channel {
	case ChannelPolicy, ChannelElsewhere, ChannelStart: // the run's own words
		answer.Channel = ChannelSignal
	}
	return r.state.Ledger.give(answer, workflow.Now(ctx))
}

// checkUpdate refuses to the caller's face what could not count, and leaves no trace of it in history.
func (r *goalRun) checkUpdate(answer Answer) error {
	if answer.AnswerID != "" && r.state.Ledger.receipt(answer.AnswerID) != nil {
		return nil // the first verdict again
	}
	verdict, reason := r.state.Ledger.judge(answer)
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

func (r *goalRun) update(ctx workflow.Context, answer Answer) (Receipt, error) {
	if answer.Channel == "" {
		answer.Channel = ChannelUpdate
	}
	return r.give(ctx, answer), nil
}
