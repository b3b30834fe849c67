package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// begin starts a command that does not end by itself; stdout may be nil.
func (b *bench) begin(stdout *bytes.Buffer, args ...string) *exec.Cmd {
	b.t.Helper()
	cmd := b.command(args...)
	if stdout != nil {
		cmd.Stdout = stdout
	}
	require.NoError(b.t, cmd.Start())
	b.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// lines reads the report by the names of the sources.
func (b *bench) lines() map[string]manifest.Line {
	all := map[string]manifest.Line{}
	paths, _ := filepath.Glob(filepath.Join(b.out, "*.report.jsonl"))
	for _, path := range paths {
		_ = manifest.Lines(path, func(line manifest.Line) error {
			all[filepath.Base(line.Source)] = line
			return nil
		})
	}
	return all
}

func (b *bench) eventually(condition func() bool, says string) {
	b.t.Helper()
	require.Eventually(b.t, condition, time.Minute, 20*time.Millisecond, says)
}

// Files come while a folder is watched, one of them slowly; everything is killed and comes back; no file is converted
// twice, none before it is whole.
func TestAWatchedFolder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("first.md", "# First")
	command := []string{"batch", b.in, "--to", "html", "-o", b.out, "--watch", "--settle", "1s", "--name", "in"}
	first := b.begin(nil, command...)
	b.eventually(func() bool { return b.lines()["first.md"].Status == manifest.StatusCompleted }, "what is there is taken at once")

	// It grows as long as nothing of it may be taken: until another one, which came later, is done.
	file, err := os.Create(filepath.Join(b.in, "slow.md"))
	require.NoError(t, err)
	_, err = file.WriteString("# Slow\n")
	require.NoError(t, err)
	b.write("second.md", "# Second")
	b.eventually(func() bool {
		_, err := file.WriteString("more\n")
		return err == nil && b.lines()["second.md"].Status == manifest.StatusCompleted
	}, "the slow one does not hold up the other")
	assert.NoFileExists(t, filepath.Join(b.out, "slow.html"))
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()

	_, err = file.WriteString("THE END\n")
	require.NoError(t, err)
	require.NoError(t, file.Close())
	b.write("third.md", "# Third")
	var stdout bytes.Buffer
	again := b.begin(&stdout, append(command, "--json")...)
	b.eventually(func() bool {
		lines := b.lines()
		return lines["slow.md"].Status != "" && lines["third.md"].Status != ""
	}, "what came while nothing ran is taken")
	data, err := os.ReadFile(filepath.Join(b.out, "slow.html"))
	require.NoError(t, err)
	assert.Contains(t, string(data), "THE END")
	assert.Len(t, b.lines(), 4)

	id := "watch-in"
	code, _, stderr := b.run("runs", "cancel", id)
	require.Equal(t, 0, code, stderr)
	require.NoError(t, again.Wait(), "that is how a watch ends")
	assert.Contains(t, stdout.String(), `"status":"cancelled","waves":`)
	code, out, stderr := b.run("runs", "verify", id)
	assert.Equal(t, 0, code, "%s%s", out, stderr)
	jobs, err := b.open("").apiClient(t).Convert.List(t.Context(), client.ListParams{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, 4, jobs.Total, "one job a file")
}

// A schedule is made, runs at once, does nothing twice, and is removed.
func TestAScheduledBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.documents(3)
	s := b.open("")
	command := []string{"batch", b.in, "--to", "html", "-o", b.out, "--every", "1h", "--name", "hourly"}
	code, stdout, stderr := b.run(command...)
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, "hourly\n", stdout)
	runs := func() string {
		code, stdout, stderr := b.run("schedules", "show", "hourly", "--json")
		require.Equal(t, 0, code, stderr)
		return stdout
	}
	b.eventually(func() bool { return strings.Count(runs(), `"status":"completed"`) == 1 }, "the first run")
	assert.Equal(t, 3, b.outputs(".html"))
	assert.Len(t, b.lines(), 3)

	code, _, stderr = b.run(command...)
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stderr, "the schedule hourly is there already: every 1h")
	code, _, stderr = b.run(append(command, "--quality", "high")...)
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "a schedule called hourly is there with other settings")

	code, _, stderr = b.run("schedules", "run", "hourly")
	require.Equal(t, 0, code, stderr)
	b.eventually(func() bool { return strings.Count(runs(), `"status":"completed"`) == 2 }, "the second run")
	for name, line := range b.lines() {
		assert.Equal(t, manifest.StatusCurrent, line.Status, name)
	}
	jobs, err := s.apiClient(t).Convert.List(t.Context(), client.ListParams{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, 3, jobs.Total)

	code, _, stderr = b.run(append(command, "--quality", "high", "--replace")...)
	require.Equal(t, 0, code, stderr)
	code, _, stderr = b.run("schedules", "pause", "hourly", "--note", "lunch")
	require.Equal(t, 0, code, stderr)
	b.eventually(func() bool {
		_, stdout, _ := b.run("schedules", "list")
		return strings.Contains(stdout, "paused")
	}, "lists follow")
	code, _, stderr = b.run("schedules", "delete", "hourly")
	require.Equal(t, 0, code, stderr)
	code, _, stderr = b.run("schedules", "show", "hourly")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "no schedule is called hourly")
}

