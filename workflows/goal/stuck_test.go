package goal_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// newStuck is a run whose watch of the job brings nothing for days: it looks for itself whether the job moves.
func newStuck(stages ...stage) *goalRun {
	r := newGoalRun(stages...)
	r.prepare = func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity("WatchGoal", mock.Anything, mock.Anything).After(100*time.Hour).Return(activities.GoalSnapshot{}, errors.New("nothing in days"))
	}
	return r
}

// stuck asserts that people are asked about the job, and nothing else.
func (r *goalRun) stuck(t *testing.T) questions.Question {
	t.Helper()
	asked := r.questions(t)
	require.Len(t, asked, 1)
	assert.Equal(t, goal.SlotStuck, asked[0].SlotID)
	return asked[0]
}

// updates has the job show every few minutes that it is alive, until then.
func (r *goalRun) updates(until time.Duration, how func(job *client.GoalJob, at time.Time)) {
	for at := 4 * time.Minute; at <= until; at += 4 * time.Minute {
		r.in(at, func(r *goalRun) { r.goals.change(func(job *client.GoalJob) { how(job, r.Now()) }) })
	}
}

func TestStuck_asksWhenNothingMoves(t *testing.T) {
	for _, status := range []client.GoalStatus{client.GoalAnalyzing, client.GoalQueued, client.GoalExecuting, "some_new_state"} {
		t.Run(string(status), func(t *testing.T) {
			r := newStuck(at(status), at(client.GoalCompleted))
			r.in(14*time.Minute, func(r *goalRun) { assert.Empty(t, r.questions(t)) })
			r.in(17*time.Minute, func(r *goalRun) {
				q := r.stuck(t)
				assert.Contains(t, q.Text, "has not moved for 15m0s: it is "+string(status)+" at 0 %")
				r.goals.goOn()
			})
			result, err := r.play(t, goalInput(t))
			require.NoError(t, err)
			assert.Equal(t, goal.ResultCompleted, result.Status)
			assert.Empty(t, result.Answers, "it moved after all, and the question was taken back")
			assert.Equal(t, 1, r.goals.starts)
			assert.Zero(t, r.goals.calls["cancel"])
		})
	}
}

func TestStuck_leavesAJobAloneThatIsAlive(t *testing.T) {
	for name, how := range map[string]func(job *client.GoalJob, at time.Time){
		"by updatedAt": func(job *client.GoalJob, at time.Time) { job.UpdatedAt = at },
		"by progress": func(job *client.GoalJob, _ time.Time) {
			percent := 0.0
			if job.Progress != nil {
				percent = *job.Progress
			}
			percent = min(percent+0.01, 1)
			job.Progress = &percent
		},
		"by status": func(job *client.GoalJob, at time.Time) {
			job.Status = []client.GoalStatus{client.GoalQueued, client.GoalExecuting}[at.Minute()/4%2]
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newStuck(at(client.GoalExecuting), at(client.GoalCompleted))
			const alive = 5 * time.Hour
			r.updates(alive, how)
			for at := 10 * time.Minute; at < alive; at += 30 * time.Minute {
				r.in(at, func(r *goalRun) { assert.Empty(t, r.questions(t), "%s", at) })
			}
			r.in(alive+25*time.Minute, func(r *goalRun) { r.stuck(t); r.goals.goOn() })
			_, err := r.play(t, goalInput(t))
			require.NoError(t, err)
		})
	}
}

func TestStuck_waitsOrCancels(t *testing.T) {
	t.Run("wait", func(t *testing.T) {
		r := newStuck(at(client.GoalExecuting), at(client.GoalCompleted))
		r.answers(time.Hour, "1", goal.SlotStuck, goal.StuckWait)
		r.in(70*time.Minute, func(r *goalRun) { assert.Empty(t, r.questions(t)) })
		r.in(77*time.Minute, func(r *goalRun) { assert.Equal(t, 2, r.stuck(t).Round) })
		r.answers(80*time.Minute, "2", goal.SlotStuck, goal.StuckWait)
		r.in(85*time.Minute, func(r *goalRun) { r.goals.goOn() })
		result, err := r.play(t, goalInput(t))
		require.NoError(t, err)
		assert.Equal(t, goal.ResultCompleted, result.Status)
		assert.Equal(t, 1, r.goals.starts)
	})
	t.Run("cancel", func(t *testing.T) {
		r := newStuck(at(client.GoalExecuting))
		r.answers(time.Hour, "1", goal.SlotStuck, goal.StuckCancel)
		result, err := r.play(t, goalInput(t))
		require.NoError(t, err)
		assert.Equal(t, goal.ResultCancelled, result.Status)
		assert.Equal(t, client.GoalCancelled, r.goals.job.Status)
		assert.Equal(t, 1, r.goals.starts)
	})
	t.Run("cancel, and the service does not", func(t *testing.T) {
		r := newStuck(at(client.GoalExecuting))
		r.goals.fail["cancel"] = []error{apiError(409, "CONFLICT")}
		r.answers(time.Hour, "1", goal.SlotStuck, goal.StuckCancel)
		result, err := r.play(t, goalInput(t))
		require.NoError(t, err)
		assert.Equal(t, goal.ResultCancelled, result.Status)
		assert.Contains(t, result.Message, "shows it as executing all the same")
	})
}

