package questions

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// Ledger decides about answers and keeps what it decided. It is plain data, so that it travels when a run
// continues as new, and its methods neither block nor look at a clock.
//
// A question is open from ask until its answer is delivered, or until the service asks it no more. Of the
// answers to an open question one counts; what counts is final once it is delivered.
type Ledger struct {
	Receipts []Receipt      `json:"receipts,omitempty"`
	Open     []OpenQuestion `json:"open,omitempty"` // oldest first
	Rounds   map[string]int `json:"rounds,omitempty"`
	Unnamed  int            `json:"unnamed,omitempty"` // answers that came without an id
	Dropped  int            `json:"dropped,omitempty"` // receipts of refused answers that were forgotten for want of room
	Closed   bool           `json:"closed,omitempty"`
}

// OpenQuestion is a question with what the policy has done about it.
type OpenQuestion struct {
	Question
	AnswerID  string `json:"answer_id,omitempty"` // the answer that counts, under way to the service
	Reminders int    `json:"reminders,omitempty"`
	Escalated bool   `json:"escalated,omitempty"`
}

const (
	// maxReceipts bounds the ledger: when it is full, the oldest refused answers are forgotten first.
	maxReceipts = 500
	// maxEarly bounds the answers to questions that have not been asked.
	maxEarly = 100
	// maxValue bounds a value, in bytes of JSON; a history is no place for documents.
	maxValue = 32 << 10
)

// Give decides about an answer and returns its receipt: the first one, where the id was heard before.
func (l *Ledger) Give(a Answer, now time.Time) Receipt {
	if known := l.receipt(a.AnswerID); known != nil && a.AnswerID != "" {
		return *known
	}
	if a.AnswerID == "" {
		l.Unnamed++
		a.AnswerID = fmt.Sprintf("%s-%d", a.Channel, l.Unnamed)
	}
	verdict, reason := l.judge(a)
	receipt := Receipt{
		AnswerID: a.AnswerID, SlotID: a.SlotID, Verdict: verdict, Reason: reason,
		AnsweredBy: a.AnsweredBy, Channel: a.Channel, Note: a.Note, Automatic: a.Channel == ChannelPolicy, ReceivedAt: now,
	}
	switch verdict {
	case VerdictAccepted:
		question := l.Find(a.SlotID)
		receipt.Value, receipt.Label = a.Value, question.label(a.Value)
		question.take(a.AnswerID)
	case VerdictEarly:
		receipt.Value = a.Value
		l.supersede(a)
	case VerdictDuplicate, VerdictConflict, VerdictInvalid, VerdictSuperseded, VerdictLate:
		// What does not count is not kept: it may be long, and it may be private.
	}
	l.record(receipt)
	return receipt
}

// judge says what an answer would be worth. It changes nothing.
func (l *Ledger) judge(a Answer) (Verdict, string) {
	switch {
	case a.SlotID == "":
		return VerdictInvalid, "slot_id is missing"
	case len(a.Value) == 0:
		return VerdictInvalid, "value is missing"
	case len(a.Value) > maxValue:
		return VerdictInvalid, fmt.Sprintf("the value has %d bytes; %d are allowed", len(a.Value), maxValue)
	case !json.Valid(a.Value):
		return VerdictInvalid, "the value is not JSON"
	case l.Closed:
		return VerdictLate, "the run has ended"
	}
	question := l.Find(a.SlotID)
	if question == nil {
		return l.judgeUnasked(a)
	}
	if counted := l.receipt(question.AnswerID); counted != nil {
		return against(*counted, a)
	}
	if reason := question.Refuse(a.Value); reason != "" {
		return VerdictInvalid, reason
	}
	return VerdictAccepted, ""
}

