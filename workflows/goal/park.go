package goal

import (
	"fmt"
	"math"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

const (
	lookFirst = 15 * time.Second // the first look after the job was parked; then rarer and rarer
	lookEvery = 5 * time.Minute
)

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
	return workflow.ExecuteActivity(ctx, steps.LookGoal, activities.LookGoalInput{
		JobSpecID: r.state.Job.JobSpecID, Status: r.state.Job.Status, Pending: pending,
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
		r.show(ctx)
		wake := func() bool { return !waiting() || r.long(ctx) }
		var err error
		if at, due := r.nextPolicy(); due {
			_, err = workflow.AwaitWithTimeout(ctx, at.Sub(workflow.Now(ctx)), wake)
		} else {
			err = workflow.Await(ctx, wake)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// long says that the history should end and the run go on in a new one.
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
	return workflow.NewContinueAsNewError(ctx, WorkflowType, next)
}

// see takes note of what the job is now, and of what it asks.
func (r *goalRun) see(ctx workflow.Context, job activities.GoalSnapshot) {
	r.state.Job = job
	var pending []questions.Question
	if job.Status == jobSlotsPending {
		for _, slot := range job.Slots {
			pending = append(pending, questions.FromSlot(r.goal(), slot))
		}
	}
	if job.Status == jobReadyWithPreview {
		pending = append(pending, previewQuestion(r.goal(), job.Previews))
	}
	r.ask(ctx, pending...)
	asked := map[string]bool{}
	for _, question := range pending {
		asked[question.SlotID] = true
	}
	for _, question := range r.state.Ledger.Questions() {
		value, filled := job.Filled[question.SlotID]
		switch {
		case asked[question.SlotID], question.SlotID == SlotStart, question.SlotID == questions.SlotTrouble:
		case filled:
			r.state.Ledger.Withdraw(question.SlotID, value, workflow.Now(ctx))
		default:
			r.state.Ledger.Recall(question.SlotID)
		}
	}
	r.show(ctx)
}

// ask opens questions, and tells whoever is to be told. All are open before anybody is told of the first: telling takes a
// moment, in which others may be answered already.
func (r *goalRun) ask(ctx workflow.Context, questions ...questions.Question) {
	together := len(questions) > 1 && r.state.Notifies &&
		workflow.GetVersion(ctx, "ask-then-tell", workflow.DefaultVersion, 1) != workflow.DefaultVersion
	var fresh []string
	for _, question := range questions {
		switch {
		case !r.open(ctx, question):
		case together:
			fresh = append(fresh, question.SlotID)
		default:
			r.tell(ctx, question.SlotID)
		}
	}
	for _, slotID := range fresh {
		r.tell(ctx, slotID)
	}
}

// open puts a question into the ledger; false where it stands there.
func (r *goalRun) open(ctx workflow.Context, question questions.Question) (fresh bool) {
	policy := r.policy(question.SlotID)
	if !r.state.Ledger.Ask(question, workflow.Now(ctx)) {
		return false
	}
	if question.Bounds.PatternIgnored() {
		workflow.GetLogger(ctx).Warn("the service alone can check an answer by its pattern", "slot", question.SlotID, "pattern", question.Bounds.Pattern)
	}
	open := r.state.Ledger.Find(question.SlotID)
	if policy.Deadline > 0 {
		at := open.AskedAt.Add(time.Duration(policy.Deadline))
		open.Deadline, open.OnDeadline = &at, policy.AtDeadline(question.SlotID)
	}
	return true
}

// tell notifies of a question, unless it was answered meanwhile.
func (r *goalRun) tell(ctx workflow.Context, slotID string) {
	if open := r.state.Ledger.Find(slotID); open != nil && !open.Answered {
		r.notifyQuestion(ctx, activities.NotifyAsked, open)
	}
}

// goal names what is run.
func (r *goalRun) goal() string {
	switch {
	case r.input.WorkflowID != "":
		return r.input.WorkflowID
	case r.input.UserWorkflowID != "":
		return r.input.UserWorkflowID
	default:
		return r.input.GoalText
	}
}

// show tells the lists where the run stands, where that has changed.
func (r *goalRun) show(ctx workflow.Context) {
	slots, memo := []string{}, questions.Memo{Goal: run.Cut(r.goal(), 200), Name: run.Cut(r.state.Name, 200)}
	for _, question := range r.state.Ledger.Questions() {
		if question.Answered {
			continue
		}
		slots = append(slots, question.SlotID)
		memo.Add(question)
	}
	now := run.Encode(shown{r.status().State, slots, memo})
	if string(now) == r.shown {
		return
	}
	r.shown = string(now)
	pending := run.KeyPendingSlots.ValueUnset()
	if len(slots) > 0 {
		pending = run.KeyPendingSlots.ValueSet(slots[:min(len(slots), questions.MemoQuestions)])
	}
	err := workflow.UpsertTypedSearchAttributes(ctx, run.KeyState.ValueSet(r.status().State), run.KeyLane.ValueSet(run.LaneGoal), pending)
	if err == nil {
		err = workflow.UpsertMemo(ctx, map[string]any{questions.MemoKey: memo})
	}
	if err != nil {
		workflow.GetLogger(ctx).Error("cannot record the state", "error", err)
	}
	workflow.SetCurrentDetails(ctx, r.details())
}

// shown is what lists know of a run.
type shown struct {
	State string
	Slots []string
	Memo  questions.Memo
}

func (r *goalRun) details() string {
	name := r.state.Name
	if name == "" {
		name = r.goal()
	}
	text := fmt.Sprintf("**%s**: %s", name, r.status().State)
	for _, question := range r.state.Ledger.Questions() {
		if !question.Answered {
			text += fmt.Sprintf("\n- `%s`: %s", question.SlotID, run.Cut(question.Text, 200))
		}
	}
	return text
}

// status answers QueryStatus.
func (r *goalRun) status() Status {
	s := Status{
		State: run.StateRunning, Step: r.step, JobSpecID: r.state.Job.JobSpecID, JobStatus: r.state.Job.Status, Percent: r.state.Job.Percent,
		Open: r.state.Ledger.Unanswered(), Retries: r.state.Retries, Notified: r.state.Notified,
	}
	switch {
	case r.ended != "":
		s.State = r.ended
	case s.Open > 0 && len(r.state.Ledger.Outgoing()) == 0:
		s.State = run.StateWaiting
	}
	return s
}
