package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	temporalclient "go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// stumble is a goal that asks one thing, and fails where its step fails for the first time.
func stumble(failures int) goals.Goal {
	return goals.Goal{
		ID: "goal_lane.stumble", Name: "Stumble", Description: "d", Types: []string{"document"}, Formats: []string{"md"}, MinFiles: 1, RequiredSlots: 1,
		Run: func(ctx context.Context, t *goals.Task) error {
			if err := t.Ask(goals.Free("text", "word", "Which word?").Suggest("yes", 0.95)); err != nil {
				return err
			}
			if err := t.Ready(); err != nil {
				return err
			}
			if failures > 0 {
				failures--
				return &goals.Failure{Code: goals.CodeStep, Message: "stumbled", Action: "retry"}
			}
			dir, err := t.Step(ctx, "write", func(_ context.Context, dir string) error {
				return os.WriteFile(filepath.Join(dir, "word.txt"), []byte(t.String("word")), 0o600)
			})
			if err != nil {
				return err
			}
			t.Deliver(goals.File{Path: filepath.Join(dir, "word.txt"), Name: "word.txt", Mime: "text/plain", Type: "text"})
			return nil
		},
	}
}

func (b *bench) openWith(all ...goals.Goal) *stack {
	b.t.Helper()
	return b.openChanged(func(o *options) { o.goals = all })
}

func (b *bench) openChanged(change func(*options)) *stack {
	b.t.Helper()
	o, err := (&standalone{dir: b.data}).options(func(string) string { return "" })
	require.NoError(b.t, err)
	change(&o)
	s, err := openStack(context.WithoutCancel(b.t.Context()), o, func(text string) { b.t.Log(text) })
	require.NoError(b.t, err)
	b.t.Cleanup(s.close)
	return s
}

// stumbleInput is a run of stumble.
func (b *bench) stumbleInput() workflows.RunGoalInput {
	input := b.goal(1)
	input.WorkflowID = "goal_lane.stumble"
	return input
}

const moment = workflows.Duration(time.Second)

// goalRecordings are the paths through RunGoal whose histories workflows/testdata keeps.
var goalRecordings = map[string]struct {
	failures int
	policy   workflows.SlotPolicy
	change   func(*workflows.RunGoalInput)
	act      func(t *testing.T, s *stack, id string)
	fails    bool
}{
	"answered": {act: func(t *testing.T, s *stack, id string) { give(t, s, id, map[string]any{"word": "yes"}) }},
	"answered-by-signal": {act: func(t *testing.T, s *stack, id string) {
		require.NoError(t, s.client.SignalWorkflow(t.Context(), id, "", "fill-slot", map[string]any{"slot_id": "word", "value": 7}))
		require.NoError(t, s.client.SignalWorkflow(t.Context(), id, "", "fill-slot", map[string]any{"slot_id": "word", "value": "yes"}))
	}},
	"answered-at-the-start": {change: func(in *workflows.RunGoalInput) {
		in.Answers = []workflows.Answer{{SlotID: "word", Value: json.RawMessage(`"yes"`)}}
	}},
	"suggestion-accepted":     {policy: workflows.SlotPolicy{AcceptAbove: proto.Float64(0.9)}},
	"timed-out-to-default":    {policy: workflows.SlotPolicy{Deadline: moment, OnDeadline: "default", Default: json.RawMessage(`"yes"`)}},
	"timed-out-and-failed":    {policy: workflows.SlotPolicy{Deadline: moment}, fails: true},
	"timed-out-and-cancelled": {policy: workflows.SlotPolicy{Deadline: moment, OnDeadline: "cancel"}},
	"escalated": {policy: workflows.SlotPolicy{RemindAfter: moment, EscalateAfter: moment, EscalateTo: "boss"}, act: func(t *testing.T, s *stack, id string) {
		require.Eventually(t, func() bool {
			questions, err := s.desk().Questions(t.Context(), id)
			return err == nil && len(questions) == 1 && questions[0].For == "boss"
		}, time.Minute, 50*time.Millisecond)
		give(t, s, id, map[string]any{"word": "yes"})
	}},
	"cancelled": {fails: true, act: func(t *testing.T, s *stack, id string) {
		require.NoError(t, s.client.CancelWorkflow(t.Context(), id, ""))
	}},
	"retried":         {failures: 1, act: func(t *testing.T, s *stack, id string) { give(t, s, id, map[string]any{"word": "yes"}) }},
	"retried-in-vain": {failures: 9, fails: true, act: func(t *testing.T, s *stack, id string) { give(t, s, id, map[string]any{"word": "yes"}) }},
	"answered-elsewhere": {change: func(in *workflows.RunGoalInput) { in.LookEvery = moment }, act: func(t *testing.T, s *stack, id string) {
		status, err := s.desk().Status(t.Context(), id)
		require.NoError(t, err)
		_, err = s.apiClient(t).Goals.FillSlot(t.Context(), status.JobSpecID, "word", "yes")
		require.NoError(t, err)
	}},
	"continued-as-new": {change: func(in *workflows.RunGoalInput) { in.MaxEvents = 60 }, act: func(t *testing.T, s *stack, id string) {
		for i := range 40 { // none of them an answer, and the last one is
			require.NoError(t, s.client.SignalWorkflow(t.Context(), id, "", "fill-slot", map[string]any{"slot_id": "word", "value": i}))
		}
		give(t, s, id, map[string]any{"word": "yes"})
	}},
}

