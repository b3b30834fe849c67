package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
)

// NotifyName is the type of the workflow that delivers one notification. One that failed, and was not sent again
// under the same id since, is a dead letter.
const NotifyName = "Notify"

// MemoNotification is the memo key of NotificationMemo.
const MemoNotification = "notification"

// NotificationMemo is what lists of notifications tell without opening any.
type NotificationMemo struct {
	Type       string `json:"type"`
	WorkflowID string `json:"workflow_id"` // of the run that it is about
	SlotID     string `json:"slot_id,omitempty"`
}

// Notify posts a notification, for a day if need be. It is a workflow of its own so that no run waits for
// anybody's webhook.
func Notify(ctx workflow.Context, notification activities.Notification) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, // one request
		// A receiver that is down over night gets it in the morning; after that it is a dead letter.
		ScheduleToCloseTimeout: 24 * time.Hour,
		HeartbeatTimeout:       activities.HeartbeatTimeout,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Minute},
		Summary:                notification.Type,
	})
	return workflow.ExecuteActivity(ctx, steps.PostNotification, notification).Get(ctx, nil)
}

func (r *goalRun) notifyQuestion(ctx workflow.Context, kind string, q *openQuestion) {
	r.notify(ctx, activities.Notification{Type: kind, Question: &activities.NotificationQuestion{
		Slot: activities.Slot{
			SlotID: q.SlotID, Type: slot.Type(q.Type), Text: q.Text, Options: q.Options, Required: q.Required,
			Suggested: q.Suggested, Confidence: q.Confidence, Previews: q.Previews,
		},
		Round: q.Round, AskedAt: q.AskedAt, Deadline: q.Deadline, For: q.For,
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
	memo := NotificationMemo{Type: n.Type, WorkflowID: n.WorkflowID}
	if n.Question != nil {
		memo.SlotID = n.Question.SlotID
	}
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		// Not of the run's name: what an earlier run of that name tells may still be under way.
		WorkflowID:            "notify-" + n.ID,
		ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_ABANDON,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		TypedSearchAttributes: temporal.NewSearchAttributes(KeyLane.ValueSet(LaneNotify)),
		StaticSummary:         n.Type,
		Memo:                  map[string]any{MemoNotification: memo},
	})
	err := workflow.ExecuteChildWorkflow(ctx, NotifyName, n).GetChildWorkflowExecution().Get(ctx, nil)
	if err != nil && !temporal.IsWorkflowExecutionAlreadyStartedError(err) { // a run that was reset has told it already
		workflow.GetLogger(ctx).Error("cannot start a notification", "type", n.Type, "error", err)
	}
}
