// Package questions is what runs ask people: questions, answers, the ledger of both, and their handlers.
package questions

import (
	"encoding/json"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// Names by which anybody answers and asks a RunGoal, with nothing of ours installed.
const (
	// SignalFillSlot gives an Answer, fire and forget; UpdateFillSlot gives it too and returns a Receipt, or is
	// refused with an Answer's fault as an application error of type AnswerRefused.
	SignalFillSlot = "fill-slot"
	UpdateFillSlot = "fill-slot"
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
	// Asked refuses the answer where its question is not asked yet; otherwise it is kept until it is.
	Asked bool `json:"asked,omitempty"`
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
	ReceivedAt time.Time       `json:"received_at,omitzero"`
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

// What every run that meets trouble asks. Slots of questions that a run itself asks begin with "convilyn."; a service's own
// slot ids never do.
const (
	// SlotTrouble asks about something that only people can fix (a key, a plan, an output folder):
	// TroubleRetry or TroubleGiveUp.
	SlotTrouble = "convilyn.trouble"

	TroubleRetry  = "retry"
	TroubleGiveUp = "give_up"

	// SlotLoss asks whether an output is kept in which something of its source was measured to be missing. In a batch a dot and
	// the number of the file follow, and the answer may be for all files.
	SlotLoss = "convilyn.loss"

	LossKeep      = "keep"
	LossRefuse    = "refuse"
	LossKeepAll   = "keep_all"
	LossRefuseAll = "refuse_all"
)

// Question is something that a run waits for: a slot, and how the asking stands.
type Question struct {
	slot.Slot
	Round      int                 `json:"round"` // from 1; grows when the same slot is asked again
	Key        string              `json:"key"`   // equal for the same question of other runs
	AskedAt    time.Time           `json:"asked_at"`
	Deadline   *time.Time          `json:"deadline,omitempty"`
	OnDeadline string              `json:"on_deadline,omitempty"` // fail, cancel or default
	For        string              `json:"for,omitempty"`         // whom it was escalated to
	Answered   bool                `json:"answered,omitempty"`    // an answer counts and is under way to the service
	Given      *Receipt            `json:"given,omitempty"`       // that answer, in replies to queries
	Credits    *activities.Credits `json:"credits,omitempty"`     // what is known, where it is about money
	Loss       *Loss               `json:"loss,omitempty"`        // what it is about, of SlotLoss
	Refused    *Refusal            `json:"refused,omitempty"`     // why the answer before did not count after all; nil once there is another
}

// Loss is an output that waits for somebody's word, and its source.
type Loss struct {
	Source string                 `json:"source"` // URL
	Name   string                 `json:"name"`   // of the source, for people
	Folder string                 `json:"folder"` // URL of where the output is
	Held   activities.Held        `json:"held"`
	Check  activities.CheckResult `json:"check"`
}

// Refusal is an answer that counted until the service refused it.
type Refusal struct {
	Reason     string          `json:"reason"`
	Value      json.RawMessage `json:"value,omitempty"`
	AnsweredBy string          `json:"answered_by,omitempty"`
	Channel    string          `json:"channel,omitempty"`
	At         time.Time       `json:"at"`
}

// Memo is what a run's memo MemoKey holds: enough to list runs and their questions without asking each run.
type Memo struct {
	Goal      string         `json:"goal"` // workflow id of the goal, or the goal's text
	Name      string         `json:"name,omitempty"`
	Questions []MemoQuestion `json:"questions,omitempty"`
	More      int            `json:"more,omitempty"` // questions that did not fit
	// Answered counts the answers that wait until the other questions have theirs.
	Answered int `json:"answered,omitempty"`
}

// MemoQuestion is a question in a list. Text is cut to 200 bytes.
type MemoQuestion struct {
	SlotID   string     `json:"slot_id"`
	Type     slot.Type  `json:"type"`
	Text     string     `json:"text"`
	Key      string     `json:"key"`
	AskedAt  time.Time  `json:"asked_at"`
	Deadline *time.Time `json:"deadline,omitempty"`
	For      string     `json:"for,omitempty"`
	// Refused is why the service has not taken the answer that the question had; empty where it had none. It is cut to 200 bytes.
	Refused string `json:"refused,omitempty"`
}

// MemoKey is the memo key of Memo.
const MemoKey = "goal"

// memoQuestions bounds what lists learn of a run's questions.
const memoQuestions = 10

// add puts a question into the memo, as long as there is room for it.
func (m *Memo) add(q Question) {
	if len(m.Questions) == memoQuestions {
		m.More++
		return
	}
	listed := MemoQuestion{
		SlotID: q.SlotID, Type: q.Type, Text: run.Cut(q.Text, 200), Key: q.Key, AskedAt: q.AskedAt, Deadline: q.Deadline, For: q.For,
	}
	if q.Refused != nil {
		listed.Refused = run.Cut(q.Refused.Reason, 200)
	}
	m.Questions = append(m.Questions, listed)
}
