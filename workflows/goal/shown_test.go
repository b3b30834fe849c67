package goal_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

func TestShown_whatWasDoneIsNotDoneAgain(t *testing.T) {
	retry := "retry"
	failed := stage{status: client.GoalFailed, failed: &client.GoalError{Code: "E", Message: "m", SuggestedAction: &retry}}
	still := func(s stage) []stage { return []stage{s, s, s, s, s, s, s, s, s, s, s, s} }
	for name, test := range map[string]struct {
		stages []stage
		call   string
		asked  string // and answered with a word that acts, where anything is
		word   string
	}{
		"confirmed by itself": {still(at(client.GoalReady)), "confirm", "", ""},
		"confirmed by people": {still(at(client.GoalReady)), "confirm", goal.SlotConfirm, goal.ConfirmYes},
		"approved":            {still(at(client.GoalReadyWithPreview)), "confirm", goal.SlotPreview, goal.PreviewApprove},
		"retried":             {still(failed), "retry", "", ""},
		"answered":            {append([]stage{asks(choice("cover"))}, still(asks())...), "fill", "cover", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newGoalRun(test.stages...)
			r.confirm = questions.ConfirmAuto
			shows := time.Minute
			if test.asked != "" {
				r.confirm = questions.ConfirmAsk
				r.answers(time.Minute, "1", test.asked, test.word)
				shows += time.Minute
			}
			looks := 0
			r.goals.after = func(call string) { // no attempt and no answer is new, though the service writes to the job
				r.goals.job.AttemptID = "att_1"
				if r.goals.job.Status == client.GoalFailed {
					r.goals.job.ItemVersion = 1
				}
				if call == "retrieve" {
					looks++
				}
			}
			r.in(shows, func(r *goalRun) {
				assert.Empty(t, r.questions(t), "people have said it")
				assert.Less(t, looks, 12, "looks get rarer")
				r.goals.stages = []stage{at(client.GoalExecuting), at(client.GoalCompleted)}
				r.goals.goOn()
			})
			result, err := r.play(t, goalInput(t))
			require.NoError(t, err)
			assert.Equal(t, goal.ResultCompleted, result.Status)
			assert.Equal(t, 1, r.goals.calls[test.call])
			assert.Positive(t, looks)
		})
	}
}

func TestShown_peopleAreAskedAboutOneThatNeverShowsIt(t *testing.T) {
	for name, first := range map[string]stage{
		"ready":                  at(client.GoalReady),
		"nothing left to answer": asks(),
	} {
		t.Run(name, func(t *testing.T) {
			r := newGoalRun(first, first, first)
			r.confirm = questions.ConfirmAuto
			r.in(14*time.Minute, func(r *goalRun) { assert.Empty(t, r.questions(t)) })
			r.in(17*time.Minute, func(r *goalRun) { r.stuck(t) })
			r.answers(20*time.Minute, "1", goal.SlotStuck, goal.StuckWait)
			r.in(30*time.Minute, func(r *goalRun) { assert.Empty(t, r.questions(t)) })
			r.in(40*time.Minute, func(r *goalRun) { assert.Equal(t, 2, r.stuck(t).Round) })
			r.answers(50*time.Minute, "2", goal.SlotStuck, goal.StuckCancel)
			result, err := r.play(t, goalInput(t))
			require.NoError(t, err)
			assert.Equal(t, goal.ResultCancelled, result.Status)
			assert.LessOrEqual(t, r.goals.calls["confirm"], 1)
			assert.Less(t, r.goals.calls["retrieve"], 60)
		})
	}
}

