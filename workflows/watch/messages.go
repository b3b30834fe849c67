package watch

import (
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// A watch knows SignalPause, after which no new wave begins, SignalResume, and QueryStatus and QueryProgress,
// which return a Progress.

// Input is a folder whose files are converted as they come.
type Input struct {
	Name string               `json:"name"` // for people, in lists and as the report's file name
	Spec activities.BatchSpec `json:"spec"` // of every wave
	// Interval is between two looks at the folder, 2 s where 0.
	Interval    run.Duration `json:"interval,omitempty"`
	Concurrency int          `json:"concurrency,omitempty"`  // of a wave, as in batch.Input
	MaxFailures int          `json:"max_failures,omitempty"` // of a wave; more of them pause the watch
	// MaxEvents continues as new after so many events.
	MaxEvents int    `json:"max_events,omitempty"`
	Resume    *State `json:"resume,omitempty"` // set by the run itself when it continues as new
}

// State is everything that a run carries over when it continues as new. Its members are the run's own.
type State struct {
	Mark      string    `json:"mark,omitempty"` // of the files that were planned
	Paused    string    `json:"paused,omitempty"`
	Waves     int       `json:"waves,omitempty"`
	Converted int       `json:"converted,omitempty"`
	Files     int       `json:"files,omitempty"`
	Failed    int       `json:"failed,omitempty"`
	Report    string    `json:"report,omitempty"`
	Recent    []WaveEnd `json:"recent,omitempty"`
	StartedAt time.Time `json:"started_at"`
	Runs      int       `json:"runs"`
}

// WaveEnd is how one batch of a watch ended.
type WaveEnd struct {
	Number     int                     `json:"number"` // from 1
	WorkflowID string                  `json:"workflow_id"`
	Status     string                  `json:"status"` // one of the Result constants of package batch, failed or cancelled
	Reason     string                  `json:"reason,omitempty"`
	Summary    activities.BatchSummary `json:"summary"`
	EndedAt    time.Time               `json:"ended_at"`
}

// Progress answers QueryProgress of a watch.
type Progress struct {
	Name      string    `json:"name"`
	State     string    `json:"state"`            // watching, running (a wave), paused, or how it ended
	Reason    string    `json:"reason,omitempty"` // why it is paused
	WaitsFor  string    `json:"waits_for"`        // for people; empty after its end
	Wave      string    `json:"wave,omitempty"`   // workflow id of the wave under way
	Source    string    `json:"source"`
	Output    string    `json:"output"`
	To        string    `json:"to,omitempty"`
	Waves     int       `json:"waves"`            // begun so far
	Converted int       `json:"converted"`        // files, in all waves together
	Files     int       `json:"files"`            // that the report accounts for
	Failed    int       `json:"failed"`           // of these
	Report    string    `json:"report,omitempty"` // path, once there is one
	Recent    []WaveEnd `json:"recent"`           // waves, the latest last
	StartedAt time.Time `json:"started_at"`
	Runs      int       `json:"runs"` // histories so far
}

// Result is what a watch had come to when it was cancelled.
type Result struct {
	Waves     int    `json:"waves"`
	Converted int    `json:"converted"` // files, in all waves together
	Files     int    `json:"files"`     // that the report accounts for
	Failed    int    `json:"failed"`    // of these
	Report    string `json:"report,omitempty"`
	Runs      int    `json:"runs"`
}
