package cli

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

func newScheduled() *runstest.Temporal {
	f := runstest.New()
	f.Schedules().Foreign = []string{"somebody-elses", "convilyn-just-deleted"}
	f.Add((&runstest.Run{Kind: runs.Batch, ID: f.Schedules().LastRun}).End(nil))
	return f
}

func TestBadRepetitionsAreRefusedBeforeAnything(t *testing.T) {
	folder(t, "docs/a.md", "jobs.csv")
	good := []string{"docs", "--to", "pdf", "-o", "out"}
	for says, args := range map[string][]string{
		"none does not exist":                          {"none", "--to", "pdf", "-o", "out", "--every", "1h"},
		"--every 59s is less than a minute":            append(good, "--every", "59s"),
		"--every -1h is less than a minute":            append(good, "--every", "-1h"),
		"--every 1m0.5s is not in whole seconds":       append(good, "--every", "60.5s"),
		`invalid argument "hourly" for "--every" flag`: append(good, "--every", "hourly"),
		"--watch and --every exclude each other":       append(good, "--every", "1h", "--watch"),
		"--settle is for --watch and --every":          append(good, "--settle", "5s"),
		"--settle 500ms is not from 1s to 1h":          append(good, "--watch", "--settle", "500ms"),
		"--watch is for a folder or a pattern":         {"jobs.csv", "-o", "out", "--watch"},
		"--max-duration is not for --watch":            append(good, "--watch", "--max-duration", "1h"),
		"--replace is for --every":                     append(good, "--watch", "--replace"),
	} {
		t.Run(says, func(t *testing.T) {
			var none *runstest.Temporal
			code, stdout, stderr := scheduled(t, none, append([]string{"batch"}, args...)...)
			assert.Equal(t, ExitUsage, code, says)
			assert.Contains(t, stderr, says)
			assert.Empty(t, stdout, says)
		})
	}
	for _, verb := range []string{"show", "pause", "resume", "run", "delete"} {
		t.Run(verb, func(t *testing.T) {
			var none *runstest.Temporal
			code, _, stderr := scheduled(t, none, "schedules", verb)
			assert.Equal(t, ExitUsage, code)
			assert.Contains(t, stderr, "name one schedule; 'starter schedules list' lists them, then 'starter schedules "+verb+" NAME'")
			code, _, stderr = scheduled(t, newScheduled(), "schedules", verb, "none")
			assert.Equal(t, ExitUsage, code)
			assert.Contains(t, stderr, "no schedule is called none; see 'schedules list'")
		})
	}
}

func TestASchedule(t *testing.T) {
	dir := folder(t, "docs/a.md")
	f := newScheduled()
	args := []string{"batch", "docs", "--to", "pdf", "-o", "out", "--every", "90m"}
	code, stdout, stderr := scheduled(t, f, args...)
	require.Equal(t, ExitOK, code, stderr)
	assert.Equal(t, "docs-to-pdf\n", stdout)
	assert.Contains(t, stderr, "the schedule docs-to-pdf is made: every 1h30m, and once now\n")
	assert.Equal(t, "convilyn-docs-to-pdf", f.Schedules().Created.ID)
	assert.True(t, f.Schedules().Created.TriggerImmediately)
	assert.False(t, f.Schedules().Created.PauseOnFailure)
	assert.Equal(t, enums.SCHEDULE_OVERLAP_POLICY_SKIP, f.Schedules().Created.Overlap)
	assert.Equal(t, 90*time.Minute, f.Schedules().Created.CatchupWindow, "what was missed is made up for once")
	action := f.Schedules().Created.Action.(*temporalclient.ScheduleWorkflowAction)
	assert.Equal(t, []any{"scheduled-docs-to-pdf", batch.WorkflowType, workflows.TaskQueue}, []any{action.ID, action.Workflow, action.TaskQueue})
	input := action.Args[0].(batch.Input)
	assert.Nil(t, input.Plan, "each run plans by itself")
	assert.True(t, input.Spec.Lenient)
	assert.False(t, input.Spec.SkipFailed)
	assert.Equal(t, []string{dir + "/docs", dir + "/out"}, []string{input.Spec.Source, input.Spec.Output}, "absolute")
	lane, _ := action.TypedSearchAttributes.GetKeyword(workflows.KeyLane)
	assert.Equal(t, workflows.LaneBatch, lane)

	code, _, stderr = scheduled(t, f, args...)
	assert.Equal(t, ExitOK, code)
	assert.Contains(t, stderr, "the schedule docs-to-pdf is there already: every 1h30m\n")
	other := append(args[:len(args):len(args)], "--quality", "high")
	code, _, stderr = scheduled(t, f, other...)
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "schedule docs-to-pdf already exists with other settings: docs → out, every 1h30m; use --replace or another --name")
	code, stdout, stderr = scheduled(t, f, append(other, "--replace", "--json")...)
	require.Equal(t, ExitOK, code, stderr)
	assert.Contains(t, stdout, `"name":"docs-to-pdf","every":"1h30m"`)
	assert.Equal(t, []enums.ScheduleOverlapPolicy{enums.SCHEDULE_OVERLAP_POLICY_SKIP}, f.Schedules().Triggered)
	code, _, stderr = scheduled(t, f, other...)
	assert.Equal(t, ExitOK, code)
	assert.Contains(t, stderr, "is there already", "the other one is in its place")
}

