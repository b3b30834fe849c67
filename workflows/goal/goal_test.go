package goal_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

func newGoalRun(stages ...stage) *goalRun {
	return &goalRun{goals: newFakeGoals(stages...), confirm: questions.ConfirmAuto}
}

func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

func goalInput(t *testing.T) goal.Input {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "in.txt")
	require.NoError(t, os.WriteFile(file, []byte("text"), 0o600))
	return goal.Input{
		WorkflowID: "goal_lane.fake", Files: []goal.File{{Source: fileURL(file), Name: "in.txt"}},
		To: goal.Destination{Folder: fileURL(filepath.Join(dir, "out"))},
	}
}

func (r *goalRun) receipts(t *testing.T) []questions.Receipt {
	t.Helper()
	value, err := r.QueryWorkflow(questions.QueryAnswers)
	require.NoError(t, err)
	var out []questions.Receipt
	require.NoError(t, value.Get(&out))
	return out
}

func (r *goalRun) verdict(t *testing.T, id string) questions.Receipt {
	t.Helper()
	for _, receipt := range r.receipts(t) {
		if receipt.AnswerID == id {
			return receipt
		}
	}
	require.Fail(t, "no receipt for "+id)
	return questions.Receipt{}
}

func (r *goalRun) questions(t *testing.T) []questions.Question {
	t.Helper()
	value, err := r.QueryWorkflow(questions.QueryQuestions)
	require.NoError(t, err)
	var out []questions.Question
	require.NoError(t, value.Get(&out))
	return out
}

func TestRunGoalAsksAndGoesOn(t *testing.T) {
	r := newGoalRun(at(client.GoalAnalyzing), asks(choice("tone"), choice("size")), at(client.GoalReady), at(client.GoalQueued), asks(choice("cover")), at(client.GoalExecuting), at(client.GoalCompleted))
	r.answers(time.Hour, "1", "tone", "a")
	r.in(2*time.Hour, func(r *goalRun) {
		assert.Empty(t, r.goals.patches, "one answer is missing yet")
		questions := r.questions(t)
		require.Len(t, questions, 2)
		assert.True(t, questions[0].Answered)
		assert.False(t, questions[1].Answered)
	})
	r.answers(70*time.Hour, "2", "size", "b")
	r.answers(71*time.Hour, "3", "cover", "a")
	result, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	assert.Equal(t, goal.ResultCompleted, result.Status)
	require.Len(t, result.Outputs, 1)
	assert.Equal(t, "out.txt", filepath.Base(result.Outputs[0].Path))
	assert.Equal(t, []string{`tone="a"`, `size="b"`, `cover="a"`}, r.goals.patches)
	assert.Equal(t, 2, r.goals.calls["fill"], "answers for one asking leave together")
	assert.Equal(t, 1, r.goals.calls["confirm"])
	assert.Equal(t, 1, r.goals.starts)
	for _, receipt := range result.Answers {
		assert.Equal(t, questions.VerdictAccepted, receipt.Verdict)
		assert.NotNil(t, receipt.DeliveredAt)
		assert.False(t, receipt.Automatic)
	}
	assert.Greater(t, r.spent, 70*time.Hour)
}

func TestAPreviewIsNeverConfirmedByItself(t *testing.T) {
	confident := 1.0
	for choice, test := range map[string]struct {
		signal string
		status string
	}{
		"approve": {goal.SignalApprovePreview, goal.ResultCompleted},
		"reject":  {goal.SignalRejectPreview, goal.ResultCancelled},
	} {
		t.Run(choice, func(t *testing.T) {
			r := newGoalRun(at(client.GoalReadyWithPreview), at(client.GoalExecuting), at(client.GoalCompleted))
			r.in(100*time.Hour, func(r *goalRun) {
				assert.Zero(t, r.goals.calls["confirm"])
				require.Len(t, r.questions(t), 1)
				r.SignalWorkflow(test.signal, nil)
			})
			input := goalInput(t)
			input.Policy.Default = questions.Policy{AcceptAbove: &confident, Default: json.RawMessage(`"approve"`)}
			result, err := r.play(t, input)
			require.NoError(t, err)
			assert.Equal(t, test.status, result.Status)
		})
	}
}

