package runs

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/roots"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// Keys of memos that are written when a run is started, beside those of package workflows.
const (
	MemoSource = "source" // of a conversion: the name of its file
	MemoTarget = "target" // of a conversion: the format
	MemoLabels = "labels" // of any run: texts by which people pick runs
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

	// Reports reports whether it has a folder of outputs with a report of its files.
	Reports bool

	parts  string // registered type of its child workflows that are a part of it; empty where it has none
	read   func(*Run, *common.Memo)
	result func(*End) any                                                     // where the result is decoded into
	places func(ctx context.Context, c *Client, r Run) ([]roots.Place, error) // that its input names
	ended  func(Run) string                                                   // state of one that came to its result; nil: completed
}

// The kinds of runs.
var (
	Conversion = &Kind{
		Workflow: convert.WorkflowType, Lane: workflows.LaneTurbo, One: "conversion", Many: "conversions", Asks: true,
		read: func(r *Run, memo *common.Memo) {
			r.Name, r.Target = Decoded[string](memo, MemoSource), Decoded[string](memo, MemoTarget)
		},
		result: func(e *End) any { e.Conversion = new(convert.Result); return e.Conversion },
		places: placesOf[convert.Input],
	}
	Goal = &Kind{
		Workflow: goal.WorkflowType, Lane: workflows.LaneGoal, One: "goal", Many: "goals", Asks: true,
		read: func(r *Run, _ *common.Memo) {
			r.Name, r.Target = r.Memo.Name, r.Memo.Goal
		},
		result: func(e *End) any { e.Goal = new(goal.Result); return e.Goal },
		places: placesOf[goal.Input],
		ended: func(r Run) string {
			return cmp.Or(r.Reported, workflows.StateCompleted) // of before version 1 of "result-states": completed, also where it was partial
		},
	}
	Batch = &Kind{
		Workflow: batch.WorkflowType, Lane: workflows.LaneBatch, One: "batch", Many: "batches", Asks: true, ManySteps: true, Reports: true,
		Signals: []string{batch.SignalPause, batch.SignalResume, batch.SignalSetConcurrency, batch.SignalRetryFailed},
		read: func(r *Run, memo *common.Memo) {
			b := Decoded[batch.Memo](memo, batch.MemoKey)
			r.Name, r.Target, r.Source, r.Output = cmp.Or(b.Name, b.Source), b.To, b.Source, b.Output
			r.Files, r.Failed = b.Files, b.Failed
		},
		result: func(e *End) any { e.Batch = new(batch.Result); return e.Batch },
		parts:  batch.ShardWorkflowType,
		places: batchPlacesOf,
		ended: func(r Run) string {
			switch {
			case r.Reported == workflows.StateFailed:
				return workflows.StateStopped
			case r.Reported == workflows.StatePartial || r.Failed > 0:
				return workflows.StatePartial
			}
			return workflows.StateCompleted
		},
	}
	Watch = &Kind{
		Workflow: watch.WorkflowType, Lane: workflows.LaneWatch, One: "watch", Many: "watches", Endless: true, Reports: true,
		Signals: []string{batch.SignalPause, batch.SignalResume},
		read: func(r *Run, memo *common.Memo) {
			w := Decoded[watch.Memo](memo, watch.MemoKey)
			r.Name, r.Target, r.Source, r.Output = cmp.Or(w.Name, r.ID), w.To, w.Source, w.Output
			r.Files, r.Failed, r.Waves = w.Converted, w.Failed, w.Waves
		},
		result: func(e *End) any { e.Watch = new(watch.Result); return e.Watch },
		places: placesOf[watch.Input],
	}

	// Kinds are all of them.
	Kinds = []*Kind{Conversion, Goal, Batch, Watch}
)

// KindsThat are those for which is holds.
func KindsThat(is func(*Kind) bool) []*Kind {
	return slices.DeleteFunc(slices.Clone(Kinds), func(k *Kind) bool { return !is(k) })
}

