// Package workflows tells the business stories: deterministic code that calls activities and waits.
package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// TaskQueue is where workers of this project listen.
const TaskQueue = "convilyn"

// QueryStatus asks any of our workflows where it stands.
const QueryStatus = "status"

// Names of the search attributes. The worker checks at start that the namespace has them.
const (
	SearchAttributeState        = "ConvilynState"
	SearchAttributeLane         = "ConvilynLane"
	SearchAttributePendingSlots = "ConvilynPendingSlots"
)

// The typed search attributes, for setting and for reading.
var (
	KeyState        = temporal.NewSearchAttributeKeyKeyword(SearchAttributeState)
	KeyLane         = temporal.NewSearchAttributeKeyKeyword(SearchAttributeLane)
	KeyPendingSlots = temporal.NewSearchAttributeKeyKeywordList(SearchAttributePendingSlots)
)

// RestingActivity is the one activity of a parked run: it looks now and then, and is no step of the work.
const RestingActivity = "LookGoal"

// The values of ConvilynLane.
const (
	LaneTurbo = "turbo" // conversions
	LaneGoal  = "goal"
	LaneBatch = "batch"
	LaneWatch = "watch" // folders that are watched; each of their waves is a batch
	// LaneNotify is on notifications of goals.
	LaneNotify = "notify"
)

// Types of a batch and of the parts that a large one is split into.
const (
	ConvertBatchName = "ConvertBatch"
	ConvertShardName = "ConvertShard"
)

// The states of a run, as in the status query and in ConvilynState.
const (
	StateRunning   = "running"
	StateWaiting   = "waiting" // for answers
	StatePaused    = "paused"
	StateWatching  = "watching"  // of a watched folder
	StatePlanning  = "planning"  // of a batch
	StateReporting = "reporting" // likewise
	StateCompleted = "completed"
	StateFailed    = "failed"
	StateCancelled = "cancelled"
)

// Registry is what takes workflows: a worker, a test environment or a replayer.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register adds every workflow of this package.
func Register(r Registry) {
	r.RegisterWorkflowWithOptions(ConvertFile, workflow.RegisterOptions{Name: ConvertFileName})
	r.RegisterWorkflowWithOptions(ConvertBatch, workflow.RegisterOptions{Name: ConvertBatchName})
	r.RegisterWorkflowWithOptions(ConvertShard, workflow.RegisterOptions{Name: ConvertShardName})
	r.RegisterWorkflowWithOptions(WatchFolder, workflow.RegisterOptions{Name: WatchFolderName})
	r.RegisterWorkflowWithOptions(RunGoal, workflow.RegisterOptions{Name: RunGoalName})
	r.RegisterWorkflowWithOptions(Notify, workflow.RegisterOptions{Name: NotifyName})
}
