package batch

import (
	"slices"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// Names by which anybody steers and asks a batch, with nothing of ours installed. It also knows the
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

// MaxConcurrency bounds what SignalSetConcurrency takes: Temporal's engineers advise at most 500 activities in flight.
const MaxConcurrency = 500

// Steering is the payload of a batch's signals. It may be missing where all members are optional.
type Steering struct {
	Concurrency int      `json:"concurrency,omitempty"` // 1 to MaxConcurrency
	Codes       []string `json:"codes,omitempty"`       // of failures to retry; all where empty
	By          string   `json:"by,omitempty"`          // a person or a system, as it names itself
	Note        string   `json:"note,omitempty"`
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
	ShardItems int `json:"shard_items,omitempty"`
	// OnLoss is what becomes of outputs in which a loss was measured; questions.OnLossKeep where empty. A batch that asks people
	// is not split.
	OnLoss string           `json:"on_loss,omitempty"`
	Policy questions.Policy `json:"policy,omitzero"`  // of questions.SlotLoss
	Shard  *shardBrief      `json:"shard,omitempty"`  // set by the batch whose part it is
	Resume *State           `json:"resume,omitempty"` // set by the run itself when it continues as new
}

// State is everything that a run carries over when it continues as new. Its members are the run's own.
type State struct {
	Plan      *activities.BatchPlan   `json:"plan,omitempty"`
	Queue     []planCursor            `json:"queue,omitempty"`   // what is to be read, in this order
	Page      []item                  `json:"page,omitempty"`    // read and not begun
	UnderWay  []item                  `json:"flights,omitempty"` // begun and not ended
	Reviews   []review                `json:"reviews,omitempty"` // converted, and waiting for somebody's word
	Verdict   *questions.LossVerdict  `json:"verdict,omitempty"` // on all outputs that lack something; nil while there is none
	Entries   []activities.BatchEntry `json:"entries,omitempty"` // ended, and in no part of the report yet
	Parts     int                     `json:"parts,omitempty"`
	Retries   []retryRequest          `json:"retries,omitempty"` // asked for and not begun
	Tally     tally                   `json:"tally"`
	Pace      pace                    `json:"pace"`
	Series    series                  `json:"series"`
	Ledger    questions.Ledger        `json:"ledger"`
	Paused    string                  `json:"paused,omitempty"`   // by whom and why; empty where it is not
	Stopped   string                  `json:"stopped,omitempty"`  // why nothing is begun any more
	GivenUp   bool                    `json:"given_up,omitempty"` // nobody fixes the trouble; files under way end where they are
	StartedAt time.Time               `json:"started_at"`
	Runs      int                     `json:"runs"`
	Largest   int                     `json:"largest,omitempty"` // history, in events
	Fixed     int                     `json:"mended,omitempty"`  // how often people have fixed what stops every file
	Split     bool                    `json:"split,omitempty"`   // shards convert what is in the queue
	Reported  int                     `json:"told,omitempty"`    // failures, as a shard has reported them to its batch
}

// planCursor is the rest of a plan file.
type planCursor struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset"`
	End    int64  `json:"end"`
	Again  bool   `json:"again,omitempty"` // items that have failed before
	Items  int    `json:"items,omitempty"` // of a shard, or of a retry
}

// item is an item of the plan, and how far it has come.
type item struct {
	Item  activities.BatchItem `json:"item"`
	Again bool                 `json:"again,omitempty"` // it has failed before
	convert.Progress
	StartedAt time.Time `json:"started_at,omitzero"`
}

// review is a file whose output waits for somebody's word.
type review struct {
	item
	Held     activities.Held         `json:"held"`
	Warnings []string                `json:"warnings,omitempty"`
	Check    *activities.CheckResult `json:"check,omitempty"`
}

// retryRequest is a wish to try again what has failed. In a split batch it reaches the files of a shard when that has ended.
type retryRequest struct {
	Steering
	Shards []int `json:"shards,omitempty"` // begun before it, and not looked through yet
}

// shardBrief is what a shard is given: a part of a batch.
type shardBrief struct {
	Number int   `json:"number"`          // from 1: its name in the parts of the report
	Offset int64 `json:"offset"`          // in the plan's file, which it reads up to the plan's End
	Again  bool  `json:"again,omitempty"` // items that have failed before
	// Control is how it begins.
	Control shardControl `json:"orders"`
	// ReportFailures has it report to its batch after every so many failures; 0 for never.
	ReportFailures int `json:"tell_failures,omitempty"`
}

// shardControl is how a shard is to go on. It replaces the one before.
type shardControl struct {
	Concurrency int    `json:"concurrency"` // may be 0
	Paused      string `json:"paused,omitempty"`
	Stopped     string `json:"stopped,omitempty"`
	GivenUp     bool   `json:"given_up,omitempty"`
	Fixed       int    `json:"mended,omitempty"` // how often people have fixed what stops every file
}