// judgeUnasked is for a slot that is not asked at the moment: it has been answered, or it is yet to come.
func (l *Ledger) judgeUnasked(a Answer) (Verdict, string) {
	for i := len(l.Receipts) - 1; i >= 0; i-- {
		if r := l.Receipts[i]; r.SlotID == a.SlotID && r.Verdict == VerdictAccepted {
			return against(r, a)
		}
	}
	if a.Asked {
		return VerdictInvalid, fmt.Sprintf("this run does not ask %.80q; it asks %s", a.SlotID, l.asks())
	}
	if l.early(a.SlotID) >= maxEarly {
		return VerdictInvalid, fmt.Sprintf("%d answers wait for their questions already; this run is not known to ask %.80q", maxEarly, a.SlotID)
	}
	return VerdictEarly, "kept until the question is asked"
}

// asks names what is open, for people.
func (l *Ledger) asks() string {
	var all []string
	for i := range l.Open {
		all = append(all, l.Open[i].SlotID)
	}
	if len(all) == 0 {
		return "nothing at the moment"
	}
	return strings.Join(all, ", ")
}

// early counts the answers that wait for their question, but for that to slotID, which would be replaced.
func (l *Ledger) early(slotID string) int {
	n := 0
	for i := range l.Receipts {
		if l.Receipts[i].Verdict == VerdictEarly && l.Receipts[i].SlotID != slotID {
			n++
		}
	}
	return n
}

// against compares an answer with the one that counts.
func against(counted Receipt, a Answer) (Verdict, string) {
	by := counted.AnsweredBy
	if by == "" {
		by = counted.Channel
	}
	if activities.SameJSON(counted.Value, a.Value) {
		return VerdictDuplicate, "the same answer was given by " + by
	}
	return VerdictConflict, fmt.Sprintf("another answer was given by %s first: %s", by, run.Cut(cmp.Or(counted.Label, string(counted.Value)), labelLimit))
}

func (q *OpenQuestion) take(answerID string) {
	q.AnswerID, q.Answered, q.Refused = answerID, true, nil
}

// supersede replaces an early answer to the same slot.
func (l *Ledger) supersede(by Answer) {
	for i := range l.Receipts {
		if r := &l.Receipts[i]; r.SlotID == by.SlotID && r.Verdict == VerdictEarly {
			r.decide(VerdictSuperseded, "replaced by the answer "+by.AnswerID)
		}
	}
}

// decide changes a verdict that was not final. Of an answer that counts no more, its beginning is kept in words, so that people know
// which it was.
func (r *Receipt) decide(verdict Verdict, reason string) {
	r.Verdict, r.Reason = verdict, reason
	if verdict != VerdictAccepted {
		if r.Label == "" {
			r.Label = inWords(r.Value)
		}
		r.Value = nil
	}
}

func (l *Ledger) record(receipt Receipt) {
	if len(l.Receipts) >= maxReceipts {
		old := slices.IndexFunc(l.Receipts, func(r Receipt) bool { return r.Verdict != VerdictAccepted && r.Verdict != VerdictEarly })
		if old < 0 {
			old = slices.IndexFunc(l.Receipts, func(r Receipt) bool { return r.DeliveredAt != nil })
		}
		l.Receipts = slices.Delete(l.Receipts, max(old, 0), max(old, 0)+1)
		l.Dropped++
	}
	l.Receipts = append(l.Receipts, receipt)
}

// receipt finds a receipt by its answer's id.
func (l *Ledger) receipt(answerID string) *Receipt {
	for i := range l.Receipts {
		if l.Receipts[i].AnswerID == answerID {
			return &l.Receipts[i]
		}
	}
	return nil
}

// Find finds an open question.
func (l *Ledger) Find(slotID string) *OpenQuestion {
	for i := range l.Open {
		if l.Open[i].SlotID == slotID {
			return &l.Open[i]
		}
	}
	return nil
}

