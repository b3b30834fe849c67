package goal_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

func newSpending(stages ...stage) *goalRun {
	r := newGoalRun(stages...)
	r.confirm = questions.ConfirmAsk
	return r
}

// unconfirmed asserts that the one thing that is asked is whether to spend.
func (r *goalRun) unconfirmed(t *testing.T) {
	t.Helper()
	assert.Zero(t, r.goals.calls["confirm"], "nobody has said so yet")
	asked := r.questions(t)
	require.Len(t, asked, 1)
	assert.Equal(t, goal.SlotConfirm, asked[0].SlotID)
	assert.Contains(t, asked[0].Text, "spends credits")
}

func TestConfirm_asksBeforeItSpends(t *testing.T) {
	for name, test := range map[string]struct {
		worker, policy string
		asks           bool
	}{
		"the worker's API is another's":                    {questions.ConfirmAsk, "", true},
		"the worker's API is local":                        {questions.ConfirmAuto, "", false},
		"a worker that does not say":                       {"", "", true},
		"the policy is to ask, whatever the worker says":   {questions.ConfirmAuto, questions.ConfirmAsk, true},
		"the policy is not to ask, whatever it says":       {questions.ConfirmAsk, questions.ConfirmAuto, false},
		"a policy that is no policy is taken for the safe": {questions.ConfirmAuto, "perhaps", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newGoalRun(at(client.GoalReady), at(client.GoalExecuting), at(client.GoalCompleted))
			r.confirm = test.worker
			input := goalInput(t)
			input.Policy.Confirm = test.policy
			if test.asks {
				r.in(50*time.Hour, func(r *goalRun) { r.unconfirmed(t) })
				r.answers(60*time.Hour, "1", goal.SlotConfirm, goal.ConfirmYes)
			}
			result, err := r.play(t, input)
			require.NoError(t, err)
			assert.Equal(t, goal.ResultCompleted, result.Status)
			assert.Equal(t, 1, r.goals.calls["confirm"])
			assert.Equal(t, test.asks, r.spent > 50*time.Hour)
			assert.Equal(t, test.asks, len(result.Answers) == 1)
		})
	}
}

func TestConfirm_aNoSpendsNothing(t *testing.T) {
	r := newSpending(at(client.GoalReady))
	r.answers(time.Hour, "1", goal.SlotConfirm, goal.ConfirmNo)
	result, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	assert.Equal(t, goal.ResultCancelled, result.Status)
	assert.Equal(t, client.GoalCancelled, r.goals.job.Status)
	assert.Zero(t, r.goals.calls["confirm"])
}

func TestConfirm_nothingSpendsWhenNobodyAnswers(t *testing.T) {
	day := run.Duration(24 * time.Hour)
	confident := 0.0
	for name, test := range map[string]struct {
		policy questions.Policy
		status string // empty where the run fails
	}{
		"fail":                   {questions.Policy{Deadline: day}, ""},
		"cancel":                 {questions.Policy{Deadline: day, OnDeadline: questions.DeadlineCancel}, goal.ResultCancelled},
		"a default that cancels": {questions.Policy{Deadline: day, OnDeadline: questions.DeadlineDefault, Default: json.RawMessage(`"cancel"`)}, goal.ResultCancelled},
		"a default that spends":  {questions.Policy{Deadline: day, OnDeadline: questions.DeadlineDefault, Default: json.RawMessage(`"confirm"`)}, ""},
		"confidence":             {questions.Policy{Deadline: day, AcceptAbove: &confident}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSpending(at(client.GoalReady), at(client.GoalCompleted))
			input := goalInput(t)
			input.Policy.Default = test.policy
			result, err := r.play(t, input)
			if test.status == "" {
				require.ErrorContains(t, err, goal.CodeDeadline)
			} else {
				require.NoError(t, err)
				assert.Equal(t, test.status, result.Status)
			}
			assert.Zero(t, r.goals.calls["confirm"])
			assert.Equal(t, client.GoalCancelled, r.goals.job.Status)
		})
	}
}

