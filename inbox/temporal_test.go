package inbox

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	sdkworkflow "go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// fakeTemporal describes what it was given.
type fakeTemporal struct {
	temporalclient.Client
	query       string
	description *workflowservice.DescribeWorkflowExecutionResponse
	ended       temporalclient.WorkflowRun
}

func (f *fakeTemporal) GetWorkflow(context.Context, string, string) temporalclient.WorkflowRun {
	return f.ended
}

// fakeEnd is a run that has ended with a result or a fault.
type fakeEnd struct {
	temporalclient.WorkflowRun
	payload *common.Payload
	err     error
}

func (e fakeEnd) Get(_ context.Context, into any) error {
	if e.err != nil {
		return e.err
	}
	return converter.GetDefaultDataConverter().FromPayload(e.payload, into)
}

func (f *fakeTemporal) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	f.query = r.GetQuery()
	return &workflowservice.ListWorkflowExecutionsResponse{Executions: []*workflow.WorkflowExecutionInfo{f.description.GetWorkflowExecutionInfo()}}, nil
}

func (f *fakeTemporal) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if f.description == nil {
		return nil, serviceerror.NewNotFound("no such execution")
	}
	return f.description, nil
}

func (f *fakeTemporal) QueryWorkflow(ctx context.Context, _, _, _ string, _ ...any) (converter.EncodedValue, error) {
	<-ctx.Done()
	return nil, serviceerror.NewDeadlineExceeded("nobody polls")
}

func payload(t *testing.T, value any) *common.Payload {
	t.Helper()
	out, err := converter.GetDefaultDataConverter().ToPayload(value)
	require.NoError(t, err)
	return out
}

func TestARunIsReadFromItsDescription(t *testing.T) {
	beat, err := converter.GetDefaultDataConverter().ToPayloads(activities.Progress{Step: activities.StepAwait, Percent: 40, Message: "page 3"})
	require.NoError(t, err)
	fake := &fakeTemporal{description: &workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflow.WorkflowExecutionInfo{
			Execution: &common.WorkflowExecution{WorkflowId: "w", RunId: "r"}, Type: &common.WorkflowType{Name: convert.WorkflowType},
			Status: enums.WORKFLOW_EXECUTION_STATUS_RUNNING, StartTime: timestamppb.New(testNow),
			Memo: &common.Memo{Fields: map[string]*common.Payload{"source": payload(t, "a.docx"), "target": payload(t, "pdf")}},
		},
		PendingActivities: []*workflow.PendingActivityInfo{{
			ActivityType: &common.ActivityType{Name: "AwaitConversion"}, Attempt: 3, HeartbeatDetails: beat, LastFailure: &failure.Failure{Message: "connection refused"},
		}},
	}}
	d := &temporalDesk{Desk: answering.Desk{Temporal: fake, Namespace: "ns"}}
	got, err := d.Look(t.Context(), "w")
	require.NoError(t, err)
	require.Equal(t, run{
		ID: "w", RunID: "r", Name: "a.docx → pdf", State: workflows.StateRunning, Step: activities.StepAwait, Percent: 40, Message: "page 3",
		Trouble: "connection refused", StartedAt: testNow,
	}, got)

	runs, err := d.Runs(t.Context(), listRunning, 10)
	require.NoError(t, err)
	require.Len(t, runs, 1)
	require.Equal(t, "(WorkflowType = 'ConvertFile' OR ConvilynLane = 'goal') AND ExecutionStatus = 'Running'", fake.query)

	info := fake.description.GetWorkflowExecutionInfo()
	info.Type.Name = "RunGoal"
	info.Memo.Fields = map[string]*common.Payload{questions.MemoKey: payload(t, questions.Memo{Goal: "g", Name: "n", Questions: []questions.MemoQuestion{{SlotID: "s"}}})}
	got, err = d.Look(t.Context(), "w")
	require.NoError(t, err)
	require.Equal(t, "n/waiting", got.Name+"/"+got.State)
	info.Status, info.CloseTime = enums.WORKFLOW_EXECUTION_STATUS_CANCELED, timestamppb.New(testNow.Add(time.Hour))
	got, err = d.Look(t.Context(), "w")
	require.NoError(t, err)
	require.Equal(t, workflows.StateCancelled, got.State)

	fake.description = nil
	_, err = d.Look(t.Context(), "w")
	require.ErrorIs(t, err, answering.ErrNoSuchRun)
}

