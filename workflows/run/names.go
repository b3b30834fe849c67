// Package run is what all workflows share: names that cross a process, and helpers for signals and queries.
package run

import (
	"go.temporal.io/sdk/temporal"
)

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

// The values of ConvilynLane.
const (
	LaneTurbo = "turbo" // conversions
	LaneGoal  = "goal"
	LaneBatch = "batch"
	LaneWatch = "watch" // folders that are watched; each of their waves is a batch
	// LaneNotify is on notifications of goals.
	LaneNotify = "notify"
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
	StatePartial   = "partial" // of a batch in which some files failed, and of a goal whose result lacks something
	StateStopped   = "stopped" // of a batch that was given up or came to a limit, and of a goal whose start was given up
	StateFailed    = "failed"
	StateCancelled = "cancelled"
)

// EndState is the state that a run ends in, by the error that it ends with.
func EndState(err error) string {
	switch {
	case err == nil:
		return StateCompleted
	case temporal.IsCanceledError(err):
		return StateCancelled
	default:
		return StateFailed
	}
}
