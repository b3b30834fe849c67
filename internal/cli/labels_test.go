package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
)

func TestLabels_AreKeptWithEveryKindOfRun(t *testing.T) {
	for name, args := range map[string][]string{
		"convert": {"convert", "docs/a.md", "--to", "pdf", "--detach"},
		"batch":   {"batch", "docs", "--to", "pdf", "-o", "out", "--detach"},
		"watch":   {"batch", "docs", "--to", "pdf", "-o", "out", "--watch", "--detach"},
		"goal":    {"goal", "start", "goal_lane.binder", "docs/a.md", "--detach"},
	} {
		t.Run(name, func(t *testing.T) {
			folder(t, "docs/a.md")
			f := runstest.New()
			code, _, stderr := command(t.Context(), t, f, Env{}, "", append(args, "--label", "team=legal", "--label", "urgent, really")...)
			require.Equal(t, ExitOK, code, stderr)
			require.Len(t, f.Starts(), 1)
			assert.Equal(t, []string{"team=legal", "urgent, really"}, f.Starts()[0].Memo[runs.MemoLabels])
			if input, ok := f.Run(f.Starts()[0].ID).Input.(goal.Input); ok {
				assert.Equal(t, map[string]string{"team": "legal"}, input.Labels, "a goal is still given its pairs")
			}
		})
	}
}

func TestLabels_AreKeptWithASchedule(t *testing.T) {
	folder(t, "docs/a.md")
	f := newScheduled()
	code, _, stderr := scheduled(t, f, "batch", "docs", "--to", "pdf", "-o", "out", "--every", "1h", "--label", "nightly")
	require.Equal(t, ExitOK, code, stderr)
	data, err := json.Marshal(f.Schedules().Created.Action)
	require.NoError(t, err)
	assert.Contains(t, string(data), `"labels":["nightly"]`)
}

func TestLabels_ThatAreRefused(t *testing.T) {
	folder(t, "docs/a.md")
	for name, label := range map[string]string{"empty": "", "two lines": "a\nb", "long": strings.Repeat("x", 101), "escape": "\x1b[2J"} {
		for _, args := range [][]string{
			{"convert", "docs/a.md", "--to", "pdf"}, {"batch", "docs", "--to", "pdf", "-o", "out"}, {"goal", "start", "goal_lane.binder", "docs/a.md"},
		} {
			t.Run(name+" "+args[0], func(t *testing.T) {
				code, _, stderr := command(t.Context(), t, nil, Env{}, "", append(args, "--label", label)...)
				assert.Equal(t, ExitUsage, code)
				assert.Contains(t, stderr, "must be one line of 1 to 100 bytes")
				assert.NotContains(t, stderr, "\x1b")
			})
		}
	}
}

func TestLabels_InListsAndDetails(t *testing.T) {
	f := runstest.New()
	f.Add(
		&runstest.Run{Kind: runs.Conversion, ID: "plain", File: "a.md", Format: "pdf"},
		&runstest.Run{Kind: runs.Batch, ID: "labelled", Batch: batch.Memo{Name: "docs", To: "pdf"}, Labels: []string{"team=legal", "urgent"}},
	)
	_, stdout, _ := command(t.Context(), t, f, Env{}, "", "runs", "list")
	assert.Regexp(t, `LABELS\nlabelled .* team=legal, urgent\nplain .* -\n`, stdout)
	_, stdout, _ = command(t.Context(), t, f, Env{}, "", "runs", "list", "--label", "urgent", "--label", "team=legal", "--json")
	assert.Equal(t, 1, strings.Count(stdout, "\n"))
	assert.Contains(t, stdout, `"labels":["team=legal","urgent"]`)
	_, stdout, stderr := command(t.Context(), t, f, Env{}, "", "runs", "list", "--label", "urgent", "--label", "other")
	assert.Empty(t, stdout)
	assert.Equal(t, "no runs\n", stderr)
	_, stdout, _ = command(t.Context(), t, f, Env{}, "", "runs", "show", "labelled")
	assert.Contains(t, stdout, "labels   team=legal, urgent\n")
	_, stdout, _ = command(t.Context(), t, f, Env{}, "", "runs", "show", "plain", "--json")
	assert.NotContains(t, stdout, "labels")
}

// A batch that is tried again after its end is the same work, under the same labels.
func TestLabels_OutliveARetry(t *testing.T) {
	dir := folder(t, "docs/a.md")
	f := runstest.New()
	code, _, stderr := command(t.Context(), t, f, Env{}, "", "batch", "docs", "--to", "pdf", "-o", "out", "--detach", "--label", "urgent")
	require.Equal(t, ExitOK, code, stderr)
	id := f.Starts()[0].ID
	report := dir + "/out/docs-to-pdf.report.jsonl"
	writeReport(t, report)
	f.Run(id).End(batch.Result{Status: batch.ResultFailures, Summary: summaryOf(report)})
	code, _, stderr = command(t.Context(), t, f, Env{}, "", "runs", "retry", id)
	require.Equal(t, ExitOK, code, stderr)
	require.Len(t, f.Starts(), 2)
	assert.Equal(t, []string{"urgent"}, f.Starts()[1].Memo[runs.MemoLabels])
}

func writeReport(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(reportText), 0o600))
}

func summaryOf(report string) manifest.Summary {
	return manifest.Summary{Report: report, Files: 3, Failed: 2}
}