func TestAFailedJobUsesItsFreeRetry(t *testing.T) {
	again, none := "retry", "none"
	broken := func(action *string) stage {
		return stage{status: client.GoalFailed, failed: &client.GoalError{Code: "WORKFLOW_FAILED", Message: "broke", SuggestedAction: action}}
	}
	t.Run("as told", func(t *testing.T) {
		r := newGoalRun(at(client.GoalExecuting), broken(&again), at(client.GoalQueued), broken(&again), at(client.GoalQueued), at(client.GoalCompleted))
		r.goals.fail["retry"] = []error{lost}
		result, err := r.play(t, goalInput(t))
		require.NoError(t, err)
		assert.Equal(t, 2, result.Retries)
		assert.Equal(t, 1, r.goals.starts)
	})
	t.Run("within a bound", func(t *testing.T) {
		r := newGoalRun(at(client.GoalExecuting), broken(&again), broken(&again), broken(&again), broken(&again))
		_, err := r.play(t, goalInput(t))
		require.ErrorContains(t, err, "WORKFLOW_FAILED: broke")
		assert.Equal(t, 2, r.goals.calls["retry"])
	})
	for name, action := range map[string]*string{"not when told otherwise": &none, "not when told nothing": nil} {
		t.Run(name, func(t *testing.T) {
			r := newGoalRun(broken(action))
			_, err := r.play(t, goalInput(t))
			require.Error(t, err)
			assert.Zero(t, r.goals.calls["retry"])
		})
	}
}

func TestAnAmbiguousStart(t *testing.T) {
	t.Run("is adopted where it is found", func(t *testing.T) {
		r := newGoalRun(at(client.GoalExecuting), at(client.GoalCompleted))
		r.goals.fail["start"] = []error{lost}
		result, err := r.play(t, goalInput(t))
		require.NoError(t, err)
		assert.Equal(t, "job-1", result.JobSpecID)
		assert.Equal(t, 1, r.goals.starts)
	})
	unlisted := apiError(404, "NOT_FOUND")
	for choice, test := range map[string]struct {
		status string
		starts int
	}{
		goal.StartAgain: {goal.ResultCompleted, 2},
		goal.StartDrop:  {goal.ResultDropped, 1},
		"job-1":         {goal.ResultCompleted, 1},
	} {
		t.Run("is a question: "+choice, func(t *testing.T) {
			r := newGoalRun(at(client.GoalExecuting), at(client.GoalExecuting), at(client.GoalCompleted))
			r.goals.fail["start"], r.goals.fail["find"] = []error{lost}, []error{unlisted}
			r.in(30*time.Hour, func(r *goalRun) {
				require.Equal(t, 1, r.goals.starts, "it was not sent again")
				questions := r.questions(t)
				require.Len(t, questions, 1)
				assert.Equal(t, goal.SlotStart, questions[0].SlotID)
			})
			r.answers(48*time.Hour, "1", goal.SlotStart, choice)
			result, err := r.play(t, goalInput(t))
			require.NoError(t, err)
			assert.Equal(t, test.status, result.Status)
			assert.Equal(t, test.starts, r.goals.starts)
			if choice == goal.StartAgain {
				assert.Equal(t, 2, r.goals.files, "the input had expired by then, and was uploaded again")
			}
		})
	}
	t.Run("is a question where the worker died after a refusal", func(t *testing.T) {
		r := newGoalRun(at(client.GoalExecuting), at(client.GoalCompleted))
		r.goals.fail["find"] = []error{unlisted}
		r.prepare = func(env *testsuite.TestWorkflowEnvironment) {
			refusal := workflowtest.Failure(activities.FailureRateLimited, "UNAVAILABLE", activities.StepStart, false)
			env.OnActivity("StartGoal", mock.Anything, mock.Anything).Return(activities.GoalSnapshot{}, temporal.NewTimeoutError(enums.TIMEOUT_TYPE_HEARTBEAT, refusal))
		}
		r.answers(time.Hour, "1", goal.SlotStart, goal.StartDrop)
		result, err := r.play(t, goalInput(t))
		require.NoError(t, err)
		assert.Equal(t, goal.ResultDropped, result.Status)
	})
	t.Run("cannot adopt what is not there", func(t *testing.T) {
		r := newGoalRun(at(client.GoalExecuting), at(client.GoalCompleted))
		r.goals.fail["start"], r.goals.fail["find"] = []error{lost}, []error{unlisted}
		missing := &client.APIError{Status: 404, Code: "JOB_NOT_FOUND", Message: "m", Method: "GET", Details: map[string]any{}}
		r.goals.fail["retrieve"] = []error{missing, missing, missing, missing}
		r.answers(time.Hour, "1", goal.SlotStart, "job-9")
		r.answers(2*time.Hour, "2", goal.SlotStart, goal.StartDrop)
		result, err := r.play(t, goalInput(t))
		require.NoError(t, err)
		assert.Equal(t, goal.ResultDropped, result.Status)
		assert.Equal(t, questions.VerdictInvalid, result.Answers[0].Verdict)
		assert.Equal(t, 1, r.goals.starts)
	})
}