// shardReport is what a shard reports to its batch before it ends.
type shardReport struct {
	Number  int                 `json:"number"`
	Trouble *activities.Failure `json:"trouble,omitempty"`
	Fixed   int                 `json:"mended,omitempty"` // as far as it knew when the trouble came
	Failed  int                 `json:"failed,omitempty"` // files so far, less those that had failed before it began
}

// ShardWorkflowType is the type of the workflows that convert the parts of a large batch.
const ShardWorkflowType = "ConvertShard"

// Signals between a batch and its shards.
const (
	signalShardControl = "shard-orders"
	signalShardReport  = "shard-news"
)

// ShardResult is what became of a shard's files, in sum; the parts of the report have each of them.
type ShardResult struct {
	Tally    tally  `json:"tally"`
	Rejected int    `json:"refused,omitempty"` // requests, for being too fast
	Series   series `json:"series"`
	Runs     int    `json:"runs"`
	Largest  int    `json:"largest"` // history, in events
	// Known is what the shard remembers of its files, where the plan is gone.
	Known []activities.BatchKnown `json:"known,omitempty"`
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
	ResultCompleted = "completed"      // every file has its outputs
	ResultFailures  = "failures"       // every file was tried, some failed
	ResultStopped   = run.StateStopped // by MaxFailures, MaxDuration, or a person who gave it up; Reason says which
)

// StateOf is the state of a run whose result has this status. Histories keep the word that results were first written with.
func StateOf(status string) string {
	if status == ResultFailures {
		return run.StatePartial
	}
	return status
}

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

	InFlight    map[string]int `json:"in_flight,omitempty"` // by step: upload, create, convert, download, review
	Window      int            `json:"window"`              // files at once, as the service bears it
	Concurrency int            `json:"concurrency"`         // the bound of that
	Throttled   int            `json:"throttled"`           // replies of 429 and 503
	TotalBytes  int64          `json:"total_bytes"`         // of the sources to convert
	BytesIn     int64          `json:"bytes_in"`
	BytesOut    int64          `json:"bytes_out"`

	StartedAt  time.Time      `json:"started_at"`
	Rate       float64        `json:"rate"`                 // files a second, lately
	LeftFor    run.Duration   `json:"left_for,omitempty"`   // 0 where it is not known
	Throughput []Sample       `json:"throughput,omitempty"` // oldest first, evenly spaced
	Failures   []FailureGroup `json:"failures,omitempty"`   // most frequent first
	Slowest    []ItemNow      `json:"slowest,omitempty"`    // those longest in flight first
	Runs       int            `json:"runs"`                 // histories so far
	Report     string         `json:"report,omitempty"`     // path, once it is complete
	// Shards of a split batch that run. The counts above lack theirs; Sum adds what they answer themselves.
	Shards []ShardNow `json:"shards,omitempty"`
}

func timeFor(files int, rate float64) run.Duration {
	return run.Duration(time.Duration(float64(files) / rate * float64(time.Second)).Round(time.Second))
}

// slowestShown is how many of the files under way are shown by name.
const slowestShown = 5

// Sum adds what the shards of a split batch answer themselves.
func (p Progress) Sum(shards []Progress) Progress {
	failures := tally{Groups: slices.Clone(p.Failures)}
	samples := [][]Sample{p.Throughput}
	for _, s := range shards {
		p.Completed += s.Completed
		p.Failed += s.Failed
		p.Cancelled += s.Cancelled
		p.Warnings += s.Warnings
		p.BytesIn += s.BytesIn
		p.BytesOut += s.BytesOut
		p.Window += s.Window
		p.Throttled += s.Throttled
		p.Rate += s.Rate
		p.Runs += s.Runs
		p.Slowest = append(p.Slowest, s.Slowest...)
		samples = append(samples, s.Throughput)
		failures.add(tally{Groups: s.Failures})
		for step, n := range s.InFlight {
			if p.InFlight == nil {
				p.InFlight = map[string]int{}
			}
			p.InFlight[step] += n
		}
	}
	series := joined(samples...)
	p.Throughput, p.Failures = series.samples(), failures.Groups
	slices.SortStableFunc(p.Slowest, func(a, b ItemNow) int { return a.Since.Compare(b.Since) })
	p.Slowest = p.Slowest[:min(len(p.Slowest), slowestShown)]
	left := p.Total - p.Completed - p.Failed - p.Cancelled - p.Current - p.Skipped - p.Kept
	if p.Rate > 0 && left > 0 {
		p.LeftFor = timeFor(left, p.Rate)
	}
	return p
}

// ShardNow is a part of a split batch that runs.
type ShardNow struct {
	WorkflowID string `json:"workflow_id"` // it answers QueryProgress and QueryFailures, too
	Items      int    `json:"items"`
}

// ItemNow is a file under way.
type ItemNow struct {
	Name  string    `json:"name"`
	Step  string    `json:"step"`
	JobID string    `json:"job_id,omitempty"`
	Since time.Time `json:"since"` // when its conversion began
}