func TestStuck_followsThePolicy(t *testing.T) {
	hour := run.Duration(time.Hour)
	t.Run("its time", func(t *testing.T) {
		r := newStuck(at(client.GoalExecuting), at(client.GoalCompleted))
		input := goalInput(t)
		input.Policy.StuckAfter = run.Duration(3 * time.Hour)
		r.in(2*time.Hour, func(r *goalRun) { assert.Empty(t, r.questions(t)) })
		r.in(4*time.Hour, func(r *goalRun) { r.stuck(t); r.goals.goOn() })
		_, err := r.play(t, input)
		require.NoError(t, err)
	})
	for name, test := range map[string]struct {
		policy questions.Policy
		fails  bool
	}{
		"fail":                      {questions.Policy{Deadline: hour}, true},
		"cancel":                    {questions.Policy{Deadline: hour, OnDeadline: questions.DeadlineCancel}, false},
		"a default that cancels":    {questions.Policy{Deadline: hour, OnDeadline: questions.DeadlineDefault, Default: json.RawMessage(`"cancel"`)}, false},
		"a default that is no word": {questions.Policy{Deadline: hour, OnDeadline: questions.DeadlineDefault, Default: json.RawMessage(`"again"`)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newStuck(at(client.GoalExecuting))
			input := goalInput(t)
			input.Policy.Slots = map[string]questions.Policy{goal.SlotStuck: test.policy}
			result, err := r.play(t, input)
			if test.fails {
				require.ErrorContains(t, err, goal.CodeDeadline)
			} else {
				require.NoError(t, err)
				assert.Equal(t, goal.ResultCancelled, result.Status)
			}
			assert.Equal(t, 1, r.goals.starts, "nothing is started again")
			assert.Equal(t, client.GoalCancelled, r.goals.job.Status)
		})
	}
	t.Run("a default that waits", func(t *testing.T) {
		r := newStuck(at(client.GoalExecuting), at(client.GoalCompleted))
		input := goalInput(t)
		input.Policy.Slots = map[string]questions.Policy{goal.SlotStuck: {Deadline: hour, OnDeadline: questions.DeadlineDefault, Default: json.RawMessage(`"wait"`)}}
		r.in(20*time.Hour, func(r *goalRun) { r.goals.goOn() })
		result, err := r.play(t, input)
		require.NoError(t, err)
		assert.Equal(t, goal.ResultCompleted, result.Status)
		assert.Greater(t, len(result.Answers), 10)
		assert.True(t, result.Answers[0].Automatic)
	})
}

func TestStuck_waitsOnInANewHistory(t *testing.T) {
	for name, when := range map[string]time.Duration{"while it is asked about": time.Hour, "before": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			r := newStuck(at(client.GoalExecuting))
			r.in(when, func(r *goalRun) {
				r.SetContinueAsNewSuggested(true)
				r.SignalWorkflow(questions.SignalFillSlot, questions.Answer{})
			})
			r.in(2*time.Hour, func(r *goalRun) { assert.Equal(t, 1, r.stuck(t).Round) })
			r.answers(3*time.Hour, "1", goal.SlotStuck, goal.StuckCancel)
			result, err := r.play(t, goalInput(t))
			require.NoError(t, err)
			assert.Equal(t, 2, r.runs)
			assert.Equal(t, goal.ResultCancelled, result.Status)
		})
	}
}

// A service that cannot be asked says nothing about its jobs, and a machine that slept has seen nothing.
func TestStuck_takesALongSilenceForNoProof(t *testing.T) {
	r := newStuck(at(client.GoalExecuting), at(client.GoalCompleted))
	watch := r.prepare
	r.prepare = func(env *testsuite.TestWorkflowEnvironment) {
		watch(env)
		look := func(context.Context, activities.GoalInput) (activities.GoalSnapshot, error) {
			job, err := r.goals.Retrieve(t.Context(), "")
			return activities.GoalSnapshot{JobSpecID: job.JobSpecID, Status: string(job.Status)}, err
		}
		env.OnActivity("RetrieveGoal", mock.Anything, mock.Anything).After(3 * time.Hour).Return(look).Once()
		env.OnActivity("RetrieveGoal", mock.Anything, mock.Anything).Return(look)
	}
	r.in(3*time.Hour+8*time.Minute, func(r *goalRun) { assert.Empty(t, r.questions(t)) })
	r.in(3*time.Hour+20*time.Minute, func(r *goalRun) { r.stuck(t); r.goals.goOn() })
	_, err := r.play(t, goalInput(t))
	require.NoError(t, err)
}
