package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// fakeWatch is a Temporal with one watch in it, which goes on until cancelled closes.
type fakeWatch struct {
	temporalclient.Client
	id        string // empty where there is none
	input     watch.Input
	progress  watch.Progress
	cancelled chan struct{}

	mu      sync.Mutex
	signals []string
	options temporalclient.StartWorkflowOptions
	asked   func() // at each query; may be nil
}

func newFakeWatch(id string) *fakeWatch {
	f := &fakeWatch{id: id, cancelled: make(chan struct{})}
	f.input.Name = "docs-to-pdf"
	f.input.Spec = manifest.Spec{Source: "/docs", Output: "/out", To: "pdf"}
	return f
}

func (f *fakeWatch) info() *workflow.WorkflowExecutionInfo {
	payload := func(v any) *common.Payload {
		p, err := converter.GetDefaultDataConverter().ToPayload(v)
		if err != nil {
			panic(err)
		}
		return p
	}
	spec := f.input.Spec
	info := &workflow.WorkflowExecutionInfo{
		Execution: &common.WorkflowExecution{WorkflowId: f.id, RunId: "r"}, Type: &common.WorkflowType{Name: watch.WorkflowType},
		Status: enums.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Memo: &common.Memo{Fields: map[string]*common.Payload{watch.MemoKey: payload(
			watch.Memo{Name: f.input.Name, Source: spec.Source, Output: spec.Output, To: spec.To})}},
		SearchAttributes: &common.SearchAttributes{IndexedFields: map[string]*common.Payload{workflows.SearchAttributeState: payload(workflows.StateWatching)}},
	}
	select {
	case <-f.cancelled:
		info.Status = enums.WORKFLOW_EXECUTION_STATUS_CANCELED
	default:
	}
	return info
}

func (f *fakeWatch) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if id != f.id {
		return nil, serviceerror.NewNotFound("none")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: f.info()}, nil
}

func (f *fakeWatch) ListWorkflow(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	return &workflowservice.ListWorkflowExecutionsResponse{Executions: []*workflow.WorkflowExecutionInfo{f.info()}}, nil
}

func (f *fakeWatch) QueryWorkflow(context.Context, string, string, string, ...any) (converter.EncodedValue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked != nil {
		f.asked()
	}
	return fakeValue{f.progress}, nil
}

func (f *fakeWatch) SignalWorkflow(_ context.Context, _, _, signal string, _ any) error {
	f.signals = append(f.signals, signal)
	return nil
}

func (f *fakeWatch) GetWorkflow(context.Context, string, string) temporalclient.WorkflowRun {
	return fakeWatchRun{watch: f}
}

func (f *fakeWatch) ExecuteWorkflow(_ context.Context, o temporalclient.StartWorkflowOptions, _ any, args ...any) (temporalclient.WorkflowRun, error) {
	f.id, f.options, f.input = o.ID, o, args[0].(watch.Input)
	return fakeWatchRun{watch: f}, nil
}

func (f *fakeWatch) GetWorkflowHistory(context.Context, string, string, bool, enums.HistoryEventFilterType) temporalclient.HistoryEventIterator {
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(f.input)
	if err != nil {
		panic(err)
	}
	return &fakeHistory{start: &history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &history.WorkflowExecutionStartedEventAttributes{Input: payloads},
	}}}
}

type fakeWatchRun struct {
	temporalclient.WorkflowRun
	watch *fakeWatch
}

func (r fakeWatchRun) GetRunID() string { return "r" }

func (r fakeWatchRun) Get(ctx context.Context, _ any) error {
	select {
	case <-r.watch.cancelled:
		p := r.watch.progress
		return &endedWatch{temporal.NewCanceledError(watch.Result{Waves: p.Waves, Converted: p.Converted, Files: p.Files, Failed: p.Failed})}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endedWatch is how the SDK tells of a run that was cancelled.
type endedWatch struct{ cause error }

func (e *endedWatch) Error() string { return e.cause.Error() }
func (e *endedWatch) Unwrap() error { return e.cause }

func (e *endedWatch) As(into any) bool {
	if at, ok := into.(**temporal.WorkflowExecutionError); ok {
		*at = &temporal.WorkflowExecutionError{}
		return true
	}
	return false
}

func (f *fakeWatch) command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := Env{Program: "starter", Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }}
	env.Open = func(context.Context) (*Session, error) {
		return &Session{Temporal: f, Stays: true, Close: func() {}}, nil
	}
	code = Run(t.Context(), env, args)
	return code, out.String(), errs.String()
}

