package histories

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// showing is a stumble that wants its preview to be seen before it begins.
func showing() goals.Goal {
	return testkit.StumbleBefore(0, func(t *goals.Task) error {
		path := filepath.Join(t.Dir, "preview.txt")
		if err := os.WriteFile(path, []byte(t.String("word")), 0o600); err != nil {
			return err
		}
		return t.ReadyWithPreview(goals.File{Path: path, Name: "preview.txt", Mime: "text/plain"})
	})
}

// asking is a stumble that asks two things at once.
func asking() goals.Goal {
	goal := testkit.Stumble(0)
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

// wantsFile is a stumble that asks for a file, too.
func wantsFile() goals.Goal {
	goal := testkit.Stumble(0)
	goal.RequiredSlots = 2
	run := goal.Run
	goal.Run = func(ctx context.Context, t *goals.Task) error {
		if err := t.Ask(goals.Free("file", "logo", "Which logo?")); err != nil {
			return err
		}
		return run(ctx, t)
	}
	return goal
}

// listener is a webhook that takes everything.
func listener(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	return server.URL
}

// asksToConfirm has a run wait before it spends, and nothing else.
func asksToConfirm(in *goal.Input) {
	in.Policy.Confirm = questions.ConfirmAsk
	in.Answers = []questions.Answer{{SlotID: "word", Value: json.RawMessage(`"yes"`)}}
}

// sticks is a service whose goals never end.
const sticks = `rules: [{goal: "*", count: 9, answer: {stuck: true}}]`

// unconfirmed is a service that answers that a job is confirmed already, and shows it as ready.
const unconfirmed = `rules: [{route: POST /api/v1/jobs/goal/*/confirm, count: 1, answer: {status: 409, code: CONFLICT}}]`

// asksAboutStuck has a run ask soon about a job that does not move.
func asksAboutStuck(in *goal.Input) {
	in.Policy.StuckAfter, in.LookEvery = 3*fixture.Moment, fixture.Moment
	in.Answers = []questions.Answer{{SlotID: "word", Value: json.RawMessage(`"yes"`)}}
}

// unlisted is a service that starts a goal, loses the reply, and has no list to look through.
const unlisted = `rules: [{route: POST /api/v1/jobs/goal, count: 1, answer: {lose_reply: true}}, {route: GET /api/v1/jobs/goal, count: 9, answer: {status: 404}}]`

// player is whoever answers a run.
type player struct {
	t  *testing.T
	s  *fixture.Stack
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
	"answered": {act: func(p player) { p.s.Give(p.id, map[string]any{"word": "yes"}) }},
	"answered-by-signal": {act: func(p player) {
		p.s.Signal(p.id, "fill-slot", map[string]any{"slot_id": "word", "value": 7})
		p.s.Signal(p.id, "fill-slot", map[string]any{"slot_id": "word", "value": "yes"})
	}},
	"answered-at-the-start": {change: func(in *goal.Input) {
		in.Answers = []questions.Answer{{SlotID: "word", Value: json.RawMessage(`"yes"`)}}
	}},
	"answered-one-by-one": {goal: asking, act: func(p player) {
		p.s.Give(p.id, map[string]any{"word": "yes"})
		p.s.Give(p.id, map[string]any{"tone": "dry"})
	}},
	"answer-refused": {notifies: true, goal: wantsFile, asks: "logo", fails: true, act: func(p player) {
		p.s.Give(p.id, map[string]any{"logo": "file:///nowhere/logo.png"})
		require.Eventually(p.t, func() bool {
			questions, err := p.s.RunsClient().Questions(p.t.Context(), p.id)
			return err == nil && len(questions) == 1 && questions[0].Refused != nil
		}, testkit.Patience, 50*time.Millisecond)
		require.NoError(p.t, p.s.Client.CancelWorkflow(p.t.Context(), p.id, ""))
	}},
	"preset-invalid": {fails: true, change: func(in *goal.Input) {
		in.Answers = []questions.Answer{{SlotID: "word", Value: json.RawMessage(`7`)}}
	}},
	"suggestion-accepted":     {policy: questions.Policy{AcceptAbove: proto.Float64(0.9)}},
	"timed-out-to-default":    {policy: questions.Policy{Deadline: fixture.Moment, OnDeadline: "default", Default: json.RawMessage(`"yes"`)}},
	"timed-out-and-failed":    {policy: questions.Policy{Deadline: fixture.Moment}, fails: true},
	"timed-out-and-cancelled": {policy: questions.Policy{Deadline: fixture.Moment, OnDeadline: "cancel"}},
	"escalated": {policy: questions.Policy{RemindAfter: fixture.Moment, EscalateAfter: fixture.Moment, EscalateTo: "boss"}, act: func(p player) {
		require.Eventually(p.t, func() bool {
			questions, err := p.s.RunsClient().Questions(p.t.Context(), p.id)
			return err == nil && len(questions) == 1 && questions[0].For == "boss"
		}, testkit.Patience, 50*time.Millisecond)
		p.s.Give(p.id, map[string]any{"word": "yes"})
	}},
	"cancelled": {fails: true, act: func(p player) {
		require.NoError(p.t, p.s.Client.CancelWorkflow(p.t.Context(), p.id, ""))
	}},
	"retried":         {failures: 1, act: func(p player) { p.s.Give(p.id, map[string]any{"word": "yes"}) }},
	"retried-in-vain": {failures: 9, fails: true, act: func(p player) { p.s.Give(p.id, map[string]any{"word": "yes"}) }},
	"answered-elsewhere": {change: func(in *goal.Input) { in.LookEvery = fixture.Moment }, act: func(p player) {
		status, err := p.s.RunsClient().Status(p.t.Context(), p.id)
		require.NoError(p.t, err)
		_, err = p.s.APIClient().Goals.FillSlot(p.t.Context(), status.JobSpecID, "word", "yes")
		require.NoError(p.t, err)
	}},
	"preview-approved": {goal: showing, asks: goal.SlotPreview, policy: questions.Policy{AcceptAbove: proto.Float64(0.9)}, act: func(p player) {
		p.s.Signal(p.id, goal.SignalApprovePreview, nil)
	}},
	"preview-rejected": {goal: showing, asks: goal.SlotPreview, policy: questions.Policy{AcceptAbove: proto.Float64(0.9)}, act: func(p player) {
		p.s.Signal(p.id, goal.SignalRejectPreview, nil)
	}},
	"confirmed": {asks: goal.SlotConfirm, change: asksToConfirm, act: func(p player) {
		p.s.Give(p.id, map[string]any{goal.SlotConfirm: goal.ConfirmYes})
	}},
	"confirmed-knowing-credits": {asks: goal.SlotConfirm, change: asksToConfirm, act: func(p player) {
		p.s.Give(p.id, map[string]any{goal.SlotConfirm: goal.ConfirmYes})
	}},
	"not-confirmed": {asks: goal.SlotConfirm, change: asksToConfirm, act: func(p player) {
		p.s.Give(p.id, map[string]any{goal.SlotConfirm: goal.ConfirmNo})
	}},
	"stuck-waited-cancelled": {faults: sticks, asks: goal.SlotStuck, change: asksAboutStuck, act: func(p player) {
		p.s.Give(p.id, map[string]any{goal.SlotStuck: goal.StuckWait})
		require.Eventually(p.t, func() bool {
			asked, err := p.s.RunsClient().Questions(p.t.Context(), p.id)
			return err == nil && len(asked) == 1 && asked[0].Round == 2
		}, testkit.Patience, 50*time.Millisecond)
		p.s.Give(p.id, map[string]any{goal.SlotStuck: goal.StuckCancel})
	}},
	"stuck-ended-elsewhere": {faults: sticks, asks: goal.SlotStuck, change: asksAboutStuck, act: func(p player) {
		status, err := p.s.RunsClient().Status(p.t.Context(), p.id)
		require.NoError(p.t, err)
		require.NoError(p.t, p.s.APIClient().Goals.Cancel(p.t.Context(), status.JobSpecID))
	}},
	"confirmed-unshown": {faults: unconfirmed, asks: goal.SlotStuck, change: asksAboutStuck, act: func(p player) {
		status, err := p.s.RunsClient().Status(p.t.Context(), p.id)
		require.NoError(p.t, err)
		require.NoError(p.t, p.s.APIClient().Goals.Confirm(p.t.Context(), status.JobSpecID))
	}},
	"confirmed-again": {faults: unconfirmed, asks: goal.SlotStuck, change: asksAboutStuck, act: func(p player) {
		p.s.Give(p.id, map[string]any{goal.SlotStuck: goal.StuckConfirm})
	}},
	"start-adopted": {faults: `rules: [{route: POST /api/v1/jobs/goal, count: 1, answer: {lose_reply: true}}]`, act: func(p player) { p.s.Give(p.id, map[string]any{"word": "yes"}) }},
	"start-dropped": {faults: unlisted, asks: goal.SlotStart, act: func(p player) {
		p.s.Give(p.id, map[string]any{goal.SlotStart: goal.StartDrop})
	}},
	"start-stopped": {faults: unlisted, asks: goal.SlotStart, act: func(p player) { // with version 1 of result-states
		p.s.Give(p.id, map[string]any{goal.SlotStart: goal.StartDrop})
	}},
	"start-again": {faults: unlisted, asks: goal.SlotStart, act: func(p player) {
		p.s.Give(p.id, map[string]any{goal.SlotStart: goal.StartAgain})
		p.s.AwaitQuestion(p.id, "word")
		p.s.Give(p.id, map[string]any{"word": "yes"})
	}},
	"trouble-mended": {faults: `rules: [{route: POST /api/v1/jobs/goal/*/confirm, count: 1, answer: {status: 402, code: INSUFFICIENT_CREDITS}}]`, act: func(p player) {
		p.s.Give(p.id, map[string]any{"word": "yes"})
		p.s.AwaitQuestion(p.id, questions.SlotTrouble)
		p.s.Give(p.id, map[string]any{questions.SlotTrouble: questions.TroubleRetry})
	}},
	"notified": {notifies: true, act: func(p player) { p.s.Give(p.id, map[string]any{"word": "yes"}) }},
	"notified-together": {notifies: true, goal: asking, act: func(p player) {
		p.s.Give(p.id, map[string]any{"word": "yes", "tone": "dry"})
	}},
	"continued-as-new": {change: func(in *goal.Input) { in.MaxEvents = 60 }, act: func(p player) {
		for i := range 40 { // none of them an answer, and the last one is
			p.s.Signal(p.id, "fill-slot", map[string]any{"slot_id": "word", "value": i})
		}
		p.s.Give(p.id, map[string]any{"word": "yes"})
	}},
}

func TestRecordGoalHistories(t *testing.T) {
	usual := fixture.Shared(t, func(b *fixture.Workspace) *fixture.Stack { return b.OpenWith(testkit.Stumble(0)) })
	for name, r := range goalRecordings {
		t.Run(name, func(t *testing.T) {
			skipUnlessTaken(t, "run-goal-"+name)
			t.Parallel()
			b := fixture.New(t)
			var s *fixture.Stack
			if r.failures == 0 && r.goal == nil && r.faults == "" && !r.notifies {
				s = usual(t)
			} else {
				goal := testkit.Stumble(r.failures)
				if r.goal != nil {
					goal = r.goal()
				}
				s = b.OpenChanged(func(o *stack.Options) {
					o.Goals, o.Faults = []goals.Goal{goal}, fixture.Faults(t, r.faults)
					if r.notifies {
						o.Config.WebhookURL, o.Config.WebhookSecret = config.Secret(listener(t)), fixture.HookSecret
					}
				})
			}
			input := b.StumbleInput()
			input.Policy.Default = r.policy
			if r.change != nil {
				r.change(&input)
			}
			id := "goal-" + name
			run := s.StartGoal(id, input)
			if r.act != nil {
				s.AwaitQuestion(id, cmp.Or(r.asks, "word"))
				r.act(player{t, s, id})
			}
			first := run.GetRunID() // Get goes on to the last one
			err := run.Get(t.Context(), nil)
			assert.Equal(t, r.fails, err != nil, "%v", err)
			for i, execution := range s.Chain(id, first) {
				events := s.History(id, execution.GetRunId())
				s.HoldsNoSecrets(events)
				record(t, "run-goal-"+name+strings.Repeat("-then", i), events)
			}
			if r.notifies {
				mail := s.Client.GetWorkflow(t.Context(), "notify-"+first+"-1", "")
				require.NoError(t, mail.Get(t.Context(), nil))
				record(t, "notify-delivered", s.History(mail.GetID(), mail.GetRunID()))
			}
		})
	}
}

// A start that was refused is sent again, and its worker dies meanwhile: Temporal then tells of the refusal alone, and whether
// there is a job is not known all the same. The start is between two workers, so the service and its goals are elsewhere.
func TestRecordGoalHistories_ambiguousAfterRefusal(t *testing.T) {
	skipUnlessTaken(t, "run-goal-start-ambiguous-after-refusal")
	t.Parallel()
	b := fixture.New(t)
	service := testkit.StartService(t, testkit.WithGoals(testkit.Stumble(0)))
	sent := make(chan struct{})
	var starts atomic.Int32
	service.Around(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method+" "+r.URL.Path != "POST "+client.PathGoals {
				next.ServeHTTP(w, r)
				return
			}
			switch starts.Add(1) {
			case 1:
				w.WriteHeader(http.StatusServiceUnavailable)
			case 2:
				_, _ = io.Copy(io.Discard, r.Body)
				close(sent)
				<-r.Context().Done()
			default:
				next.ServeHTTP(w, r)
			}
		})
	})

	b.Env = []string{"CONVILYN_BASE_URL=" + service.URL, "CONVILYN_API_KEY=" + service.Key(), "CONVILYN_POLL_INTERVAL=200ms"}
	up, c := b.Up()
	const id = "goal-start-ambiguous-after-refusal"
	first := c.StartGoal(id, b.StumbleInput()).GetRunID()
	<-sent
	require.NoError(t, up.Process.Kill())
	_ = up.Wait()
	c.Client.Close()

	s := b.OpenAt(service, service.EventsURL())
	asked := s.AwaitQuestion(id, goal.SlotStart) // when its heartbeat has been missing for long enough
	assert.Contains(t, asked.Text, "The worker that started it died.")
	s.Give(id, map[string]any{goal.SlotStart: goal.StartAgain})
	s.AwaitQuestion(id, "word")
	s.Give(id, map[string]any{"word": "yes"})
	require.NoError(t, s.Client.GetWorkflow(t.Context(), id, first).Get(t.Context(), nil))
	assert.EqualValues(t, 3, starts.Load())

	events := s.History(id, first)
	assert.NotContains(t, events.String(), service.Key())
	assert.Contains(t, events.String(), "ambiguous-after-refusal")
	record(t, "run-"+id, events)
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