// Ask opens a question, and takes the answer that came early if there is one. It says whether the question is
// new; one that is open already takes the new wording.
func (l *Ledger) Ask(q Question, now time.Time) (fresh bool) {
	if open := l.Find(q.SlotID); open != nil {
		open.Text, open.Options, open.Bounds, open.Previews = q.Text, q.Options, q.Bounds, q.Previews
		open.Suggested, open.Confidence, open.Credits = q.Suggested, q.Confidence, q.Credits
		return false
	}
	if l.Rounds == nil {
		l.Rounds = map[string]int{}
	}
	l.Rounds[q.SlotID]++
	q.Round, q.AskedAt = l.Rounds[q.SlotID], now
	l.Open = append(l.Open, OpenQuestion{Question: q})
	for i := range l.Receipts {
		r := &l.Receipts[i]
		if r.SlotID == q.SlotID && r.Channel == ChannelStart && q.Round == 1 {
			l.refuseGiven(r, now)
		}
		if r.SlotID != q.SlotID || r.Verdict != VerdictEarly {
			continue
		}
		if reason := q.Refuse(r.Value); reason != "" {
			r.decide(VerdictInvalid, reason)
			continue
		}
		r.decide(VerdictAccepted, "")
		r.Label = q.label(r.Value)
		l.Find(q.SlotID).take(r.AnswerID)
	}
	return true
}

// refuseGiven takes back an answer that went along with the start, since the service asks its question all the same.
func (l *Ledger) refuseGiven(r *Receipt, now time.Time) {
	question := l.Find(r.SlotID)
	reason := "it was given at the start, and the service asks anyway"
	if fault := question.Refuse(r.Value); fault != "" {
		reason = "it was given at the start: " + fault
	}
	question.Refused = &Refusal{Reason: reason, Value: r.Value, AnsweredBy: r.AnsweredBy, Channel: ChannelStart, At: now}
	r.decide(VerdictInvalid, reason)
}

// InvalidGiven is an open question whose answer at the start was none to it; nil where there is none.
func (l *Ledger) InvalidGiven() *OpenQuestion {
	for i := range l.Open {
		q := &l.Open[i]
		if q.Refused != nil && q.Refused.Channel == ChannelStart && q.Refuse(q.Refused.Value) != "" {
			return q
		}
	}
	return nil
}

// RecordGiven records the answers that went along with the start.
func (l *Ledger) RecordGiven(answers []Answer, now time.Time) {
	for _, a := range answers {
		if a.AnswerID == "" {
			l.Unnamed++
			a.AnswerID = fmt.Sprintf("%s-%d", ChannelStart, l.Unnamed)
		}
		if l.receipt(a.AnswerID) != nil {
			continue
		}
		l.record(Receipt{
			AnswerID: a.AnswerID, SlotID: a.SlotID, Value: a.Value, Verdict: VerdictAccepted, AnsweredBy: a.AnsweredBy, Channel: ChannelStart,
			Note: a.Note, ReceivedAt: now, DeliveredAt: &now,
		})
	}
}

// Deliver records that the service, or the run itself, has the answer to a question, and closes it.
func (l *Ledger) Deliver(slotID string, now time.Time) {
	if question := l.Find(slotID); question != nil {
		if r := l.receipt(question.AnswerID); r != nil {
			r.DeliveredAt = &now
		}
		l.drop(slotID)
	}
}

// Refuse takes back an answer that the service does not take; the question stays open. It returns what was refused; nil
// where there was no answer.
func (l *Ledger) Refuse(slotID, reason string, now time.Time) *Refusal {
	question := l.Find(slotID)
	if question == nil {
		return nil
	}
	r := l.receipt(question.AnswerID)
	question.AnswerID, question.Answered = "", false
	if r == nil {
		return nil
	}
	refusal := &Refusal{Reason: reason, Value: r.Value, AnsweredBy: r.AnsweredBy, Channel: r.Channel, At: now}
	r.decide(VerdictInvalid, reason)
	return refusal
}

