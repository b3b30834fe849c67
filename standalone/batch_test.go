package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
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

// Everything is killed in the middle of a batch, again and again; the same command goes on each time.
func TestABatchSurvivesKillsOfEverything(t *testing.T) {
	kills := 3
	if os.Getenv("CONVILYN_BATCH_FILES") != "" {
		kills = 5
	}
	t.Run("whole", func(t *testing.T) {
		t.Parallel()
		surviveKills(t, sized(t, 300), kills)
	})
	t.Run("split", func(t *testing.T) {
		t.Parallel()
		surviveKills(t, sized(t, 200), kills, "--shard-files", "30")
	})
}

// sized is how many files a test has; CONVILYN_BATCH_FILES makes it a long one by hand.
func sized(t *testing.T, files int) int {
	t.Helper()
	text := os.Getenv("CONVILYN_BATCH_FILES")
	if text == "" {
		return files
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

func surviveKills(t *testing.T, files, kills int, flags ...string) {
	t.Helper()
	b := newBench(t)
	for i := range files {
		b.write(fmt.Sprintf("doc-%04d.md", i), fmt.Sprintf("# Document %d\n\nIts own words: %d.\n", i, i*i))
	}
	command := append([]string{"batch", b.in, "--to", "html", "-o", b.out, "--concurrency", "20"}, flags...)
	for i := range kills {
		until := (files*i + rand.IntN(files)) / kills
		t.Logf("kill after %d outputs", until)
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
	id := strings.Fields(b.batchID())[0]
	if len(flags) > 0 {
		assert.Greater(t, b.runsOf(id), 3, "it was split")
	}
	code, stdout, stderr := b.run("runs", "verify", id)
	assert.Equal(t, 0, code, "%s%s", stdout, stderr)

	api := b.open("").apiClient(t)
	jobs, err := api.Convert.List(t.Context(), client.ListParams{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, files, jobs.Total, "one job a file")

	code, _, stderr = b.run(command...)
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stderr, "current", "what is current is not done again")
}

// How many files are under way at once follows the word of people, up and down.
func TestABatchIsNarrowedAndWidened(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.open(`rules: [{route: POST /api/v1/jobs, probability: 1, answer: {delay: 40ms}}]`)
	const files = 400
	for i := range files {
		b.write(fmt.Sprintf("doc-%03d.md", i), fmt.Sprintf("# Document %d", i))
	}
	const id = "batch-steered"
	run, err := s.client.ExecuteWorkflow(t.Context(), temporalclient.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue},
		batch.WorkflowType, batch.Input{
			Name: "steered", Spec: manifest.Spec{Source: b.in, Output: b.out, To: "html"}, Concurrency: 1,
		})
	require.NoError(t, err)
	until := func(is func(p batch.Progress) bool) time.Time {
		t.Helper()
		require.Eventually(t, func() bool {
			var p batch.Progress
			value, err := s.client.QueryWorkflow(t.Context(), id, "", batch.QueryProgress)
			return err == nil && value.Get(&p) == nil && is(p)
		}, time.Minute, 5*time.Millisecond)
		return time.Now()
	}
	done := func(n int) time.Time {
		t.Helper()
		return until(func(p batch.Progress) bool { return p.Completed >= n })
	}
	tell := func(signal string, concurrency int) {
		t.Helper()
		require.NoError(t, s.client.SignalWorkflow(t.Context(), id, "", signal, batch.Steering{Concurrency: concurrency}))
	}
	widened := done(20)
	tell(batch.SignalSetConcurrency, 50)
	widest := done(200)
	tell(batch.SignalSetConcurrency, 5)
	narrowed := until(func(p batch.Progress) bool { return p.Concurrency == 5 })
	done(300)
	tell(batch.SignalPause, 0)
	paused := until(func(p batch.Progress) bool { return p.State == workflows.StatePaused && len(p.InFlight) == 0 })
	resumed := time.Now()
	tell(batch.SignalResume, 0)
	var result batch.Result
	require.NoError(t, run.Get(t.Context(), &result))
	require.Equal(t, files, result.Summary.Completed)

	lines := b.report()
	narrow := atOnce(lines, time.Time{}, widened)
	wide := atOnce(lines, widened, widest)
	again := atOnce(lines, narrowed, paused)
	t.Logf("files under way at once: %d, then %d, then %d; files a second: %.1f, %.1f, %.1f", narrow, wide, again,
		perSecond(lines, lines[0].StartedAt, widened), perSecond(lines, widened, widest), perSecond(lines, narrowed, paused))
	assert.Equal(t, 1, narrow)
	assert.Greater(t, wide, 20)
	assert.LessOrEqual(t, again, 5)
	for _, line := range lines {
		began := line.StartedAt
		assert.False(t, began.After(paused) && began.Before(resumed), "a file began while the batch was paused: %s", line.Source)
	}
}

// atOnce is the most files that were under way at once when one began that began in the time, not counting those that
// had begun before it.
func atOnce(lines []manifest.Line, from, to time.Time) int {
	most := 0
	for _, line := range lines {
		if at := line.StartedAt; at.Before(from) || at.After(to) {
			continue
		}
		flying := 0
		for _, other := range lines {
			if !other.StartedAt.Before(from) && !other.StartedAt.After(line.StartedAt) && other.EndedAt.After(line.StartedAt) {
				flying++
			}
		}
		most = max(most, flying)
	}
	return most
}

func perSecond(lines []manifest.Line, from, to time.Time) float64 {
	n := 0
	for _, line := range lines {
		if line.EndedAt.After(from) && line.EndedAt.Before(to) {
			n++
		}
	}
	return float64(n) / to.Sub(from).Seconds()
}

// runsOf is how many histories an ended batch has had, those of its shards among them.
func (b *bench) runsOf(id string) int {
	b.t.Helper()
	code, stdout, stderr := b.run("runs", "show", id, "--json")
	require.Equal(b.t, 0, code, stderr)
	var shown struct {
		Outcome struct {
			Runs int `json:"runs"`
		} `json:"outcome"`
	}
	require.NoError(b.t, json.Unmarshal([]byte(stdout), &shown), stdout)
	return shown.Outcome.Runs
}

func (b *bench) batchID() string {
	b.t.Helper()
	code, stdout, stderr := b.run("runs", "list", "--lane", "batch")
	require.Equal(b.t, 0, code, stderr)
	rows := strings.Split(strings.TrimSpace(stdout), "\n")
	require.Len(b.t, rows, 2, "%s", stdout)
	return rows[1]
}
