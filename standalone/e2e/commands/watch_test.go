package commands

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

// Files come while a folder is watched, one of them slowly; everything is killed and comes back; no file is converted
// twice, none before it is whole.
func TestAWatchedFolder(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	b.Write("first.md", "# First")
	command := []string{"batch", b.In, "--to", "html", "-o", b.Out, "--watch", "--settle", "1s", "--name", "in"}
	first := b.Begin(nil, command...)
	b.Eventually(func() bool { return b.ReportBySource()["first.md"].Status == manifest.StatusCompleted }, "what is there is taken at once")

	// It grows as long as nothing of it may be taken: until another one, which came later, is done.
	file, err := os.Create(filepath.Join(b.In, "slow.md"))
	require.NoError(t, err)
	_, err = file.WriteString("# Slow\n")
	require.NoError(t, err)
	b.Write("second.md", "# Second")
	b.Eventually(func() bool {
		_, err := file.WriteString("more\n")
		return err == nil && b.ReportBySource()["second.md"].Status == manifest.StatusCompleted
	}, "the slow one does not hold up the other")
	assert.NoFileExists(t, filepath.Join(b.Out, "slow.html"))
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()

	_, err = file.WriteString("THE END\n")
	require.NoError(t, err)
	require.NoError(t, file.Close())
	b.Write("third.md", "# Third")
	var stdout bytes.Buffer
	again := b.Begin(&stdout, append(command, "--json")...)
	b.Eventually(func() bool {
		lines := b.ReportBySource()
		return lines["slow.md"].Status != "" && lines["third.md"].Status != ""
	}, "what came while nothing ran is taken")
	data, err := os.ReadFile(filepath.Join(b.Out, "slow.html"))
	require.NoError(t, err)
	assert.Contains(t, string(data), "THE END")
	assert.Len(t, b.ReportBySource(), 4)

	id := "watch-in"
	code, _, stderr := b.Run("runs", "cancel", id)
	require.Equal(t, 0, code, stderr)
	require.NoError(t, again.Wait(), "that is how a watch ends")
	assert.Contains(t, stdout.String(), `"status":"cancelled","waves":`)
	code, out, stderr := b.Run("runs", "verify", id)
	assert.Equal(t, 0, code, "%s%s", out, stderr)
	jobs, err := b.Open("").APIClient().Convert.List(t.Context(), client.ListParams{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, 4, jobs.Total, "one job a file")
}

// A schedule is made, runs at once, does nothing twice, and is removed.
func TestAScheduledBatch(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	b.Documents(3)
	s := b.Open("")
	command := []string{"batch", b.In, "--to", "html", "-o", b.Out, "--every", "1h", "--name", "hourly"}
	code, stdout, stderr := b.Run(command...)
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, "hourly\n", stdout)
	runs := func() string {
		code, stdout, stderr := b.Run("schedules", "show", "hourly", "--json")
		require.Equal(t, 0, code, stderr)
		return stdout
	}
	b.Eventually(func() bool { return strings.Count(runs(), `"status":"completed"`) == 1 }, "the first run")
	assert.Equal(t, 3, b.Outputs(".html"))
	assert.Len(t, b.ReportBySource(), 3)

	code, _, stderr = b.Run(command...)
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stderr, "the schedule hourly is there already: every 1h")
	code, _, stderr = b.Run(append(command, "--quality", "high")...)
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "schedule hourly already exists with other settings")

	code, _, stderr = b.Run("schedules", "run", "hourly")
	require.Equal(t, 0, code, stderr)
	b.Eventually(func() bool { return strings.Count(runs(), `"status":"completed"`) == 2 }, "the second run")
	for name, line := range b.ReportBySource() {
		assert.Equal(t, manifest.StatusCurrent, line.Status, name)
	}
	jobs, err := s.APIClient().Convert.List(t.Context(), client.ListParams{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, 3, jobs.Total)

	code, _, stderr = b.Run(append(command, "--quality", "high", "--replace")...)
	require.Equal(t, 0, code, stderr)
	code, _, stderr = b.Run("schedules", "pause", "hourly", "--note", "lunch")
	require.Equal(t, 0, code, stderr)
	b.Eventually(func() bool {
		_, stdout, _ := b.Run("schedules", "list")
		return strings.Contains(stdout, "paused")
	}, "lists follow")
	code, _, stderr = b.Run("schedules", "delete", "hourly")
	require.Equal(t, 0, code, stderr)
	code, _, stderr = b.Run("schedules", "show", "hourly")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "no schedule is called hourly")
}