func TestAWatchIsStarted(t *testing.T) {
	dir := folder(t, "docs/a.md")
	f := newFakeWatch("")
	args := []string{"batch", "docs", "--to", "pdf", "-o", "out", "--watch", "--concurrency", "7", "--max-failures", "3"}
	code, stdout, stderr := f.command(t, append(args, "--detach")...)
	require.Equal(t, ExitOK, code, stderr)
	assert.Equal(t, "watch-docs-to-pdf\n", stdout)
	assert.Equal(t, watch.Input{
		Name: "docs-to-pdf", Concurrency: 7, MaxFailures: 3,
		Spec: manifest.Spec{Source: dir + "/docs", Output: dir + "/out", To: "pdf", OnExist: "fail", Settle: 5 * time.Second, Lenient: true, SkipFailed: true},
	}, f.input)
	lane, _ := f.options.TypedSearchAttributes.GetKeyword(workflows.KeyLane)
	assert.Equal(t, workflows.LaneWatch, lane)
	assert.NoDirExists(t, "out", "nothing is planned here")

	code, stdout, stderr = f.command(t, append(args, "--detach", "--json")...)
	require.Equal(t, ExitOK, code, stderr)
	assert.Contains(t, stdout, `"workflow_id":"watch-docs-to-pdf"`)
	assert.Contains(t, stderr, "watch-docs-to-pdf goes on already; this comes back to it")
	code, stdout, stderr = f.command(t, append(args, "--settle", "9s")...)
	assert.Equal(t, ExitUsage, code)
	assert.Equal(t, "starter: a watch of docs is called docs-to-pdf already and has other settings; give this one another --name, or end that one with 'starter runs cancel watch-docs-to-pdf'\n", stderr)
	assert.Empty(t, stdout)
}

func someWaves() watch.Progress {
	at := time.Date(2026, 11, 24, 9, 0, 0, 0, time.Local)
	return watch.Progress{
		Name: "docs-to-pdf", State: workflows.StateWatching, WaitsFor: "files", Source: "/docs", Output: "/out", To: "pdf", Waves: 3, Converted: 5, Files: 7, Failed: 2,
		Recent: []watch.WaveEnd{
			{Number: 2, WorkflowID: "w-2", Status: batch.ResultFailures, Summary: manifest.Summary{Files: 7, Completed: 4, Failed: 2}, EndedAt: at},
			{Number: 3, WorkflowID: "w-3", Status: workflows.StateFailed, Reason: "DISK_FULL: no\x1b[2J", EndedAt: at.Add(time.Second)},
		},
	}
}

// A watch that this command has started is told of from its first wave on; each wave once.
func TestWavesAreTold(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		folder(t, "docs/a.md")
		f := newFakeWatch("")
		all := someWaves()
		looks := 0
		f.asked = func() {
			looks++
			f.progress = all
			f.progress.Recent = all.Recent[:min(looks-1, 2)]
			if looks == 3 {
				f.progress.State, f.progress.Reason = workflows.StatePaused, "wave 3 was failed"
			}
		}
		var out, errs bytes.Buffer
		env := &Env{Program: "starter", Stdout: &out, Stderr: &errs}
		s := &Session{Temporal: f, Stays: true}
		view := newWatchView(env, s, watchItem{workflowID: "w", fresh: true}, asJSON)
		for range 3 {
			view.refresh(t.Context())
			view.draw()
		}
		view.done(0, nil)
		f.asked = nil
		if asJSON {
			assert.Equal(t, 2, strings.Count(out.String(), "\n"))
			assert.Contains(t, out.String(), `{"number":2,"workflow_id":"w-2","status":"failures"`)
			continue
		}
		assert.Equal(t, "09:00:00  wave 2: 4 files converted, 2 failed of 7 so far\n09:00:01  wave 3: failed: DISK_FULL: no\ufffd[2J: 0 files converted\n", out.String())
		assert.Equal(t, "wave 3 was failed; go on with 'starter runs resume w'\n", errs.String()[:strings.Index(errs.String(), "\n")+1])
	}
}

