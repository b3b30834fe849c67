package goal

import (
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// Signals that answer SlotPreview. Their payload may be an Answer without slot and value, or nothing.
const (
	SignalApprovePreview = "approve-preview"
	SignalRejectPreview  = "reject-preview"
)

// Slots of questions that the run itself asks.
const (
	// SlotStart asks what to do about a start whose outcome is unknown: StartAgain, StartDrop, or the id of
	// the job to adopt.
	SlotStart = "convilyn.start"
	// SlotPreview asks whether to go on with what a preview shows: PreviewApprove or PreviewReject.
	SlotPreview = "convilyn.preview"

	// SlotConfirm asks whether the job is to run, which spends credits: ConfirmYes or ConfirmNo.
	SlotConfirm = "convilyn.confirm"

	// SlotStuck asks about a job that has not moved for Policies.StuckAfter: StuckWait, StuckCancel, or, where it
	// was confirmed and is ready all the same, StuckConfirm.
	SlotStuck = "convilyn.stuck"

	StartAgain     = "again"
	StartDrop      = "drop"
	PreviewApprove = "approve"
	PreviewReject  = "reject"
	ConfirmYes     = "confirm"
	ConfirmNo      = "cancel"
	StuckWait      = "wait"
	StuckConfirm   = "confirm"
	StuckCancel    = "cancel"
)

// Harmless are the answers to a question of the run itself that a policy may give when nobody else does: they spend nothing.
func Harmless(slotID string) []string {
	switch slotID {
	case SlotConfirm:
		return []string{ConfirmNo}
	case SlotStuck:
		return []string{StuckWait, StuckCancel}
	default:
		return nil
	}
}

// RestingActivity is the one activity of a parked run: it looks now and then, and is no step of the work.
const RestingActivity = "LookGoal"

// Input is one goal to run. Exactly one of WorkflowID, UserWorkflowID and GoalText is set.
type Input struct {
	WorkflowID     string             `json:"workflow_id,omitempty"`
	UserWorkflowID string             `json:"user_workflow_id,omitempty"`
	GoalText       string             `json:"goal_text,omitempty"`
	Name           string             `json:"name,omitempty"`       // for people, in lists
	StartedBy      string             `json:"started_by,omitempty"` // a person or a system, for those who are asked
	Files          []File             `json:"files,omitempty"`      // uploaded by the run
	FileIDs        []string           `json:"file_ids,omitempty"`
	Answers        []questions.Answer `json:"answers,omitempty"` // given before they are asked; they go along with the start
	To             Destination        `json:"to"`
	Policy         questions.Policies `json:"policy,omitzero"`
	MaxRetries     *int               `json:"max_retries,omitempty"` // free retries of a failed job, 2 where nil
	LookEvery      run.Duration       `json:"look_every,omitempty"`  // longest time between two looks for answers given elsewhere, 5m where 0
	Labels         map[string]string  `json:"labels,omitempty"`      // shown to people, of no meaning here
	// MaxEvents continues as new after so many events, where the server would not suggest it yet.
	MaxEvents int    `json:"max_events,omitempty"`
	Resume    *State `json:"resume,omitempty"` // set by the run itself when it continues as new
}

// File is a file to upload.
type File struct {
	Source string `json:"source"` // URL
	Name   string `json:"name"`
	SHA256 string `json:"sha256,omitempty"`
}

// Destination is where the artifacts go, under the names that the service gives them.
type Destination struct {
	Folder  string `json:"folder"`             // URL
	OnExist string `json:"on_exist,omitempty"` // activities.OnExistFail where empty
}

// Result is a finished goal.
type Result struct {
	Status    string              `json:"status"` // one of the Result constants
	JobSpecID string              `json:"job_spec_id,omitempty"`
	Outputs   []activities.Output `json:"outputs"`
	Missing   []string            `json:"missing,omitempty"` // what a partial result lacks
	Message   string              `json:"message,omitempty"` // the service's closing words
	FileIDs   []string            `json:"file_ids,omitempty"`
	Answers   []questions.Receipt `json:"answers,omitempty"`
	Retries   int                 `json:"retries,omitempty"`
	Attempts  int                 `json:"attempts"`
}

// How a goal run can end without having failed.
const (
	ResultCompleted = "completed"
	ResultPartial   = "partial"
	ResultCancelled = "cancelled" // the job was cancelled in Convilyn, by a rejected preview, or by policy
	ResultDropped   = "dropped"   // a start of unknown outcome was given up
)

// Status answers QueryStatus.
type Status struct {
	State     string `json:"state"` // running, waiting, completed, ...
	Step      string `json:"step"`
	JobSpecID string `json:"job_spec_id,omitempty"`
	JobStatus string `json:"job_status,omitempty"` // of the service
	Percent   int    `json:"percent"`
	Open      int    `json:"open_questions"`
	Retries   int    `json:"retries,omitempty"`
	// Notified counts notifications started; those that could not be delivered are failed Notify workflows.
	Notified int `json:"notified,omitempty"`
}

// State is everything that a run carries over when it continues as new. Its members are the run's own.
type State struct {
	Name       string                  `json:"name,omitempty"`
	Checked    bool                    `json:"checked,omitempty"`
	Notifies   bool                    `json:"notifies,omitempty"`
	Confirm    string                  `json:"confirm,omitempty"`   // as CheckGoal said it
	Confirmed  bool                    `json:"confirmed,omitempty"` // somebody has said so since the job became ready
	Uploads    int                     `json:"uploads,omitempty"`
	UploadedAt time.Time               `json:"uploaded_at,omitzero"`
	FileIDs    []string                `json:"file_ids,omitempty"`
	Given      []activities.SlotAnswer `json:"given,omitempty"` // the input's answers, files uploaded
	Job        activities.GoalSnapshot `json:"job,omitzero"`    // as it was seen last; no id before the start
	Ledger     questions.Ledger        `json:"ledger"`
	Retries    int                     `json:"retries,omitempty"`
	Notified   int                     `json:"notified,omitempty"`
	Attempts   int                     `json:"attempts,omitempty"`
	Ambiguous  string                  `json:"ambiguous,omitempty"` // why it is not known whether a job was started
	Unshown    string                  `json:"unshown,omitempty"`   // the job's status, where it does not show what was done to it
}
