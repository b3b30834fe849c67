package goal

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

const (
	lookFirst = 15 * time.Second // the first look after the job was parked; then rarer and rarer
	lookEvery = 5 * time.Minute
)

// CodePreset is the code of a run that failed because an answer given at its start is none to its question.
const CodePreset = "SLOT_PRESET"

// CodeDeadline is the code of a run that failed because nobody answered in time.
const CodeDeadline = questions.CodeDeadline

// errCancelledByPolicy ends a run without failing it.
var errCancelledByPolicy = errors.New("cancelled by the slot policy")

func startQuestion(cause string) questions.Question {
	q := questions.Question{Slot: slot.Slot{
		SlotID: SlotStart, Type: slot.Choice, Required: true,
		Text: "It is not known whether the service started this goal, and starting it again may cost again. " + cause,
		Options: []activities.Option{
			{Value: StartAgain, Label: "Start it again"},
			{Value: StartDrop, Label: "Give it up"},
		},
		FreeText: "the id of the job to adopt",
	}}
	q.Key = q.KeyFor("")
	return q
}

// unpriced is what is known of the price before a run, which is nothing.
const unpriced = "This spends credits of the account; how many is known when the job has ended."

func confirmQuestion(goal string, known *activities.Credits) questions.Question {
	q := questions.Question{Credits: known, Slot: slot.Slot{
		SlotID: SlotConfirm, Type: slot.Choice, Required: true, Text: "The job is ready. Run it? " + unpriced,
		Options: []activities.Option{
			{Value: ConfirmYes, Label: "Run it and spend credits"},
			{Value: ConfirmNo, Label: "Cancel the job: nothing is spent"},
		},
	}}
	q.Key = q.KeyFor(goal)
	return q
}

func previewQuestion(goal string, previews []activities.Preview, spends bool) questions.Question {
	text := "Go on with what the preview shows?"
	if spends {
		text += " " + unpriced
	}
	q := questions.Question{Slot: slot.Slot{
		SlotID: SlotPreview, Type: slot.Choice, Required: true, Text: text, Previews: previews,
		Options: []activities.Option{
			{Value: PreviewApprove, Label: "Go on"},
			{Value: PreviewReject, Label: "Cancel the job"},
		},
	}}
	q.Key = q.KeyFor(goal)
	return q
}

func troubleQuestion(step string, failure activities.Failure) questions.Question {
	q := questions.Question{Credits: failure.Credits, Slot: slot.Slot{
		SlotID: questions.SlotTrouble, Type: slot.Choice, Required: true, Text: fmt.Sprintf("%s: %s", failure.Code, failure.Message),
		Options: []activities.Option{
			{Value: questions.TroubleRetry, Label: "Fixed: try again"},
			{Value: questions.TroubleGiveUp, Label: "Give up: the run fails and its job is cancelled"},
		},
	}}
	q.Key = q.KeyFor(step)
	return q
}

// see takes note of what the job is now, and of what it asks.
func (r *goalRun) see(ctx workflow.Context, job activities.GoalSnapshot) {
	if !alike(r.state.Job, job) {
		r.state.Unshown = ""
	}
	r.state.Job = job
	r.state.Confirmed = r.state.Confirmed && job.Status == jobReady
	var pending []questions.Question
	if job.Status == jobSlotsPending {
		for _, asked := range job.Slots {
			pending = append(pending, questions.FromSlot(r.goal(), asked))
		}
	}
	if job.Status == jobReadyWithPreview && r.state.Unshown == "" {
		pending = append(pending, previewQuestion(r.goal(), job.Previews, r.spends()))
	}
	r.ask(ctx, pending...)
	asked := map[string]bool{SlotStart: true, questions.SlotTrouble: true, SlotConfirm: job.Status == jobReady}
	for _, question := range pending {
		asked[question.SlotID] = true
	}
	for _, question := range r.state.Ledger.Questions() {
		value, filled := job.Filled[question.SlotID]
		switch {
		case asked[question.SlotID]:
		case filled:
			r.state.Ledger.Withdraw(question.SlotID, value, workflow.Now(ctx))
		default:
			r.state.Ledger.Recall(question.SlotID)
		}
	}
	r.publish(ctx)
}

// ask opens questions, and notifies of them. All are open before the first notification: starting it takes a moment, in which
// others may be answered already.
func (r *goalRun) ask(ctx workflow.Context, all ...questions.Question) {
	together := len(all) > 1 && r.state.Notifies &&
		workflow.GetVersion(ctx, "ask-then-tell", workflow.DefaultVersion, 1) != workflow.DefaultVersion
	var fresh []string
	for _, question := range all {
		switch {
		case !r.open(ctx, question):
		case together:
			fresh = append(fresh, question.SlotID)
		default:
			r.notifyAsked(ctx, question.SlotID)
		}
	}
	for _, slotID := range fresh {
		r.notifyAsked(ctx, slotID)
	}
}

