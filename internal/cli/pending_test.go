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

// listener answers a question when the command that does so is printed.
type listener struct {
	bytes.Buffer
	f *goals
	t *testing.T
}

func (l *listener) Write(p []byte) (int, error) {
	for _, slot := range []string{"title", "cover"} {
		if strings.Contains(string(p), "slots answer g-1 "+slot+"=") {
			_, err := l.f.UpdateWorkflow(l.t.Context(), temporalclient.UpdateWorkflowOptions{
				WorkflowID: "g-1", Args: []any{questions.Answer{SlotID: slot, Value: json.RawMessage(`"x"`)}},
			})
			require.NoError(l.t, err)
		}
	}
	return l.Buffer.Write(p)
}

func TestWhoeverWatchesHearsOfQuestions(t *testing.T) {
	f := newGoals()
	f.add("g-1", "goal_lane.binder",
		questions.Question{Slot: slot.Slot{SlotID: "title", Type: "text", Text: "Which title?", Required: true}},
		questions.Question{Slot: slot.Slot{SlotID: "cover", Type: "choice", Text: "Is the cover right?", Required: true}})
	f.add("g-2", "goal_lane.binder")
	errs := &listener{f: f, t: t}
	var out bytes.Buffer
	e := &Env{Program: "starter", Stdout: &out, Stderr: errs}
	require.NoError(t, e.watch(t.Context(), &Session{Temporal: f.Temporal, Stays: true}, []string{"g-1", "g-2"}, true))
	assert.Contains(t, errs.String(), "g-1 waits for answers:\ntitle (text): Which title?\n")
	assert.Equal(t, 1, strings.Count(errs.String(), "Which title?"), "told once")
	assert.Equal(t, 2, strings.Count(out.String(), `"status":"completed"`))
}
