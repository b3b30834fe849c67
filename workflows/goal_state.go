package workflows

import (
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
)

// GoalState is everything that a run carries over when it continues as new. Its members are the run's own.
type GoalState struct {
	Name       string                  `json:"name,omitempty"`
	Checked    bool                    `json:"checked,omitempty"`
	Notifies   bool                    `json:"notifies,omitempty"`
	Uploads    int                     `json:"uploads,omitempty"`
	UploadedAt time.Time               `json:"uploaded_at,omitzero"`
	FileIDs    []string                `json:"file_ids,omitempty"`
	Given      []activities.SlotAnswer `json:"given,omitempty"` // the input's answers, files uploaded
	Job        activities.GoalSnapshot `json:"job,omitzero"`    // as it was seen last; no id before the start
	Ledger     ledger                  `json:"ledger"`
	Retries    int                     `json:"retries,omitempty"`
	Notified   int                     `json:"notified,omitempty"`
	Attempts   int                     `json:"attempts,omitempty"`
	Ambiguous  string                  `json:"ambiguous,omitempty"` // why it is not known whether a job was started
}