func TestRecordGoalHistories(t *testing.T) {
	for name, r := range goalRecordings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			s := b.openWith(stumble(r.failures))
			input := b.stumbleInput()
			input.Policy.Default = r.policy
			if r.change != nil {
				r.change(&input)
			}
			id := "goal-" + name
			run := startGoal(t, s, id, input)
			if r.act != nil {
				awaitQuestion(t, s, id, "word")
				r.act(t, s, id)
			}
			err := run.Get(t.Context(), nil)
			assert.Equal(t, r.fails, err != nil, "%v", err)
			for i, execution := range s.chain(t, run) {
				events := historyOf(t, s, id, execution.GetRunId())
				s.holdsNoSecrets(t, events)
				record(t, filepath.Join("run-goal-"+name+strings.Repeat("-then", i)), events)
			}
		})
	}
}

// chain lists the runs that a run went through, as it continued as new.
func (s *stack) chain(t *testing.T, first temporalclient.WorkflowRun) []*common.WorkflowExecution {
	t.Helper()
	runID := first.GetRunID()
	var out []*common.WorkflowExecution
	for runID != "" {
		out = append(out, &common.WorkflowExecution{WorkflowId: first.GetID(), RunId: runID})
		events := historyOf(t, s, first.GetID(), runID).GetEvents()
		runID = events[len(events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
	return out
}

func (s *stack) holdsNoSecrets(t *testing.T, events proto.Message) {
	t.Helper()
	raw, err := proto.Marshal(events)
	require.NoError(t, err)
	key, err := s.apiKey()
	require.NoError(t, err)
	for _, secret := range []string{key, "ck_local_", "signature", "policy=", s.at.API, "/storage/"} {
		assert.NotContains(t, string(raw), secret)
	}
}

// record keeps a history where CONVILYN_RECORD names a folder. Recordings that are there stay.
func record(t *testing.T, name string, events proto.Message) {
	t.Helper()
	dir := os.Getenv("CONVILYN_RECORD")
	if dir == "" {
		return
	}
	data, err := protojson.MarshalOptions{Multiline: true, Indent: " "}.Marshal(events)
	require.NoError(t, err)
	file, err := os.OpenFile(filepath.Join(dir, name+".json"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if os.IsExist(err) {
		return
	}
	require.NoError(t, err)
	_, err = file.Write(append(data, '\n'))
	require.NoError(t, err)
	require.NoError(t, file.Close())
}
