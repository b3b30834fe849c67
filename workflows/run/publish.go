package run

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Position is where a run stands, for lists of runs and for Temporal's page.
type Position struct {
	State   string
	Lane    string         // empty: as it was set at the start
	Slots   []string       // questions without an answer; nil for a run that never asks
	Memo    map[string]any // nil: as it is
	Details string         // Markdown
}

// Publish writes the position into search attributes, memo and current details: an event or two in the run's history.
func Publish(ctx workflow.Context, at Position) {
	attributes := []temporal.SearchAttributeUpdate{KeyState.ValueSet(at.State)}
	if at.Lane != "" {
		attributes = append(attributes, KeyLane.ValueSet(at.Lane))
	}
	switch {
	case len(at.Slots) > 0:
		attributes = append(attributes, KeyPendingSlots.ValueSet(at.Slots))
	case at.Slots != nil:
		attributes = append(attributes, KeyPendingSlots.ValueUnset())
	}

	err := workflow.UpsertTypedSearchAttributes(ctx, attributes...)
	if err == nil && at.Memo != nil {
		err = workflow.UpsertMemo(ctx, at.Memo)
	}
	if err != nil {
		workflow.GetLogger(ctx).Error("cannot record the state", "error", err)
	}

	workflow.SetCurrentDetails(ctx, at.Details)
}

// Publisher publishes a run's position when it has changed.
type Publisher struct{ published string }

// Changed reports whether something else was published last. The key stands for everything that must be published at once;
// the rest of a position is published along with it.
func (p *Publisher) Changed(key string) bool { return key != p.published }

// Publish publishes the position, if its key has changed.
func (p *Publisher) Publish(ctx workflow.Context, key string, position func() Position) {
	if !p.Changed(key) {
		return
	}
	p.published = key
	Publish(ctx, position())
}
