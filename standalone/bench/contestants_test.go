package bench

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func bareRun(t *testing.T, files int) (*measurement, task) {
	t.Helper()
	service := testkit.StartService(t)
	dir := t.TempDir()
	m := &measurement{
		Config: Config{Dir: dir, Concurrency: 3, Poll: 200 * time.Millisecond, Service: func() (ServiceUse, error) { return ServiceUse{}, nil }},
		kind:   kindNamed(t, "free"), api: service.Client,
	}
	all := inputs{filepath.Join(dir, "in"), files}
	_, err := m.kind.write(all)
	require.NoError(t, err)
	out := filepath.Join(dir, "out")
	require.NoError(t, os.Mkdir(out, 0o700))
	return m, task{inputs: all, out: out}
}

func TestTheBareClientConvertsEveryFile(t *testing.T) {
	m, work := bareRun(t, 7)
	missing, err := m.missing(t.Context())
	require.NoError(t, err)
	assert.Empty(t, missing)
	got, err := m.take(t.Context(), contestant{nameBare, m.bare}, work.inputs)
	require.NoError(t, err)
	assert.Positive(t, got.FilesPerSecond)
	assert.Zero(t, got.Events)
}

func TestAFileThatCannotBeConvertedIsNamed(t *testing.T) {
	m, work := bareRun(t, 7)
	require.NoError(t, os.Remove(filepath.Join(work.folder, fileName(4, "md"))))
	_, err := m.bare(t.Context(), work)
	assert.ErrorContains(t, err, "file-000004.md: open the file to upload")
}

func TestAContestantThatLeavesFilesOutIsFound(t *testing.T) {
	m, work := bareRun(t, 3)
	lazy := contestant{"lazy", func(ctx context.Context, t task) (*execution, error) {
		t.files = 2
		return m.bare(ctx, t)
	}}
	_, err := m.take(t.Context(), lazy, work.inputs)
	assert.ErrorContains(t, err, "lazy made 2 outputs of 3 files")
}

func TestAPairThatTheServiceLacksIsSkipped(t *testing.T) {
	m, _ := bareRun(t, 1)
	m.kind = kindNamed(t, "costly") // the test's service has text alone
	result, err := m.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "the service does not convert jpg to webp", result.Skipped)
	assert.Empty(t, result.Contestants)
}

func TestContestantsTakeTurnsAtBeingFirst(t *testing.T) {
	assert.Equal(t, [][]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 0}, {0, 1, 2}}, [][]int{order(0, 3), order(1, 3), order(2, 3), order(3, 3)})
	assert.Equal(t, [][]int{{0, 1}, {1, 0}, {0, 1}}, [][]int{order(0, 2), order(1, 2), order(2, 2)})
}
