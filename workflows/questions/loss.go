package questions

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// What becomes of an output in which a loss was measured.
const (
	OnLossKeep = "keep" // it is kept, with its warnings
	OnLossAsk  = "ask"  // somebody decides
)

// longestLosses bounds the losses in the text of a question, in bytes.
const longestLosses = 600

// IsLoss reports whether a slot is SlotLoss, of a conversion or of a file of a batch.
func IsLoss(slotID string) bool { return slotID == SlotLoss || strings.HasPrefix(slotID, SlotLoss+".") }

// LossQuestion asks about an output of one pair of formats. Those of the same pair can be answered together. More are choices
// beyond keeping and refusing it.
func LossQuestion(slotID, from, to string, loss Loss, more ...activities.Option) Question {
	q := Question{Loss: &loss, Slot: slot.Slot{
		SlotID: slotID, Type: slot.Choice, Required: true,
		Text: fmt.Sprintf("%s to %s: %s. Keep the output?", loss.Name, to, run.Cut(strings.Join(loss.Held.Losses, "; "), longestLosses)),
		Options: append([]activities.Option{
			{Value: LossKeep, Label: "Keep it"},
			{Value: LossRefuse, Label: "Refuse it: it is removed, and the file counts as failed"},
		}, more...),
	}}
	alike := Question{Slot: slot.Slot{SlotID: SlotLoss, Type: slot.Choice, Options: q.Options}}
	q.Key = alike.KeyFor(from + " to " + to)
	return q
}

// AskLoss opens the question, with the deadline of the policy.
func (l *Ledger) AskLoss(q Question, policy Policy, now time.Time) {
	l.Ask(q, now)
	if policy.Deadline > 0 {
		open := l.Find(q.SlotID)
		at := now.Add(time.Duration(policy.Deadline))
		open.Deadline, open.OnDeadline = &at, policy.AtDeadline(q.SlotID, LossKeep, LossRefuse)
	}
}

// AnswerOverdue answers, by the policy, the open questions about losses whose deadline has passed: with its default, and
// otherwise with a refusal.
func (l *Ledger) AnswerOverdue(policy Policy, now time.Time) {
	for _, q := range l.Questions() {
		if !IsLoss(q.SlotID) || q.Answered || q.Deadline == nil || now.Before(*q.Deadline) {
			continue
		}
		value := run.Encode(LossRefuse)
		if q.OnDeadline == DeadlineDefault {
			value = policy.Default
		}
		l.Give(Answer{
			SlotID: q.SlotID, Value: value, Channel: ChannelPolicy, AnsweredBy: ChannelPolicy,
			Note: fmt.Sprintf("nobody answered within %s", time.Duration(policy.Deadline)),
		}, now)
	}
}

// LossVerdict is what somebody has decided about an output.
type LossVerdict struct {
	Choice string
	By     string // who, for people
	Late   bool   // nobody did in time, and the policy has decided
}

// LossVerdict is the verdict on a question about a loss; false while there is none.
func (l *Ledger) LossVerdict(slotID string) (LossVerdict, bool) {
	question := l.Find(slotID)
	if question == nil || question.AnswerID == "" {
		return LossVerdict{}, false
	}
	receipt := l.receipt(question.AnswerID)
	if receipt == nil {
		return LossVerdict{}, false
	}
	v := LossVerdict{By: receipt.AnsweredBy, Late: receipt.Automatic}
	_ = json.Unmarshal(receipt.Value, &v.Choice) // was checked when it was taken
	switch {
	case v.Late:
		v.By = "the policy: " + receipt.Note
	case v.By == "":
		v.By = "somebody"
	}
	return v, true
}

// LossVerdictForAll is the verdict on all files of the batch that was received first; false while there is none.
func (l *Ledger) LossVerdictForAll() (LossVerdict, bool) {
	for _, receipt := range l.Receipts { // in the order in which they were received
		question := l.Find(receipt.SlotID)
		if question == nil || !IsLoss(receipt.SlotID) || question.AnswerID != receipt.AnswerID {
			continue
		}
		if v, decided := l.LossVerdict(receipt.SlotID); decided && v.ForAll() {
			return v, true
		}
	}
	return LossVerdict{}, false
}

// Keeps reports whether the output is kept.
func (v LossVerdict) Keeps() bool { return v.Choice == LossKeep || v.Choice == LossKeepAll }

// ForAll reports whether the verdict is on all files of the batch.
func (v LossVerdict) ForAll() bool { return v.Choice == LossKeepAll || v.Choice == LossRefuseAll }

// Forget makes a later question of the same slot a first one: a batch asks under thousands of slots.
func (l *Ledger) Forget(slotID string) { delete(l.Rounds, slotID) }
