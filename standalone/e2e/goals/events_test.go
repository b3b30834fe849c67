package goals

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/host"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
)

// sealed is a goal that asks before its execution and in the middle of it. Each part of the execution begins when
// somebody watches it.
func sealed(watched func(ctx context.Context, part int) error) goals.Goal {
	return goals.Goal{
		ID: "goal_lane.sealed", Name: "Sealed", Description: "d", Types: []string{"document"}, Formats: []string{"md"}, MinFiles: 1, RequiredSlots: 1,
		Run: func(ctx context.Context, t *goals.Task) error {
			if err := t.Ask(goals.Free("text", "word", "Which word?")); err != nil {
				return err
			}
			if err := t.Ready(); err != nil {
				return err
			}
			if err := watched(ctx, 1); err != nil {
				return err
			}
			dir, err := t.Step(ctx, "write", func(_ context.Context, dir string) error {
				return os.WriteFile(filepath.Join(dir, "word.txt"), []byte(t.String("word")), 0o600)
			})
			if err != nil {
				return err
			}
			if err := t.Checkpoint(goals.Free("text", "seal", "Which seal?")); err != nil {
				return err
			}
			if err := watched(ctx, 2); err != nil {
				return err
			}
			t.Deliver(goals.File{Path: filepath.Join(dir, "word.txt"), Name: "word.txt", Mime: "text/plain", Type: "text"})
			return nil
		},
	}
}

// watchers waits until streams were asked for as often as the execution has parts, so that there are events to lose.
type watchers struct{ service *testkit.Service }

func (w *watchers) wait(ctx context.Context, part int) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for w.service.Requests(http.MethodGet, client.PathEvents) < part {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// Whatever becomes of events, and where there are none: the same answers go to the one job, once.
func TestEventsAreOnlyHints(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		faults  string
		polling bool
	}{
		"events":       {},
		"polling":      {polling: true},
		"dropped":      {faults: `[{events: "*", probability: 0.3, answer: {drop: true}}]`},
		"duplicated":   {faults: `[{events: "*", probability: 0.3, answer: {duplicate: true}}]`},
		"reordered":    {faults: `[{events: "*", probability: 0.3, answer: {reorder: true}}]`},
		"disconnected": {faults: `[{events: "*", probability: 0.3, answer: {disconnect: true}}]`},
		"unauthorized": {faults: `[{route: GET /ws, probability: 0.3, answer: {status: 401}}]`},
		"no key ever":  {faults: `[{route: GET /ws, probability: 1, answer: {status: 401}}]`},
		"unavailable":  {faults: `[{route: GET /ws, probability: 0.3, answer: {status: 503}}]`},
		"never there":  {faults: `[{route: GET /ws, probability: 1, answer: {status: 503}}]`},
	} {
		t.Run(name, func(t *testing.T) {
			if !slices.Contains([]string{"events", "polling", "dropped", "disconnected"}, name) {
				testkit.SkipLong(t, "another fault of the events stands for it")
			}
			t.Parallel()
			faults, patches := "", fixture.NewPatchLog()
			if test.faults != "" {
				faults = "seed: 5\nrules: " + test.faults
			}
			watch := &watchers{}
			watched := watch.wait
			if test.polling {
				watched = func(context.Context, int) error { return nil }
			}
			service := testkit.StartService(t, testkit.WithGoals(sealed(watched)), testkit.WithFaults(t, faults))
			watch.service = service
			service.Around(patches.Around)
			events := service.EventsURL()
			if test.polling {
				events = ""
			}
			b := fixture.New(t)
			s := b.OpenAt(service, events)
			input := b.GoalInput(1)
			input.WorkflowID = "goal_lane.sealed"
			run := s.StartGoal("sealed", input)
			s.AwaitQuestion("sealed", "word")
			s.Give("sealed", map[string]any{"word": "yes"})
			s.AwaitQuestion("sealed", "seal")
			s.Give("sealed", map[string]any{"seal": "wax"})
			var result goal.Result
			require.NoError(t, run.Get(t.Context(), &result))
			assert.Equal(t, goal.ResultCompleted, result.Status)
			filled := map[string]string{}
			for _, taken := range patches.Of(result.JobSpecID) {
				assert.NotContains(t, filled, taken.Slot, "filled twice")
				filled[taken.Slot] = taken.Value
			}
			assert.Equal(t, map[string]string{"word": `"yes"`, "seal": `"wax"`}, filled)
			b.HoldsWord(b.Out, "yes")
			jobs, err := service.Client.Goals.FindByFile(t.Context(), result.FileIDs[0])
			require.NoError(t, err)
			assert.Len(t, jobs, 1)
			assert.Equal(t, test.polling, service.Requests("GET", client.PathEvents) == 0, "whether a stream was asked for")
			b.Eventually(func() bool { return service.Subscribers() == 0 }, "no stream outlives its job")
		})
	}
}

// A private host's events come as its API does: in the clear, where one is told so. Otherwise there is no worker, and no key
// leaves.
func TestAPrivateHostStreamsItsEvents(t *testing.T) {
	t.Parallel()
	watch := &watchers{}
	service := testkit.StartServiceAt(t, testkit.PrivateHost, testkit.WithGoals(sealed(watch.wait))) // which polling would never end
	watch.service = service
	b := fixture.New(t)
	s := b.OpenAt(service, service.EventsURL())
	input := b.GoalInput(1)
	input.WorkflowID = "goal_lane.sealed"
	run := s.StartGoal("private", input)
	s.AwaitQuestion("private", "word")
	s.Give("private", map[string]any{"word": "yes"})
	s.AwaitQuestion("private", "seal")
	s.Give("private", map[string]any{"seal": "wax"})
	var result goal.Result
	require.NoError(t, run.Get(t.Context(), &result))
	assert.Equal(t, goal.ResultCompleted, result.Status)
	b.HoldsWord(b.Out, "yes")

	other := testkit.StartServiceAt(t, testkit.PrivateHost)
	for base, says := range map[string]string{other.URL: "must be https", "https://" + strings.TrimPrefix(other.URL, "http://"): "must be wss"} {
		cfg := config.Config{BaseURL: base, APIKey: config.Secret(other.Key()), EventsURL: other.EventsURL()}
		_, err := host.New(t.Context(), cfg, s.Client, stack.Namespace, nil, zap.NewNop())
		require.ErrorContains(t, err, says)
		assert.NotContains(t, err.Error(), other.Key())
	}
	assert.Zero(t, other.Requests(http.MethodGet, client.PathEvents))
}
