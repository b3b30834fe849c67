// Package notify is the workflow Notify, which delivers one notification.
package notify

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
)

// steps are the activities; only their names are used here.
var steps *activities.Activities

// WorkflowType is the type of the workflow that delivers one notification. One that failed, and was not sent again
// under the same id since, is a dead letter.
const WorkflowType = "Notify"

// MemoKey is the memo key of Memo.
const MemoKey = "notification"

// Memo is what lists show of a notification.
type Memo struct {
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
