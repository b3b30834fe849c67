package commands

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/standalone/bench"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

// Whoever does not convert every file fails the command. CONVILYN_TEST_BENCH=all has two kinds of work, one of which stands for
// both: each contestant brings a stack up.
func TestBenchMeasuresEveryContestant(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	profiles, dir := t.TempDir(), t.TempDir()
	const files = 20
	contestants := map[string][]string{"orchestration": {"child per file", "child, defaults", "ConvertBatch"}}
	only := "orchestration"
	if fixture.All("BENCH") {
		contestants["free"], only = []string{"bare client", "child per file", "ConvertBatch"}, "free,orchestration"
	}
	code, stdout, stderr := b.Run("bench", "--files", "20", "--concurrency", "10", "--rounds", "1", "--only", only,
		"--dir", dir, "--profiles", profiles, "--json")
	require.Equal(t, 0, code, stderr)
	decoder := json.NewDecoder(strings.NewReader(stdout))
	decoder.DisallowUnknownFields()
	var report bench.Report
	require.NoError(t, decoder.Decode(&report), stdout)
	require.Len(t, report.Kinds, len(contestants))
	for _, k := range report.Kinds {
		assert.Equal(t, contestants[k.Name], names(k))
		assert.Equal(t, files, k.Files)
		assert.Equal(t, 10, k.Concurrency)
		calls := k.Name == "free"
		for _, c := range k.Contestants {
			name := k.Name + ": " + c.Name
			require.Len(t, c.Turns, 1, name)
			assert.Equal(t, c.Turns[0], c.Median, name)
			assert.Positive(t, c.Median.FilesPerSecond, name)
			assert.Positive(t, c.Median.CPU, name)
			assert.Equal(t, calls, c.Median.Requests >= 3, "%s: presign, confirm and create, whose reply is held, at least: %g", name, c.Median.Requests)
			switch {
			case c.Name == "bare client":
				assert.Zero(t, c.Median.Events, name)
			case strings.HasPrefix(c.Name, "child"):
				assert.InDelta(t, 4, c.Median.Activities, 0, name)
				assert.Greater(t, c.Median.Events, 20.0, name)
			case calls: // planning, reading and reporting are four activities, whatever the number of files
				assert.LessOrEqual(t, c.Median.Activities, 4+4.0/files, name)
			default:
				assert.LessOrEqual(t, c.Median.Activities, 4.0, name)
				assert.LessOrEqual(t, c.Median.Events, 18.0, name)
				assert.Positive(t, c.Median.HistoryBytes, name)
			}
		}
	}
	assert.FileExists(t, filepath.Join(profiles, "orchestration-ConvertBatch.pprof"))
	assertEmpty(t, dir)
}

func names(k bench.KindReport) (all []string) {
	for _, c := range k.Contestants {
		all = append(all, c.Name)
	}
	return all
}

func assertEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestBenchLeavesNothingWhenItIsInterrupted(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	dir := t.TempDir()
	cmd := b.Command("bench", "--only", "free", "--dir", dir)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var said []string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "warming up: child per file") {
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		}
	}
	_ = cmd.Wait()
	assert.Equal(t, 130, cmd.ProcessState.ExitCode(), "%q", said)
	assert.Equal(t, "standalone: interrupted", said[len(said)-1])
	assertEmpty(t, dir)
}

func TestBenchRefusesWhatItCannotMeasure(t *testing.T) {
	t.Parallel()
	code, _, stderr := fixture.New(t).Run("bench", "--files", "0", "--concurrency", "501", "--rounds", "-1", "--only", "free,dear", "--profiles", "/nowhere")
	assert.Equal(t, 1, code)
	assert.Equal(t, `standalone: --files 0 is not a number from 1 to 100000
--concurrency 501 is not a number from 1 to 500
--rounds -1 is not a number from 1 to 100
--only "dear" is none of free, costly, orchestration
--profiles /nowhere is not a folder; create it
`, stderr)
	code, _, stderr = fixture.New(t).Run("bench", "--dir", "/nowhere")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "choose another place with --dir")
	code, _, stderr = fixture.New(t).Run("bench", "--faults", "faults.yaml")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "leave --faults out")
}
