package batch

import (
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// signals are those that steer it.
func (b *batch) signals() []string {
	if b.input.Shard != nil {
		return []string{signalShardOrders}
	}
	return []string{SignalPause, SignalResume, SignalSetConcurrency, SignalRetryFailed, signalShardNews}
}

// listen takes signals, answers and questions from now on.
func (b *batch) listen(ctx workflow.Context) error {
	for _, name := range b.signals() {
		run.OnSignal(ctx, name, func(ctx workflow.Context, raw json.RawMessage) { b.signalled(ctx, name, raw) })
	}
	if err := b.Handler.Listen(ctx); err != nil {
		return err
	}
	progress := func() (Progress, error) { return b.progress(workflow.Now(ctx)), nil }
	return run.AnswerQueries(ctx,
		run.Query{Name: QueryProgress, Handler: progress},
		run.Query{Name: run.QueryStatus, Handler: progress},
		run.Query{Name: QueryFailures, Handler: func() ([]FailedItem, error) { return append([]FailedItem{}, b.state.Tally.Recent...), nil }},
	)
}

// drain hears what has arrived and was not heard yet.
func (b *batch) drain(ctx workflow.Context) error {
	if err := b.Handler.Drain(ctx); err != nil {
		return err
	}
	for _, name := range b.signals() {
		run.DrainSignal(ctx, name, func(ctx workflow.Context, raw json.RawMessage) { b.signalled(ctx, name, raw) })
	}
	return nil
}

func (b *batch) signalled(ctx workflow.Context, signal string, raw json.RawMessage) {
	switch signal {
	case signalShardNews:
		if news, ok := run.Payload[shardNews](ctx, signal, raw); ok {
			b.hearShard(ctx, news)
		}
	case signalShardOrders:
		if orders, ok := run.Payload[shardOrders](ctx, signal, raw); ok {
			b.obey(orders)
		}
	default:
		if steering, ok := run.Payload[Steering](ctx, signal, raw); ok {
			b.steer(ctx, signal, steering)
		}
	}
}

func (b *batch) steer(ctx workflow.Context, signal string, s Steering) {
	switch signal {
	case SignalPause:
		if b.state.Paused == "" {
			b.state.Paused = PausedBy(s)
		}
	case SignalResume:
		b.state.Paused = ""
		if b.troubled() { // whoever says so has mended it
			b.state.Ledger.Recall(questions.SlotTrouble)
			b.state.Mended++
		}
	case SignalSetConcurrency:
		if s.Concurrency < 1 || s.Concurrency > MaxConcurrency {
			workflow.GetLogger(ctx).Warn("a concurrency is out of bounds", "concurrency", s.Concurrency)
			return
		}
		b.state.Pace.bound(s.Concurrency)
	case SignalRetryFailed:
		b.askRetry(s)
	}
}

// PausedBy says for people who has paused a run, and why.
func PausedBy(s Steering) string {
	text := "paused"
	if s.By != "" {
		text += " by " + s.By
	}
	if s.Note != "" {
		text += ": " + s.Note
	}
	return run.Cut(text, 200)
}

// troubled says that something waits to be mended by people.
func (b *batch) troubled() bool { return b.state.Ledger.Find(questions.SlotTrouble) != nil }

// trouble asks people to mend what stops every file.
func (b *batch) trouble(ctx workflow.Context, failure activities.Failure) {
	question := questions.Question{Slot: slot.Slot{
		SlotID: questions.SlotTrouble, Type: slot.Choice, Required: true,
		Text: fmt.Sprintf("The batch %s waits: the service refuses its files with %s: %s", b.input.Name, failure.Code, failure.Message),
		Options: []activities.Option{
			{Value: questions.TroubleRetry, Label: "Mended: go on"},
			{Value: questions.TroubleGiveUp, Label: "Give up: the batch ends, and its report says what was done"},
		},
	}}
	question.Key = question.KeyFor(failure.Code)
	if !b.troubled() {
		b.tell(ctx, shardNews{Trouble: &failure})
	}
	b.state.Ledger.Ask(question, workflow.Now(ctx))
}

func (b *batch) decided() string { return b.state.Ledger.Decision(questions.SlotTrouble) }

// decide does what people have answered.
func (b *batch) decide(ctx workflow.Context) {
	choice := b.decided()
	if choice == "" {
		return
	}
	if choice == questions.TroubleGiveUp {
		b.stop("given up: " + b.state.Ledger.Find(questions.SlotTrouble).Text)
		b.state.GivenUp = true
	} else {
		b.state.Mended++
	}
	b.state.Ledger.Deliver(questions.SlotTrouble, workflow.Now(ctx))
}
