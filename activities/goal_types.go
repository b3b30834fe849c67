package activities

import "encoding/json"

// Slot is a question of a goal job, as it goes into history.
type Slot struct {
	SlotID     string          `json:"slot_id"`
	Type       string          `json:"type"`
	Text       string          `json:"text"`
	Options    []Option        `json:"options,omitempty"`
	Required   bool            `json:"required"`
	Suggested  json.RawMessage `json:"suggested,omitempty"`
	Confidence *float64        `json:"confidence,omitempty"` // 0-1
	Previews   []Preview       `json:"previews,omitempty"`
}

// Option is one choice.
type Option struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

// Preview is an artifact to be looked at before an answer is given. Links to it are minted when somebody looks.
type Preview struct {
	ArtifactID string `json:"artifact_id"`
	FileName   string `json:"file_name"`
	MimeType   string `json:"mime_type"`
}

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