// open puts a question into the ledger; false where it is there already.
func (r *goalRun) open(ctx workflow.Context, question questions.Question) (fresh bool) {
	policy := r.input.Policy.For(question.SlotID)
	if !r.state.Ledger.Ask(question, workflow.Now(ctx)) {
		return false
	}
	if question.Bounds.PatternIgnored() {
		workflow.GetLogger(ctx).Warn("the service alone can check an answer by its pattern", "slot", question.SlotID, "pattern", question.Bounds.Pattern)
	}
	open := r.state.Ledger.Find(question.SlotID)
	if policy.Deadline > 0 {
		at := open.AskedAt.Add(time.Duration(policy.Deadline))
		open.Deadline, open.OnDeadline = &at, policy.AtDeadline(question.SlotID, Harmless(question.SlotID)...)
	}
	return true
}

// notifyAsked notifies of a question, unless it was answered meanwhile.
func (r *goalRun) notifyAsked(ctx workflow.Context, slotID string) {
	if open := r.state.Ledger.Find(slotID); open != nil && !open.Answered {
		r.notifyQuestion(ctx, activities.NotifyAsked, open)
	}
}

// refuse opens a question again whose answer was not taken, with the reason. It returns its slot where people are to hear of
// it.
func (r *goalRun) refuse(ctx workflow.Context, slotID, reason string) (reopened []string) {
	refusal := r.state.Ledger.Refuse(slotID, reason, workflow.Now(ctx))
	if refusal == nil || workflow.GetVersion(ctx, "tell-refused", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return nil
	}
	r.state.Ledger.Find(slotID).Refused = refusal
	return []string{slotID}
}

// notifyRefused notifies of questions that are open again.
func (r *goalRun) notifyRefused(ctx workflow.Context, reopened []string) {
	for _, slotID := range reopened {
		if open := r.state.Ledger.Find(slotID); open != nil && open.Refused != nil {
			r.notifyQuestion(ctx, activities.NotifyRefused, open)
		}
	}
}

// applyPolicy does what is due by now.
func (r *goalRun) applyPolicy(ctx workflow.Context) error {
	now := workflow.Now(ctx)
	for _, question := range r.state.Ledger.Questions() {
		if question.Answered {
			continue
		}
		open := r.state.Ledger.Find(question.SlotID)
		policy := r.input.Policy.For(question.SlotID)
		if at, wanted := policy.AcceptAt(open); wanted && !now.Before(at) {
			r.answerByPolicy(ctx, open, open.Suggested, fmt.Sprintf("suggestion with confidence %.2f", *open.Confidence))
			continue
		}
		if open.Deadline != nil && !now.Before(*open.Deadline) {
			if err := r.deadline(ctx, open, policy); err != nil {
				return err
			}
			continue
		}
		if at, wanted := policy.EscalateAt(open); wanted && !now.Before(at) {
			open.Escalated, open.For = true, policy.EscalateTo
			r.notifyQuestion(ctx, activities.NotifyEscalated, open)
		}
		if at, wanted := policy.RemindAt(open); wanted && !now.Before(at) {
			open.Reminders = int(now.Sub(open.AskedAt) / time.Duration(policy.RemindAfter))
			r.notifyQuestion(ctx, activities.NotifyReminder, open)
		}
	}
	return nil
}

func (r *goalRun) answerByPolicy(ctx workflow.Context, q *questions.OpenQuestion, value json.RawMessage, note string) {
	r.state.Ledger.Give(questions.Answer{SlotID: q.SlotID, Value: value, Channel: questions.ChannelPolicy, AnsweredBy: questions.ChannelPolicy, Note: note}, workflow.Now(ctx))
}

