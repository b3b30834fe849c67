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
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// fakeTemporal describes what it was given.
type fakeTemporal struct {
	temporalclient.Client
	query       string
	description *workflowservice.DescribeWorkflowExecutionResponse
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
			Execution: &common.WorkflowExecution{WorkflowId: "w", RunId: "r"}, Type: &common.WorkflowType{Name: workflows.ConvertFileName},
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

	runs, err := d.Runs(t.Context(), false, 10)
	require.NoError(t, err)
	require.Len(t, runs, 1)
	require.Equal(t, "(WorkflowType = 'ConvertFile' OR ConvilynLane = 'goal') AND ExecutionStatus = 'Running'", fake.query)

	info := fake.description.GetWorkflowExecutionInfo()
	info.Type.Name = "RunGoal"
	info.Memo.Fields = map[string]*common.Payload{workflows.MemoGoal: payload(t, workflows.GoalMemo{Goal: "g", Name: "n", Questions: []workflows.MemoQuestion{{SlotID: "s"}}})}
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

func TestARunThatNobodyAnswersForIsNoFaultOfTemporal(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&temporalDesk{Desk: answering.Desk{Temporal: &fakeTemporal{}}}).Questions(ctx, "w")
	require.True(t, noWorker(err), "%v", err)
	require.False(t, noWorker(errors.New("refused")))
}
