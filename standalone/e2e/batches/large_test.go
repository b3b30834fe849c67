package batches

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

// A manifest far larger than what is waited for: begun, and cancelled in its shards. Its report tells every line.
func TestALargeManifestIsCancelled(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	files, begun := fixture.BatchFiles(t, 8_000), 100
	var list strings.Builder
	list.WriteString("source,dest\n")
	for i := range 100 {
		b.Write(fmt.Sprintf("doc-%02d.md", i), fmt.Sprintf("# Document %d", i))
	}
	for i := range files {
		fmt.Fprintf(&list, "doc-%02d.md,%03d/%06d\n", i%100, i/1000, i)
	}
	up, _ := b.Up()
	code, stdout, stderr := b.Run("batch", b.Write("list.csv", list.String()), "--to", "html", "-o", b.Out, "--shard-files", "1600", "--detach")
	require.Equal(t, 0, code, stderr)
	id := strings.TrimSpace(stdout)
	require.Eventually(t, func() bool { return b.Outputs(".html") >= begun }, testkit.Patience, 20*time.Millisecond)
	code, _, stderr = b.Run("runs", "cancel", id)
	require.Equal(t, 0, code, stderr)
	code, stdout, stderr = b.Run("runs", "watch", id)
	assert.Equal(t, 3, code, stderr)
	assert.Contains(t, stderr, "cancelled: ")
	assert.Contains(t, stdout, ".report.jsonl")

	counts := map[manifest.Status]int{}
	for i, line := range b.Report() {
		require.Equal(t, i, line.Index)
		counts[line.Status]++
	}
	t.Logf("%v", counts)
	assert.Equal(t, files, counts[manifest.StatusCompleted]+counts[manifest.StatusCancelled]+counts[manifest.StatusNotStarted])
	assert.GreaterOrEqual(t, counts[manifest.StatusCompleted], begun)
	assert.Equal(t, b.Outputs(".html"), counts[manifest.StatusCompleted], "nothing is there that no line tells")
	parts, err := filepath.Glob(filepath.Join(b.Out, "*", "*.part*"))
	require.NoError(t, err)
	assert.Empty(t, parts)
	code, stdout, stderr = b.Run("runs", "verify", id)
	assert.Equal(t, 0, code, "%s%s", stdout, stderr)
	assert.Greater(t, b.RunsOf(id), 3, "it was split")
	require.NoError(t, up.Process.Kill())
	_ = up.Wait()
	assert.LessOrEqual(t, b.Jobs(), counts[manifest.StatusCompleted]+counts[manifest.StatusCancelled])
}
