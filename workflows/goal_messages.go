package workflows

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
)

// Names by which anybody answers and asks a RunGoal, with nothing of ours installed.
const (
	// SignalFillSlot gives an Answer, fire and forget; UpdateFillSlot gives it too and returns a Receipt, or is
	// refused with an Answer's fault as an application error of type AnswerRefused.
	SignalFillSlot = "fill-slot"
	UpdateFillSlot = "fill-slot"
	// SignalApprovePreview and SignalRejectPreview answer QuestionPreview; their payload may be an Answer
	// without slot and value, or nothing.
	SignalApprovePreview = "approve-preview"
	SignalRejectPreview  = "reject-preview"
	// QueryQuestions returns []Question: what is open, oldest first.
	QueryQuestions = "questions"
	// QueryAnswers returns []Receipt: what became of every answer, oldest first.
	QueryAnswers = "answers"
)

// AnswerRefused is the type of the error by which an update is refused. Its details are one Receipt.
const AnswerRefused = "AnswerRefused"

// Answer is the payload of the signal and the update fill-slot.
type Answer struct {
	SlotID string          `json:"slot_id"`
	Value  json.RawMessage `json:"value"` // JSON of the slot's type; a file is a file id, or a file:// URL that the worker reads
	// AnswerID makes repeats harmless: the same id gets the first verdict again. Optional for signals.
	AnswerID   string `json:"answer_id,omitempty"`
	AnsweredBy string `json:"answered_by,omitempty"` // a person or a system, as it names itself
	Channel    string `json:"channel,omitempty"`     // inbox, cli, http, link, ...; signal or update where empty
	Note       string `json:"note,omitempty"`
}

// Verdict says what became of an answer.
type Verdict string

// The verdicts. VerdictEarly becomes another one when its question comes or the run ends. VerdictAccepted is final
// once it is delivered; until then the service may still refuse the answer, or turn out to hold another one. All
// others are final.
const (
	VerdictEarly      Verdict = "early"      // kept until its question is asked
	VerdictAccepted   Verdict = "accepted"   // it counts
	VerdictDuplicate  Verdict = "duplicate"  // says what an accepted answer has said already
	VerdictConflict   Verdict = "conflict"   // another answer counted first
	VerdictInvalid    Verdict = "invalid"    // not an answer to this question
	VerdictSuperseded Verdict = "superseded" // replaced by a later early answer
	VerdictLate       Verdict = "late"       // the run ended, or asked no such question any more
)

// Receipt is the record of one answer.
type Receipt struct {
	AnswerID   string          `json:"answer_id"`
	SlotID     string          `json:"slot_id"`
	Value      json.RawMessage `json:"value,omitempty"` // kept where it counts or may yet count
	Label      string          `json:"label,omitempty"` // the value as the options put it, where that says more
	Verdict    Verdict         `json:"verdict"`
	Reason     string          `json:"reason,omitempty"`
	AnsweredBy string          `json:"answered_by,omitempty"`
	Channel    string          `json:"channel,omitempty"`
	Note       string          `json:"note,omitempty"`
	Automatic  bool            `json:"automatic,omitempty"` // given by the slot policy, not by a person
	ReceivedAt time.Time       `json:"received_at"`
	// DeliveredAt is when the service had the answer; nil while it is under way, and for answers that do not count.
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
}

// Channels that the run itself writes into receipts.
const (
	ChannelSignal    = "signal"
	ChannelUpdate    = "update"
	ChannelStart     = "start"     // came with the run's input
	ChannelPolicy    = "policy"    // given automatically
	ChannelElsewhere = "elsewhere" // given in Convilyn itself, noticed by a look
)

// Slots of questions that the run itself asks. A service's own slot ids never begin with "convilyn.".
const (
	// QuestionStart asks what to do about a start whose outcome is unknown: StartAgain, StartDrop, or the id of
	// the job to adopt.
	QuestionStart = "convilyn.start"
	// QuestionPreview asks whether to go on with what a preview shows: PreviewApprove or PreviewReject.
	QuestionPreview = "convilyn.preview"
	// QuestionTrouble asks about something that only people can mend (a key, a plan, an output folder):
	// TroubleRetry or TroubleGiveUp.
	QuestionTrouble = "convilyn.trouble"

	StartAgain     = "again"
	StartDrop      = "drop"
	PreviewApprove = "approve"
	PreviewReject  = "reject"

	TroubleRetry  = "retry"
	TroubleGiveUp = "give_up"
)

// Question is something that a run waits for.
type Question struct {
	SlotID   string              `json:"slot_id"`
	Type     string              `json:"type"` // choice, multi_choice, text, number, boolean, date, file, or unknown to us
	Text     string              `json:"text"`
	Options  []activities.Option `json:"options,omitempty"`
	Required bool                `json:"required"`
	// FreeText, where set, says what may be answered beside the options.
	FreeText   string               `json:"free_text,omitempty"`
	Suggested  json.RawMessage      `json:"suggested,omitempty"`
	Confidence *float64             `json:"confidence,omitempty"` // 0-1
	Previews   []activities.Preview `json:"previews,omitempty"`   // to be looked at before answering
	Round      int                  `json:"round"`                // from 1; grows when the same slot is asked again
	Key        string               `json:"key"`                  // equal for the same question of other runs
	AskedAt    time.Time            `json:"asked_at"`
	Deadline   *time.Time           `json:"deadline,omitempty"`
	OnDeadline string               `json:"on_deadline,omitempty"` // fail, cancel or default
	For        string               `json:"for,omitempty"`         // whom it was escalated to
	Answered   bool                 `json:"answered,omitempty"`    // an answer counts and is under way to the service
}

