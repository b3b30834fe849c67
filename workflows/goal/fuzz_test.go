package goal_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

var goalMessages = []string{questions.SignalFillSlot, workflowtest.AsUpdate, goal.SignalApprovePreview, goal.SignalRejectPreview, batch.SignalPause, "unknown"}

// hear delivers a message; a refused update leaves no trace, a taken one has a receipt.
func (r *goalRun) hear(t *testing.T, m workflowtest.Message) {
	t.Helper()
	if m.To != workflowtest.AsUpdate {
		r.SignalWorkflow(m.To, workflowtest.Wire(m.Data, m.Plain))
		return
	}
	before := len(r.receipts(t))
	r.UpdateWorkflow(questions.UpdateFillSlot, "", &testsuite.TestUpdateCallback{
		OnAccept: func() {},
		OnReject: func(err error) {
			var named *temporal.ApplicationError
			if errors.As(err, &named) && named.Type() == questions.AnswerRefused {
				require.NotEmpty(t, named.Message())
			}
			require.Len(t, r.receipts(t), before, "a refused update left a trace")
		},
		OnComplete: func(v any, err error) {
			require.NoError(t, err)
			receipt, ok := v.(questions.Receipt)
			require.True(t, ok)
			require.NotEqual(t, questions.VerdictLate, receipt.Verdict)
		},
	}, workflowtest.Wire(m.Data, m.Plain))
}

