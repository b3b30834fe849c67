package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

func TestBatchesInLists(t *testing.T) {
	f := newBatches("b-1")
	f.run.State = workflows.StatePaused
	code, stdout, _ := f.command(t.Context(), t, Env{}, "runs", "list")
	assert.Equal(t, ExitOK, code)
	assert.Regexp(t, `b-1 +paused +batch +docs-to-pdf +pdf `, stdout)
	assert.Equal(t, "WorkflowType IN ('ConvertFile', 'RunGoal', 'ConvertBatch', 'WatchFolder') AND ExecutionStatus != 'ContinuedAsNew'", lastList(f.Temporal))
	_, _, _ = f.command(t.Context(), t, Env{}, "runs", "list", "--lane", "batch", "--state", "paused")
	assert.Equal(t, "WorkflowType = 'ConvertBatch' AND ExecutionStatus = 'Running' AND ConvilynState = 'paused'", lastList(f.Temporal))
}

func TestShowingABatch(t *testing.T) {
	f := newBatches("b-1")
	f.run.Progress = someProgress()
	code, stdout, stderr := f.command(t.Context(), t, Env{}, "runs", "show", "b-1")
	assert.Equal(t, ExitOK, code, stderr)
	assert.Contains(t, stdout, "5000 of 10000 files (paused), 6 failed")
	assert.Contains(t, stdout, "in flight: upload 3, convert 40, download 6; window 49 of 50")
}

func TestSteering(t *testing.T) {
	f := newBatches("b-1")
	for _, args := range [][]string{
		{"pause", "b-1", "--by", "ann", "--note", "night"},
		{"resume", "b-1", "--by", "ann"},
		{"set-concurrency", "b-1", "20", "--by", "ann"},
		{"retry", "b-1", "--code", "A,B", "--by", "ann"},
	} {
		code, stdout, stderr := f.command(t.Context(), t, Env{}, append([]string{"runs"}, append(args, "--json")...)...)
		require.Equal(t, ExitOK, code, stderr)
		assert.Contains(t, stdout, `"workflow_id":"b-1"`)
	}
	assert.Equal(t, []runstest.Signal{
		{Name: batch.SignalPause, Steering: batch.Steering{By: "ann", Note: "night"}},
		{Name: batch.SignalResume, Steering: batch.Steering{By: "ann"}},
		{Name: batch.SignalSetConcurrency, Steering: batch.Steering{By: "ann", Concurrency: 20}},
		{Name: batch.SignalRetryFailed, Steering: batch.Steering{By: "ann", Codes: []string{"A", "B"}}},
	}, f.run.Signals)
	_, _, _ = f.command(t.Context(), t, Env{}, "runs", "pause", "b-1")
	assert.Regexp(t, "^cli:", f.run.Signals[4].Steering.By)
}

func TestSteeringThatIsRefused(t *testing.T) {
	other := newBatches("g-1")
	other.run.Kind = runs.Goal
	ended := newBatches("b-1").finished(batch.Result{Status: batch.ResultCompleted})
	for says, test := range map[string]struct {
		f    *batches
		args []string
	}{
		"no run is called b-2":                     {ended, []string{"pause", "b-2"}},
		"g-1 is not a batch":                       {other, []string{"resume", "g-1"}},
		"b-1 has ended; 'starter runs retry b-1'":  {ended, []string{"pause", "b-1"}},
		`"0" is not a number from 1 to 500`:        {nil, []string{"set-concurrency", "b-1", "0"}},
		`"many" is not a number from 1 to 500`:     {nil, []string{"set-concurrency", "b-1", "many"}},
		"name a run and a number":                  {nil, []string{"set-concurrency", "b-1"}},
		"name one run, as in":                      {nil, []string{"retry"}},
		"name one batch":                           {nil, []string{"verify"}},
		`--status "red" is not completed`:          {nil, []string{"report", "b-1", "--status", "red"}},
		"is not there; start the same batch again": {ended, []string{"report", "b-1"}},
		"b-1 has no report yet":                    {newBatches("b-1"), []string{"verify", "b-1"}},
	} {
		t.Run(says, func(t *testing.T) {
			code, stdout, stderr := test.f.command(t.Context(), t, Env{}, append([]string{"runs"}, test.args...)...)
			assert.Equal(t, ExitUsage, code, says)
			assert.Contains(t, stderr, says)
			assert.Empty(t, stdout, says)
		})
	}
}

const reportText = `{"i":0,"source":"a  b.md","status":"completed","outputs":[{"path":"OUT/a.pdf","size":1,"sha256":"x","mimetype":"m"}],"warnings":[],"size":1,"mtime":"2026-01-01T00:00:00Z","attempts":1,"error":null}
{"i":1,"source":"c\u001b.md","status":"failed","outputs":[],"warnings":[],"size":1,"mtime":"2026-01-01T00:00:00Z","attempts":3,"error":{"code":"A","message":"no\nway"}}
{"i":2,"source":"d.md","status":"failed","outputs":[],"warnings":[],"size":1,"mtime":"2026-01-01T00:00:00Z","attempts":3,"error":{"code":"B","message":"never"}}
`

func TestReports(t *testing.T) {
	dir := folder(t)
	f := newBatches("b-1")
	f.run.Batch.Output = dir
	require.NoError(t, os.WriteFile(filepath.Join(dir, "docs-to-pdf.report.jsonl"), []byte(reportText), 0o600))
	a, b, c := "completed a  b.md → OUT/a.pdf\n", "failed c\\x1b.md | A: no\\nway\n", "failed d.md | B: never\n"
	for want, args := range map[string][]string{
		a + b + c: nil, a: {"--status", "completed"}, b + c: {"--status", "failed"}, c: {"--code", "B"},
		"": {"--status", "completed", "--code", "B"},
	} {
		t.Run(want, func(t *testing.T) {
			code, stdout, stderr := f.command(t.Context(), t, Env{}, append([]string{"runs", "report", "b-1"}, args...)...)
			assert.Equal(t, ExitOK, code, stderr)
			assert.Equal(t, want, stdout)
		})
	}
	_, stdout, _ := f.command(t.Context(), t, Env{}, "runs", "report", "b-1", "--json", "--code", "A")
	assert.Contains(t, stdout, `"error":{"code":"A","message":"no\nway"}`)
}

// A batch continues as new every few minutes; it did not begin with its latest run.
func TestABatchBeganWithItsFirstRun(t *testing.T) {
	f := newBatches("b-1").finished(batch.Result{Status: batch.ResultCompleted, Runs: 2, LargestHistory: 3610})
	began := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	f.run.FirstRunID, f.run.StartedAt = "first", began.Add(time.Hour)
	first := &runstest.Run{Kind: runs.Batch, ID: "b-1", RunID: "first", StartedAt: began}
	latest := f.run
	f.Temporal = runstest.New()
	f.Add(first, latest)
	code, stdout, stderr := f.command(t.Context(), t, Env{}, "runs", "show", "b-1", "--json")
	require.Equal(t, ExitOK, code, stderr)
	assert.Contains(t, stdout, `"started_at":"2026-11-24T09:00:00Z"`)
	assert.Contains(t, stdout, `"runs":2,"largest_history":3610`)
}