func TestABatchIsReadFromItsDescription(t *testing.T) {
	memo := batch.Memo{Name: "docs to html", Source: "docs", Output: "out", To: "html", Files: 300, Failed: 2}
	info := &workflow.WorkflowExecutionInfo{
		Execution: &common.WorkflowExecution{WorkflowId: "b", RunId: "r"}, Type: &common.WorkflowType{Name: batch.WorkflowType},
		Status: enums.WORKFLOW_EXECUTION_STATUS_RUNNING, StartTime: timestamppb.New(testNow),
		Memo:             &common.Memo{Fields: map[string]*common.Payload{batch.MemoKey: payload(t, memo)}},
		SearchAttributes: &common.SearchAttributes{IndexedFields: map[string]*common.Payload{workflows.SearchAttributeState: payload(t, workflows.StatePaused)}},
	}
	fake := &fakeTemporal{description: &workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: info,
		PendingActivities:     []*workflow.PendingActivityInfo{{ActivityType: &common.ActivityType{Name: "UploadFile"}, Attempt: 1}},
	}}
	d := &temporalDesk{Desk: answering.Desk{Temporal: fake, Namespace: "ns"}}
	want := run{ID: "b", RunID: "r", Name: "docs to html", State: workflows.StatePaused, StartedAt: testNow, Batch: &batchSeen{Memo: memo}}
	got, err := d.Look(t.Context(), "b")
	require.NoError(t, err)
	require.Equal(t, want, got)

	runs, err := d.Runs(t.Context(), listBatches, 10)
	require.NoError(t, err)
	require.Equal(t, []run{want}, runs)
	require.Equal(t, "WorkflowType = 'ConvertBatch' AND ExecutionStatus = 'Running'", fake.query)
	_, err = d.Runs(t.Context(), listEnded, 10)
	require.NoError(t, err)
	require.Equal(t, "(WorkflowType = 'ConvertFile' OR ConvilynLane = 'goal' OR WorkflowType = 'ConvertBatch') AND ExecutionStatus != 'Running' AND ExecutionStatus != 'ContinuedAsNew'", fake.query)

	info.Status = enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	require.Equal(t, batch.ResultFailures, runOf(info).State)
	info.SearchAttributes.IndexedFields[workflows.SearchAttributeState] = payload(t, workflows.StateFailed)
	require.Equal(t, batch.ResultStopped, runOf(info).State)
	info.Status, info.SearchAttributes = enums.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
	require.Equal(t, workflows.StateRunning, runOf(info).State)
	info.Memo.Fields[questions.MemoKey] = payload(t, questions.Memo{Questions: []questions.MemoQuestion{{SlotID: questions.SlotTrouble}}})
	require.Equal(t, workflows.StateWaiting, runOf(info).State)
}

func TestTheResultOfABatch(t *testing.T) {
	fake := &fakeTemporal{}
	d := &temporalDesk{Desk: answering.Desk{Temporal: fake}}
	summary := activities.BatchSummary{Report: "/out/docs.report.jsonl", Files: 3, Completed: 2, Failed: 1, Codes: map[string]int{"CONVERSION_FAILED": 1}}
	fake.ended = fakeEnd{payload: payload(t, batch.Result{Status: batch.ResultStopped, Reason: "too slow", Summary: summary, Runs: 2, LargestHistory: 3612})}
	got, err := d.Result(t.Context(), "b")
	require.NoError(t, err)
	require.Equal(t, result{Status: "stopped", Reason: "too slow", Summary: &summary, Runs: 2, LargestHistory: 3612}, got)

	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.ExecuteWorkflow(func(sdkworkflow.Context) error {
		return temporal.NewApplicationError("docs: plan: the folder is gone", "INPUT")
	})
	fake.ended = fakeEnd{err: env.GetWorkflowError()}
	got, err = d.Result(t.Context(), "b")
	require.NoError(t, err)
	require.Equal(t, "docs: plan: the folder is gone", got.Failure)
}

func TestARunThatNobodyAnswersForIsNoFaultOfTemporal(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&temporalDesk{Desk: answering.Desk{Temporal: &fakeTemporal{}}}).Questions(ctx, "w")
	require.True(t, noWorker(err), "%v", err)
	require.False(t, noWorker(errors.New("refused")))
}

func TestARunThatCannotBeOpenedNamesItsKey(t *testing.T) {
	sealed := &common.Payload{Metadata: map[string][]byte{"encoding": []byte(sealing.Encoding), sealing.MetadataKeyID: []byte("k1")}}
	got := runOf(&workflow.WorkflowExecutionInfo{
		Type: &common.WorkflowType{Name: convert.WorkflowType}, Memo: &common.Memo{Fields: map[string]*common.Payload{"source": sealed}},
	})
	require.Equal(t, "sealed with key k1", got.Name)
}
