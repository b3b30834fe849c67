package goal

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// CodeDeadline is the code of a run that failed because nobody answered in time.
const CodeDeadline = "SLOT_DEADLINE"

// errCancelledByPolicy ends a run without failing it.
var errCancelledByPolicy = errors.New("cancelled by the slot policy")

// policy is what the input says about a slot.
func (r *goalRun) policy(slotID string) questions.Policy {
	if policy, own := r.input.Policy.Slots[slotID]; own {
		return policy
	}
	return r.input.Policy.Default
}

// applyPolicy does what is due by now.
func (r *goalRun) applyPolicy(ctx workflow.Context) error {
	now := workflow.Now(ctx)
	for _, question := range r.state.Ledger.Questions() {
		if question.Answered {
			continue
		}
		open := r.state.Ledger.Find(question.SlotID)
		policy := r.policy(question.SlotID)
		if at, wanted := acceptAt(policy, open); wanted && !now.Before(at) {
			r.answerByPolicy(ctx, open, open.Suggested, fmt.Sprintf("suggestion with confidence %.2f", *open.Confidence))
			continue
		}
		if open.Deadline != nil && !now.Before(*open.Deadline) {
			if err := r.deadline(ctx, open, policy); err != nil {
				return err
			}
			continue
		}
		if at, wanted := escalateAt(policy, open); wanted && !now.Before(at) {
			open.Escalated, open.For = true, policy.EscalateTo
			r.notifyQuestion(ctx, activities.NotifyEscalated, open)
		}
		if at, wanted := remindAt(policy, open); wanted && !now.Before(at) {
			open.Reminders = int(now.Sub(open.AskedAt) / time.Duration(policy.RemindAfter))
			r.notifyQuestion(ctx, activities.NotifyReminder, open)
		}
	}
	return nil
}

// nextPolicy is when something is due next.
func (r *goalRun) nextPolicy() (next time.Time, due bool) {
	for i := range r.state.Ledger.Open {
		open := &r.state.Ledger.Open[i]
		if open.Answered {
			continue
		}
		policy := r.policy(open.SlotID)
		for _, when := range []func(questions.Policy, *questions.OpenQuestion) (time.Time, bool){acceptAt, escalateAt, remindAt, deadlineAt} {
			if at, wanted := when(policy, open); wanted && (!due || at.Before(next)) {
				next, due = at, true
			}
		}
	}
	return next, due
}

func acceptAt(p questions.Policy, q *questions.OpenQuestion) (time.Time, bool) {
	confident := p.AcceptAbove != nil && q.Confidence != nil && len(q.Suggested) > 0 && *q.Confidence >= *p.AcceptAbove
	return q.AskedAt.Add(time.Duration(p.AcceptAfter)), confident && !questions.Own(q.SlotID) && q.Refuse(q.Suggested) == ""
}

func escalateAt(p questions.Policy, q *questions.OpenQuestion) (time.Time, bool) {
	return q.AskedAt.Add(time.Duration(p.EscalateAfter)), p.EscalateAfter > 0 && !q.Escalated
}

func remindAt(p questions.Policy, q *questions.OpenQuestion) (time.Time, bool) {
	return q.AskedAt.Add(time.Duration(p.RemindAfter) * time.Duration(q.Reminders+1)), p.RemindAfter > 0
}

func deadlineAt(_ questions.Policy, q *questions.OpenQuestion) (time.Time, bool) {
	if q.Deadline == nil {
		return time.Time{}, false
	}
	return *q.Deadline, true
}

func (r *goalRun) answerByPolicy(ctx workflow.Context, q *questions.OpenQuestion, value json.RawMessage, note string) {
	r.state.Ledger.Give(questions.Answer{SlotID: q.SlotID, Value: value, Channel: questions.ChannelPolicy, AnsweredBy: questions.ChannelPolicy, Note: note}, workflow.Now(ctx))
}

// deadline does what the policy says when nobody has answered in time.
func (r *goalRun) deadline(ctx workflow.Context, q *questions.OpenQuestion, policy questions.Policy) error {
	waited := time.Duration(policy.Deadline)
	switch q.OnDeadline {
	case questions.DeadlineDefault:
		if reason := q.Refuse(policy.Default); reason != "" {
			return deadlineFailure(fmt.Sprintf("nobody answered %s within %s, and the policy's default is no answer to it: %s", q.SlotID, waited, reason))
		}
		r.answerByPolicy(ctx, q, policy.Default, fmt.Sprintf("default after %s", waited))
		return nil
	case questions.DeadlineCancel:
		r.result.Message = fmt.Sprintf("nobody answered %s within %s", q.SlotID, waited)
		return errCancelledByPolicy
	default:
		return deadlineFailure(fmt.Sprintf("nobody answered %s within %s", q.SlotID, waited))
	}
}

func deadlineFailure(text string) error {
	return temporal.NewApplicationErrorWithOptions(text, CodeDeadline, temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{activities.Failure{Step: activities.StepFill, Kind: CodeDeadline, Code: CodeDeadline, Message: text, Attempts: 1}},
	})
}
