// Package workflows registers the workflows, each in a package of its own, and has the names that all of them share with
// other processes.
package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/notify"
	"github.com/convilyn/convilyn-temporal/workflows/run"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// TaskQueue is where workers of this project listen.
const TaskQueue = "convilyn"

// QueryStatus asks any of our workflows where it stands.
const QueryStatus = run.QueryStatus

// Names of the search attributes, see package run.
const (
	SearchAttributeState        = run.SearchAttributeState
	SearchAttributeLane         = run.SearchAttributeLane
	SearchAttributePendingSlots = run.SearchAttributePendingSlots
)

// The typed search attributes, see package run.
var (
	KeyState = run.KeyState
	KeyLane  = run.KeyLane
)

// The values of ConvilynLane, see package run.
const (
	LaneTurbo  = run.LaneTurbo
	LaneGoal   = run.LaneGoal
	LaneBatch  = run.LaneBatch
	LaneWatch  = run.LaneWatch
	LaneNotify = run.LaneNotify
)

// The states of a run, see package run.
const (
	StateRunning   = run.StateRunning
	StateWaiting   = run.StateWaiting
	StatePaused    = run.StatePaused
	StateWatching  = run.StateWatching
	StatePlanning  = run.StatePlanning
	StateReporting = run.StateReporting
	StateCompleted = run.StateCompleted
	StatePartial   = run.StatePartial
	StateStopped   = run.StateStopped
	StateFailed    = run.StateFailed
	StateCancelled = run.StateCancelled
)

// MetricCode is a code as it may label a metric, see package run.
func MetricCode(code string) string { return run.MetricCode(code) }

// Duration is a time.Duration that is written as text: "90m", "72h".
type Duration = run.Duration

// Registry is what takes workflows: a worker, a test environment or a replayer.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register adds every workflow.
func Register(r Registry) {
	r.RegisterWorkflowWithOptions(convert.ConvertFile, workflow.RegisterOptions{Name: convert.WorkflowType})
	r.RegisterWorkflowWithOptions(batch.ConvertBatch, workflow.RegisterOptions{Name: batch.WorkflowType})
	r.RegisterWorkflowWithOptions(batch.ConvertShard, workflow.RegisterOptions{Name: batch.ShardWorkflowType})
	r.RegisterWorkflowWithOptions(watch.WatchFolder, workflow.RegisterOptions{Name: watch.WorkflowType})
	r.RegisterWorkflowWithOptions(goal.RunGoal, workflow.RegisterOptions{Name: goal.WorkflowType})
	r.RegisterWorkflowWithOptions(notify.Notify, workflow.RegisterOptions{Name: notify.WorkflowType})
}
