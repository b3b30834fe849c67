package batch_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

var batchMessages = []string{
	batch.SignalPause, batch.SignalResume, batch.SignalSetConcurrency, batch.SignalRetryFailed, questions.SignalFillSlot, workflowtest.AsUpdate,
	"shard-news", "shard-orders", "unknown",
}

func (r *batchRun) hear(t *testing.T, m workflowtest.Message) {
	t.Helper()
	if m.To != workflowtest.AsUpdate {
		r.SignalWorkflow(m.To, workflowtest.Wire(m.Data, m.Plain))
		return
	}
	r.UpdateWorkflow(questions.UpdateFillSlot, "", &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: func(error) {}, OnComplete: func(_ any, err error) { require.NoError(t, err) },
	}, workflowtest.Wire(m.Data, m.Plain))
}

// FuzzBatchMessages: whatever a batch is sent, split or not, it can be let go on, and then converts every file once.
func FuzzBatchMessages(f *testing.F) {
	const pause, resume, concurrency, retry, fill, update, news, orders = "\x00", "\x01", "\x02", "\x03", "\x04", "\x05", "\x06", "\x07"
	for _, seed := range []string{
		pause + `{"by":"Ada","note":"<b>"}`, pause + "\n" + resume + `null`, concurrency + `{"concurrency":1}`, concurrency + `{"concurrency":-1}` + "\n" + concurrency + `{"concurrency":1e9}`,
		concurrency + `7`, retry + `{"codes":["A",""]}` + "\n" + retry, retry + `{"codes":7}`, fill + `{"slot_id":"convilyn.trouble","value":"give_up"}`,
		update + `{"slot_id":"convilyn.trouble","value":"retry"}`, news + `{"number":1,"trouble":{"code":"X","message":"m"}}`,
		news + `{"number":-1,"trouble":{},"mended":99,"failed":-7}`, news + `{"number":1,"failed":9223372036854775807}`, news + `null`,
		orders + `{"concurrency":0,"stopped":"no","given_up":true}`, "\x80\x00\xff", "\x82{}", "\x08[]", pause + `{"note":"` + strings.Repeat("ä", 300) + `"}`,
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, script string, split bool) {
		r := newBatchRun(6)
		input := r.input()
		if split {
			input = r.sharded(2)
		}
		all, held := workflowtest.Messages(script, batchMessages), false
		for i, m := range all {
			// Who knows the question may give the batch up, also before it is asked.
			held = held || strings.Contains(m.Data, "trouble") || strings.Contains(m.Data, `\u`) || strings.Contains(strings.ToLower(m.Data), "trouble")
			r.in(time.Duration(i)*700*time.Millisecond, func(r *batchRun) { r.hear(t, m) })
		}
		r.in(10*time.Minute, func(r *batchRun) {
			p := r.progress(t)
			require.True(t, p.Concurrency >= 1 && p.Concurrency <= batch.MaxConcurrency, "%d", p.Concurrency)
			require.LessOrEqual(t, p.Window, p.Concurrency)
			require.LessOrEqual(t, len(p.Reason), 4096)
			r.SignalWorkflow(batch.SignalResume, nil)
		})
		result, err := r.play(t, input)
		workflowtest.RequireSane(t, err)
		require.NoError(t, err)
		if result.Status == batch.ResultStopped {
			require.True(t, held, result.Reason)
			return
		}
		require.Equal(t, batch.ResultCompleted, result.Status)
		r.once(t)
	})
}

// FuzzBatchInput: a batch that is started with anything ends, by an error that is named if it must.
func FuzzBatchInput(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `7`, ``, `{"name":"x","plan":{"items":6,"end":6}}`, `{"name":"x","plan":{"items":-1,"end":-6}}`,
		`{"name":"x","plan":{"items":6,"end":6,"every":2,"marks":[0,2,4]},"shard_items":2}`, `{"plan":{"items":100,"end":6,"every":2,"marks":[4,2,-1,9e9]},"shard_items":2}`,
		`{"plan":{"items":6,"end":6},"concurrency":-7,"max_failures":-1,"max_duration":"1ns"}`, `{"plan":{"items":6,"end":6},"max_duration":"x"}`,
		`{"plan":{"items":6,"end":6},"concurrency":9223372036854775807}`, `{"plan":{"items":6,"end":6,"folder":"\u0000","root":"..","to":"%"}}`, `{"plan":7}`,
	} {
		f.Add(seed, false)
	}
	f.Add("\x00\xff", true)
	f.Fuzz(func(t *testing.T, input string, plain bool) {
		var known map[string]json.RawMessage
		_ = json.Unmarshal([]byte(input), &known)
		for name := range known {
			if own := strings.ToLower(name); own == "resume" || own == "shard" || own == "max_events" {
				t.Skip("what runs tell each other is their own, and no virtual history is ever long")
			}
		}
		r := newBatchRun(6)
		r.in(time.Hour, func(r *batchRun) { r.CancelWorkflow() }) // a plan of nothing can promise more than there is
		_, err := r.play(t, workflowtest.Wire(input, plain))
		workflowtest.RequireSane(t, err)
	})
}
