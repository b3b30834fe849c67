package goal

import (
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/notify"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

func (r *goalRun) notifyQuestion(ctx workflow.Context, kind string, q *questions.OpenQuestion) {
	r.notify(ctx, activities.Notification{Type: kind, Question: &activities.NotificationQuestion{
		Slot: q.Slot, Round: q.Round, AskedAt: q.AskedAt, Deadline: q.Deadline, For: q.For,
	}})
}

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
		// Not of the run's name: what an earlier run of that name tells may still be under way.
		WorkflowID:            "notify-" + n.ID,
		ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_ABANDON,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		TypedSearchAttributes: temporal.NewSearchAttributes(run.KeyLane.ValueSet(run.LaneNotify)),
		StaticSummary:         n.Type,
		Memo:                  map[string]any{notify.MemoKey: memo},
	})
	err := workflow.ExecuteChildWorkflow(ctx, notify.WorkflowType, n).GetChildWorkflowExecution().Get(ctx, nil)
	if err != nil && !temporal.IsWorkflowExecutionAlreadyStartedError(err) { // a run that was reset has told it already
		workflow.GetLogger(ctx).Error("cannot start a notification", "type", n.Type, "error", err)
	}
}