// A confirmation that was refused, or had no effect, can be given again by who is asked, and by nobody else.
func TestShown_peopleConfirmAgain(t *testing.T) {
	for name, test := range map[string]struct {
		first   stage
		refused bool
		spends  bool
	}{
		"refused as a conflict": {at(client.GoalReady), true, true},
		"without effect":        {at(client.GoalReady), false, true},
		"of a local API":        {at(client.GoalReady), true, false},
		"of a preview":          {at(client.GoalReadyWithPreview), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newGoalRun(test.first, at(client.GoalExecuting), at(client.GoalCompleted))
			r.confirm = questions.ConfirmAuto
			if test.spends {
				r.confirm = questions.ConfirmAsk
			}
			if test.refused {
				r.goals.fail["confirm"] = []error{apiError(409, "CONFLICT")}
			} else {
				r.goals.stages = []stage{test.first, test.first, at(client.GoalExecuting), at(client.GoalCompleted)}
				r.goals.after = func(string) { r.goals.job.AttemptID = "att_1" }
			}
			if test.spends && test.first.status == client.GoalReady {
				r.answers(time.Minute, "0", goal.SlotConfirm, goal.ConfirmYes)
			} else if test.spends {
				r.answers(time.Minute, "0", goal.SlotPreview, goal.PreviewApprove)
			}
			r.in(30*time.Minute, func(r *goalRun) {
				options := r.stuck(t).Options
				require.Len(t, options, 3)
				assert.Equal(t, goal.StuckConfirm, options[1].Value)
				assert.Equal(t, test.spends, strings.Contains(options[1].Label, "spends credits"))
				assert.Equal(t, 1, r.goals.calls["confirm"])
			})
			r.answers(40*time.Minute, "1", goal.SlotStuck, goal.StuckConfirm)
			result, err := r.play(t, goalInput(t))
			require.NoError(t, err)
			assert.Equal(t, goal.ResultCompleted, result.Status)
			assert.Equal(t, 2, r.goals.calls["confirm"])
		})
	}
	t.Run("not of a job that was not confirmed", func(t *testing.T) {
		r := newStuck(at(client.GoalExecuting))
		r.in(30*time.Minute, func(r *goalRun) { assert.Len(t, r.stuck(t).Options, 2) })
		r.answers(40*time.Minute, "1", goal.SlotStuck, goal.StuckCancel)
		_, err := r.play(t, goalInput(t))
		require.NoError(t, err)
	})
	t.Run("not by a policy", func(t *testing.T) {
		r := newGoalRun(at(client.GoalReady))
		r.goals.fail["confirm"] = []error{apiError(409, "CONFLICT")}
		input := goalInput(t)
		input.Policy.Slots = map[string]questions.Policy{goal.SlotStuck: {
			Deadline: run.Duration(time.Hour), OnDeadline: questions.DeadlineDefault, Default: json.RawMessage(`"confirm"`),
		}}
		_, err := r.play(t, input)
		require.ErrorContains(t, err, goal.CodeDeadline)
		assert.Equal(t, 1, r.goals.calls["confirm"])
	})
}

func TestShown_readyAgainIsAskedAgain(t *testing.T) {
	r := newSpending(at(client.GoalReady), at(client.GoalReady), at(client.GoalCompleted))
	r.answers(time.Hour, "1", goal.SlotConfirm, goal.ConfirmYes)
	r.in(time.Hour+10*time.Second, func(r *goalRun) { // it has asked meanwhile, and somebody else has answered
		r.goals.change(func(job *client.GoalJob) { job.FilledSlots["cover"] = []byte(`"a"`); job.ItemVersion++ })
	})
	r.in(2*time.Hour, func(r *goalRun) {
		assert.Equal(t, 1, r.goals.calls["confirm"])
		require.Len(t, r.questions(t), 1)
		assert.Equal(t, 2, r.questions(t)[0].Round)
	})
	r.answers(3*time.Hour, "2", goal.SlotConfirm, goal.ConfirmYes)
	_, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	assert.Equal(t, 2, r.goals.calls["confirm"])
}

func TestShown_aRetryThatNeverShowsIsAFailure(t *testing.T) {
	retry := "retry"
	failed := stage{status: client.GoalFailed, failed: &client.GoalError{Code: "E", Message: "m", SuggestedAction: &retry}}
	r := newGoalRun(failed, failed, failed, failed)
	r.goals.after = func(string) { r.goals.job.AttemptID, r.goals.job.ItemVersion = "att_1", 1 }
	_, err := r.play(t, goalInput(t))
	require.ErrorContains(t, err, "E: m")
	assert.Equal(t, 2, r.goals.calls["retry"])
	assert.Greater(t, r.spent, time.Minute)
}

func TestShown_aCancellationEndsTheRun(t *testing.T) {
	for name, test := range map[string]struct {
		first      stage
		slot, word string
		shows      bool
	}{
		"confirm: no":              {at(client.GoalReady), goal.SlotConfirm, goal.ConfirmNo, false},
		"confirm: no, shown later": {at(client.GoalReady), goal.SlotConfirm, goal.ConfirmNo, true},
		"preview: no":              {at(client.GoalReadyWithPreview), goal.SlotPreview, goal.PreviewReject, false},
		"preview: no, shown later": {at(client.GoalReadyWithPreview), goal.SlotPreview, goal.PreviewReject, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSpending(test.first)
			r.goals.after = func(call string) {
				if call == "cancel" {
					r.goals.job.Status = test.first.status
				}
			}
			r.answers(time.Hour, "1", test.slot, test.word)
			if test.shows {
				r.in(time.Hour+time.Minute, func(r *goalRun) {
					r.goals.change(func(job *client.GoalJob) { job.Status = client.GoalCancelled })
				})
			}
			result, err := r.play(t, goalInput(t))
			require.NoError(t, err)
			assert.Equal(t, goal.ResultCancelled, result.Status)
			assert.Equal(t, !test.shows, result.Message != "", result.Message)
			assert.Len(t, result.Answers, 1, "nobody is asked twice")
			assert.Equal(t, 1, r.goals.calls["cancel"])
			assert.Zero(t, r.goals.calls["confirm"])
		})
	}
}
