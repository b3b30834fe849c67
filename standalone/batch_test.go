package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// outputs counts the files under the output folder that end so.
func (b *bench) outputs(suffix string) int {
	n := 0
	_ = filepath.WalkDir(b.out, func(path string, _ fs.DirEntry, _ error) error {
		if strings.HasSuffix(path, suffix) {
			n++
		}
		return nil
	})
	return n
}

// report reads the one whole report of the output folder.
func (b *bench) report() []manifest.Line {
	b.t.Helper()
	paths, err := filepath.Glob(filepath.Join(b.out, "*.report.jsonl"))
	require.NoError(b.t, err)
	require.Len(b.t, paths, 1)
	var all []manifest.Line
	require.NoError(b.t, manifest.Lines(paths[0], func(line manifest.Line) error {
		all = append(all, line)
		return nil
	}))
	return all
}

// Everything is killed in the middle of a batch, three times; the same command goes on each time.
func TestABatchSurvivesKillsOfEverything(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const files = 300
	for i := range files {
		b.write(fmt.Sprintf("doc-%03d.md", i), fmt.Sprintf("# Document %d\n\nIts own words: %d.\n", i, i*i))
	}
	command := []string{"batch", b.in, "--to", "html", "-o", b.out, "--concurrency", "20"}
	for _, until := range []int{20, 120, 220} {
		cmd := b.command(command...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		require.NoError(t, cmd.Start())
		require.Eventually(t, func() bool { return b.outputs(".html") >= until }, time.Minute, 10*time.Millisecond, "%s", &stderr)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	code, _, stderr := b.run(command...)
	require.Equal(t, 0, code, stderr)
	lines := b.report()
	require.Len(t, lines, files)
	for i, line := range lines {
		require.Equal(t, i, line.Index)
		require.Equal(t, manifest.StatusCompleted, line.Status, "%v", line.Error)
		require.Len(t, line.Outputs, 1)
	}
	assert.Equal(t, files, b.outputs(".html"))
	assert.Zero(t, b.outputs(".part"))
	code, stdout, stderr := b.run("runs", "verify", strings.Fields(b.batchID())[0])
	assert.Equal(t, 0, code, "%s%s", stdout, stderr)

	api := b.open("").apiClient(t)
	jobs, err := api.Convert.List(t.Context(), client.ListParams{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, files, jobs.Total, "one job a file")

	code, _, stderr = b.run(command...)
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stderr, "current", "what is current is not done again")
}

func (b *bench) batchID() string {
	b.t.Helper()
	code, stdout, stderr := b.run("runs", "list", "--lane", "batch")
	require.Equal(b.t, 0, code, stderr)
	rows := strings.Split(strings.TrimSpace(stdout), "\n")
	require.Len(b.t, rows, 2, "%s", stdout)
	return rows[1]
}

// batchRecordings are paths through ConvertBatch whose histories workflows/testdata keeps.
var batchRecordings = map[string]struct {
	faults    string
	maxEvents int
	steer     func(t *testing.T, c temporalclient.Client, id string)
}{
	"completed":        {},
	"continued-as-new": {maxEvents: 150},
	"steered": {steer: func(t *testing.T, c temporalclient.Client, id string) {
		t.Helper()
		for _, signal := range []string{workflows.SignalPause, workflows.SignalSetConcurrency, workflows.SignalResume} {
			require.NoError(t, c.SignalWorkflow(t.Context(), id, "", signal, workflows.Steering{Concurrency: 3, By: "test"}))
		}
	}},
	"trouble-mended": {
		faults: `rules: [{route: POST /api/v1/jobs, count: 30, answer: {status: 402, code: INSUFFICIENT_CREDITS}}]`,
		steer: func(t *testing.T, c temporalclient.Client, id string) {
			t.Helper()
			answered := map[int]bool{}
			require.Eventually(t, func() bool {
				var p workflows.BatchProgress
				value, err := c.QueryWorkflow(t.Context(), id, "", workflows.QueryProgress)
				if err != nil || value.Get(&p) != nil {
					return false
				}
				var open []workflows.Question
				if value, err := c.QueryWorkflow(t.Context(), id, "", workflows.QueryQuestions); err != nil || value.Get(&open) != nil {
					return false
				}
				if len(open) == 1 && !answered[open[0].Round] {
					answered[open[0].Round] = true
					require.NoError(t, c.SignalWorkflow(t.Context(), id, "", workflows.SignalFillSlot, map[string]any{
						"slot_id": workflows.QuestionTrouble, "value": workflows.TroubleRetry, "answer_id": fmt.Sprint("a", open[0].Round),
					}))
				}
				return p.Completed > 0
			}, time.Minute, 20*time.Millisecond)
		},
	},
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
			spec := manifest.Spec{Source: b.in, Output: b.out, To: "html"}
			id := "batch-" + name
			run, err := s.client.ExecuteWorkflow(t.Context(), temporalclient.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue},
				workflows.ConvertBatchName, workflows.ConvertBatchInput{Name: name, Spec: spec, Concurrency: 10, MaxEvents: r.maxEvents})
			require.NoError(t, err)
			first := run.GetRunID()
			if r.steer != nil {
				r.steer(t, s.client, id)
			}
			var result workflows.BatchResult
			require.NoError(t, run.Get(t.Context(), &result))
			assert.Equal(t, workflows.BatchResultCompleted, result.Status)
			assert.Equal(t, files, result.Summary.Completed)
			jobs, err := s.apiClient(t).Convert.List(t.Context(), client.ListParams{Limit: 1})
			require.NoError(t, err)
			assert.Equal(t, files, jobs.Total)
			events := historyOf(t, s, id, first)
			if r.maxEvents == 0 && r.steer == nil {
				assert.LessOrEqual(t, len(events.Events), 18*files, "events of a batch are few")
				t.Logf("%d events, %.1f a file", len(events.Events), float64(len(events.Events))/files)
			} else if r.maxEvents > 0 {
				assert.Greater(t, result.Runs, 2)
			}
			record(t, "convert-batch-"+name, events)
			if r.maxEvents > 0 {
				record(t, "convert-batch-"+name+"-then", historyOf(t, s, id, run.GetRunID()))
			}
		})
	}
}