func TestWhatPeopleCanMendIsAQuestion(t *testing.T) {
	r := newGoalRun(at(client.GoalReady), at(client.GoalExecuting), at(client.GoalCompleted))
	r.goals.fail["confirm"] = []error{apiError(402, "INSUFFICIENT_CREDITS")}
	r.in(time.Hour, func(r *goalRun) { assert.Contains(t, r.questions(t)[0].Text, "INSUFFICIENT_CREDITS") })
	r.answers(2*time.Hour, "1", questions.SlotTrouble, questions.TroubleRetry)
	input := goalInput(t)
	folder := strings.TrimPrefix(input.To.Folder, "file://")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "out.txt"), []byte("somebody's own"), 0o600))
	r.in(3*time.Hour, func(r *goalRun) {
		assert.Contains(t, r.questions(t)[0].Text, "OUTPUT_EXISTS")
		assert.NoError(t, os.Remove(filepath.Join(folder, "out.txt")))
	})
	r.answers(4*time.Hour, "2", questions.SlotTrouble, questions.TroubleRetry)
	result, err := r.play(t, input)
	require.NoError(t, err)
	assert.Equal(t, goal.ResultCompleted, result.Status)

	r = newGoalRun(at(client.GoalReady))
	r.goals.fail["confirm"] = []error{apiError(402, "INSUFFICIENT_CREDITS")}
	r.answers(2*time.Hour, "1", questions.SlotTrouble, questions.TroubleGiveUp)
	_, err = r.play(t, goalInput(t))
	require.ErrorContains(t, err, "INSUFFICIENT_CREDITS")
	assert.Equal(t, 1, r.goals.calls["cancel"], "no job is left that nobody waits for")
}

// What was paid for is not thrown away because its bytes are wrong today.
func TestArtifactsThatNeverMatchAreAQuestion(t *testing.T) {
	r := newGoalRun(at(client.GoalCompleted))
	const times = 8
	for range times {
		r.goals.fail["fetch"] = append(r.goals.fail["fetch"], &client.TransportError{Sent: true, Err: client.ErrMismatch})
	}
	r.in(time.Hour, func(r *goalRun) { assert.Contains(t, r.questions(t)[0].Text, activities.CodeOutputMismatch) })
	r.answers(2*time.Hour, "1", questions.SlotTrouble, questions.TroubleRetry)
	result, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	assert.Equal(t, goal.ResultCompleted, result.Status)
	assert.Equal(t, times+1, r.goals.calls["fetch"])
}

func TestCancelling(t *testing.T) {
	r := newGoalRun(asks(choice("tone")))
	r.in(time.Hour, func(r *goalRun) { r.CancelWorkflow() })
	_, err := r.play(t, goalInput(t))
	require.True(t, temporal.IsCanceledError(err), "%v", err)
	assert.Equal(t, client.GoalCancelled, r.goals.job.Status)
}