func TestConfirm_isAskedOnceForOneCharge(t *testing.T) {
	t.Run("also when it was refused", func(t *testing.T) {
		r := newSpending(at(client.GoalReady), at(client.GoalExecuting), at(client.GoalCompleted))
		r.goals.fail["confirm"] = []error{apiError(402, "INSUFFICIENT_CREDITS")}
		r.answers(time.Hour, "1", goal.SlotConfirm, goal.ConfirmYes)
		r.answers(2*time.Hour, "2", questions.SlotTrouble, questions.TroubleRetry)
		_, err := r.play(t, goalInput(t))
		require.NoError(t, err)
		assert.Equal(t, 2, r.goals.calls["confirm"])
	})
	t.Run("but again for another", func(t *testing.T) {
		r := newSpending(at(client.GoalReady), at(client.GoalExecuting), asks(choice("cover")), at(client.GoalReady), at(client.GoalCompleted))
		r.answers(time.Hour, "1", goal.SlotConfirm, goal.ConfirmYes)
		r.answers(2*time.Hour, "2", "cover", "a")
		r.in(3*time.Hour, func(r *goalRun) {
			assert.Equal(t, 1, r.goals.calls["confirm"])
			asked := r.questions(t)
			require.Len(t, asked, 1)
			assert.Equal(t, 2, asked[0].Round)
		})
		r.answers(4*time.Hour, "3", goal.SlotConfirm, goal.ConfirmYes)
		_, err := r.play(t, goalInput(t))
		require.NoError(t, err)
		assert.Equal(t, 2, r.goals.calls["confirm"])
	})
}

func TestConfirm_elsewhereSettlesTheQuestion(t *testing.T) {
	r := newSpending(at(client.GoalReady), at(client.GoalExecuting), at(client.GoalCompleted))
	r.in(time.Hour, func(r *goalRun) {
		r.unconfirmed(t)
		r.goals.goOn()
	})
	result, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	assert.Equal(t, goal.ResultCompleted, result.Status)
	assert.Zero(t, r.goals.calls["confirm"])
}

func TestConfirm_waitsOnInANewHistory(t *testing.T) {
	r := newSpending(at(client.GoalReady), at(client.GoalExecuting), at(client.GoalCompleted))
	r.in(time.Hour, func(r *goalRun) {
		r.SetContinueAsNewSuggested(true)
		r.SignalWorkflow(questions.SignalFillSlot, workflowtest.Answer("0", goal.SlotConfirm, "perhaps"))
	})
	r.in(50*time.Hour, func(r *goalRun) { r.unconfirmed(t) })
	r.answers(60*time.Hour, "1", goal.SlotConfirm, goal.ConfirmYes)
	_, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	assert.Greater(t, r.runs, 1)
	assert.Equal(t, 1, r.goals.calls["confirm"])
}

func TestConfirm_aRunThatWasCheckedByAWorkerOfBefore(t *testing.T) {
	for confirm, asks := range map[string]bool{questions.ConfirmAuto: false, questions.ConfirmAsk: true} {
		t.Run(confirm, func(t *testing.T) {
			r := newGoalRun(at(client.GoalReady), at(client.GoalExecuting), at(client.GoalCompleted))
			r.prepare = func(env *testsuite.TestWorkflowEnvironment) {
				env.OnActivity("CheckGoal", mock.Anything, mock.MatchedBy(func(in activities.CheckGoalInput) bool { return in.WorkflowID != "" })).Return(activities.CheckGoalResult{}, nil)
				env.OnActivity("CheckGoal", mock.Anything, mock.Anything).Return(activities.CheckGoalResult{Confirm: confirm}, nil)
			}
			if asks {
				r.in(time.Hour, func(r *goalRun) { r.unconfirmed(t) })
				r.answers(2*time.Hour, "1", goal.SlotConfirm, goal.ConfirmYes)
			}
			_, err := r.play(t, goalInput(t))
			require.NoError(t, err)
			assert.Equal(t, 1, r.goals.calls["confirm"])
		})
	}
}