// watchRecordings are paths through WatchFolder whose histories workflows/testdata keeps.
var watchRecordings = map[string]struct {
	maxEvents int
	pause     bool
}{
	"cancelled":        {},
	"paused":           {pause: true},
	"continued-as-new": {maxEvents: 20},
}

func TestRecordWatchHistories(t *testing.T) {
	for name, r := range watchRecordings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			s := b.open("")
			id := "watch-" + name
			run, err := s.client.ExecuteWorkflow(t.Context(), temporalclient.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue},
				watch.WorkflowType, watch.Input{
					Name: name, MaxEvents: r.maxEvents, Interval: workflows.Duration(100 * time.Millisecond),
					Spec: manifest.Spec{Source: b.in, Output: b.out, To: "html", Settle: 100 * time.Millisecond, Lenient: true, SkipFailed: true},
				})
			require.NoError(t, err)
			first := run.GetRunID()
			for wave := 1; wave <= 3; wave++ {
				b.write(fmt.Sprintf("doc-%d.md", wave), fmt.Sprintf("# Document %d", wave))
				b.eventually(func() bool { return watchStands(t.Context(), s, id).Converted == wave }, "a wave")
				if r.pause && wave == 1 {
					require.NoError(t, s.client.SignalWorkflow(t.Context(), id, "", batch.SignalPause, batch.Steering{By: "test"}))
					b.eventually(func() bool { return watchStands(t.Context(), s, id).State == workflows.StatePaused }, "paused")
					require.NoError(t, s.client.SignalWorkflow(t.Context(), id, "", batch.SignalResume, nil))
				}
			}
			now := watchStands(t.Context(), s, id)
			require.NoError(t, s.client.CancelWorkflow(t.Context(), id, ""))
			last := s.client.GetWorkflow(t.Context(), id, "")
			assert.True(t, temporal.IsCanceledError(last.Get(t.Context(), nil)))
			events := historyOf(t, s, id, first)
			record(t, "watch-folder-"+name, events)
			if r.maxEvents > 0 {
				assert.Greater(t, now.Runs, 1)
				record(t, "watch-folder-"+name+"-then", historyOf(t, s, id, last.GetRunID()))
			} else {
				assert.LessOrEqual(t, len(events.Events), 3*25+15, "events of a wave are few")
			}
		})
	}
}

// watchStands is the zero progress where the watch does not answer.
func watchStands(ctx context.Context, s *stack, id string) (p watch.Progress) {
	if value, err := s.client.QueryWorkflow(ctx, id, "", batch.QueryProgress); err == nil {
		_ = value.Get(&p)
	}
	return p
}
