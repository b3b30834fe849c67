package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// overheard does something when something is printed.
type overheard struct {
	bytes.Buffer
	hear func(said string)
}

func (o *overheard) Write(p []byte) (int, error) {
	o.hear(string(p))
	return o.Buffer.Write(p)
}

// answer is what the command does that is printed with a question.
func (f *goals) answer(t *testing.T, id, slotID, value string) {
	t.Helper()
	_, err := f.UpdateWorkflow(t.Context(), temporalclient.UpdateWorkflowOptions{
		WorkflowID: id, Args: []any{questions.Answer{SlotID: slotID, Value: json.RawMessage(value)}},
	})
	assert.NoError(t, err)
}

func TestWhoeverWatchesHearsOfQuestions(t *testing.T) {
	f := newGoals()
	f.add("g-1", "goal_lane.binder",
		questions.Question{Slot: slot.Slot{SlotID: "title", Type: "text", Text: "Which title?", Required: true}},
		questions.Question{Slot: slot.Slot{SlotID: "cover", Type: "choice", Text: "Is the cover right?", Required: true}})
	f.add("g-2", "goal_lane.binder")
	errs := &overheard{hear: func(said string) {
		for _, slotID := range []string{"title", "cover"} {
			if strings.Contains(said, "slots answer g-1 "+slotID+"=") {
				f.answer(t, "g-1", slotID, `"x"`)
			}
		}
	}}
	var out bytes.Buffer
	e := &Env{Program: "starter", Stdout: &out, Stderr: errs}
	require.NoError(t, e.watch(t.Context(), &Session{Temporal: f.Temporal, Stays: true}, []string{"g-1", "g-2"}, true))
	assert.Contains(t, errs.String(), "g-1 waits for answers:\ntitle (text): Which title?\n")
	assert.Equal(t, 1, strings.Count(errs.String(), "Which title?"), "told once")
	assert.Equal(t, 2, strings.Count(out.String(), `"status":"completed"`))
}
