package questions

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// Policy says what happens while nobody answers. Zero members do nothing. Times count from the asking.
type Policy struct {
	RemindAfter   run.Duration `json:"remind_after,omitempty"` // and again each time as long after
	EscalateAfter run.Duration `json:"escalate_after,omitempty"`
	EscalateTo    string       `json:"escalate_to,omitempty"`
	// AcceptAbove takes the service's suggestion when its confidence is at least this, 0-1; after AcceptAfter.
	AcceptAbove *float64        `json:"accept_above,omitempty"`
	AcceptAfter run.Duration    `json:"accept_after,omitempty"`
	Default     json.RawMessage `json:"default,omitempty"`
	Deadline    run.Duration    `json:"deadline,omitempty"`
	OnDeadline  string          `json:"on_deadline,omitempty"` // DeadlineFail where empty
}

// What happens at a deadline.
const (
	DeadlineFail    = "fail"
	DeadlineCancel  = "cancel"
	DeadlineDefault = "default" // answer with Default
)

// CodeDeadline is the code of what failed because nobody answered in time.
const CodeDeadline = "SLOT_DEADLINE"

// How a goal is confirmed, which is where it spends credits.
const (
	ConfirmAuto = "auto" // as soon as it is ready
	ConfirmAsk  = "ask"  // when somebody says so
)

// Policies are the slot policies of a run: by slot id, and for all others; and what the run asks by itself.
type Policies struct {
	Confirm string `json:"confirm,omitempty"` // ConfirmAuto or ConfirmAsk; the worker decides where empty
	// StuckAfter is how long a job may stay as it is before people are asked about it; 15m where 0.
	StuckAfter run.Duration      `json:"stuck_after,omitempty"`
	Default    Policy            `json:"default,omitzero"`
	Slots      map[string]Policy `json:"slots,omitempty"`
}

// For is the policy of a slot.
func (p Policies) For(slotID string) Policy {
	if policy, special := p.Slots[slotID]; special {
		return policy
	}
	return p.Default
}

// AtDeadline is what happens at the deadline of a slot. A question of the run itself is about money, or about something
// that has to be seen: nothing answers it by default but what is harmless.
func (p Policy) AtDeadline(slotID string, harmless ...string) string {
	var value string
	safe := json.Unmarshal(p.Default, &value) == nil && slices.Contains(harmless, value)
	switch {
	case p.OnDeadline == "", p.OnDeadline == DeadlineDefault && (len(p.Default) == 0 || Own(slotID) && !safe):
		return DeadlineFail
	default:
		return p.OnDeadline
	}
}

// AcceptAt is when the suggestion for a question is taken; false where it is not.
func (p Policy) AcceptAt(q *OpenQuestion) (time.Time, bool) {
	confident := p.AcceptAbove != nil && (q.Refused == nil || q.Refused.Channel == ChannelStart) && q.Confidence != nil && len(q.Suggested) > 0 && *q.Confidence >= *p.AcceptAbove
	return q.AskedAt.Add(time.Duration(p.AcceptAfter)), confident && !Own(q.SlotID) && q.Refuse(q.Suggested) == ""
}

// EscalateAt is when a question is escalated; false where it is not, or was already.
func (p Policy) EscalateAt(q *OpenQuestion) (time.Time, bool) {
	return q.AskedAt.Add(time.Duration(p.EscalateAfter)), p.EscalateAfter > 0 && !q.Escalated
}

// RemindAt is when people are reminded of a question next; false where they are not.
func (p Policy) RemindAt(q *OpenQuestion) (time.Time, bool) {
	return q.AskedAt.Add(time.Duration(p.RemindAfter) * time.Duration(q.Reminders+1)), p.RemindAfter > 0
}

// NextAt is when anything is due for a question; false where nothing is.
func (p Policy) NextAt(q *OpenQuestion) (next time.Time, due bool) {
	if q.Deadline != nil {
		next, due = *q.Deadline, true
	}
	for _, when := range []func(*OpenQuestion) (time.Time, bool){p.AcceptAt, p.EscalateAt, p.RemindAt} {
		if at, wanted := when(q); wanted && (!due || at.Before(next)) {
			next, due = at, true
		}
	}
	return next, due
}

// NextAt is when anything is due for a question without an answer; false where nothing is.
func (p Policies) NextAt(l *Ledger) (next time.Time, due bool) {
	for i := range l.Open {
		open := &l.Open[i]
		if open.Answered {
			continue
		}
		if at, wanted := p.For(open.SlotID).NextAt(open); wanted && (!due || at.Before(next)) {
			next, due = at, true
		}
	}
	return next, due
}
