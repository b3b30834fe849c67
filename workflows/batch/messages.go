// Package batch is the workflow ConvertBatch and, for its parts, ConvertShard: everything in a plan, many files at once.
package batch

import (
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// Names by which anybody steers and asks a ConvertBatch, with nothing of ours installed. It also knows the
// signal, the update and the queries of package questions, for SlotTrouble, and QueryStatus, which answers as QueryProgress.
const (
	SignalPause          = "pause"           // Steering: starts nothing new; what is under way goes on to its end
	SignalResume         = "resume"          // Steering
	SignalSetConcurrency = "set-concurrency" // Steering with Concurrency
	SignalRetryFailed    = "retry-failed"    // Steering; Codes narrows it
	// QueryProgress returns a Progress, QueryFailures []FailedItem, the latest first.
	QueryProgress = "progress"
	QueryFailures = "failures"
)

// Types of a batch and of the parts that a large one is split into.
const (
	WorkflowType      = "ConvertBatch"
	ShardWorkflowType = "ConvertShard"
)

// MaxConcurrency bounds what SignalSetConcurrency takes: Temporal's engineers advise at most 500 activities in flight.
const MaxConcurrency = 500

// Steering is the payload of a batch's signals. It may be missing where all members are optional.
type Steering struct {
	Concurrency int      `json:"concurrency,omitempty"` // 1 to MaxConcurrency
	Codes       []string `json:"codes,omitempty"`       // of failures to retry; all where empty
	By          string   `json:"by,omitempty"`          // a person or a system, as it names itself
	Note        string   `json:"note,omitempty"`
}

// Input is a batch of conversions.
type Input struct {
	Name string               `json:"name"` // for people, in lists and as the report's file name
	Spec activities.BatchSpec `json:"spec"`
	// Plan is what Spec came to; the run makes it where it is missing.
	Plan        *activities.BatchPlan `json:"plan,omitempty"`
	Concurrency int                   `json:"concurrency,omitempty"`  // files at once at most, 50 where 0
	MaxFailures int                   `json:"max_failures,omitempty"` // more than so many end the batch; 0 for no bound
	MaxDuration run.Duration          `json:"max_duration,omitempty"` // nothing is started after it; 0 for no bound
	// MaxEvents continues as new after so many events, where the server would not suggest it yet.
	MaxEvents int `json:"max_events,omitempty"`
	// ShardItems is how many files a shard has at least, 10,000 where 0. A plan of more than twice as many is split along
	// its marks into shards, which child workflows convert.
	ShardItems int         `json:"shard_items,omitempty"`
	Shard      *shardBrief `json:"shard,omitempty"`  // set by the batch whose part it is
	Resume     *State      `json:"resume,omitempty"` // set by the run itself when it continues as new
}

// Result is how a batch ended.
type Result struct {
	Status  string                  `json:"status"` // one of the Result constants
	Reason  string                  `json:"reason,omitempty"`
	Summary activities.BatchSummary `json:"summary"`
	// Runs is how many runs it took, each with a history of its own.
	Runs int `json:"runs"`
	// LargestHistory is the most events that any of them had when it ended.
	LargestHistory int `json:"largest_history"`
}

// How a batch can end without having failed itself.
const (
	ResultCompleted = "completed" // every file has its outputs
	ResultFailures  = "failures"  // every file was tried, some failed
	ResultStopped   = "stopped"   // by MaxFailures, MaxDuration, or a person who gave it up; Reason says which
)

// Progress answers QueryProgress. Counts are files.
type Progress struct {
	Name   string `json:"name"`
	State  string `json:"state"`            // running, paused, waiting (for an answer), planning, reporting, or how it ended
	Reason string `json:"reason,omitempty"` // why it is paused, waits, or was stopped
	Source string `json:"source"`
	Output string `json:"output"`
	To     string `json:"to,omitempty"`

	Total     int `json:"total"` // all files, settled ones too; 0 until it is planned
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Current   int `json:"current"` // were there already
	Skipped   int `json:"skipped"` // left alone
	Kept      int `json:"kept"`    // of an earlier report, as they are there
	Cancelled int `json:"cancelled"`
	Warnings  int `json:"warnings"`

	InFlight    map[string]int `json:"in_flight,omitempty"` // by step: upload, create, convert, download
	Window      int            `json:"window"`              // files at once, as the service bears it
	Concurrency int            `json:"concurrency"`         // the bound of that
	Throttled   int            `json:"throttled"`           // refusals for being too fast, 429 and 503
	TotalBytes  int64          `json:"total_bytes"`         // of the sources to convert
	BytesIn     int64          `json:"bytes_in"`
	BytesOut    int64          `json:"bytes_out"`

	StartedAt  time.Time      `json:"started_at"`
	Rate       float64        `json:"rate"`                 // files a second, lately
	LeftFor    run.Duration   `json:"left_for,omitempty"`   // 0 where it cannot be told
	Throughput []Sample       `json:"throughput,omitempty"` // oldest first, evenly spaced
	Failures   []FailureGroup `json:"failures,omitempty"`   // most frequent first
	Slowest    []ItemNow      `json:"slowest,omitempty"`    // those longest in flight first
	Runs       int            `json:"runs"`                 // histories so far
	Report     string         `json:"report,omitempty"`     // path, once it is whole
	// Shards of a split batch that run. The counts above lack theirs; Sum adds what they answer themselves.
	Shards []ShardNow `json:"shards,omitempty"`
}

// ShardNow is a part of a split batch that runs.
type ShardNow struct {
	WorkflowID string `json:"workflow_id"` // it answers QueryProgress and QueryFailures, too
	Items      int    `json:"items"`
}

// Sample is how many files were done between At and the next one.
type Sample struct {
	At   time.Time `json:"at"`
	Done int       `json:"done"`
}

// CodesOther stands for the codes of a FailureGroup beyond the first 50. It is no code to retry by.
const CodesOther = "OTHER"

// FailureGroup is failures of one code.
type FailureGroup struct {
	Code    string `json:"code"`
	Count   int    `json:"count"`
	Example string `json:"example"` // name and message of one of them
}

// FailedItem is one file that failed.
type FailedItem struct {
	Index   int       `json:"index"`
	Name    string    `json:"name"`
	Step    string    `json:"step"`
	Code    string    `json:"code"`
	Message string    `json:"message"`
	At      time.Time `json:"at"`
}

// ItemNow is a file under way.
type ItemNow struct {
	Name  string    `json:"name"`
	Step  string    `json:"step"`
	JobID string    `json:"job_id,omitempty"`
	Since time.Time `json:"since"` // when its conversion began
}

// Memo is what a batch's memo MemoKey holds, for lists. Its open questions are in questions.MemoKey.
type Memo struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Output string `json:"output"`
	To     string `json:"to,omitempty"`
	Files  int    `json:"files"`
	Failed int    `json:"failed"` // as far as the batch has told its memo: exact at its end
}

// MemoKey is the memo key of Memo.
const MemoKey = "batch"
