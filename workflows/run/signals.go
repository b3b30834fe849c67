package run

import (
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/workflow"
)

// Query is a question to the run itself, by its name.
type Query struct {
	Name    string
	Handler any
}

// AnswerQueries registers the handlers of queries.
func AnswerQueries(ctx workflow.Context, queries ...Query) error {
	for _, q := range queries {
		if err := workflow.SetQueryHandler(ctx, q.Name, q.Handler); err != nil {
			return fmt.Errorf("register the query %s: %w", q.Name, err)
		}
	}
	return nil
}

// OnSignal hears every signal of a name from now on.
func OnSignal(ctx workflow.Context, name string, hear func(workflow.Context, json.RawMessage)) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		channel := workflow.GetSignalChannel(ctx, name)
		for {
			var raw json.RawMessage
			channel.Receive(ctx, &raw)
			hear(ctx, raw)
		}
	})
}

// DrainSignal hears those that have arrived already.
func DrainSignal(ctx workflow.Context, name string, hear func(workflow.Context, json.RawMessage)) {
	channel := workflow.GetSignalChannel(ctx, name)
	for {
		var raw json.RawMessage
		if !channel.ReceiveAsync(&raw) {
			return
		}
		hear(ctx, raw)
	}
}

// AwaitListeners waits for those that hold a signal which they were handed and have not come to hear: a coroutine that
// is younger than all of them runs after them.
func AwaitListeners(ctx workflow.Context) error {
	heard := false
	workflow.Go(ctx, func(workflow.Context) { heard = true })
	return workflow.Await(ctx, func() bool { return heard && workflow.AllHandlersFinished(ctx) })
}

// Payload reads a signal; one that cannot be read is logged, and dropped. It may be empty.
func Payload[T any](ctx workflow.Context, signal string, raw json.RawMessage) (payload T, ok bool) {
	if len(raw) > 0 && json.Unmarshal(raw, &payload) != nil {
		workflow.GetLogger(ctx).Warn("a signal cannot be read", "signal", signal)
		return payload, false
	}
	return payload, true
}
