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
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// memos keeps what a run tells lists.
func (r *goalRun) memos(t *testing.T) *[]questions.Memo {
	t.Helper()
	all := &[]questions.Memo{}
	r.prepare = func(env *testsuite.TestWorkflowEnvironment) {
		env.OnUpsertMemo(mock.MatchedBy(func(memo map[string]any) bool {
			return memo[questions.MemoKey] != nil
		})).Run(func(args mock.Arguments) {
			memo, ok := args.Get(0).(map[string]any)[questions.MemoKey].(questions.Memo)
			assert.True(t, ok)
			*all = append(*all, memo)
		}).Return(nil)
	}
	return all
}

func TestRunGoal_ListsLoseAnAnsweredQuestionAtOnce(t *testing.T) {
	r := newGoalRun(asks(choice("tone"), choice("size"), choice("cover")), at(client.GoalCompleted))
	memos := r.memos(t)
	r.answers(time.Hour, "1", "tone", "b")
	r.in(time.Hour+time.Second, func(r *goalRun) {
		memo := (*memos)[len(*memos)-1]
		require.Len(t, memo.Questions, 2, "the other answers are days away")
		assert.Equal(t, "size", memo.Questions[0].SlotID)
		assert.Equal(t, 1, memo.Answered)

		open := r.questions(t)
		require.Len(t, open, 3)
		require.NotNil(t, open[0].Given, "the answer stands at its question")
		assert.JSONEq(t, `"b"`, string(open[0].Given.Value))
		assert.Equal(t, "B", open[0].Given.Label)
		assert.Nil(t, open[1].Given)
	})
	r.answers(48*time.Hour, "2", "size", "a")
	r.answers(48*time.Hour, "3", "cover", "a")
	_, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	last := (*memos)[len(*memos)-1]
	assert.Empty(t, last.Questions)
	assert.Zero(t, last.Answered)
}

func TestRunGoal_ARefusedAnswerOpensItsQuestionAgain(t *testing.T) {
	r := newGoalRun(asks(client.PendingSlot{SlotID: "logo", SlotType: slot.File, Question: "Logo?", Required: true}), at(client.GoalCompleted))
	memos := r.memos(t)
	var told []string
	r.told = func(_ *goalRun, n activities.Notification) {
		if n.Question != nil {
			told = append(told, n.Type+" "+n.Question.Refused)
		}
	}
	r.answers(time.Hour, "1", "logo", "file:///nowhere/logo.png")
	r.in(2*time.Hour, func(r *goalRun) {
		open := r.questions(t)
		require.Len(t, open, 1)
		assert.False(t, open[0].Answered)
		require.NotNil(t, open[0].Refused)
		assert.Contains(t, open[0].Refused.Reason, "does not exist")
		assert.JSONEq(t, `"file:///nowhere/logo.png"`, string(open[0].Refused.Value), "whoever gave it does not write it again")
		assert.Len(t, (*memos)[len(*memos)-1].Questions, 1)
	})
	input := goalInput(t)
	r.answers(3*time.Hour, "2", "logo", input.Files[0].Source)
	_, err := r.play(t, input)
	require.NoError(t, err)
	require.Len(t, told, 2)
	assert.Equal(t, "question.asked ", told[0])
	assert.Contains(t, told[1], "question.refused ")
	assert.Contains(t, told[1], "does not exist")
}

// What the service refuses is not given again by itself, which would go on for ever.
func TestRunGoal_PolicyDoesNotRepeatWhatIsRefused(t *testing.T) {
	half := 0.5
	logo := client.PendingSlot{
		SlotID: "logo", SlotType: slot.File, Question: "Logo?", Required: true,
		SuggestedValue: json.RawMessage(`"file:///nowhere/logo.png"`), SuggestedConfidence: &half,
	}
	for name, c := range map[string]struct {
		policy questions.Policy
		want   string
	}{
		"suggestion": {questions.Policy{AcceptAbove: &half, Deadline: workflows.Duration(72 * time.Hour)}, "nobody answered logo within 72h0m0s"},
		"default": {
			questions.Policy{Default: json.RawMessage(`"file:///nowhere/logo.png"`), Deadline: workflows.Duration(72 * time.Hour), OnDeadline: questions.DeadlineDefault},
			"the service refuses the policy's default",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newGoalRun(asks(logo), at(client.GoalCompleted))
			input := goalInput(t)
			input.Policy = questions.Policies{Default: c.policy}
			_, err := r.play(t, input)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "SLOT_DEADLINE")
		})
	}
}

func TestRunGoal_AnInvalidPresetStopsTheStart(t *testing.T) {
	r := newGoalRun(asks(choice("tone"), choice("size")), at(client.GoalCompleted))
	input := goalInput(t)
	input.Answers = []questions.Answer{workflowtest.Answer("", "tone", "z")}
	_, err := r.play(t, input)
	require.ErrorContains(t, err, `SLOT_PRESET: the answer to tone is none: it was given at the start: "z" is not one of`)
	assert.Equal(t, client.GoalCancelled, r.goals.job.Status, "nothing is left running")
}

func TestRunGoal_UnknownSlotsAreRefusedWhereTheAnswerSaysSo(t *testing.T) {
	r := newGoalRun(asks(choice("tone"), choice("size")), at(client.GoalCompleted))
	var refused error
	r.in(time.Minute, func(r *goalRun) {
		answer := workflowtest.Answer("1", "tonne", "a")
		answer.Asked = true
		r.UpdateWorkflow(questions.UpdateFillSlot, "u-1", &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(err error) { refused = err }, OnComplete: func(any, error) {},
		}, answer)
	})
	r.answers(time.Hour, "2", "tone", "a")
	r.answers(time.Hour, "3", "size", "a")
	_, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	require.ErrorContains(t, refused, `this run does not ask "tonne"; it asks tone, size`)
}
