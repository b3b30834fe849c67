package notify_test

import (
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/notify"
)

func TestNotificationsAreWorkflowsOfTheirOwn(t *testing.T) {
	s := workflowtest.NewEnvironment()
	var steps *activities.Activities
	workflows.Register(s)
	s.RegisterActivity(&activities.Activities{})
	t.Cleanup(func() { s.AssertExpectations(t) })
	notification := activities.Notification{ID: "n-1", Type: activities.NotifyAsked}
	s.OnActivity(steps.PostNotification, mock.Anything, notification).Return(workflowtest.Failure(activities.FailureUnavailable, activities.CodeWebhook, activities.StepNotify, false)).Times(3)
	s.OnActivity(steps.PostNotification, mock.Anything, notification).Return(nil).Once()
	s.ExecuteWorkflow(notify.WorkflowType, notification)
	require.NoError(t, s.GetWorkflowError())
}
