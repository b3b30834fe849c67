package cli

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/notify"
)

// fakeMail holds Notify workflows, each with its sendings.
type fakeMail struct {
	temporalclient.Client
	sendings []*workflow.WorkflowExecutionInfo // newest first
	failure  string                            // of the running ones' last attempt
	started  []temporalclient.StartWorkflowOptions
	inputs   []any
	race     bool // somebody else is faster
}

const (
	mailRunning   = enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	mailCompleted = enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	mailFailed    = enums.WORKFLOW_EXECUTION_STATUS_FAILED
)

func payloadOf(t *testing.T, value any) *common.Payload {
	t.Helper()
	payload, err := converter.GetDefaultDataConverter().ToPayload(value)
	require.NoError(t, err)
	return payload
}

// add puts a sending before those that are there.
func (f *fakeMail) add(t *testing.T, id, runID string, status enums.WorkflowExecutionStatus) {
	t.Helper()
	memo := payloadOf(t, notify.Memo{Type: activities.NotifyAsked, WorkflowID: "letter-1", SlotID: "tone\x1b[2J"})
	f.sendings = append([]*workflow.WorkflowExecutionInfo{{
		Execution: &common.WorkflowExecution{WorkflowId: id, RunId: runID}, Type: &common.WorkflowType{Name: notify.WorkflowType},
		Status: status, Memo: &common.Memo{Fields: map[string]*common.Payload{notify.MemoKey: memo}},
	}}, f.sendings...)
}

func (f *fakeMail) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	reply := &workflowservice.ListWorkflowExecutionsResponse{}
	at := len(r.GetNextPageToken()) // one a page
	for i := at; i < len(f.sendings); i++ {
		status := f.sendings[i].GetStatus()
		if !strings.Contains(r.GetQuery(), "!= 'Running'") || status != mailRunning && status != mailCompleted {
			reply.Executions = append(reply.Executions, f.sendings[i])
			reply.NextPageToken = bytes.Repeat([]byte{1}, i+1)
			break
		}
	}
	return reply, nil
}

func (f *fakeMail) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	i := slices.IndexFunc(f.sendings, func(info *workflow.WorkflowExecutionInfo) bool { return info.GetExecution().GetWorkflowId() == id })
	if i < 0 {
		return nil, serviceerror.NewNotFound("none")
	}
	reply := &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: f.sendings[i]}
	if f.sendings[i].GetStatus() == mailRunning {
		reply.PendingActivities = []*workflow.PendingActivityInfo{{
			ActivityType: &common.ActivityType{Name: "PostNotification"}, Attempt: 3, LastFailure: &failure.Failure{Message: f.failure},
		}}
	}
	return reply, nil
}

// fakeDead is the handle of a notification that failed.
type fakeDead struct{ temporalclient.WorkflowRun }

func (fakeDead) Get(context.Context, any) error {
	return temporal.NewApplicationErrorWithOptions("no", "Refused", temporal.ApplicationErrorOptions{
		Details: []any{activities.Failure{Code: activities.CodeWebhook, Message: "the webhook answered 410", Attempts: 2}},
	})
}

func (f *fakeMail) GetWorkflow(context.Context, string, string) temporalclient.WorkflowRun {
	return fakeDead{}
}

// fakeHistory has a start and nothing else.
type fakeHistory struct{ start *history.HistoryEvent }

func (h *fakeHistory) HasNext() bool                        { return h.start != nil }
func (h *fakeHistory) Next() (*history.HistoryEvent, error) { return h.start, nil }

func (f *fakeMail) GetWorkflowHistory(_ context.Context, id, runID string, _ bool, _ enums.HistoryEventFilterType) temporalclient.HistoryEventIterator {
	i := slices.IndexFunc(f.sendings, func(info *workflow.WorkflowExecutionInfo) bool {
		return info.GetExecution().GetWorkflowId() == id && info.GetExecution().GetRunId() == runID
	})
	return &fakeHistory{start: &history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &history.WorkflowExecutionStartedEventAttributes{
			TaskQueue: &taskqueue.TaskQueue{Name: workflows.TaskQueue}, Memo: f.sendings[i].GetMemo(),
			Input: &common.Payloads{Payloads: []*common.Payload{{Data: []byte("input of " + id)}}},
		},
	}}}
}

func (f *fakeMail) ExecuteWorkflow(_ context.Context, o temporalclient.StartWorkflowOptions, _ any, args ...any) (temporalclient.WorkflowRun, error) {
	if f.race {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("running", "", "r")
	}
	f.started, f.inputs = append(f.started, o), append(f.inputs, args...)
	return nil, nil
}

