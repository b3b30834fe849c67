package runs

import (
	"cmp"
	"slices"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// Keys of memos that are written when a run is started, beside those of package workflows.
const (
	MemoSource = "source" // of a conversion: the name of its file
	MemoTarget = "target" // of a conversion: the format
)

// Kind is a kind of runs. There is one value of each; they are compared by identity.
type Kind struct {
	Workflow  string // registered type
	Lane      string // value of the search attribute ConvilynLane
	One, Many string // nouns
	// Signals are those that steer it.
	Signals []string
	// Asks reports whether it may wait for answers of people.
	Asks bool
	// Endless reports whether it goes on until somebody cancels it, in as many Temporal runs as that takes.
	Endless bool
	// ManySteps reports whether it is at many steps at once, so that one pending activity says little.
	ManySteps bool

	read   func(*Run, *common.Memo)
	result func(*End) any // where the result is decoded into
}

// The kinds of runs.
var (
	Conversion = &Kind{
		Workflow: convert.WorkflowType, Lane: workflows.LaneTurbo, One: "conversion", Many: "conversions",
		read: func(r *Run, memo *common.Memo) {
			r.Name, r.Target = decoded[string](memo, MemoSource), decoded[string](memo, MemoTarget)
		},
		result: func(e *End) any { e.Conversion = new(convert.Result); return e.Conversion },
	}
	Goal = &Kind{
		Workflow: goal.WorkflowType, Lane: workflows.LaneGoal, One: "goal", Many: "goals", Asks: true,
		read: func(r *Run, _ *common.Memo) {
			r.Name, r.Target = r.Memo.Name, r.Memo.Goal
		},
		result: func(e *End) any { e.Goal = new(goal.Result); return e.Goal },
	}
	Batch = &Kind{
		Workflow: batch.WorkflowType, Lane: workflows.LaneBatch, One: "batch", Many: "batches", Asks: true, ManySteps: true,
		Signals: []string{batch.SignalPause, batch.SignalResume, batch.SignalSetConcurrency, batch.SignalRetryFailed},
		read: func(r *Run, memo *common.Memo) {
			b := decoded[batch.Memo](memo, batch.MemoKey)
			r.Name, r.Target, r.Source, r.Output = cmp.Or(b.Name, b.Source), b.To, b.Source, b.Output
			r.Files, r.Failed = b.Files, b.Failed
		},
		result: func(e *End) any { e.Batch = new(batch.Result); return e.Batch },
	}
	Watch = &Kind{
		Workflow: watch.WorkflowType, Lane: workflows.LaneWatch, One: "watch", Many: "watches", Endless: true,
		Signals: []string{batch.SignalPause, batch.SignalResume},
		read: func(r *Run, memo *common.Memo) {
			w := decoded[watch.Memo](memo, watch.MemoKey)
			r.Name, r.Target, r.Source, r.Output = cmp.Or(w.Name, r.ID), w.To, w.Source, w.Output
			r.Files, r.Failed, r.Waves = w.Converted, w.Failed, w.Waves
		},
		result: func(e *End) any { e.Watch = new(watch.Result); return e.Watch },
	}

	// Kinds are all of them.
	Kinds = []*Kind{Conversion, Goal, Batch, Watch}
)

// KindOf is the kind of a workflow type. Shards of batches and notifications are runs of no kind: nil.
func KindOf(workflowType string) *Kind {
	return find(func(k *Kind) bool { return k.Workflow == workflowType })
}

// KindOfLane is the kind of a lane; nil where there is none.
func KindOfLane(lane string) *Kind {
	return find(func(k *Kind) bool { return k.Lane == lane })
}

func find(is func(*Kind) bool) *Kind {
	if at := slices.IndexFunc(Kinds, is); at >= 0 {
		return Kinds[at]
	}
	return nil
}

// Takes reports whether a signal steers runs of this kind. It is false for the nil kind.
func (k *Kind) Takes(signal string) bool { return k != nil && slices.Contains(k.Signals, signal) }

// decoded is the zero value where the memo has no such key, or something of another shape under it.
func decoded[T any](memo *common.Memo, key string) T {
	return decodedPayload[T](memo.GetFields()[key])
}

func decodedPayload[T any](payload *common.Payload) T {
	var out T
	if payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &out) // of another shape it shows nothing
	}
	return out
}
