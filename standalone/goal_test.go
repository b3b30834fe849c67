package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

const binder = "goal_lane.document_binder"

// goal describes a run that binds documents.
func (b *bench) goal(documents int) goal.Input {
	b.t.Helper()
	input := goal.Input{WorkflowID: binder, To: goal.Destination{Folder: "file://" + b.out}}
	for _, path := range b.documents(documents) {
		input.Files = append(input.Files, goal.File{Source: "file://" + path, Name: filepath.Base(path)})
	}
	return input
}

func startGoal(t *testing.T, s *stack, id string, input goal.Input) temporalclient.WorkflowRun {
	t.Helper()
	run, err := s.client.ExecuteWorkflow(t.Context(), temporalclient.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue}, goal.WorkflowType, input)
	require.NoError(t, err)
	return run
}

func (s *stack) desk() *answering.Desk {
	return &answering.Desk{Temporal: s.client, Namespace: namespace}
}

// awaitQuestion waits until a run asks something.
func awaitQuestion(t *testing.T, s *stack, id, slotID string) questions.Question {
	t.Helper()
	var found questions.Question
	require.Eventually(t, func() bool {
		questions, err := s.desk().Questions(t.Context(), id)
		for _, question := range questions {
			if err == nil && question.SlotID == slotID && !question.Answered {
				found = question
				return true
			}
		}
		return false
	}, time.Minute, 20*time.Millisecond, "%s asks no %s", id, slotID)
	return found
}

func give(t *testing.T, s *stack, id string, answers map[string]any) {
	t.Helper()
	for slotID, value := range answers {
		raw, err := json.Marshal(value)
		require.NoError(t, err)
		receipt, err := s.desk().Answer(t.Context(), id, questions.Answer{SlotID: slotID, Value: raw, AnsweredBy: "test", Channel: "test"})
		require.NoError(t, err)
		require.Equal(t, questions.VerdictAccepted, receipt.Verdict, receipt.Reason)
	}
}

// order is the suggested order of the files, which is theirs.
func order(t *testing.T, s *stack, id string) []string {
	t.Helper()
	var files []string
	for _, option := range awaitQuestion(t, s, id, "order").Options {
		files = append(files, option.Value)
	}
	return files
}

func TestAGoalFromQuestionsToArtifacts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.open("")
	run := startGoal(t, s, "bind", b.goal(3))
	give(t, s, "bind", map[string]any{"title": "All of it", "order": order(t, s, "bind"), "paper": "a4"})
	cover := awaitQuestion(t, s, "bind", "cover")
	require.Len(t, cover.Previews, 1, "the cover can be looked at")
	runs, err := s.desk().Waiting(t.Context(), 10)
	require.NoError(t, err)
	_ = runs // lists follow within moments; what they hold is tested with the inbox
	give(t, s, "bind", map[string]any{"cover": "approve"})
	var result goal.Result
	require.NoError(t, run.Get(t.Context(), &result))
	assert.Equal(t, goal.ResultCompleted, result.Status)
	require.Len(t, result.Outputs, 1)
	data, err := os.ReadFile(result.Outputs[0].Path)
	require.NoError(t, err)
	assert.Equal(t, "%PDF-", string(data[:5]))
	events := historyOf(t, s, run.GetID(), run.GetRunID())
	t.Logf("%d events, %d bytes of outputs", len(events.Events), len(data))
}

// A parked run holds nothing of ours, and looking for answers given elsewhere adds nothing to its history.
func TestAParkedRunHoldsNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.open("")
	input := b.goal(1)
	input.LookEvery = workflows.Duration(100 * time.Millisecond)
	run := startGoal(t, s, "parked", input)
	awaitQuestion(t, s, "parked", "title")
	looks := func() (attempts int, events int64) {
		description, err := s.client.DescribeWorkflowExecution(t.Context(), "parked", run.GetRunID())
		require.NoError(t, err)
		for _, activity := range description.GetPendingActivities() {
			require.Equal(t, "LookGoal", activity.GetActivityType().GetName(), "nothing else is there")
			attempts = int(activity.GetAttempt())
		}
		return attempts, description.GetWorkflowExecutionInfo().GetHistoryLength()
	}
	require.Eventually(t, func() bool { attempts, _ := looks(); return attempts >= 1 }, time.Minute, 20*time.Millisecond)
	first, before := looks()
	require.Eventually(t, func() bool { attempts, _ := looks(); return attempts >= first+10 }, time.Minute, 50*time.Millisecond)
	_, after := looks()
	assert.Equal(t, before, after, "ten looks and not one event")
	assert.Zero(t, s.backend.Subscribers(), "no socket is open")
	require.NoError(t, s.client.CancelWorkflow(t.Context(), "parked", ""))
	require.Error(t, run.Get(t.Context(), nil))
	description, err := s.client.DescribeWorkflowExecution(t.Context(), "parked", "")
	require.NoError(t, err)
	assert.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_CANCELED, description.GetWorkflowExecutionInfo().GetStatus())
}
