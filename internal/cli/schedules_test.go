package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// fakeSchedules is a Temporal with schedules in it. Each run that is begun has completed.
type fakeSchedules struct {
	temporalclient.Client
	all       map[string]*temporalclient.ScheduleDescription
	created   temporalclient.ScheduleOptions // the last
	triggered []enums.ScheduleOverlapPolicy
}

func newFakeSchedules() *fakeSchedules {
	return &fakeSchedules{all: map[string]*temporalclient.ScheduleDescription{}}
}

func (f *fakeSchedules) ScheduleClient() temporalclient.ScheduleClient { return f }

// stored is an action as Temporal gives it back.
func stored(action *temporalclient.ScheduleWorkflowAction) *temporalclient.ScheduleWorkflowAction {
	payload, err := converter.GetDefaultDataConverter().ToPayload(action.Args[0])
	if err != nil {
		panic(err)
	}
	out := *action
	out.Args = []any{payload}
	return &out
}

func (f *fakeSchedules) Create(_ context.Context, o temporalclient.ScheduleOptions) (temporalclient.ScheduleHandle, error) {
	f.created = o
	next := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	f.all[o.ID] = &temporalclient.ScheduleDescription{
		Schedule: temporalclient.Schedule{Action: stored(o.Action.(*temporalclient.ScheduleWorkflowAction)), Spec: &o.Spec, State: &temporalclient.ScheduleState{}},
		Info: temporalclient.ScheduleInfo{NextActionTimes: []time.Time{next, next.Add(time.Hour)}, NumActionsSkippedOverlap: 2, RecentActions: []temporalclient.ScheduleActionResult{
			{ActualTime: next.Add(-time.Hour), StartWorkflowResult: &temporalclient.ScheduleWorkflowExecution{WorkflowID: "scheduled-1"}},
		}},
	}
	return f.GetHandle(context.Background(), o.ID), nil
}

func (f *fakeSchedules) GetHandle(_ context.Context, id string) temporalclient.ScheduleHandle {
	return &fakeHandle{f: f, id: id}
}

func (f *fakeSchedules) List(context.Context, temporalclient.ScheduleListOptions) (temporalclient.ScheduleListIterator, error) {
	entries := []*temporalclient.ScheduleListEntry{{ID: "somebody-elses"}, {ID: schedulePrefix + "just-deleted"}}
	for id := range f.all {
		entries = append(entries, &temporalclient.ScheduleListEntry{ID: id})
	}
	return &fakeEntries{entries}, nil
}

func (f *fakeSchedules) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflow.WorkflowExecutionInfo{
		Execution: &common.WorkflowExecution{WorkflowId: id, RunId: "r"}, Type: &common.WorkflowType{Name: batch.WorkflowType},
		Status: enums.WORKFLOW_EXECUTION_STATUS_COMPLETED,
	}}, nil
}

type fakeEntries struct {
	left []*temporalclient.ScheduleListEntry
}

func (e *fakeEntries) HasNext() bool { return len(e.left) > 0 }

func (e *fakeEntries) Next() (*temporalclient.ScheduleListEntry, error) {
	entry := e.left[0]
	e.left = e.left[1:]
	return entry, nil
}

type fakeHandle struct {
	temporalclient.ScheduleHandle
	f  *fakeSchedules
	id string
}

func (h *fakeHandle) Describe(context.Context) (*temporalclient.ScheduleDescription, error) {
	if h.f.all[h.id] == nil {
		return nil, serviceerror.NewNotFound("none")
	}
	return h.f.all[h.id], nil
}

func (h *fakeHandle) Update(_ context.Context, o temporalclient.ScheduleUpdateOptions) error {
	known := h.f.all[h.id]
	update, err := o.DoUpdate(temporalclient.ScheduleUpdateInput{Description: *known})
	if err != nil {
		return err
	}
	known.Schedule = *update.Schedule
	known.Schedule.Action = stored(update.Schedule.Action.(*temporalclient.ScheduleWorkflowAction))
	return nil
}

func (h *fakeHandle) Trigger(_ context.Context, o temporalclient.ScheduleTriggerOptions) error {
	h.f.triggered = append(h.f.triggered, o.Overlap)
	return nil
}

func (h *fakeHandle) Pause(_ context.Context, o temporalclient.SchedulePauseOptions) error {
	h.f.all[h.id].Schedule.State = &temporalclient.ScheduleState{Paused: true, Note: o.Note}
	return nil
}

func (h *fakeHandle) Unpause(context.Context, temporalclient.ScheduleUnpauseOptions) error {
	h.f.all[h.id].Schedule.State = &temporalclient.ScheduleState{}
	return nil
}

func (h *fakeHandle) Delete(context.Context) error {
	delete(h.f.all, h.id)
	return nil
}

func (f *fakeSchedules) command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := Env{Program: "starter", Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }}
	env.Open = func(context.Context) (*Session, error) {
		require.NotNil(t, f, "nothing may be opened")
		return &Session{Temporal: f, Stays: true, Close: func() {}}, nil
	}
	code = Run(t.Context(), env, args)
	return code, out.String(), errs.String()
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
		var none *fakeSchedules
		code, stdout, stderr := none.command(t, append([]string{"batch"}, args...)...)
		assert.Equal(t, ExitUsage, code, says)
		assert.Contains(t, stderr, says)
		assert.Empty(t, stdout, says)
	}
	for _, verb := range []string{"show", "pause", "resume", "run", "delete"} {
		var none *fakeSchedules
		code, _, stderr := none.command(t, "schedules", verb)
		assert.Equal(t, ExitUsage, code)
		assert.Contains(t, stderr, "name one schedule; 'starter schedules list' lists them, then 'starter schedules "+verb+" NAME'")
		code, _, stderr = newFakeSchedules().command(t, "schedules", verb, "none")
		assert.Equal(t, ExitUsage, code)
		assert.Contains(t, stderr, "no schedule is called none; see 'schedules list'")
	}
}

