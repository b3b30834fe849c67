package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
)

func TestRunsDelete(t *testing.T) {
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	day := 24 * time.Hour
	newTemporal := func() *runstest.Temporal {
		f := runstest.New()
		f.Add(
			(&runstest.Run{Kind: runs.Conversion, ID: "old", RunID: "1", File: "a.md", ClosedAt: ago(30 * day), Bytes: 1000}).End(nil),
			(&runstest.Run{Kind: runs.Conversion, ID: "old", RunID: "2", File: "a.md", ClosedAt: ago(20 * day), Bytes: 500}).End(nil),
			(&runstest.Run{Kind: runs.Batch, ID: "some-failed", File: "b.md", ClosedAt: ago(9 * day), Batch: batch.Memo{Failed: 1}, Bytes: 7000}).End(nil),
			(&runstest.Run{Kind: runs.Conversion, ID: "fresh", ClosedAt: ago(time.Hour), Bytes: 10}).End(nil),
			&runstest.Run{Kind: runs.Conversion, ID: "open", Bytes: 20},
		)
		return f
	}
	for name, c := range map[string]struct {
		args []string
		said string // last line
		left []string
	}{
		"one, with what was before it": {[]string{"old"}, "deleted: 1 run, 1.5 kB", []string{"some-failed", "fresh", "open"}},
		"dry run":                      {[]string{"old", "fresh", "--dry-run"}, "would be deleted: 2 runs, 1.5 kB", []string{"old", "some-failed", "fresh", "open"}},
		"by age":                       {[]string{"--older-than", "1w", "--yes"}, "deleted: 2 runs, 8.5 kB", []string{"fresh", "open"}},
		"by age and state":             {[]string{"--older-than", "1w", "--state", "partial", "--yes"}, "deleted: 1 run, 7.0 kB", []string{"old", "fresh", "open"}},
		"nothing so old":               {[]string{"--older-than", "90d"}, "no runs to delete", []string{"old", "some-failed", "fresh", "open"}},
		"one that is open":             {[]string{"open"}, "open: the run has not ended; cancel it first", []string{"old", "some-failed", "fresh", "open"}},
		"many, and nobody was asked":   {[]string{"--older-than", "1w"}, "add --yes, or look with --dry-run", []string{"old", "some-failed", "fresh", "open"}},
		"neither":                      {nil, "name a run, or an age", []string{"old", "some-failed", "fresh", "open"}},
		"both":                         {[]string{"old", "--older-than", "1w"}, "are for runs that are not named", []string{"old", "some-failed", "fresh", "open"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newTemporal()

			_, _, stderr := command(t.Context(), t, f, Env{}, "", append([]string{"runs", "delete"}, c.args...)...)

			assert.Contains(t, stderr, c.said)
			for _, id := range []string{"old", "some-failed", "fresh", "open"} {
				t.Run(id, func(t *testing.T) {
					assert.Equal(t, strings.Contains(strings.Join(c.left, " "), id), f.Run(id) != nil, id)
				})
			}
		})
	}
}