// deadline does what the policy says when nobody has answered in time.
func (r *goalRun) deadline(ctx workflow.Context, q *questions.OpenQuestion, policy questions.Policy) error {
	waited := time.Duration(policy.Deadline)
	switch q.OnDeadline {
	case questions.DeadlineDefault:
		if q.Refused != nil && activities.SameJSON(q.Refused.Value, policy.Default) {
			return deadlineFailure(fmt.Sprintf("nobody answered %s within %s, and the service refuses the policy's default: %s", q.SlotID, waited, q.Refused.Reason))
		}
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

func deadlineFailure(text string) error { return answerFailure(CodeDeadline, text) }

func presetFailure(q *questions.OpenQuestion) error {
	return answerFailure(CodePreset, fmt.Sprintf("the answer to %s is none: %s", q.SlotID, q.Refused.Reason))
}

func answerFailure(code, text string) error {
	return temporal.NewApplicationErrorWithOptions(text, code, temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{activities.Failure{Step: activities.StepFill, Kind: code, Code: code, Message: text, Attempts: 1}},
	})
}

// rest waits for answers and for the policy's times, for days if need be.
func (r *goalRun) rest(ctx workflow.Context, waiting func() bool) error {
	for waiting() {
		if err := r.continueWhenLong(ctx); err != nil {
			return err
		}
		if err := r.applyPolicy(ctx); err != nil {
			return err
		}
		if !waiting() {
			return nil
		}
		r.publish(ctx)
		wake := func() bool { return !waiting() || r.long(ctx) }
		var err error
		r.resting = true
		if at, due := r.input.Policy.NextAt(&r.state.Ledger); due {
			_, err = workflow.AwaitWithTimeout(ctx, at.Sub(workflow.Now(ctx)), wake)
		} else {
			err = workflow.Await(ctx, wake)
		}
		r.resting = false
		if err != nil {
			return err
		}
	}
	return nil
}

// long reports whether the history should end and the run go on in a new one.
func (r *goalRun) long(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetContinueAsNewSuggested() || r.input.MaxEvents > 0 && info.GetCurrentHistoryLength() > r.input.MaxEvents
}

// continueWhenLong takes everything along, answers that have just arrived included.
func (r *goalRun) continueWhenLong(ctx workflow.Context) error {
	if !r.long(ctx) {
		return nil
	}
	if err := r.Drain(ctx); err != nil {
		return err
	}
	next := r.input
	next.Resume = &r.state
	return workflow.NewContinueAsNewError(ctx, workflow.GetInfo(ctx).WorkflowType.Name, next)
}

// try does a step; where only people can fix the cause of its failure, it asks them. What was paid for and answered is
// not thrown away.
func (r *goalRun) try(ctx workflow.Context, step string, do func(workflow.Context) error) error {
	for {
		r.step = step
		err := run.Cancelled(ctx, do(ctx))
		if err == nil {
			r.state.Ledger.Recall(questions.SlotTrouble) // it was asked before the run continued as new, and the cause is gone
			return nil
		}
		failure, known := activities.FailureOf(err)
		if !known || !fixable(failure) || temporal.IsCanceledError(err) {
			return err
		}
		again, askErr := r.askTrouble(ctx, step, failure)
		if askErr != nil {
			return askErr
		}
		if !again {
			return err
		}
	}
}

// fixable reports whether people can fix the cause while the job waits. What the service forbids may be a key's rights, and
// the job may be paid for.
func fixable(failure activities.Failure) bool {
	switch failure.Kind {
	case activities.FailureAuth, activities.FailurePlan, activities.FailureOutput, activities.FailureMismatch:
		return true
	case activities.FailureRefused:
		return failure.Status == statusForbidden
	}
	return false
}

const statusForbidden = 403

func (r *goalRun) askTrouble(ctx workflow.Context, step string, failure activities.Failure) (again bool, err error) {
	r.ask(ctx, troubleQuestion(step, failure))
	decision := func() string { return r.state.Ledger.Decision(questions.SlotTrouble) }
	if err := r.rest(ctx, func() bool { return decision() == "" }); err != nil {
		return false, err
	}
	again = decision() == questions.TroubleRetry
	r.state.Ledger.Deliver(questions.SlotTrouble, workflow.Now(ctx))
	r.publish(ctx)
	return again, nil
}

// park lets the run rest while waiting holds. It ends early when somebody has answered elsewhere.
func (r *goalRun) park(ctx workflow.Context, waiting func() bool) error {
	return r.try(ctx, activities.StepWatch, func(ctx workflow.Context) error {
		if !waiting() {
			return nil
		}
		looking, stop := workflow.WithCancel(ctx)
		defer stop()
		look := r.look(looking)
		if err := r.rest(ctx, func() bool { return waiting() && !look.IsReady() }); err != nil || !look.IsReady() {
			return err
		}
		var job activities.GoalSnapshot
		if err := look.Get(ctx, &job); err != nil {
			return err
		}
		r.see(ctx, job)
		return nil
	})
}

// look is a rare look at the parked job. Its retries are Temporal's: between them nothing runs, and they leave no
// trace in history.
func (r *goalRun) look(ctx workflow.Context) workflow.Future {
	longest := time.Duration(r.input.LookEvery)
	if longest <= 0 {
		longest = lookEvery
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: activities.LookTimeout,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: min(lookFirst, longest), BackoffCoefficient: 1.5, MaximumInterval: longest,
			MaximumAttempts: math.MaxInt32, // for ever; Temporal's test environment takes zero for ten
		},
		Summary: "Look now and then whether job " + r.state.Job.JobSpecID + " was answered elsewhere",
	})
	pending := make([]string, len(r.state.Job.Slots))
	for i, slot := range r.state.Job.Slots {
		pending[i] = slot.SlotID
	}
	input := activities.LookGoalInput{JobSpecID: r.state.Job.JobSpecID, Status: r.state.Job.Status, Pending: pending}
	if r.state.Ledger.Find(SlotStuck) != nil {
		now := r.state.Job.Movement()
		input.Still = &now
	}
	return workflow.ExecuteActivity(ctx, steps.LookGoal, input)
}