func (f *fakeMail) command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), Env{Program: "starter", Stdout: &out, Stderr: &errs, Open: func(context.Context) (*Session, error) {
		return &Session{Temporal: f, Stays: true, Close: func() {}}, nil
	}}, append([]string{"notifications"}, args...))
	return code, out.String(), errs.String()
}

func TestListingNotifications(t *testing.T) {
	f := &fakeMail{failure: "WEBHOOK_FAILED: the webhook answered 500"}
	code, _, stderr := f.command(t, "list")
	require.Equal(t, 0, code)
	assert.Equal(t, "no notifications\n", stderr)
	f.add(t, "notify-1", "a", mailFailed)
	f.add(t, "notify-1", "b", mailCompleted) // sent again, and delivered
	f.add(t, "notify-2", "c", mailFailed)
	f.add(t, "notify-2", "d", mailFailed) // sent again in vain
	f.add(t, "notify-3", "e", mailRunning)
	code, stdout, stderr := f.command(t, "list")
	require.Equal(t, 0, code, stderr)
	assert.NotContains(t, stdout, "\x1b")
	assert.Equal(t, 4, strings.Count(stdout, "\n"), stdout)
	assert.Regexp(t, `retrying +question.asked +letter-1 +tone.*notify-3 +3 +WEBHOOK_FAILED: the webhook answered 500, next in 0s`, stdout)
	assert.Regexp(t, `dead +question.asked +letter-1 +tone.*notify-2 +2 +the webhook answered 410`, stdout)
	assert.Regexp(t, `delivered +question.asked +letter-1 +tone.*notify-1 +- +-`, stdout)
	code, stdout, stderr = f.command(t, "list", "--dead", "--json")
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, 1, strings.Count(stdout, "\n"), "a dead letter that was delivered later is none: %s", stdout)
	assert.Contains(t, stdout, `"id":"notify-2","workflow_id":"letter-1"`)
	_, stdout, _ = f.command(t, "list", "--limit", "2", "--json")
	assert.Equal(t, 2, strings.Count(stdout, "\n"))
	f.failure = ""
	_, stdout, _ = f.command(t, "list", "--limit", "1")
	assert.Contains(t, stdout, "sending", "nothing has failed yet")
	code, _, stderr = f.command(t, "list", "--limit", "0")
	assert.Equal(t, ExitUsage, code, stderr)
}

func TestSendingDeadLettersAgain(t *testing.T) {
	f := &fakeMail{}
	f.add(t, "notify-1", "a", mailFailed)
	f.add(t, "notify-1", "b", mailCompleted)
	f.add(t, "notify-2", "c", mailFailed)
	f.add(t, "notify-3", "d", mailRunning)
	code, _, stderr := f.command(t, "resend", "notify-1", "notify-2", "notify-3")
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, "notify-1: was delivered already\nnotify-2: is sent again\nnotify-3: is under way already\n", stderr)
	require.Len(t, f.started, 1)
	assert.Equal(t, "notify-2", f.started[0].ID)
	assert.Equal(t, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, f.started[0].WorkflowIDReusePolicy)
	assert.Contains(t, f.started[0].Memo, notify.MemoKey)
	require.Len(t, f.inputs, 1)
	assert.Equal(t, "input of notify-2", string(f.inputs[0].(converter.RawValue).Payload().GetData()), "as it was, byte for byte")

	f.race = true
	code, stdout, stderr := f.command(t, "resend", "--all-dead", "--json")
	require.Equal(t, 0, code, stderr)
	assert.JSONEq(t, `{"id":"notify-2","status":"sending"}`, stdout)
	assert.Len(t, f.started, 1)
	f.sendings = nil
	_, _, stderr = f.command(t, "resend", "--all-dead")
	assert.Equal(t, "no dead letters\n", stderr)
}

func TestResendsThatAreRefused(t *testing.T) {
	for says, args := range map[string][]string{
		"name a notification, or give --all-dead": {"resend"},
		"either ids or --all-dead":                {"resend", "a", "--all-dead"},
		"no notification is called a":             {"resend", "a"},
	} {
		t.Run(says, func(t *testing.T) {
			code, stdout, stderr := (&fakeMail{}).command(t, args...)
			assert.Equal(t, ExitUsage, code, says)
			assert.Contains(t, stderr, says)
			assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			assert.Empty(t, stdout)
		})
	}
}