func TestASchedule(t *testing.T) {
	dir := folder(t, "docs/a.md")
	f := newFakeSchedules()
	args := []string{"batch", "docs", "--to", "pdf", "-o", "out", "--every", "90m"}
	code, stdout, stderr := f.command(t, args...)
	require.Equal(t, ExitOK, code, stderr)
	assert.Equal(t, "docs-to-pdf\n", stdout)
	assert.Contains(t, stderr, "the schedule docs-to-pdf is made: every 1h30m, and once now\n")
	assert.Equal(t, "convilyn-docs-to-pdf", f.created.ID)
	assert.True(t, f.created.TriggerImmediately)
	assert.False(t, f.created.PauseOnFailure)
	assert.Equal(t, enums.SCHEDULE_OVERLAP_POLICY_SKIP, f.created.Overlap)
	assert.Equal(t, 90*time.Minute, f.created.CatchupWindow, "what was missed is made up for once")
	action := f.created.Action.(*temporalclient.ScheduleWorkflowAction)
	assert.Equal(t, []any{"scheduled-docs-to-pdf", batch.WorkflowType, workflows.TaskQueue}, []any{action.ID, action.Workflow, action.TaskQueue})
	input := action.Args[0].(batch.Input)
	assert.Nil(t, input.Plan, "each run plans by itself")
	assert.True(t, input.Spec.Lenient)
	assert.False(t, input.Spec.SkipFailed)
	assert.Equal(t, []string{dir + "/docs", dir + "/out"}, []string{input.Spec.Source, input.Spec.Output}, "absolute")
	lane, _ := action.TypedSearchAttributes.GetKeyword(workflows.KeyLane)
	assert.Equal(t, workflows.LaneBatch, lane)

	code, _, stderr = f.command(t, args...)
	assert.Equal(t, ExitOK, code)
	assert.Contains(t, stderr, "the schedule docs-to-pdf is there already: every 1h30m\n")
	other := append(args[:len(args):len(args)], "--quality", "high")
	code, _, stderr = f.command(t, other...)
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "a schedule called docs-to-pdf is there with other settings: docs → out, every 1h30m; --replace puts this one in its place")
	code, stdout, stderr = f.command(t, append(other, "--replace", "--json")...)
	require.Equal(t, ExitOK, code, stderr)
	assert.Contains(t, stdout, `"name":"docs-to-pdf","every":"1h30m"`)
	assert.Equal(t, []enums.ScheduleOverlapPolicy{enums.SCHEDULE_OVERLAP_POLICY_SKIP}, f.triggered)
	code, _, stderr = f.command(t, other...)
	assert.Equal(t, ExitOK, code)
	assert.Contains(t, stderr, "is there already", "the other one is in its place")
}

func TestSchedulesAreSteered(t *testing.T) {
	folder(t, "docs/a.md")
	f := newFakeSchedules()
	code, _, stderr := f.command(t, "batch", "docs", "--to", "pdf", "-o", "out", "--every", "1h")
	require.Equal(t, ExitOK, code, stderr)
	_, stdout, _ := f.command(t, "schedules", "list", "--json")
	var row scheduleRow
	require.NoError(t, json.Unmarshal([]byte(stdout), &row), "ours alone: %s", stdout)
	assert.Equal(t, "docs-to-pdf", row.Name)
	assert.Equal(t, "scheduled-1", row.LastRun)
	_, stdout, _ = f.command(t, "schedules", "show", "docs-to-pdf")
	assert.Regexp(t, `every +1h\n`, stdout)
	assert.Regexp(t, `(?s)next +.*next .*run +\S+ \S+  completed  scheduled-1\n`, stdout)
	assert.Contains(t, stdout, "skipped  2 times, because the run before went on")

	code, _, stderr = f.command(t, "schedules", "pause", "docs-to-pdf", "--note", "lunch")
	require.Equal(t, ExitOK, code, stderr)
	_, stdout, _ = f.command(t, "schedules", "show", "docs-to-pdf")
	assert.Regexp(t, `paused +paused by cli:.*: lunch; go on with 'starter schedules resume docs-to-pdf'\n`, stdout)
	assert.NotContains(t, stdout, "next ")
	_, stdout, _ = f.command(t, "schedules", "list")
	assert.Regexp(t, `docs-to-pdf +1h .* paused `, stdout)
	code, _, stderr = f.command(t, "batch", "docs", "--to", "pdf", "-o", "out", "--every", "2h", "--replace")
	require.Equal(t, ExitOK, code, stderr)
	assert.Contains(t, stderr, "every 2h; it is paused")
	assert.Empty(t, f.triggered, "a paused one stays so")

	code, stdout, _ = f.command(t, "schedules", "resume", "docs-to-pdf", "--json")
	assert.Equal(t, ExitOK, code)
	assert.JSONEq(t, `{"done":"resume","name":"docs-to-pdf"}`, stdout)
	code, _, _ = f.command(t, "schedules", "run", "docs-to-pdf")
	assert.Equal(t, ExitOK, code)
	assert.Len(t, f.triggered, 1)
	code, _, stderr = f.command(t, "schedules", "delete", "docs-to-pdf")
	assert.Equal(t, ExitOK, code)
	assert.Equal(t, "docs-to-pdf is removed\n", stderr)
	_, _, stderr = f.command(t, "schedules", "list")
	assert.Contains(t, stderr, "no schedules; 'batch SOURCE --to FORMAT -o DIR --every 1h' makes one")
}