func TestSchedulesAreSteered(t *testing.T) {
	folder(t, "docs/a.md")
	f := newScheduled()
	code, _, stderr := scheduled(t, f, "batch", "docs", "--to", "pdf", "-o", "out", "--every", "1h")
	require.Equal(t, ExitOK, code, stderr)
	_, stdout, _ := scheduled(t, f, "schedules", "list", "--json")
	var row scheduleRow
	require.NoError(t, json.Unmarshal([]byte(stdout), &row), "ours alone: %s", stdout)
	assert.Equal(t, "docs-to-pdf", row.Name)
	assert.Equal(t, "scheduled-1", row.LastRun)
	_, stdout, _ = scheduled(t, f, "schedules", "show", "docs-to-pdf")
	assert.Regexp(t, `every +1h\n`, stdout)
	assert.Regexp(t, `(?s)next +.*next .*run +\S+ \S+  completed  scheduled-1\n`, stdout)
	assert.Contains(t, stdout, "skipped  2 times, because the run before went on")

	code, _, stderr = scheduled(t, f, "schedules", "pause", "docs-to-pdf", "--note", "lunch")
	require.Equal(t, ExitOK, code, stderr)
	_, stdout, _ = scheduled(t, f, "schedules", "show", "docs-to-pdf")
	assert.Regexp(t, `paused +paused by cli:.*: lunch; go on with 'starter schedules resume docs-to-pdf'\n`, stdout)
	assert.NotContains(t, stdout, "next ")
	_, stdout, _ = scheduled(t, f, "schedules", "list")
	assert.Regexp(t, `docs-to-pdf +1h .* paused `, stdout)
	code, _, stderr = scheduled(t, f, "batch", "docs", "--to", "pdf", "-o", "out", "--every", "2h", "--replace")
	require.Equal(t, ExitOK, code, stderr)
	assert.Contains(t, stderr, "every 2h; it is paused")
	assert.Empty(t, f.Schedules().Triggered, "a paused one stays so")

	code, stdout, _ = scheduled(t, f, "schedules", "resume", "docs-to-pdf", "--json")
	assert.Equal(t, ExitOK, code)
	assert.JSONEq(t, `{"done":"resume","name":"docs-to-pdf"}`, stdout)
	code, _, _ = scheduled(t, f, "schedules", "run", "docs-to-pdf")
	assert.Equal(t, ExitOK, code)
	assert.Len(t, f.Schedules().Triggered, 1)
	code, _, stderr = scheduled(t, f, "schedules", "delete", "docs-to-pdf")
	assert.Equal(t, ExitOK, code)
	assert.Equal(t, "docs-to-pdf is removed\n", stderr)
	_, _, stderr = scheduled(t, f, "schedules", "list")
	assert.Contains(t, stderr, "no schedules; 'batch SOURCE --to FORMAT -o DIR --every 1h' makes one")
}