// FuzzGoalMessages: whatever a goal run is sent, it asks on, what it passes on is an answer of the slot's type, and it
// ends when it is answered.
func FuzzGoalMessages(f *testing.F) {
	const fill, update, approve, reject = "\x00", "\x01", "\x02", "\x03"
	for _, seed := range []string{
		fill + `{"slot_id":"tone","value":"a","answer_id":"1"}`, update + `{"slot_id":"tone","value":"b","answer_id":"1","channel":"policy"}`,
		approve + `null`, reject + `{"note":"no"}` + "\n" + approve, fill, "\x80\xff\x00", "\x81{}", update + `[]`, "\x05{}", "\x04{}",
		fill + `{"slot_id":"tone","value":"z"}` + "\n" + fill + `{"slot_id":"tone","value":["a"]}` + "\n" + fill + `{"slot_id":"tone","value":null}`,
		fill + `{"slot_id":"size","value":12.5}` + "\n" + update + `{"slot_id":"size","value":1e999}` + "\n" + update + `{"slot_id":"size","value":7}`,
		fill + `{"slot_id":"convilyn.preview","value":"approve"}` + "\n" + update + `{"slot_id":"convilyn.trouble","value":"give_up"}`,
		update + `{"slot_id":"later","value":{"a":[1]},"answer_id":"1"}` + "\n" + update + `{"slot_id":"tone","value":"a","answer_id":"1"}`,
		fill + `{"slot_id":"tone","value":"a","answer_id":"elsewhere-1","channel":"elsewhere"}`, fill + `{"slot_id":7,"value":{}}`,
		fill + `{"slot_id":"` + strings.Repeat("s", 300) + `","value":"` + strings.Repeat("v", 300) + `"}`, fill + strings.Repeat("[", 300),
		fill + `{"slot_id":"tone","value":"\ud800","note":"\u0000\u2028"}`, fill + `{"SLOT_ID":"tone","value":"a","value":"b"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, script string) {
		size := client.PendingSlot{SlotID: "size", SlotType: slot.Number, Question: "Size?", Required: true}
		r := newGoalRun(asks(choice("tone"), size), at(client.GoalReadyWithPreview), at(client.GoalExecuting), at(client.GoalCompleted))
		rejected := false
		for i, m := range workflowtest.Messages(script, goalMessages) {
			rejected = rejected || m.To == goal.SignalRejectPreview || strings.Contains(m.Data, "reject") || strings.Contains(m.Data, `\u`)
			r.in(time.Minute+time.Duration(i)*time.Second, func(r *goalRun) { r.hear(t, m) })
		}
		r.in(5*time.Minute, func(r *goalRun) {
			r.questions(t)
			for _, receipt := range r.receipts(t) {
				require.NotEmpty(t, receipt.AnswerID)
				require.NotEmpty(t, receipt.Verdict)
				require.False(t, receipt.Automatic)
				require.NotContains(t, []string{questions.ChannelPolicy, questions.ChannelElsewhere, questions.ChannelStart}, receipt.Channel, "the run's own words")
			}
		})
		r.answers(6*time.Minute, "last-tone", "tone", "a")
		r.in(7*time.Minute, func(r *goalRun) {
			r.SignalWorkflow(questions.SignalFillSlot, questions.Answer{AnswerID: "last-size", SlotID: "size", Value: json.RawMessage(`7`)})
		})
		r.in(8*time.Minute, func(r *goalRun) { r.SignalWorkflow(goal.SignalApprovePreview, nil) })
		input := goalInput(t)
		input.LookEvery = run.Duration(time.Hour) // looks are none of this
		result, err := r.play(t, input)
		require.NoError(t, err)
		if result.Status != goal.ResultCompleted {
			require.True(t, rejected && result.Status == goal.ResultCancelled, result.Status)
		}
		r.requireFilledOnce(t, map[string]func(json.RawMessage) bool{
			"tone": func(v json.RawMessage) bool { return string(v) == `"a"` || string(v) == `"b"` },
			"size": func(v json.RawMessage) bool {
				var n *float64
				return json.Unmarshal(v, &n) == nil && n != nil
			},
		})
		for _, receipt := range result.Answers {
			require.NotEqual(t, questions.VerdictEarly, receipt.Verdict, "%s has no final verdict", receipt.AnswerID)
		}
	})
}

// requireFilledOnce wants the service to have had one good answer to each slot.
func (r *goalRun) requireFilledOnce(t *testing.T, good map[string]func(json.RawMessage) bool) {
	t.Helper()
	require.Len(t, r.goals.patches, len(good), "%q", r.goals.patches)
	for slot, is := range good {
		value := r.goals.job.FilledSlots[slot]
		require.True(t, is(value), "%s was filled with %s", slot, value)
	}
}

// hectic says that an input wants more looks or reminders than a test has time for.
func hectic(data string) bool {
	var input goal.Input
	_ = json.Unmarshal([]byte(data), &input)
	if input.LookEvery > 0 && input.LookEvery < run.Duration(time.Minute) {
		return true
	}
	for _, policy := range append(slices.Collect(maps.Values(input.Policy.Slots)), input.Policy.Default) {
		if policy.RemindAfter > 0 && policy.RemindAfter < run.Duration(time.Minute) {
			return true
		}
	}
	return false
}

// FuzzGoalInput: a goal run that is started with anything ends well or with an error that is named, once it is answered.
func FuzzGoalInput(f *testing.F) {
	for _, seed := range []string{
		`{"workflow_id":"goal_lane.fake","to":{"folder":"file:///dev/null/out"}}`, `{}`, `null`, `[]`, `"x"`, `7`, ``,
		`{"workflow_id":"goal_lane.fake","goal_text":"too","files":[{"source":"file:///nowhere","name":"\u0000/../x"}]}`,
		`{"goal_text":"x","file_ids":["f"],"answers":[{"slot_id":"tone","value":"a"},{"slot_id":"","value":null},{"value":["file://"]}]}`,
		`{"goal_text":"x","policy":{"default":{"remind_after":"25m","escalate_after":"1ns","deadline":"2h"}}}`,
		`{"goal_text":"x","policy":{"default":{"deadline":"9999999h","on_deadline":"default","default":"a"},"slots":{"tone":{"accept_above":-1e9,"accept_after":"0s"}}}}`,
		`{"goal_text":"x","policy":{"slots":{"tone":{"deadline":"1ns","on_deadline":"cancel"}}},"look_every":"-1s"}`,
		`{"goal_text":"x","max_retries":-9,"look_every":"90s","labels":{"a":"b"},"name":"` + strings.Repeat("ä", 300) + `"}`,
		`{"goal_text":"x","to":{"folder":"ftp://h/x","on_exist":"burn"}}`, `{"user_workflow_id":7}`, `{"policy":{"default":{"deadline":7}}}`,
	} {
		f.Add(seed, false)
	}
	f.Add("\xff\x00", true)
	f.Fuzz(func(t *testing.T, input string, plain bool) {
		var known map[string]json.RawMessage
		_ = json.Unmarshal([]byte(input), &known)
		for name := range known {
			if strings.EqualFold(name, "resume") || strings.EqualFold(name, "max_events") {
				t.Skip("what a run carries over is its own, and no virtual history is ever long")
			}
		}
		if hectic(input) {
			t.Skip("no pause between looks or reminders")
		}
		suggesting, sure := choice("tone"), 0.5
		suggesting.SuggestedValue, suggesting.SuggestedConfidence = json.RawMessage(`"b"`), &sure
		r := newGoalRun(asks(suggesting), at(client.GoalExecuting), at(client.GoalCompleted))
		r.answers(time.Hour, "1", "tone", "a")
		r.answers(2*time.Hour, "2", questions.SlotTrouble, questions.TroubleGiveUp)
		result, err := r.play(t, workflowtest.Wire(input, plain))
		workflowtest.RequireSane(t, err)
		if err == nil {
			require.Contains(t, []string{goal.ResultCompleted, goal.ResultCancelled}, result.Status)
		}
	})
}