// Withdraw closes a question that is asked no more: somebody answered it elsewhere, with this value as far as
// the service says.
func (l *Ledger) Withdraw(slotID string, value json.RawMessage, now time.Time) {
	question := l.Find(slotID)
	if question == nil {
		return
	}
	ours := l.receipt(question.AnswerID)
	if ours != nil && activities.SameJSON(ours.Value, value) {
		l.Deliver(slotID, now)
		return
	}
	if ours != nil {
		ours.decide(VerdictConflict, "another answer was given in Convilyn before this one arrived")
	}
	l.Unnamed++
	l.record(Receipt{
		AnswerID: fmt.Sprintf("%s-%d", ChannelElsewhere, l.Unnamed), SlotID: slotID, Value: value, Label: question.label(value), Verdict: VerdictAccepted,
		Reason: "given in Convilyn", Channel: ChannelElsewhere, ReceivedAt: now, DeliveredAt: &now,
	})
	l.drop(slotID)
}

// Recall closes a question that the run itself asked and that has lost its point.
func (l *Ledger) Recall(slotID string) {
	if question := l.Find(slotID); question != nil {
		if r := l.receipt(question.AnswerID); r != nil {
			r.decide(VerdictLate, "the question has been settled otherwise")
		}
		l.drop(slotID)
	}
}

func (l *Ledger) drop(slotID string) {
	l.Open = slices.DeleteFunc(l.Open, func(q OpenQuestion) bool { return q.SlotID == slotID })
}

// Outgoing is the answers to send to the service together: once every required question has one. Questions of
// the run itself are no business of the service.
func (l *Ledger) Outgoing() []activities.SlotAnswer {
	var out []activities.SlotAnswer
	for i := range l.Open {
		question := &l.Open[i]
		if Own(question.SlotID) {
			continue
		}
		if counted := l.receipt(question.AnswerID); question.AnswerID != "" && counted != nil {
			out = append(out, activities.SlotAnswer{SlotID: question.SlotID, Value: counted.Value})
		} else if question.Required {
			return nil
		}
	}
	return out
}

// Decision is the answer to a question that the run itself asked; empty while there is none.
func (l *Ledger) Decision(slotID string) string {
	question := l.Find(slotID)
	if question == nil || question.AnswerID == "" {
		return ""
	}
	var text string
	if r := l.receipt(question.AnswerID); r != nil {
		_ = json.Unmarshal(r.Value, &text) // was checked when it was taken
	}
	return text
}

// Close ends the ledger with the run.
func (l *Ledger) Close() {
	for i := range l.Receipts {
		r := &l.Receipts[i]
		switch {
		case r.Verdict == VerdictEarly:
			r.decide(VerdictLate, "the run ended without asking this")
		case r.Verdict == VerdictAccepted && r.DeliveredAt == nil:
			r.decide(VerdictLate, "the run ended before this was sent")
		}
	}
	l.Open, l.Closed = nil, true
}

// Questions is what is open, for people.
func (l *Ledger) Questions() []Question {
	out := make([]Question, len(l.Open))
	for i := range l.Open {
		out[i] = l.Open[i].Question
		if r := l.receipt(l.Open[i].AnswerID); r != nil && l.Open[i].Answered {
			given := *r
			out[i].Given = &given
		}
	}
	return out
}

// Unanswered counts the questions that wait for somebody.
func (l *Ledger) Unanswered() int {
	n := 0
	for i := range l.Open {
		if !l.Open[i].Answered {
			n++
		}
	}
	return n
}

// Summary is what lists learn of the open questions: those without an answer, added to a memo, and their slots.
func (l *Ledger) Summary(memo Memo) (with Memo, slots []string) {
	slots = []string{}
	answered := 0
	for _, question := range l.Questions() {
		if question.Answered {
			answered++
			continue
		}
		memo.add(question)
		slots = append(slots, question.SlotID)
	}
	if len(slots) > 0 {
		memo.Answered = answered
	}
	return memo, slots
}
