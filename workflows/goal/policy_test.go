package goal_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

func TestSlotPolicies(t *testing.T) {
	confident, hours := 0.9, func(n int) run.Duration { return run.Duration(time.Duration(n) * time.Hour) }
	suggesting := func(confidence float64) client.PendingSlot {
		s := choice("tone")
		s.SuggestedValue, s.SuggestedConfidence = json.RawMessage(`"b"`), &confidence
		return s
	}
	for name, test := range map[string]struct {
		policy  questions.Policy
		slot    client.PendingSlot
		patch   string
		note    string
		status  string
		failure string
	}{
		"suggestion":                  {questions.Policy{AcceptAbove: &confident}, suggesting(0.95), `tone="b"`, "suggestion with confidence 0.95", "completed", ""},
		"suggestion too weak":         {questions.Policy{AcceptAbove: &confident, Deadline: hours(72), OnDeadline: "default", Default: json.RawMessage(`"a"`)}, suggesting(0.5), `tone="a"`, "default after 72h0m0s", "completed", ""},
		"default":                     {questions.Policy{Deadline: hours(72), OnDeadline: "default", Default: json.RawMessage(`"a"`)}, choice("tone"), `tone="a"`, "default after 72h0m0s", "completed", ""},
		"cancel":                      {questions.Policy{Deadline: hours(72), OnDeadline: "cancel"}, choice("tone"), "", "", "cancelled", ""},
		"fail":                        {questions.Policy{Deadline: hours(72)}, choice("tone"), "", "", "", "SLOT_DEADLINE: nobody answered tone within 72h0m0s"},
		"a default that is no answer": {questions.Policy{Deadline: hours(72), OnDeadline: "default", Default: json.RawMessage(`"z"`)}, choice("tone"), "", "", "", "the policy's default is no answer to it"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newGoalRun(asks(test.slot), at(client.GoalCompleted))
			input := goalInput(t)
			input.Policy.Slots = map[string]questions.Policy{"tone": test.policy}
			result, err := r.play(t, input)
			if test.failure != "" {
				require.ErrorContains(t, err, test.failure)
				assert.Equal(t, client.GoalCancelled, r.goals.job.Status)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.status, result.Status)
			if test.patch != "" {
				assert.Equal(t, []string{test.patch}, r.goals.patches)
				require.Len(t, result.Answers, 1)
				assert.True(t, result.Answers[0].Automatic)
				assert.Equal(t, test.note, result.Answers[0].Note)
			}
		})
	}
}

func TestEscalation(t *testing.T) {
	r := newGoalRun(asks(choice("tone")), at(client.GoalCompleted))
	input := goalInput(t)
	input.Policy.Default = questions.Policy{EscalateAfter: run.Duration(time.Hour), EscalateTo: "boss"}
	r.in(30*time.Minute, func(r *goalRun) { assert.Empty(t, r.questions(t)[0].For) })
	r.in(90*time.Minute, func(r *goalRun) { assert.Equal(t, "boss", r.questions(t)[0].For) })
	r.answers(2*time.Hour, "1", "tone", "a")
	_, err := r.play(t, input)
	require.NoError(t, err)
}