// GoalMemo is what a run's memo MemoGoal holds: enough to list runs and their questions without asking each run.
type GoalMemo struct {
	Goal      string         `json:"goal"` // workflow id of the goal, or the goal's text
	Name      string         `json:"name,omitempty"`
	Questions []MemoQuestion `json:"questions,omitempty"`
	More      int            `json:"more,omitempty"` // questions that did not fit
}

// MemoQuestion is a question in a list. Text is cut to 200 bytes.
type MemoQuestion struct {
	SlotID   string     `json:"slot_id"`
	Type     string     `json:"type"`
	Text     string     `json:"text"`
	Key      string     `json:"key"`
	AskedAt  time.Time  `json:"asked_at"`
	Deadline *time.Time `json:"deadline,omitempty"`
	For      string     `json:"for,omitempty"`
}

// MemoGoal is the memo key of GoalMemo.
const MemoGoal = "goal"

// Duration is a time.Duration that is written as text: "90m", "72h".
type Duration time.Duration

// MarshalText writes "72h0m0s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads "72h".
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed < 0 {
		return fmt.Errorf("%q is not a duration such as 90m or 72h", text)
	}
	*d = Duration(parsed)
	return nil
}

// SlotPolicy says what happens while nobody answers. Zero members do nothing. Times count from the asking.
type SlotPolicy struct {
	RemindAfter   Duration `json:"remind_after,omitempty"` // and again each time as long after
	EscalateAfter Duration `json:"escalate_after,omitempty"`
	EscalateTo    string   `json:"escalate_to,omitempty"`
	// AcceptAbove takes the service's suggestion when its confidence is at least this, 0-1; after AcceptAfter.
	AcceptAbove *float64        `json:"accept_above,omitempty"`
	AcceptAfter Duration        `json:"accept_after,omitempty"`
	Default     json.RawMessage `json:"default,omitempty"`
	Deadline    Duration        `json:"deadline,omitempty"`
	OnDeadline  string          `json:"on_deadline,omitempty"` // DeadlineFail where empty
}

// What happens at a deadline.
const (
	DeadlineFail    = "fail"
	DeadlineCancel  = "cancel"
	DeadlineDefault = "default" // answer with Default
)

// Policies are the slot policies of a run: by slot id, and for all others.
type Policies struct {
	Default SlotPolicy            `json:"default,omitzero"`
	Slots   map[string]SlotPolicy `json:"slots,omitempty"`
}

// RunGoalInput is one goal to run. Exactly one of WorkflowID, UserWorkflowID and GoalText is set.
type RunGoalInput struct {
	WorkflowID     string            `json:"workflow_id,omitempty"`
	UserWorkflowID string            `json:"user_workflow_id,omitempty"`
	GoalText       string            `json:"goal_text,omitempty"`
	Name           string            `json:"name,omitempty"`  // for people, in lists
	Files          []GoalFile        `json:"files,omitempty"` // uploaded by the run
	FileIDs        []string          `json:"file_ids,omitempty"`
	Answers        []Answer          `json:"answers,omitempty"` // given before they are asked; they go along with the start
	To             GoalDestination   `json:"to"`
	Policy         Policies          `json:"policy,omitzero"`
	MaxRetries     *int              `json:"max_retries,omitempty"` // free retries of a failed job, 2 where nil
	LookEvery      Duration          `json:"look_every,omitempty"`  // longest time between two looks for answers given elsewhere, 5m where 0
	Labels         map[string]string `json:"labels,omitempty"`      // shown to people, of no meaning here
	// MaxEvents continues as new after so many events, where the server would not suggest it yet.
	MaxEvents int        `json:"max_events,omitempty"`
	Resume    *GoalState `json:"resume,omitempty"` // set by the run itself when it continues as new
}

// GoalFile is a file to upload.
type GoalFile struct {
	Source string `json:"source"` // URL
	Name   string `json:"name"`
	SHA256 string `json:"sha256,omitempty"`
}

// GoalDestination is where the artifacts go, under the names that the service gives them.
type GoalDestination struct {
	Folder  string `json:"folder"`             // URL
	OnExist string `json:"on_exist,omitempty"` // activities.OnExistFail where empty
}

// RunGoalResult is a finished goal.
type RunGoalResult struct {
	Status    string              `json:"status"` // GoalResultCompleted, GoalResultPartial, GoalResultCancelled or GoalResultDropped
	JobSpecID string              `json:"job_spec_id,omitempty"`
	Outputs   []activities.Output `json:"outputs"`
	Missing   []string            `json:"missing,omitempty"` // what a partial result lacks
	Message   string              `json:"message,omitempty"` // the service's closing words
	FileIDs   []string            `json:"file_ids,omitempty"`
	Answers   []Receipt           `json:"answers,omitempty"`
	Retries   int                 `json:"retries,omitempty"`
	Attempts  int                 `json:"attempts"`
}

// How a goal run can end without having failed.
const (
	GoalResultCompleted = "completed"
	GoalResultPartial   = "partial"
	GoalResultCancelled = "cancelled" // the job was cancelled in Convilyn, by a rejected preview, or by policy
	GoalResultDropped   = "dropped"   // a start of unknown outcome was given up
)

// RunGoalStatus answers QueryStatus.
type RunGoalStatus struct {
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