func TestAWatchThatIsComeBackToTellsOfNewWaves(t *testing.T) {
	f := newFakeWatch("w")
	f.progress = someWaves()
	var out, errs bytes.Buffer
	env := &Env{Program: "starter", Stdout: &out, Stderr: &errs, Terminal: term.Screen{Live: true, Width: func() int { return 80 }}}
	view := newWatchView(env, &Session{Temporal: f}, watchItem{workflowID: "w"}, false)
	view.refresh(t.Context())
	view.draw()
	assert.Empty(t, out.String())
	assert.Equal(t, "docs-to-pdf: 3 waves, 5 files converted; the report has 7 files, 2 failed\nwaits for files\n", errs.String())
	f.progress.Recent = append(f.progress.Recent, watch.WaveEnd{Number: 4, Status: batch.ResultCompleted, Summary: manifest.Summary{Completed: 1}})
	view.refresh(t.Context())
	view.draw()
	assert.Regexp(t, `wave 4: 1 file converted\n$`, out.String())
}

func TestWatchesAmongTheRuns(t *testing.T) {
	dir := folder(t)
	f := newFakeWatch("watch-x")
	f.progress = someWaves()
	f.input.Spec.Output = dir
	_, stdout, _ := f.command(t, "runs", "list", "--lane", "watch")
	assert.Regexp(t, `watch-x +watching +watch +docs-to-pdf +pdf `, stdout)
	code, stdout, stderr := f.command(t, "runs", "show", "watch-x")
	require.Equal(t, ExitOK, code, stderr)
	assert.Contains(t, stdout, "waits    for files\nso far   3 waves, 5 files converted; the report has 7 files, 2 failed\n")
	assert.Contains(t, stdout, "  w-3\n")
	for _, verb := range []string{"pause", "resume"} {
		code, _, stderr = f.command(t, "runs", verb, "watch-x")
		require.Equal(t, ExitOK, code, stderr)
	}
	assert.Equal(t, []string{batch.SignalPause, batch.SignalResume}, f.signals)
	code, _, stderr = f.command(t, "runs", "set-concurrency", "watch-x", "3")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "watch-x is a watch; its waves are batches, see 'runs show watch-x'")
	code, _, stderr = f.command(t, "runs", "report", "watch-x")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "watch-x has no report yet, it is written with the first wave")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "docs-to-pdf.report.jsonl"), []byte(reportText), 0o600))
	code, stdout, stderr = f.command(t, "runs", "report", "watch-x")
	require.Equal(t, ExitOK, code, stderr)
	assert.Equal(t, 3, strings.Count(stdout, "\n"))

	code, _, stderr = f.command(t, "runs", "watch")
	assert.Equal(t, ExitOK, code)
	assert.Equal(t, "no runs are open but 1 watch; name one to follow it\n", stderr)
	close(f.cancelled)
	code, stdout, stderr = f.command(t, "runs", "watch", "watch-x", "--json")
	assert.Equal(t, ExitOK, code, "that is how a watch ends: %s", stderr)
	assert.Contains(t, stdout, `"status":"cancelled","waves":3,"converted":5,"files":7,"failed":2`)
	_, stdout, _ = f.command(t, "runs", "show", "watch-x")
	assert.Contains(t, stdout, "docs-to-pdf: watched no longer: 3 waves, 5 files converted, 2 failed")
}

func TestAWatchIsLeft(t *testing.T) {
	f := newFakeWatch("watch-x")
	ctx, env := interruptedBy(t)
	env.Interrupts = nil
	var out, errs strings.Builder
	env.Program, env.Stdout, env.Stderr = "starter", &out, &errs
	_, err := env.follow(ctx, &Session{Temporal: f, Stays: true}, []*watched{runOf(ctx, &Session{Temporal: f}, f.info())}, false, nil)
	var failure *Failure
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, ExitInterrupted, failure.Code)
	assert.Equal(t, "left; 1 watch goes on in Temporal. Come back with the same command or 'starter runs watch watch-x', end it with 'starter runs cancel watch-x'.\n", errs.String())
}

// A batch and a watch of one name and one folder would write one report.
func TestABatchBesideAWatchNeedsItsOwnName(t *testing.T) {
	f := newFakeWatch("watch-docs-to-pdf")
	folder(t, "docs/a.md")
	output, err := filepath.Abs("out")
	require.NoError(t, err)
	f.input.Spec.Output = output
	code, _, stderr := f.command(t, "batch", "docs", "--to", "pdf", "-o", "out", "--detach")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "watch-docs-to-pdf watches for files and writes the report of that name into out; give this batch another --name, or end the watch")
	assert.NoDirExists(t, "out", "nothing is planned")
}
