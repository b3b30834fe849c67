package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// batchRecordings are paths through ConvertBatch whose histories workflows/testdata keeps.
var batchRecordings = map[string]struct {
	faults    string
	maxEvents int
	shard     int // files of a shard
	steer     func(t *testing.T, c temporalclient.Client, id string)
}{
	"completed":        {},
	"continued-as-new": {maxEvents: 150},
	"refused-at-random": {maxEvents: 150, faults: `
seed: 7
rules: [{route: POST /api/v1/jobs, probability: 0.4, answer: {status: 503}}]`},
	"retried": {
		faults: `rules: [{route: POST /api/v1/jobs, count: 10, answer: {status: 422, code: BAD_FILE}}]`,
		steer: func(t *testing.T, c temporalclient.Client, id string) {
			t.Helper()
			require.Eventually(t, func() bool { return progressOf(t, c, id).Failed == 10 }, time.Minute, 5*time.Millisecond)
			require.NoError(t, c.SignalWorkflow(t.Context(), id, "", batch.SignalRetryFailed, batch.Steering{By: "test"}))
		},
	},
	"split": {shard: 10},
	"split-steered": {
		shard: 10, maxEvents: 80,
		faults: `
rules:
  - {route: POST /api/v1/jobs, count: 3, answer: {status: 422, code: BAD_FILE}}
  - {route: POST /api/v1/jobs, count: 9, answer: {status: 402, code: INSUFFICIENT_CREDITS}}`,
		steer: func(t *testing.T, c temporalclient.Client, id string) {
			t.Helper()
			require.NoError(t, c.SignalWorkflow(t.Context(), id, "", batch.SignalPause, batch.Steering{By: "test"}))
			require.NoError(t, c.SignalWorkflow(t.Context(), id, "", batch.SignalSetConcurrency, batch.Steering{Concurrency: 6}))
			require.NoError(t, c.SignalWorkflow(t.Context(), id, "", batch.SignalResume, batch.Steering{By: "test"}))
			mend(t, c, id, func(p batch.Progress) bool { return p.Failed > 0 && p.Completed > 0 })
			require.NoError(t, c.SignalWorkflow(t.Context(), id, "", batch.SignalRetryFailed, batch.Steering{By: "test"}))
		},
	},
	"steered": {steer: func(t *testing.T, c temporalclient.Client, id string) {
		t.Helper()
		for _, signal := range []string{batch.SignalPause, batch.SignalSetConcurrency, batch.SignalResume} {
			require.NoError(t, c.SignalWorkflow(t.Context(), id, "", signal, batch.Steering{Concurrency: 3, By: "test"}))
		}
	}},
	"trouble-mended": {
		faults: `rules: [{route: POST /api/v1/jobs, count: 30, answer: {status: 402, code: INSUFFICIENT_CREDITS}}]`,
		steer: func(t *testing.T, c temporalclient.Client, id string) {
			t.Helper()
			mend(t, c, id, func(p batch.Progress) bool { return p.Completed > 0 })
		},
	},
}

func progressOf(t *testing.T, c temporalclient.Client, id string) batch.Progress {
	t.Helper()
	desk := answering.Desk{Temporal: c, Namespace: temporalclient.DefaultNamespace}
	p, err := desk.Progress(t.Context(), id)
	require.NoError(t, err)
	return p
}

// mend says that what the batch asks about is mended, whenever it asks, until it is as it should be.
func mend(t *testing.T, c temporalclient.Client, id string, until func(batch.Progress) bool) {
	t.Helper()
	desk := answering.Desk{Temporal: c, Namespace: temporalclient.DefaultNamespace}
	answered := map[int]bool{}
	require.Eventually(t, func() bool {
		open, err := desk.Questions(t.Context(), id)
		require.NoError(t, err)
		if len(open) == 1 && !open[0].Answered && !answered[open[0].Round] {
			answered[open[0].Round] = true
			require.NoError(t, c.SignalWorkflow(t.Context(), id, "", questions.SignalFillSlot, map[string]any{
				"slot_id": questions.SlotTrouble, "value": questions.TroubleRetry, "answer_id": fmt.Sprint("a", open[0].Round),
			}))
		}
		return until(progressOf(t, c, id))
	}, time.Minute, 20*time.Millisecond)
}

func TestRecordBatchHistories(t *testing.T) {
	for name, r := range batchRecordings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			s := b.open(r.faults)
			const files = 60
			for i := range files {
				b.write(fmt.Sprintf("doc-%02d.md", i), fmt.Sprintf("# Document %d", i))
			}
			spec := manifest.Spec{Source: b.in, Output: b.out, To: "html", MarkEvery: r.shard}
			id := "batch-" + name
			run, err := s.client.ExecuteWorkflow(t.Context(), temporalclient.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue},
				batch.WorkflowType, batch.Input{Name: name, Spec: spec, Concurrency: 10, MaxEvents: r.maxEvents, ShardItems: r.shard})
			require.NoError(t, err)
			first := run.GetRunID()
			if r.steer != nil {
				r.steer(t, s.client, id)
			}
			var result batch.Result
			require.NoError(t, run.Get(t.Context(), &result))
			assert.Equal(t, batch.ResultCompleted, result.Status)
			assert.Equal(t, files, result.Summary.Completed)
			jobs, err := s.apiClient(t).Convert.List(t.Context(), client.ListParams{Limit: 1})
			require.NoError(t, err)
			assert.Equal(t, files, jobs.Total)
			events := historyOf(t, s, id, first)
			if r.maxEvents+r.shard == 0 && r.steer == nil {
				assert.LessOrEqual(t, len(events.Events), 18*files, "events of a batch are few")
				t.Logf("%d events, %.1f a file", len(events.Events), float64(len(events.Events))/files)
			} else if r.maxEvents > 0 {
				assert.Greater(t, result.Runs, 2)
			}
			record(t, "convert-batch-"+name, events)
			if r.shard > 0 {
				assert.Greater(t, result.Runs, files/r.shard)
				record(t, "convert-shard-"+name, historyOf(t, s, id+"-shard-00001", ""))
			} else if r.maxEvents > 0 {
				record(t, "convert-batch-"+name+"-then", historyOf(t, s, id, run.GetRunID()))
			}
		})
	}
}
