package goal

import (
	"cmp"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/notify"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// steps are the activities; only their names are used here.
var steps *activities.Activities

// goalRun is a run of RunGoal.
type goalRun struct {
	questions.Handler
	input  Input
	state  State
	step   string
	ended  string // the state that the run ended in, empty until then
	result Result

	published run.Publisher
	resting   bool // waits for answers, and does nothing else
}

// The states of a goal job on which a run branches. In all others the service works.
const (
	jobSlotsPending     = "slots_pending"
	jobReady            = "ready"
	jobReadyWithPreview = "ready_with_preview"
	jobCompleted        = "completed"
	jobPartial          = "partial"
	jobFailed           = "failed"
	jobCancelled        = "cancelled"
)

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

// publish tells lists where the run stands, when that has changed.
func (r *goalRun) publish(ctx workflow.Context) {
	state := r.status().State
	memo, slots := r.state.Ledger.Summary(questions.Memo{Goal: run.Cut(r.goal(), 200), Name: run.Cut(r.state.Name, 200)})
	key := memo
	key.Answered = 0 // goes along with the questions, which change with it
	standing := run.Encode(struct {
		State string
		Slots []string
		Memo  questions.Memo
	}{state, slots, key})
	r.published.Publish(ctx, string(standing), func() run.Position {
		return run.Position{
			State: state, Lane: run.LaneGoal, Slots: slots[:min(len(slots), slotsShown)],
			Memo: map[string]any{questions.MemoKey: memo}, Details: r.details(state),
		}
	})
}

// onAnswer tells lists at once of an answer that waits for others: the run itself wakes when it has them all.
func (r *goalRun) onAnswer(ctx workflow.Context) {
	if r.resting && workflow.GetVersion(ctx, "publish-answers", workflow.DefaultVersion, 1) != workflow.DefaultVersion {
		r.publish(ctx)
	}
}

// slotsShown bounds the slots in the search attribute.
const slotsShown = 10

// details is where the run stands, in Markdown.
func (r *goalRun) details(state string) string {
	text := fmt.Sprintf("**%s**: %s", cmp.Or(r.state.Name, r.goal()), state)
	for _, question := range r.state.Ledger.Questions() {
		if !question.Answered {
			text += fmt.Sprintf("\n- `%s`: %s", question.SlotID, run.Cut(question.Text, 200))
		}
	}
	return text
}

func (r *goalRun) count(attempts int) { r.state.Attempts = max(r.state.Attempts, attempts) }

// options are those of the run's steps. All attempts have no limit: a job that was paid for waits for the network.
func (r *goalRun) options(ctx workflow.Context, attempt time.Duration, summary string) workflow.Context {
	return run.Options(ctx, run.Step{Summary: summary, Attempt: attempt})
}

func (r *goalRun) notifyQuestion(ctx workflow.Context, kind string, q *questions.OpenQuestion) {
	r.notify(ctx, activities.Notification{Type: kind, Question: &activities.NotificationQuestion{
		Slot: q.Slot, Round: q.Round, AskedAt: q.AskedAt, Deadline: q.Deadline, For: q.For, Refused: reasonOf(q.Refused),
		Credits: q.Credits,
	}})
}

func reasonOf(refusal *questions.Refusal) string {
	if refusal == nil {
		return ""
	}
	return run.Cut(refusal.Reason, reasonLimit)
}

// reasonLimit bounds a reason in a notification, in bytes.
const reasonLimit = 1000

// notify hands a notification to a workflow of its own, where anybody is to be notified.
func (r *goalRun) notify(ctx workflow.Context, n activities.Notification) {
	if !r.state.Notifies {
		return
	}
	r.state.Notified++
	info := workflow.GetInfo(ctx)
	n.ID = fmt.Sprintf("%s-%d", info.FirstRunID, r.state.Notified)
	n.At, n.WorkflowID, n.RunID = workflow.Now(ctx), info.WorkflowExecution.ID, info.WorkflowExecution.RunID
	n.Goal, n.Name, n.JobSpecID = r.goal(), r.state.Name, r.state.Job.JobSpecID
	memo := notify.Memo{Type: n.Type, WorkflowID: n.WorkflowID}
	if n.Question != nil {
		memo.SlotID = n.Question.SlotID
	}
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		// Not of the run's name: notifications of an earlier run of that name may still be under way.
		WorkflowID:            "notify-" + n.ID,
		ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_ABANDON,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		TypedSearchAttributes: temporal.NewSearchAttributes(run.KeyLane.ValueSet(run.LaneNotify)),
		StaticSummary:         n.Type,
		Memo:                  map[string]any{notify.MemoKey: memo},
	})
	err := workflow.ExecuteChildWorkflow(ctx, notify.WorkflowType, n).GetChildWorkflowExecution().Get(ctx, nil)
	if err != nil && !temporal.IsWorkflowExecutionAlreadyStartedError(err) { // a run that was reset has started it before
		workflow.GetLogger(ctx).Error("cannot start a notification", "type", n.Type, "error", err)
	}
}

// spends reports whether people are to know that going on spends credits.
func (r *goalRun) spends() bool {
	policy := cmp.Or(r.input.Policy.Confirm, r.state.Confirm)
	return policy != "" && policy != questions.ConfirmAuto
}
