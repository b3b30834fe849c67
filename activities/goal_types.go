package activities

import (
	"encoding/json"

	"github.com/convilyn/convilyn-temporal/client/slot"
)

// Slot is a question of a goal job.
type Slot = slot.Slot

// Option is one choice of a slot.
type Option = slot.Option

// Preview is an artifact to be looked at before an answer is given.
type Preview = slot.Preview

// GoalSnapshot is a goal job at one moment.
type GoalSnapshot struct {
	JobSpecID string    `json:"job_spec_id"`
	Status    string    `json:"status"` // of the service
	Version   int       `json:"version"`
	AttemptID string    `json:"attempt_id,omitempty"`
	Percent   int       `json:"percent"`
	Slots     []Slot    `json:"slots,omitempty"`
	Previews  []Preview `json:"previews,omitempty"` // of a ready_with_preview job
	// Filled holds the values of answered slots; those over FilledLimit bytes are null.
	Filled  map[string]json.RawMessage `json:"filled,omitempty"`
	Message string                     `json:"message,omitempty"`
	Error   *GoalFailure               `json:"error,omitempty"`
}

// FilledLimit bounds what a snapshot keeps of an answered slot's value, in bytes of JSON.
const FilledLimit = 1024

// GoalFailure says why a goal job failed, or what a partial one lacks.
type GoalFailure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Reason  string `json:"reason,omitempty"`
	Action  string `json:"action,omitempty"` // suggestedAction; empty where the service said nothing
}
