package goals

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
)

func TestAGoalFromQuestionsToArtifacts(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.Open("")
	run := s.StartGoal("bind", b.GoalInput(3))
	s.Give("bind", map[string]any{"title": "All of it", "order": s.Order("bind"), "paper": "a4"})
	cover := s.AwaitQuestion("bind", "cover")
	require.Len(t, cover.Previews, 1, "the cover can be looked at")
	runs, err := s.RunsClient().Waiting(t.Context(), 10)
	require.NoError(t, err)
	_ = runs // lists follow within moments; what they hold is tested with the inbox
	s.Give("bind", map[string]any{"cover": "approve"})
	var result goal.Result
	require.NoError(t, run.Get(t.Context(), &result))
	assert.Equal(t, goal.ResultCompleted, result.Status)
	require.Len(t, result.Outputs, 1)
	data, err := os.ReadFile(result.Outputs[0].Path)
	require.NoError(t, err)
	assert.Equal(t, "%PDF-", string(data[:5]))
	events := s.History(run.GetID(), run.GetRunID())
	t.Logf("%d events, %d bytes of outputs", len(events.Events), len(data))
}

// A parked run holds nothing of ours, and looking for answers given elsewhere adds nothing to its history.
func TestAParkedRunHoldsNothing(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.Open("")
	input := b.GoalInput(1)
	input.LookEvery = workflows.Duration(100 * time.Millisecond)
	run := s.StartGoal("parked", input)
	s.AwaitQuestion("parked", "title")
	looks := func() (attempts int, events int64) {
		description, err := s.Client.DescribeWorkflowExecution(t.Context(), "parked", run.GetRunID())
		require.NoError(t, err)
		for _, activity := range description.GetPendingActivities() {
			require.Equal(t, "LookGoal", activity.GetActivityType().GetName(), "nothing else is there")
			attempts = int(activity.GetAttempt())
		}
		return attempts, description.GetWorkflowExecutionInfo().GetHistoryLength()
	}
	require.Eventually(t, func() bool { attempts, _ := looks(); return attempts >= 1 }, testkit.Patience, 20*time.Millisecond)
	first, before := looks()
	require.Eventually(t, func() bool { attempts, _ := looks(); return attempts >= first+10 }, testkit.Patience, 50*time.Millisecond)
	_, after := looks()
	assert.Equal(t, before, after, "ten looks and not one event")
	b.Eventually(func() bool { return s.Service.Subscribers() == 0 }, "no socket is open")
	require.NoError(t, s.Client.CancelWorkflow(t.Context(), "parked", ""))
	require.Error(t, run.Get(t.Context(), nil))
	description, err := s.Client.DescribeWorkflowExecution(t.Context(), "parked", "")
	require.NoError(t, err)
	assert.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_CANCELED, description.GetWorkflowExecutionInfo().GetStatus())
}
