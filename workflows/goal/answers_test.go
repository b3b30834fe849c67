package goal_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func TestRawSignals(t *testing.T) {
	r := newGoalRun(asks(choice("tone")), at(client.GoalCompleted))
	r.in(time.Minute, func(r *goalRun) { r.SignalWorkflow(questions.SignalFillSlot, "no object") })
	r.in(time.Minute, func(r *goalRun) { r.SignalWorkflow(questions.SignalFillSlot, map[string]any{"slot_id": 7}) })
	r.in(time.Minute, func(r *goalRun) {
		r.SignalWorkflow(questions.SignalFillSlot, map[string]any{"slot_id": "tone", "value": "a", "more": "ignored"})
	})
	result, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	require.Len(t, result.Answers, 3, "each answer has a verdict, those that cannot be read included")
	assert.Equal(t, questions.VerdictInvalid, result.Answers[0].Verdict)
	assert.Equal(t, questions.VerdictInvalid, result.Answers[1].Verdict)
	assert.Equal(t, questions.VerdictAccepted, result.Answers[2].Verdict)
	assert.Equal(t, questions.ChannelSignal, result.Answers[2].Channel)
}

func TestUpdatesAreJudgedToTheFace(t *testing.T) {
	r := newGoalRun(asks(choice("tone")), at(client.GoalCompleted))
	var wrong, none error
	var early, good questions.Receipt
	update := func(after time.Duration, a questions.Answer, receipt *questions.Receipt, refused *error) {
		r.in(after, func(r *goalRun) {
			r.UpdateWorkflow(questions.UpdateFillSlot, "u-"+a.AnswerID, &testsuite.TestUpdateCallback{
				OnAccept: func() {}, OnReject: func(err error) { *refused = err },
				OnComplete: func(v any, err error) {
					assert.NoError(t, err)
					*receipt, _ = v.(questions.Receipt)
				},
			}, a)
		})
	}
	update(time.Minute, workflowtest.Answer("1", "tone", "z"), nil, &wrong)
	update(2*time.Minute, workflowtest.Answer("2", "", "a"), nil, &none)
	update(3*time.Minute, workflowtest.Answer("3", "later", "a"), &early, nil)
	update(4*time.Minute, workflowtest.Answer("4", "tone", "a"), &good, nil)
	result, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	require.ErrorContains(t, wrong, `"z" is not one of a, b`)
	var refusal *temporal.ApplicationError
	require.ErrorAs(t, wrong, &refusal)
	assert.Equal(t, questions.AnswerRefused, refusal.Type())
	require.ErrorContains(t, none, "slot_id is missing")
	assert.Equal(t, questions.VerdictEarly, early.Verdict)
	assert.Equal(t, questions.VerdictAccepted, good.Verdict)
	require.Len(t, result.Answers, 2, "what was refused left no trace")
	assert.Equal(t, questions.VerdictLate, result.Answers[0].Verdict)
}

func TestRunGoal_BoundsOfTheService(t *testing.T) {
	five := 5.0
	count := client.PendingSlot{SlotID: "count", SlotType: slot.Number, Question: "How many?", Required: true, Bounds: slot.Bounds{Max: &five}}
	stars := client.PendingSlot{SlotID: "stars", SlotType: slot.Rating, Question: "How good?", Required: true}
	r := newGoalRun(asks(count, stars), at(client.GoalCompleted))
	refused := map[string]error{}
	give := func(after time.Duration, id, slotID, value string) {
		answer := questions.Answer{AnswerID: id, SlotID: slotID, Value: json.RawMessage(value)}
		r.in(after, func(r *goalRun) {
			r.UpdateWorkflow(questions.UpdateFillSlot, "u-"+id, &testsuite.TestUpdateCallback{
				OnAccept: func() {}, OnReject: func(err error) { refused[id] = err }, OnComplete: func(any, error) {},
			}, answer)
		})
	}
	give(time.Minute, "over", "count", `6`)
	give(2*time.Minute, "half", "stars", `4.5`)
	give(3*time.Minute, "six", "stars", `6`)
	give(4*time.Minute, "within", "count", `5`)
	give(5*time.Minute, "four", "stars", `4`)
	result, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	require.Len(t, refused, 3)
	require.ErrorContains(t, refused["over"], "6 is not at most 5")
	require.ErrorContains(t, refused["half"], "a whole number from 1 to 5")
	require.ErrorContains(t, refused["six"], "6 is not from 1 to 5")
	require.Len(t, result.Answers, 2)
	assert.Equal(t, "4 of 5", result.Answers[1].Label)
}

func TestAnswersGivenAtTheStart(t *testing.T) {
	input := goalInput(t)
	input.Answers = []questions.Answer{workflowtest.Answer("", "tone", "a"), workflowtest.Answer("", "logo", input.Files[0].Source)}
	r := newGoalRun(asks(choice("tone")), at(client.GoalCompleted))
	r.answers(time.Hour, "1", "tone", "b")
	result, err := r.play(t, input)
	require.NoError(t, err)
	assert.JSONEq(t, `"file_1"`, string(r.goals.job.FilledSlots["logo"]), "files are uploaded first")
	require.Len(t, result.Answers, 3)
	assert.Equal(t, questions.VerdictInvalid, result.Answers[0].Verdict, "the service asked all the same")
	assert.Equal(t, questions.VerdictAccepted, result.Answers[1].Verdict)
	assert.Equal(t, questions.VerdictAccepted, result.Answers[2].Verdict)
}

