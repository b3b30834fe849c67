package main

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/convilyn/convilyn-temporal/backend/faults"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// stumble is a goal that asks one thing, and fails where its step fails for the first time.
func stumble(failures int) goals.Goal { return stumbleBefore(failures, (*goals.Task).Ready) }

// showing is a stumble that wants its preview to be seen before it begins.
func showing() goals.Goal {
	return stumbleBefore(0, func(t *goals.Task) error {
		path := filepath.Join(t.Dir, "preview.txt")
		if err := os.WriteFile(path, []byte(t.String("word")), 0o600); err != nil {
			return err
		}
		return t.ReadyWithPreview(goals.File{Path: path, Name: "preview.txt", Mime: "text/plain"})
	})
}

// asking is a stumble that asks two things at once.
func asking() goals.Goal {
	goal := stumble(0)
	goal.RequiredSlots = 2
	run := goal.Run
	goal.Run = func(ctx context.Context, t *goals.Task) error {
		if err := t.Ask(goals.Free("text", "word", "Which word?"), goals.Free("text", "tone", "In which tone?")); err != nil {
			return err
		}
		return run(ctx, t)
	}
	return goal
}

func stumbleBefore(failures int, ready func(*goals.Task) error) goals.Goal {
	return goals.Goal{
		ID: "goal_lane.stumble", Name: "Stumble", Description: "d", Types: []string{"document"}, Formats: []string{"md"}, MinFiles: 1, RequiredSlots: 1,
		Run: func(ctx context.Context, t *goals.Task) error {
			if err := t.Ask(goals.Free("text", "word", "Which word?").Suggest("yes", 0.95)); err != nil {
				return err
			}
			if err := ready(t); err != nil {
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

func faultsOf(t *testing.T, yaml string) *faults.Faults {
	t.Helper()
	if yaml == "" {
		return nil
	}
	faults, err := faults.Parse([]byte(yaml))
	require.NoError(t, err)
	return faults
}

// listener is a webhook that takes everything.
func listener(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	return server.URL
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
func (b *bench) stumbleInput() goal.Input {
	input := b.goal(1)
	input.WorkflowID = "goal_lane.stumble"
	return input
}

const moment = workflows.Duration(time.Second)

// unlisted is a service that starts a goal, loses the reply, and has no list to look through.
const unlisted = `rules: [{route: POST /api/v1/jobs/goal, count: 1, answer: {lose_reply: true}}, {route: GET /api/v1/jobs/goal, count: 9, answer: {status: 404}}]`

// player is whoever answers a run.
type player struct {
	t  *testing.T
	s  *stack
	id string
}

// goalRecordings are the paths through RunGoal whose histories workflows/testdata keeps.
var goalRecordings = map[string]struct {
	failures int
	goal     func() goals.Goal // stumble where nil
	faults   string
	notifies bool
	policy   questions.Policy
	change   func(*goal.Input)
	act      func(p player)
	fails    bool
	asks     string // the slot that act waits for, word where empty
}{
	"answered": {act: func(p player) { give(p.t, p.s, p.id, map[string]any{"word": "yes"}) }},
	"answered-by-signal": {act: func(p player) {
		require.NoError(p.t, p.s.client.SignalWorkflow(p.t.Context(), p.id, "", "fill-slot", map[string]any{"slot_id": "word", "value": 7}))
		require.NoError(p.t, p.s.client.SignalWorkflow(p.t.Context(), p.id, "", "fill-slot", map[string]any{"slot_id": "word", "value": "yes"}))
	}},
	"answered-at-the-start": {change: func(in *goal.Input) {
		in.Answers = []questions.Answer{{SlotID: "word", Value: json.RawMessage(`"yes"`)}}
	}},
	"suggestion-accepted":     {policy: questions.Policy{AcceptAbove: proto.Float64(0.9)}},
	"timed-out-to-default":    {policy: questions.Policy{Deadline: moment, OnDeadline: "default", Default: json.RawMessage(`"yes"`)}},
	"timed-out-and-failed":    {policy: questions.Policy{Deadline: moment}, fails: true},
	"timed-out-and-cancelled": {policy: questions.Policy{Deadline: moment, OnDeadline: "cancel"}},
	"escalated": {policy: questions.Policy{RemindAfter: moment, EscalateAfter: moment, EscalateTo: "boss"}, act: func(p player) {
		require.Eventually(p.t, func() bool {
			questions, err := p.s.desk().Questions(p.t.Context(), p.id)
			return err == nil && len(questions) == 1 && questions[0].For == "boss"
		}, time.Minute, 50*time.Millisecond)
		give(p.t, p.s, p.id, map[string]any{"word": "yes"})
	}},
	"cancelled": {fails: true, act: func(p player) {
		require.NoError(p.t, p.s.client.CancelWorkflow(p.t.Context(), p.id, ""))
	}},
	"retried":         {failures: 1, act: func(p player) { give(p.t, p.s, p.id, map[string]any{"word": "yes"}) }},
	"retried-in-vain": {failures: 9, fails: true, act: func(p player) { give(p.t, p.s, p.id, map[string]any{"word": "yes"}) }},
	"answered-elsewhere": {change: func(in *goal.Input) { in.LookEvery = moment }, act: func(p player) {
		status, err := p.s.desk().Status(p.t.Context(), p.id)
		require.NoError(p.t, err)
		_, err = p.s.apiClient(p.t).Goals.FillSlot(p.t.Context(), status.JobSpecID, "word", "yes")
		require.NoError(p.t, err)
	}},
	"preview-approved": {goal: showing, asks: goal.SlotPreview, policy: questions.Policy{AcceptAbove: proto.Float64(0.9)}, act: func(p player) {
		require.NoError(p.t, p.s.client.SignalWorkflow(p.t.Context(), p.id, "", goal.SignalApprovePreview, nil))
	}},
	"preview-rejected": {goal: showing, asks: goal.SlotPreview, policy: questions.Policy{AcceptAbove: proto.Float64(0.9)}, act: func(p player) {
		require.NoError(p.t, p.s.client.SignalWorkflow(p.t.Context(), p.id, "", goal.SignalRejectPreview, nil))
	}},
	"start-adopted": {faults: `rules: [{route: POST /api/v1/jobs/goal, count: 1, answer: {lose_reply: true}}]`, act: func(p player) { give(p.t, p.s, p.id, map[string]any{"word": "yes"}) }},
	"start-dropped": {faults: unlisted, asks: goal.SlotStart, act: func(p player) {
		give(p.t, p.s, p.id, map[string]any{goal.SlotStart: goal.StartDrop})
	}},
	"start-again": {faults: unlisted, asks: goal.SlotStart, act: func(p player) {
		give(p.t, p.s, p.id, map[string]any{goal.SlotStart: goal.StartAgain})
		awaitQuestion(p.t, p.s, p.id, "word")
		give(p.t, p.s, p.id, map[string]any{"word": "yes"})
	}},
	"trouble-mended": {faults: `rules: [{route: POST /api/v1/jobs/goal/*/confirm, count: 1, answer: {status: 402, code: INSUFFICIENT_CREDITS}}]`, act: func(p player) {
		give(p.t, p.s, p.id, map[string]any{"word": "yes"})
		awaitQuestion(p.t, p.s, p.id, questions.SlotTrouble)
		give(p.t, p.s, p.id, map[string]any{questions.SlotTrouble: questions.TroubleRetry})
	}},
	"notified": {notifies: true, act: func(p player) { give(p.t, p.s, p.id, map[string]any{"word": "yes"}) }},
	"notified-together": {notifies: true, goal: asking, act: func(p player) {
		give(p.t, p.s, p.id, map[string]any{"word": "yes", "tone": "dry"})
	}},
	"continued-as-new": {change: func(in *goal.Input) { in.MaxEvents = 60 }, act: func(p player) {
		for i := range 40 { // none of them an answer, and the last one is
			require.NoError(p.t, p.s.client.SignalWorkflow(p.t.Context(), p.id, "", "fill-slot", map[string]any{"slot_id": "word", "value": i}))
		}
		give(p.t, p.s, p.id, map[string]any{"word": "yes"})
	}},
}

func TestRecordGoalHistories(t *testing.T) {
	for name, r := range goalRecordings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			goal := stumble(r.failures)
			if r.goal != nil {
				goal = r.goal()
			}
			s := b.openChanged(func(o *options) {
				o.goals, o.faults = []goals.Goal{goal}, faultsOf(t, r.faults)
				if r.notifies {
					o.config.WebhookURL, o.config.WebhookSecret = config.Secret(listener(t)), hookSecret
				}
			})
			input := b.stumbleInput()
			input.Policy.Default = r.policy
			if r.change != nil {
				r.change(&input)
			}
			id := "goal-" + name
			run := startGoal(t, s, id, input)
			if r.act != nil {
				awaitQuestion(t, s, id, cmp.Or(r.asks, "word"))
				r.act(player{t, s, id})
			}
			first := run.GetRunID() // Get goes on to the last one
			err := run.Get(t.Context(), nil)
			assert.Equal(t, r.fails, err != nil, "%v", err)
			for i, execution := range s.chain(t, id, first) {
				events := historyOf(t, s, id, execution.GetRunId())
				s.holdsNoSecrets(t, events)
				record(t, "run-goal-"+name+strings.Repeat("-then", i), events)
			}
			if r.notifies {
				mail := s.client.GetWorkflow(t.Context(), "notify-"+first+"-1", "")
				require.NoError(t, mail.Get(t.Context(), nil))
				record(t, "notify-delivered", historyOf(t, s, mail.GetID(), mail.GetRunID()))
			}
		})
	}
}

// chain lists the runs that follow a run, as it continued as new.
func (s *stack) chain(t *testing.T, id, runID string) []*common.WorkflowExecution {
	t.Helper()
	var out []*common.WorkflowExecution
	for runID != "" {
		out = append(out, &common.WorkflowExecution{WorkflowId: id, RunId: runID})
		events := historyOf(t, s, id, runID).GetEvents()
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
