package kills

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

// Everything is killed in the middle of a batch, again and again; the same command goes on each time. CONVILYN_TEST_KILLS=all
// has more files, and more kills.
func TestABatchSurvivesKillsOfEverything(t *testing.T) {
	files, kills, shard := 60, 2, "15"
	if fixture.All("KILLS") {
		files, kills, shard = 150, 3, "30"
	}
	if os.Getenv("CONVILYN_BATCH_FILES") != "" {
		files, kills = fixture.BatchFiles(t, files), 5
	}
	t.Run("whole", func(t *testing.T) {
		t.Parallel()
		surviveKills(t, files, kills)
	})
	t.Run("split", func(t *testing.T) {
		if !fixture.All("KILLS") {
			testkit.SkipLong(t, "one that is not split is killed")
		}
		t.Parallel()
		surviveKills(t, files, kills, "--shard-files", shard)
	})
}

func surviveKills(t *testing.T, files, kills int, flags ...string) {
	t.Helper()
	b := fixture.New(t)
	for i := range files {
		b.Write(fmt.Sprintf("doc-%04d.md", i), fmt.Sprintf("# Document %d\n\nIts own words: %d.\n", i, i*i))
	}
	command := append([]string{"batch", b.In, "--to", "html", "-o", b.Out, "--concurrency", "20"}, flags...)
	for i := range kills {
		until := (files*i + rand.IntN(files)) / kills
		t.Logf("kill after %d outputs", until)
		cmd := b.Command(command...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		require.NoError(t, cmd.Start())
		require.Eventually(t, func() bool { return b.Outputs(".html") >= until }, testkit.Patience, 10*time.Millisecond, "%s", &stderr)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	code, _, stderr := b.Run(command...)
	require.Equal(t, 0, code, stderr)

	s := b.Open("") // all that follows joins it
	lines := b.Report()
	require.Len(t, lines, files)
	for i, line := range lines {
		require.Equal(t, i, line.Index)
		require.Equal(t, manifest.StatusCompleted, line.Status, "%v", line.Error)
		require.Len(t, line.Outputs, 1)
	}
	assert.Equal(t, files, b.Outputs(".html"))
	assert.Zero(t, b.Outputs(".part"))
	id := strings.Fields(batchID(b))[0]
	if len(flags) > 0 {
		assert.Greater(t, b.RunsOf(id), 3, "it was split")
	}
	code, stdout, stderr := b.Run("runs", "verify", id)
	assert.Equal(t, 0, code, "%s%s", stdout, stderr)

	assert.Equal(t, files, s.Jobs(), "one job a file")

	code, _, stderr = b.Run(command...)
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stderr, "current", "what is current is not done again")
}

func batchID(b *fixture.Workspace) string {
	b.T.Helper()
	var rows []string
	b.Eventually(func() bool {
		code, stdout, stderr := b.Run("runs", "list", "--lane", "batch")
		require.Equal(b.T, 0, code, stderr)
		rows = strings.Split(strings.TrimSpace(stdout), "\n")
		return len(rows) == 2
	}, "lists follow")
	return rows[1]
}