func TestGC_RemovesWhatEndedRunsHaveLeft(t *testing.T) {
	dir := folder(t, "out/.convilyn/docs/1/plan.jsonl", "out/.convilyn/docs/2/plan.jsonl", "spool/abc/stdin.md", "spool/def/stdin.md", "out/a.pdf", "out/docs.report.jsonl")
	old := time.Now().Add(-30 * 24 * time.Hour)
	ended := filepath.Join(dir, "out/.convilyn/docs/1/ended")
	require.NoError(t, os.WriteFile(ended, nil, 0o600))
	for _, path := range []string{ended, filepath.Join(dir, "spool/abc")} {
		t.Run(path, func(t *testing.T) {
			require.NoError(t, os.Chtimes(path, old, old))
		})
	}
	f := runstest.New()
	f.Add((&runstest.Run{Kind: runs.Batch, ID: "docs", Batch: batch.Memo{Name: "docs", Output: filepath.Join(dir, "out")}}).End(nil))
	env := Env{Spool: func() (string, error) { return filepath.Join(dir, "spool"), nil }}
	all := []string{"out/.convilyn/docs/1/plan.jsonl", "out/.convilyn/docs/2/plan.jsonl", "spool/abc/stdin.md", "spool/def/stdin.md", "out/a.pdf", "out/docs.report.jsonl"}

	code, stdout, stderr := command(t.Context(), t, f, env, "", "gc", "--dry-run")
	require.Equal(t, ExitOK, code, stderr)
	assert.Contains(t, stdout, "plan   42 B  out/.convilyn/docs/1\n")
	assert.Contains(t, stdout, "stdin  29 B  spool/abc\n")
	assert.Equal(t, "would be freed: 71 B\n", stderr)
	for _, path := range all {
		assert.FileExists(t, path)
	}

	code, _, stderr = command(t.Context(), t, f, env, "", "gc")
	require.Equal(t, ExitOK, code, stderr)
	assert.Equal(t, "freed: 71 B\n", stderr)
	for _, path := range all {
		t.Run(path, func(t *testing.T) {
			gone := path == all[0] || path == all[2]
			_, err := os.Stat(path)
			assert.Equal(t, gone, err != nil, path)
		})
	}

	_, _, stderr = command(t.Context(), t, f, env, "", "gc")
	assert.Equal(t, "nothing to remove\n", stderr)
}

// Outputs that waited for a word on a loss when their run was terminated are its own, by their names; others' stay.
func TestPartsOfTerminatedRuns(t *testing.T) {
	const id, other = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
	held, differences := "out/.convilyn-"+id+"-0.part", "out/.convilyn-"+id+"-differences.part"
	deep := "out/sub/.convilyn-" + id + "-0.part"
	stay := []string{deep, "out/.convilyn-" + other + "-0.part", "out/a.pdf"}
	start := func(t *testing.T) (string, *runstest.Temporal) {
		t.Helper()
		dir := folder(t, append([]string{held, differences, "spool/x"}, stay...)...)
		f := runstest.New()
		input := convert.Input{Source: "file://" + dir + "/a.md", To: activities.Destination{Folder: "file://" + filepath.Join(dir, "out"), Stem: "a", Format: "pdf"}}
		f.Add(
			(&runstest.Run{Kind: runs.Conversion, ID: "lost", RunID: id, Input: input, ClosedAt: time.Now()}).Terminated(),
			&runstest.Run{Kind: runs.Conversion, ID: "open", RunID: other, Input: input},
		)
		return dir, f
	}
	check := func(t *testing.T, dir string, removed bool) {
		t.Helper()
		for _, path := range []string{held, differences} {
			_, err := os.Stat(filepath.Join(dir, path))
			assert.Equal(t, removed, err != nil, path)
		}
		for _, path := range stay {
			assert.FileExists(t, filepath.Join(dir, path))
		}
	}

	t.Run("gc", func(t *testing.T) {
		dir, f := start(t)
		env := Env{Spool: func() (string, error) { return filepath.Join(dir, "none"), nil }}
		code, stdout, stderr := command(t.Context(), t, f, env, "", "gc", "--dry-run")
		require.Equal(t, ExitOK, code, stderr)
		assert.Equal(t, 2, strings.Count(stdout, "part "), stdout)
		check(t, dir, false)
		code, _, stderr = command(t.Context(), t, f, env, "", "gc")
		require.Equal(t, ExitOK, code, stderr)
		check(t, dir, true)
	})
	t.Run("runs delete", func(t *testing.T) {
		dir, f := start(t)
		code, _, stderr := command(t.Context(), t, f, Env{}, "", "runs", "delete", "lost", "--dry-run")
		require.Equal(t, ExitOK, code, stderr)
		check(t, dir, false)
		code, _, stderr = command(t.Context(), t, f, Env{}, "", "runs", "delete", "lost")
		require.Equal(t, ExitOK, code, stderr)
		check(t, dir, true)
	})
}