// HasReport is Reports, and false for the nil kind.
func (k *Kind) HasReport() bool { return k != nil && k.Reports }

// KindOf is the kind of a workflow type. Shards of batches and notifications are runs of no kind: nil.
func KindOf(workflowType string) *Kind {
	return find(func(k *Kind) bool { return k.Workflow == workflowType })
}

// Lanes are those of all kinds.
func Lanes() []string {
	out := make([]string, len(Kinds))
	for i, kind := range Kinds {
		out[i] = kind.Lane
	}
	return out
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

// Decoded is the zero value where the memo has no such key, or something of another shape under it.
func Decoded[T any](memo *common.Memo, key string) T {
	return decodedPayload[T](memo.GetFields()[key])
}

func decodedPayload[T any](payload *common.Payload) T {
	var out T
	if payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &out) // of another shape it shows nothing
	}
	return out
}

// Run is a run as lists show it.
type Run struct {
	Kind       *Kind `json:"-"` // nil for workflows that are no runs of ours
	ID         string
	RunID      string
	FirstRunID string
	Name       string // what people call it; of a conversion its file. May be empty
	Target     string // the format, or the goal
	// Status is Temporal's: running, completed, failed, cancelled, terminated, timedout or continuedasnew.
	Status string
	// Reported is the state that the run has written into its search attribute; empty where it has none.
	Reported  string
	StartedAt time.Time
	ClosedAt  *time.Time // nil while it runs
	Labels    []string   // as they were given at its start
	Events    int64      // of its history; 0 in lists

	Memo questions.Memo // the open questions, of goals and batches

	Source, Output string // of batches and watches: where files come from and go to
	Files          int    // of a batch: all of them; of a watch: converted so far
	Failed         int    // of these, as far as the memo knows
	Waves          int    // of a watch

	// Sealed is a payload of the memo that could not be opened; nil where the memo can be read.
	Sealed *common.Payload `json:"-"`
}

// Open reports whether the run has not ended.
func (r Run) Open() bool { return r.Status == workflows.StateRunning }

// State is the run's own word for how it is while it runs, and Temporal's status after its end. One that came to its result is
// partial where that lacks something, stopped where it was given up, and cancelled where its job was.
func (r Run) State() string {
	switch {
	case r.Status == workflows.StateCompleted && r.Kind != nil && r.Kind.ended != nil:
		return r.Kind.ended(r)
	case !r.Open():
		return r.Status
	case r.Kind.HasReport() && r.Reported != "":
		return r.Reported
	case len(r.Memo.Questions) > 0:
		return workflows.StateWaiting
	}
	return r.Status
}

// HasLabels reports whether the run has every one of these.
func (r Run) HasLabels(wanted []string) bool {
	for _, label := range wanted {
		if !slices.Contains(r.Labels, label) {
			return false
		}
	}
	return true
}

// SealedWith is the id of the key that the memo is sealed with; empty where it can be read.
func (r Run) SealedWith() string {
	if r.Sealed == nil {
		return ""
	}
	return sealing.SealedWith(r.Sealed)
}

// WaitsSince is when the oldest open question was asked; the start of the run where there is none.
func (r Run) WaitsSince() time.Time {
	since := r.StartedAt
	for i, q := range r.Memo.Questions {
		if i == 0 || q.AskedAt.Before(since) {
			since = q.AskedAt
		}
	}
	return since
}

// Fault is why a run came to no result.
type Fault struct {
	State   string // failed or cancelled
	Code    string // for programs
	Message string // for people
	// Detail is what the step that failed knew; zero where it was no step.
	Detail activities.Failure
	// Cause is the innermost thing that the error says.
	Cause string
}

// End is how a run ended: with a result of its kind, a fault, or, for batches and watches that were cancelled, both.
type End struct {
	RunID      string // of the last Temporal run
	Fault      *Fault // nil for a run that came to its result
	Conversion *convert.Result
	Goal       *goal.Result
	Batch      *batch.Result // its status is a state of a run
	Watch      *watch.Result
}