func TestConfirm_aPreviewNamesWhatItSpends(t *testing.T) {
	for confirm, spends := range map[string]bool{questions.ConfirmAuto: false, questions.ConfirmAsk: true} {
		t.Run(confirm, func(t *testing.T) {
			r := newGoalRun(at(client.GoalReadyWithPreview), at(client.GoalExecuting), at(client.GoalCompleted))
			r.confirm = confirm
			r.in(time.Hour, func(r *goalRun) {
				asked := r.questions(t)
				require.Len(t, asked, 1)
				assert.Equal(t, spends, len(asked[0].Text) > len("Go on with what the preview shows?"))
			})
			r.answers(2*time.Hour, "1", goal.SlotPreview, goal.PreviewApprove)
			_, err := r.play(t, goalInput(t))
			require.NoError(t, err)
			assert.Equal(t, 1, r.goals.calls["confirm"], "one word is enough")
		})
	}
}

func TestConfirm_tellsWhatIsMissing(t *testing.T) {
	need, have := int64(9), int64(4)
	r := newSpending(at(client.GoalReady), at(client.GoalExecuting), at(client.GoalCompleted))
	r.goals.fail["confirm"] = []error{&client.APIError{
		Status: 402, Code: "INSUFFICIENT_CREDITS", Message: "Too few credits", RequiredCredits: &need, AvailableCredits: &have, UpgradeURL: "https://pay.example.org/topup",
	}}
	var told *activities.Credits
	r.told = func(_ *goalRun, n activities.Notification) {
		if n.Question != nil && n.Question.SlotID == questions.SlotTrouble {
			told = n.Question.Credits
		}
	}
	missing := int64(5)
	want := &activities.Credits{Need: &need, Have: &have, Missing: &missing, TopUpURL: "https://pay.example.org/topup"}
	r.answers(time.Hour, "1", goal.SlotConfirm, goal.ConfirmYes)
	r.in(2*time.Hour, func(r *goalRun) {
		asked := r.questions(t)
		require.Len(t, asked, 1)
		assert.Equal(t, want, asked[0].Credits)
		assert.Equal(t, "INSUFFICIENT_CREDITS: Too few credits (credits: 9 needed, 4 available, 5 missing)", asked[0].Text)
	})
	r.answers(3*time.Hour, "2", questions.SlotTrouble, questions.TroubleRetry)
	_, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	assert.Equal(t, want, told, "by the notification, too")
}

func TestConfirm_whatIsForbiddenLosesNoPaidJob(t *testing.T) {
	r := newGoalRun(at(client.GoalReady), at(client.GoalExecuting), at(client.GoalCompleted))
	r.goals.fail["artifacts"] = []error{apiError(403, "FORBIDDEN")}
	r.answers(time.Hour, "1", questions.SlotTrouble, questions.TroubleRetry)
	result, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	assert.Equal(t, goal.ResultCompleted, result.Status)
}

func TestConfirm_showsWhatIsThere(t *testing.T) {
	hundred := int64(100)
	for name, test := range map[string]struct {
		fails []error
		want  *activities.Credits
	}{
		"the balance":                          {nil, &activities.Credits{Have: &hundred}},
		"nothing, where none is known":         {[]error{apiError(404, "NOT_FOUND")}, nil},
		"nothing, where it may not be read":    {[]error{apiError(401, "AUTH_REQUIRED")}, nil},
		"nothing, where the service is silent": {[]error{lost}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSpending(at(client.GoalReady), at(client.GoalExecuting), at(client.GoalCompleted))
			r.goals.fail["balance"] = test.fails
			r.in(time.Hour, func(r *goalRun) { r.unconfirmed(t); assert.Equal(t, test.want, r.questions(t)[0].Credits) })
			r.answers(2*time.Hour, "1", goal.SlotConfirm, goal.ConfirmYes)
			_, err := r.play(t, goalInput(t))
			require.NoError(t, err)
			assert.Equal(t, 1, r.goals.calls["balance"])
		})
	}
}
