package cli

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// fakeBatch is a Temporal with one batch in it, which runs until ended closes.
type fakeBatch struct {
	first time.Time // start of its first run, where there are several
	temporalclient.Client
	id       string
	memo     batch.Memo
	state    string // the search attribute
	kind     string // of the workflow, ConvertBatch where empty
	progress batch.Progress
	result   batch.Result
	ended    chan struct{}

	mu      sync.Mutex
	told    []batch.Steering
	signals []string
	query   string // the last list's
	started []batch.Input
	options temporalclient.StartWorkflowOptions // of the last start
}

func newFakeBatch(id string) *fakeBatch {
	return &fakeBatch{id: id, ended: make(chan struct{}), memo: batch.Memo{Name: "docs-to-pdf", Source: "/docs", Output: "/out", To: "pdf"}}
}

// finished is the batch after its end.
func (f *fakeBatch) finished(result batch.Result) *fakeBatch {
	f.result = result
	close(f.ended)
	return f
}

func (f *fakeBatch) info() *workflow.WorkflowExecutionInfo {
	payload := func(v any) *common.Payload {
		p, err := converter.GetDefaultDataConverter().ToPayload(v)
		if err != nil {
			panic(err)
		}
		return p
	}
	kind := f.kind
	if kind == "" {
		kind = batch.WorkflowType
	}
	info := &workflow.WorkflowExecutionInfo{
		Execution: &common.WorkflowExecution{WorkflowId: f.id, RunId: "r"}, Type: &common.WorkflowType{Name: kind},
		Status:           enums.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Memo:             &common.Memo{Fields: map[string]*common.Payload{batch.MemoKey: payload(f.memo)}},
		SearchAttributes: &common.SearchAttributes{IndexedFields: map[string]*common.Payload{workflows.SearchAttributeState: payload(f.state)}},
	}
	select {
	case <-f.ended:
		info.Status = enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	default:
	}
	return info
}

func (f *fakeBatch) DescribeWorkflowExecution(_ context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if id != f.id {
		return nil, serviceerror.NewNotFound("none")
	}
	info := f.info()
	if !f.first.IsZero() {
		info.FirstRunId, info.StartTime = "first", timestamppb.New(f.first.Add(time.Hour))
		if runID == "first" {
			info.StartTime = timestamppb.New(f.first)
		}
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}, nil
}

func (f *fakeBatch) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	f.query = r.GetQuery()
	return &workflowservice.ListWorkflowExecutionsResponse{Executions: []*workflow.WorkflowExecutionInfo{f.info()}}, nil
}

func (f *fakeBatch) QueryWorkflow(context.Context, string, string, string, ...any) (converter.EncodedValue, error) {
	return fakeValue{f.progress}, nil
}

func (f *fakeBatch) SignalWorkflow(_ context.Context, _, _, signal string, arg any) error {
	select {
	case <-f.ended:
		return serviceerror.NewNotFound("it has ended")
	default:
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.signals, f.told = append(f.signals, signal), append(f.told, arg.(batch.Steering))
	return nil
}

func (f *fakeBatch) CancelWorkflow(context.Context, string, string) error {
	f.finished(batch.Result{Status: workflows.StateCancelled})
	return nil
}

func (f *fakeBatch) GetWorkflow(context.Context, string, string) temporalclient.WorkflowRun {
	return fakeBatchRun{batch: f}
}

// ExecuteWorkflow starts a batch that ends at once.
func (f *fakeBatch) ExecuteWorkflow(_ context.Context, o temporalclient.StartWorkflowOptions, _ any, args ...any) (temporalclient.WorkflowRun, error) {
	if f.id == o.ID && o.WorkflowIDReusePolicy != enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("done", "", "r")
	}
	f.id, f.options, f.started = o.ID, o, append(f.started, args[0].(batch.Input))
	return fakeBatchRun{batch: f}, nil
}

// GetWorkflowHistory has the first event alone.
func (f *fakeBatch) GetWorkflowHistory(context.Context, string, string, bool, enums.HistoryEventFilterType) temporalclient.HistoryEventIterator {
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(f.started[0])
	if err != nil {
		panic(err)
	}
	return &fakeHistory{start: &history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &history.WorkflowExecutionStartedEventAttributes{Input: payloads},
	}}}
}

type fakeBatchRun struct {
	temporalclient.WorkflowRun
	batch *fakeBatch
}

func (r fakeBatchRun) GetRunID() string { return "r" }

func (r fakeBatchRun) Get(ctx context.Context, into any) error {
	select {
	case <-r.batch.ended:
		if into != nil {
			*into.(*batch.Result) = r.batch.result
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// command runs a command line against the fake; a nil one may not be opened.
func (f *fakeBatch) command(ctx context.Context, t *testing.T, env Env, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env.Program, env.Stdout, env.Stderr, env.Getenv = "starter", &out, &errs, func(string) string { return "" }
	env.Open = func(context.Context) (*Session, error) {
		require.NotNil(t, f, "nothing may be opened")
		return &Session{Temporal: f, Stays: true, Close: func() {}}, nil
	}
	code = Run(ctx, env, args)
	return code, out.String(), errs.String()
}
