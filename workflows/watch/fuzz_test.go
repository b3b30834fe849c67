package watch_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

var watchMessages = []string{batch.SignalPause, batch.SignalResume, questions.SignalFillSlot, "unknown"}

// FuzzWatchMessages: whatever a watch is sent, it can be let go on, converts what comes, and ends when it is cancelled.
func FuzzWatchMessages(f *testing.F) {
	for _, seed := range []string{"\x00{}", "\x00\n\x01", "\x00" + `{"by":"Ada","note":"n"}`, "\x80\xff", "\x017", "\x02{}\n\x03[]", "\x00" + strings.Repeat("[", 300)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, script string) {
		r := newWatchRun(time.Minute, 20*time.Minute)
		for i, m := range workflowtest.Messages(script, watchMessages) {
			r.at(time.Duration(i)*20*time.Second, func(r *watchRun) { r.SignalWorkflow(m.To, workflowtest.Wire(m.Data, m.Plain)) })
		}
		r.at(10*time.Minute, func(r *watchRun) {
			p := r.progress(t)
			require.Contains(t, []string{run.StateWatching, run.StatePaused, run.StateRunning}, p.State)
			require.LessOrEqual(t, len(p.Reason), 204)
			r.SignalWorkflow(batch.SignalResume, nil)
		})
		r.at(2*time.Hour, cancelWatch)
		err := r.play(t, watchInput())
		workflowtest.RequireSane(t, err)
		require.True(t, temporal.IsCanceledError(err), "%v", err)
		require.Equal(t, 2, r.ended, "a wave was lost")
	})
}

// FuzzWatchInput: a watch that is started with anything ends when it is cancelled, or by an error that is named.
func FuzzWatchInput(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, ``, `{"name":"x","spec":{"Source":"/in","Output":"/out","To":"html","Settle":5000000000},"interval":"1ns"}`,
		`{"interval":"-1s"}`, `{"spec":7}`, `{"name":"` + strings.Repeat("ä", 300) + `","concurrency":-1,"max_failures":-1}`,
	} {
		f.Add(seed, false)
	}
	f.Add("\x00\xff", true)
	f.Fuzz(func(t *testing.T, input string, plain bool) {
		var known map[string]json.RawMessage
		_ = json.Unmarshal([]byte(input), &known)
		for name := range known {
			if own := strings.ToLower(name); own == "resume" || own == "max_events" {
				t.Skip("what a run carries over is its own, and no virtual history is ever long")
			}
		}
		r := newWatchRun(time.Minute)
		r.at(2*time.Hour, cancelWatch)
		err := r.play(t, workflowtest.Wire(input, plain))
		require.Error(t, err)
		workflowtest.RequireSane(t, err)
		if temporal.IsCanceledError(err) {
			require.Equal(t, 1, r.ended)
		}
	})
}
