package histories

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// batchRecordings are paths through ConvertBatch whose histories workflows/testdata keeps.
var batchRecordings = map[string]struct {
	faults    string
	maxEvents int
	shard     int // files of a shard
	failed    int // files that end so
	steer     func(c *fixture.Runs, id string)
}{
	"completed":        {},
	"continued-as-new": {maxEvents: 150},
	"partial":          {faults: `rules: [{route: POST /api/v1/jobs, count: 10, answer: {status: 422, code: BAD_FILE}}]`, failed: 10},
	"refused-at-random": {maxEvents: 150, faults: `
seed: 7
rules: [{route: POST /api/v1/jobs, probability: 0.4, answer: {status: 503}}]`},
	"retried": {
		faults: `rules: [{route: POST /api/v1/jobs, count: 10, answer: {status: 422, code: BAD_FILE}}]`,
		steer: func(c *fixture.Runs, id string) {
			require.Eventually(c.T, func() bool { return c.BatchProgress(id).Failed == 10 }, testkit.Patience, 5*time.Millisecond)
			c.Signal(id, batch.SignalRetryFailed, batch.Steering{By: "test"})
		},
	},
	"split": {shard: 10},
	"split-steered": {
		shard: 10, maxEvents: 80,
		faults: `
rules:
  - {route: POST /api/v1/jobs, count: 3, answer: {status: 422, code: BAD_FILE}}
  - {route: POST /api/v1/jobs, count: 9, answer: {status: 402, code: INSUFFICIENT_CREDITS}}`,
		steer: func(c *fixture.Runs, id string) {
			c.Signal(id, batch.SignalPause, batch.Steering{By: "test"})
			c.Signal(id, batch.SignalSetConcurrency, batch.Steering{Concurrency: 6})
			c.Signal(id, batch.SignalResume, batch.Steering{By: "test"})
			fix(c, id, func(p batch.Progress) bool { return p.Failed > 0 && p.Completed > 0 })
			c.Signal(id, batch.SignalRetryFailed, batch.Steering{By: "test"})
		},
	},
	"steered": {steer: func(c *fixture.Runs, id string) {
		for _, signal := range []string{batch.SignalPause, batch.SignalSetConcurrency, batch.SignalResume} {
			c.Signal(id, signal, batch.Steering{Concurrency: 3, By: "test"})
		}
	}},
	"trouble-mended": {
		faults: `rules: [{route: POST /api/v1/jobs, count: 30, answer: {status: 402, code: INSUFFICIENT_CREDITS}}]`,
		steer: func(c *fixture.Runs, id string) {
			fix(c, id, func(p batch.Progress) bool { return p.Completed > 0 })
		},
	},
}

// fix answers that what the batch asks about is fixed, whenever it asks, until it is as it should be.
func fix(c *fixture.Runs, id string, until func(batch.Progress) bool) {
	c.T.Helper()
	answered := map[int]bool{}
	require.Eventually(c.T, func() bool {
		open, err := c.RunsClient().Questions(c.T.Context(), id)
		require.NoError(c.T, err)
		if len(open) == 1 && !open[0].Answered && !answered[open[0].Round] {
			answered[open[0].Round] = true
			c.Signal(id, questions.SignalFillSlot, map[string]any{
				"slot_id": questions.SlotTrouble, "value": questions.TroubleRetry, "answer_id": fmt.Sprint("a", open[0].Round),
			})
		}
		return until(c.BatchProgress(id))
	}, testkit.Patience, 20*time.Millisecond)
}

func ended(c *fixture.Runs, id string) bool {
	d, err := c.RunsClient().Describe(c.T.Context(), id)
	require.NoError(c.T, err)
	return d.ClosedAt != nil
}

func TestRecordBatchHistories(t *testing.T) {
	for name, r := range batchRecordings {
		t.Run(name, func(t *testing.T) {
			skipUnlessTaken(t, "convert-batch-"+name)
			t.Parallel()
			b := fixture.New(t)
			s := b.Open(r.faults)
			const files = 60
			for i := range files {
				b.Write(fmt.Sprintf("doc-%02d.md", i), fmt.Sprintf("# Document %d", i))
			}
			spec := manifest.Spec{Source: b.In, Output: b.Out, To: "html", MarkEvery: r.shard}
			id := "batch-" + name
			run := s.Start(id, batch.WorkflowType, batch.Input{
				Name: name, Spec: spec, Concurrency: 10, MaxEvents: r.maxEvents, ShardItems: r.shard,
			})
			first := run.GetRunID()
			if r.steer != nil {
				r.steer(s.Runs, id)
				fix(s.Runs, id, func(batch.Progress) bool { return ended(s.Runs, id) }) // faults may be left
			}
			var result batch.Result
			require.NoError(t, run.Get(t.Context(), &result))
			if r.failed == 0 {
				assert.Equal(t, batch.ResultCompleted, result.Status)
			} else {
				assert.Equal(t, batch.ResultFailures, result.Status)
			}
			assert.Equal(t, files-r.failed, result.Summary.Completed)
			assert.Equal(t, files-r.failed, s.Jobs())
			events := s.History(id, first)
			if r.maxEvents+r.shard == 0 && r.steer == nil {
				assert.LessOrEqual(t, len(events.Events), 18*files, "events of a batch are few")
				t.Logf("%d events, %.1f a file", len(events.Events), float64(len(events.Events))/files)
			} else if r.maxEvents > 0 {
				assert.Greater(t, result.Runs, 2)
			}
			record(t, "convert-batch-"+name, events)
			if r.shard > 0 {
				assert.Greater(t, result.Runs, files/r.shard)
				record(t, "convert-shard-"+name, s.History(id+"-shard-00001", ""))
			} else if r.maxEvents > 0 {
				record(t, "convert-batch-"+name+"-then", s.History(id, run.GetRunID()))
			}
		})
	}
}
