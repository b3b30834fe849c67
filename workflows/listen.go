package workflows

import (
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// answerSignal is a way to answer without waiting for a verdict, with the slot and value that it stands for;
// fill-slot brings its own.
type answerSignal struct{ name, slotID, value string }

// desk takes the answers to a run's questions.
type desk struct {
	ledger  *ledger
	signals []answerSignal
}

// listen takes answers and questions about them from now on.
func (d desk) listen(ctx workflow.Context) error {
	for _, signal := range d.signals {
		onSignal(ctx, signal.name, func(ctx workflow.Context, raw json.RawMessage) { d.hear(ctx, signal, raw) })
	}
	err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateFillSlot, d.update, workflow.UpdateHandlerOptions{
		Validator: d.checkUpdate, Description: "answers a question; returns the receipt",
	})
	if err != nil {
		return fmt.Errorf("register the update %s: %w", UpdateFillSlot, err)
	}
	return answerQueries(ctx,
		query{QueryQuestions, func() ([]Question, error) { return d.ledger.questions(), nil }},
		query{QueryAnswers, func() ([]Receipt, error) { return append([]Receipt{}, d.ledger.Receipts...), nil }},
	)
}

// query is a question to the run itself, by its name.
type query struct {
	name    string
	handler any
}

func answerQueries(ctx workflow.Context, queries ...query) error {
	for _, q := range queries {
		if err := workflow.SetQueryHandler(ctx, q.name, q.handler); err != nil {
			return fmt.Errorf("register the query %s: %w", q.name, err)
		}
	}
	return nil
}

// drain hears what has arrived and was not heard yet, before the run ends or continues as new.
func (d desk) drain(ctx workflow.Context) error {
	if err := awaitListeners(ctx); err != nil {
		return err
	}
	for _, signal := range d.signals {
		drainSignal(ctx, signal.name, func(ctx workflow.Context, raw json.RawMessage) { d.hear(ctx, signal, raw) })
	}
	return nil
}

// onSignal hears every signal of a name from now on.
func onSignal(ctx workflow.Context, name string, hear func(workflow.Context, json.RawMessage)) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		channel := workflow.GetSignalChannel(ctx, name)
		for {
			var raw json.RawMessage
			channel.Receive(ctx, &raw)
			hear(ctx, raw)
		}
	})
}

// drainSignal hears those that have arrived already.
func drainSignal(ctx workflow.Context, name string, hear func(workflow.Context, json.RawMessage)) {
	channel := workflow.GetSignalChannel(ctx, name)
	for {
		var raw json.RawMessage
		if !channel.ReceiveAsync(&raw) {
			return
		}
		hear(ctx, raw)
	}
}

// awaitListeners waits for those that hold a signal which they were handed and have not come to hear: a coroutine that
// is younger than all of them runs after them.
func awaitListeners(ctx workflow.Context) error {
	heard := false
	workflow.Go(ctx, func(workflow.Context) { heard = true })
	return workflow.Await(ctx, func() bool { return heard && workflow.AllHandlersFinished(ctx) })
}

// payloadOf reads a signal; one that cannot be read is told in the log alone. It may be empty.
func payloadOf[T any](ctx workflow.Context, signal string, raw json.RawMessage) (payload T, ok bool) {
	if len(raw) > 0 && json.Unmarshal(raw, &payload) != nil {
		workflow.GetLogger(ctx).Warn("a signal cannot be read", "signal", signal)
		return payload, false
	}
	return payload, true
}

// hear gives a signal's answer to the ledger. What cannot be read gets its verdict, too.
func (d desk) hear(ctx workflow.Context, signal answerSignal, raw json.RawMessage) {
	var answer Answer
	if err := json.Unmarshal(raw, &answer); err != nil && signal.slotID == "" {
		answer = Answer{} // refused for want of a slot
	}
	if signal.slotID != "" {
		answer.SlotID, answer.Value = signal.slotID, encoded(signal.value)
	}
	if answer.Channel == "" {
		answer.Channel = ChannelSignal
	}
	receipt := d.give(ctx, answer)
	if receipt.Verdict != VerdictAccepted {
		workflow.GetLogger(ctx).Info("an answer does not count", "slot_id", receipt.SlotID, "answer_id", receipt.AnswerID, "verdict", string(receipt.Verdict), "reason", receipt.Reason)
	}
}

func (d desk) give(ctx workflow.Context, answer Answer) Receipt {
	switch answer.Channel {
	case ChannelPolicy, ChannelElsewhere, ChannelStart: // the run's own words
		answer.Channel = ChannelSignal
	}
	return d.ledger.give(answer, workflow.Now(ctx))
}

// checkUpdate refuses to the caller's face what could not count, and leaves no trace of it in history.
func (d desk) checkUpdate(answer Answer) error {
	if answer.AnswerID != "" && d.ledger.receipt(answer.AnswerID) != nil {
		return nil // the first verdict again
	}
	verdict, reason := d.ledger.judge(answer)
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

func (d desk) update(ctx workflow.Context, answer Answer) (Receipt, error) {
	if answer.Channel == "" {
		answer.Channel = ChannelUpdate
	}
	return d.give(ctx, answer), nil
}