func TestAFileAnswerIsUploaded(t *testing.T) {
	input := goalInput(t)
	slot := client.PendingSlot{SlotID: "logo", SlotType: slot.File, Question: "Logo?", Required: true}
	r := newGoalRun(asks(slot), at(client.GoalCompleted))
	r.answers(time.Hour, "1", "logo", "file:///nowhere/logo.png")
	r.in(2*time.Hour, func(r *goalRun) {
		receipt := r.verdict(t, "1")
		assert.Equal(t, questions.VerdictInvalid, receipt.Verdict)
		assert.Contains(t, receipt.Reason, "does not exist")
		assert.False(t, r.questions(t)[0].Answered, "it is open again")
	})
	r.answers(3*time.Hour, "2", "logo", input.Files[0].Source)
	_, err := r.play(t, input)
	require.NoError(t, err)
	assert.Equal(t, []string{`logo="file_2"`}, r.goals.patches)
}

func TestALostReplyIsFoundDelivered(t *testing.T) {
	r := newGoalRun(asks(choice("tone")), at(client.GoalCompleted))
	r.goals.fail["fill"] = []error{lost}
	r.answers(time.Hour, "1", "tone", "a")
	result, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	assert.Equal(t, []string{`tone="a"`}, r.goals.patches, "it was not sent again")
	assert.NotNil(t, result.Answers[0].DeliveredAt)
}

func TestVersionConflictsAreLookedAtAnew(t *testing.T) {
	r := newGoalRun(asks(choice("tone")), at(client.GoalCompleted))
	r.goals.fail["fill"] = []error{apiError(409, "VERSION_CONFLICT"), apiError(409, "VERSION_CONFLICT")}
	r.answers(time.Hour, "1", "tone", "a")
	_, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	assert.Equal(t, []string{`tone="a"`}, r.goals.patches)
}

func TestTheServiceRefusesAnAnswer(t *testing.T) {
	for name, refusal := range map[string]*client.APIError{
		"no answer":         {Status: 422, Code: "INVALID_SLOT_ANSWER", Message: "not today", Details: map[string]any{"slotId": "tone"}},
		"somebody's file":   {Status: 403, Code: "FORBIDDEN_FILE", Message: "not today", Details: map[string]any{}},
		"a file of old":     {Status: 410, Code: client.CodeFileExpired, Message: "not today", Details: map[string]any{"slotId": "tone"}},
		"without a culprit": {Status: 422, Code: "BAD", Message: "not today", Details: map[string]any{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newGoalRun(asks(choice("tone")), at(client.GoalCompleted))
			r.goals.fail["fill"] = []error{refusal}
			r.answers(time.Hour, "1", "tone", "a")
			r.answers(2*time.Hour, "2", "tone", "b")
			result, err := r.play(t, goalInput(t))
			require.NoError(t, err)
			assert.Equal(t, questions.VerdictInvalid, result.Answers[0].Verdict)
			assert.Equal(t, "not today", result.Answers[0].Reason)
			assert.Equal(t, []string{`tone="b"`}, r.goals.patches)
		})
	}
}

func TestAnAnswerGivenElsewhereIsNoticed(t *testing.T) {
	r := newGoalRun(asks(choice("tone")), asks(choice("size")), at(client.GoalCompleted))
	r.in(time.Hour, func(r *goalRun) {
		r.goals.mu.Lock()
		defer r.goals.mu.Unlock()
		r.goals.take("tone", json.RawMessage(`"b"`))
	})
	r.answers(2*time.Hour, "late", "tone", "a")
	r.answers(3*time.Hour, "1", "size", "a")
	result, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	require.Len(t, result.Answers, 3)
	assert.Equal(t, questions.ChannelElsewhere, result.Answers[0].Channel)
	assert.JSONEq(t, `"b"`, string(result.Answers[0].Value))
	assert.Equal(t, questions.VerdictConflict, result.Answers[1].Verdict)
	assert.Equal(t, []string{`tone="b"`, `size="a"`}, r.goals.patches)
}

// Telling of a question takes a moment, in which the others are open already: an answer to one of them is not early.
func TestAllQuestionsAreOpenWhenTheFirstIsTold(t *testing.T) {
	r := newGoalRun(asks(choice("tone"), choice("size"), choice("cover")), at(client.GoalCompleted))
	var told, open []string
	r.told = func(r *goalRun, n activities.Notification) {
		if n.Question == nil {
			return
		}
		if len(told) == 0 {
			for _, question := range r.questions(t) {
				open = append(open, question.SlotID)
			}
		}
		told = append(told, n.Question.SlotID)
	}
	for _, slotID := range []string{"tone", "size", "cover"} {
		r.answers(time.Hour, slotID, slotID, "a")
	}
	_, err := r.play(t, goalInput(t))
	require.NoError(t, err)
	assert.Equal(t, []string{"tone", "size", "cover"}, open)
	assert.Equal(t, []string{"tone", "size", "cover"}, told, "each is told once, in order")
}