func TestCancelledInConvilyn(t *testing.T) {
	r := newGoalRun(asks(choice("tone")))
	r.in(time.Hour, func(r *goalRun) {
		r.goals.mu.Lock()
		defer r.goals.mu.Unlock()
		r.goals.job.Status, r.goals.job.PendingSlots = client.GoalCancelled, nil
	})
	result, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	assert.Equal(t, goal.ResultCancelled, result.Status)
	assert.Empty(t, result.Answers)
}

func TestAPartialResultSaysWhatIsMissing(t *testing.T) {
	r := newGoalRun(stage{status: client.GoalPartial, failed: &client.GoalError{Code: "PARTIAL_RESULT", Message: "b.png could not be read"}})
	result, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	assert.Equal(t, goal.ResultPartial, result.Status)
	assert.Equal(t, []string{"b.png could not be read"}, result.Missing)
	assert.Len(t, result.Outputs, 1)
}

// Lists, notifications and metrics tell a result that lacks something from one that does not.
func TestResults_HaveStatesOfTheirOwn(t *testing.T) {
	for name, test := range map[string]struct {
		stage           stage
		dropped         bool
		state, notified string
	}{
		"completed": {at(client.GoalCompleted), false, run.StateCompleted, "completed"},
		"partial":   {at(client.GoalPartial), false, run.StatePartial, "partial"},
		"cancelled": {at(client.GoalCancelled), false, run.StateCancelled, "cancelled"},
		"dropped":   {at(client.GoalExecuting), true, run.StateStopped, "dropped"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newGoalRun(test.stage)
			if test.dropped {
				r.goals.fail["start"] = []error{lost}
				r.goals.fail["find"] = []error{apiError(404, "NOT_FOUND")}
				r.answers(time.Hour, "1", goal.SlotStart, goal.StartDrop)
			}
			notified := ""
			r.told = func(_ *goalRun, n activities.Notification) {
				if n.Type == activities.NotifyEnded {
					notified = n.Status
				}
			}
			_, err := r.play(t, goalInput(t))
			require.NoError(t, err)
			var status goal.Status
			value, err := r.QueryWorkflow(run.QueryStatus)
			require.NoError(t, err)
			require.NoError(t, value.Get(&status))
			assert.Equal(t, test.state, status.State)
			assert.Equal(t, test.notified, notified)
		})
	}
}

func TestAnUnknownGoalUploadsNothing(t *testing.T) {
	input := goalInput(t)
	input.WorkflowID = "goal_lane.none"
	r := newGoalRun()
	_, err := r.play(t, input)
	require.ErrorContains(t, err, "GOAL_UNKNOWN: the service offers no goal goal_lane.none; it offers goal_lane.fake")
	assert.Zero(t, r.goals.files)
}

func TestContinuingAsNewLosesNothing(t *testing.T) {
	r := newGoalRun(asks(choice("tone")), at(client.GoalReady), at(client.GoalExecuting), asks(choice("cover")), at(client.GoalExecuting), at(client.GoalCompleted))
	input := goalInput(t)
	for i := range 60 {
		if i%10 == 5 {
			r.in(time.Duration(i)*time.Minute-time.Second, func(r *goalRun) { r.SetContinueAsNewSuggested(true) })
		}
		r.answers(time.Duration(i)*time.Minute, fmt.Sprintf("bad-%d", i), "tone", "z")
	}
	r.answers(2*time.Hour, "early", "cover", "b")
	r.answers(3*time.Hour, "1", "tone", "a")
	result, err := r.play(t, input)
	require.NoError(t, err)
	assert.Equal(t, 7, r.runs)
	assert.Equal(t, []string{`tone="a"`, `cover="b"`}, r.goals.patches)
	assert.Len(t, result.Answers, 62)
	assert.Equal(t, 1, r.goals.starts)
	assert.Equal(t, 1, r.goals.files)
}
