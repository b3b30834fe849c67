package kills

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// trap springs once, on a request of one kind: before the service acts on it, or when it has acted and before
// its reply is sent.
type trap struct {
	method string
	path   string // of path.Match
	after  bool

	mu      sync.Mutex
	sprung  bool
	spring  chan struct{}
	patches []client.WireSlotAnswer // that the service took
}

func (x *trap) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			next.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		hit := x.hits(r)
		if hit && !x.after {
			close(x.spring)
			<-r.Context().Done() // the caller is dead by then
			return
		}
		reply := httptest.NewRecorder()
		next.ServeHTTP(reply, r)
		x.note(r, body, reply.Code)
		if hit {
			close(x.spring)
			<-r.Context().Done()
			return
		}
		for name, values := range reply.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(reply.Code)
		_, _ = w.Write(reply.Body.Bytes())
	})
}

func (x *trap) hits(r *http.Request) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	hit := !x.sprung && r.Method == x.method && fixture.Matches(x.path, r.URL.Path)
	x.sprung = x.sprung || hit
	return hit
}

func (x *trap) note(r *http.Request, body []byte, status int) {
	var fill client.WireFillSlots
	if r.Method == http.MethodPatch && status == http.StatusOK && json.Unmarshal(body, &fill) == nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.patches = append(x.patches, fill.Answers...)
	}
}

// answerBySignal answers as anybody could who has nothing of ours.
func answerBySignal(c *fixture.Runs, id, slotID string, value any) {
	c.T.Helper()
	c.Signal(id, "fill-slot", map[string]any{"slot_id": slotID, "value": value, "answer_id": "a-" + slotID})
}

// The worker and its Temporal die by kill -9 around each effect on the service. There is never a second job,
// never a second answer to a slot, and no answer is lost. CONVILYN_TEST_KILLS=all has all effects; else one that people are asked
// about afterwards stands for them, and one whose reply is lost.
func TestGoalsKilledAroundEachEffect(t *testing.T) {
	t.Parallel()
	all := fixture.All("KILLS")
	for name, effect := range map[string]*trap{
		"start":    {method: http.MethodPost, path: "/api/v1/jobs/goal"},
		"fill":     {method: http.MethodPatch, path: "/api/v1/jobs/goal/*/slots"},
		"confirm":  {method: http.MethodPost, path: "/api/v1/jobs/goal/*/confirm"},
		"list":     {method: http.MethodGet, path: "/api/v1/jobs/goal/*/artifacts"},
		"download": {method: http.MethodGet, path: "/storage/goals/*/*"},
	} {
		for _, after := range []bool{false, true} {
			if usual := name == "start" && !after || name == "fill" && after; !usual && !all {
				continue
			}
			t.Run(fmt.Sprintf("%s/after=%v", name, after), func(t *testing.T) {
				t.Parallel()
				x := &trap{method: effect.method, path: effect.path, after: after, spring: make(chan struct{})}
				killedAround(t, x, name == "start" && !after)
			})
		}
	}
}

func killedAround(t *testing.T, x *trap, asksAboutStart bool) {
	t.Helper()
	service := testkit.StartService(t, testkit.WithGoals(testkit.Stumble(0)))
	service.Around(x.around)
	b := fixture.New(t)
	b.Env = []string{"CONVILYN_BASE_URL=" + service.URL, "CONVILYN_API_KEY=" + service.Key(), "CONVILYN_WS_URL=" + service.EventsURL(), "CONVILYN_POLL_INTERVAL=200ms"}
	process, c := b.Up()
	const id = "killed"
	c.StartGoal(id, b.StumbleInput())
	answerBySignal(c, id, "word", "yes") // early, and kept
	select {
	case <-x.spring:
	case <-time.After(testkit.Patience):
		require.Fail(t, "the effect never came")
	}
	require.NoError(t, process.Process.Kill())
	_ = process.Wait()
	c.Client.Close()
	process, c = b.Up()
	t.Cleanup(func() { c.Client.Close(); _ = process.Process.Kill(); _ = process.Wait() })
	began := time.Now()
	if asksAboutStart {
		c.AwaitQuestion(id, goal.SlotStart)
		answerBySignal(c, id, goal.SlotStart, goal.StartAgain)
	}
	var result goal.Result
	require.NoError(t, c.Client.GetWorkflow(t.Context(), id, "").Get(t.Context(), &result))
	t.Logf("done %s after the restart", time.Since(began).Round(100*time.Millisecond))
	assert.Equal(t, goal.ResultCompleted, result.Status)
	data, err := os.ReadFile(filepath.Join(b.Out, "word.txt"))
	require.NoError(t, err)
	assert.Equal(t, "yes", string(data))
	entries, err := os.ReadDir(b.Out)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no part is left")
	require.Len(t, x.patches, 1, "the slot was filled once")
	assert.JSONEq(t, `"yes"`, string(x.patches[0].Value))
	jobs, err := service.Client.Goals.FindByFile(t.Context(), result.FileIDs[0])
	require.NoError(t, err)
	assert.Len(t, jobs, 1, "one job")
	for _, receipt := range result.Answers {
		assert.Equal(t, questions.VerdictAccepted, receipt.Verdict, receipt.SlotID)
	}
}
