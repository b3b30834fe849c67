package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// fakeTemporal holds goal runs that take answers. A run whose questions are all answered ends.
type fakeTemporal struct {
	temporalclient.Client
	mu      sync.Mutex
	runs    map[string]*fakeRun
	order   []string
	started []temporalclient.StartWorkflowOptions
	asks    []questions.Question // of runs that are started
	query   string               // the last list's
	refuse  map[string]string    // by value, as JSON
}

type fakeRun struct {
	memo      questions.Memo
	questions []questions.Question
	answers   []questions.Answer
	result    goal.Result
	done      chan struct{}
}

func newFake() *fakeTemporal {
	return &fakeTemporal{runs: map[string]*fakeRun{}, refuse: map[string]string{}}
}

func (f *fakeTemporal) add(id, goalName string, open ...questions.Question) *fakeRun {
	run := &fakeRun{
		memo: questions.Memo{Goal: goalName}, questions: open, done: make(chan struct{}),
		result: goal.Result{Status: goal.ResultCompleted},
	}
	for _, q := range open {
		run.memo.Questions = append(run.memo.Questions, questions.MemoQuestion{SlotID: q.SlotID, Type: q.Type, Text: q.Text, Key: q.Key, AskedAt: q.AskedAt})
	}
	f.runs[id] = run
	f.order = append(f.order, id)
	if len(open) == 0 {
		close(run.done)
	}
	return run
}

func (f *fakeTemporal) info(id string) *workflow.WorkflowExecutionInfo {
	run := f.runs[id]
	payload, err := converter.GetDefaultDataConverter().ToPayload(run.memo)
	if err != nil {
		panic(err)
	}
	status := enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	select {
	case <-run.done:
		status = enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	default:
	}
	return &workflow.WorkflowExecutionInfo{
		Execution: &common.WorkflowExecution{WorkflowId: id, RunId: "r"}, Type: &common.WorkflowType{Name: goal.WorkflowType},
		Status: status, Memo: &common.Memo{Fields: map[string]*common.Payload{questions.MemoKey: payload}},
	}
}

func (f *fakeTemporal) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.runs[id] == nil {
		return nil, serviceerror.NewNotFound("none")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: f.info(id)}, nil
}

func (f *fakeTemporal) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.query = r.GetQuery()
	reply := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, id := range f.order {
		reply.Executions = append(reply.Executions, f.info(id))
	}
	return reply, nil
}

// fakeValue is a query's answer.
type fakeValue struct{ value any }

func (v fakeValue) HasValue() bool { return true }

func (v fakeValue) Get(into any) error {
	data, err := json.Marshal(v.value)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

func (f *fakeTemporal) QueryWorkflow(_ context.Context, id, _, query string, _ ...any) (converter.EncodedValue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	run := f.runs[id]
	switch {
	case run == nil:
		return nil, serviceerror.NewNotFound("none")
	case query == questions.QueryQuestions:
		return fakeValue{append([]questions.Question{}, run.questions...)}, nil
	case query == workflows.QueryStatus:
		return fakeValue{goal.Status{State: workflows.StateWaiting, Step: "fill", JobSpecID: "job_1"}}, nil
	}
	return fakeValue{[]questions.Receipt{{SlotID: "title", Verdict: questions.VerdictAccepted, AnsweredBy: "ann", Channel: channelCLI}}}, nil
}

type fakeUpdate struct {
	temporalclient.WorkflowUpdateHandle
	receipt questions.Receipt
}

func (u fakeUpdate) Get(_ context.Context, into any) error {
	*into.(*questions.Receipt) = u.receipt
	return nil
}

func (f *fakeTemporal) UpdateWorkflow(_ context.Context, o temporalclient.UpdateWorkflowOptions) (temporalclient.WorkflowUpdateHandle, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	run, answer := f.runs[o.WorkflowID], o.Args[0].(questions.Answer)
	receipt := questions.Receipt{AnswerID: answer.AnswerID, SlotID: answer.SlotID, Verdict: questions.VerdictAccepted}
	if reason := f.refuse[string(answer.Value)]; reason != "" {
		receipt.Verdict, receipt.Reason = questions.VerdictInvalid, reason
		return nil, temporal.NewApplicationErrorWithOptions(reason, questions.AnswerRefused, temporal.ApplicationErrorOptions{Details: []any{receipt}})
	}
	run.answers = append(run.answers, answer)
	left := 0
	for i := range run.questions {
		run.questions[i].Answered = run.questions[i].Answered || run.questions[i].SlotID == answer.SlotID
		if run.questions[i].Required && !run.questions[i].Answered {
			left++
		}
	}
	if left == 0 {
		close(run.done)
	}
	return fakeUpdate{receipt: receipt}, nil
}

// fakeEnd is a run's handle.
type fakeEnd struct {
	temporalclient.WorkflowRun
	run *fakeRun
}

func (e fakeEnd) GetRunID() string { return "r" }

func (e fakeEnd) Get(ctx context.Context, into any) error {
	select {
	case <-e.run.done:
		*into.(*goal.Result) = e.run.result
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fakeTemporal) GetWorkflow(_ context.Context, id, _ string) temporalclient.WorkflowRun {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fakeEnd{run: f.runs[id]}
}

func (f *fakeTemporal) ExecuteWorkflow(_ context.Context, o temporalclient.StartWorkflowOptions, _ any, args ...any) (temporalclient.WorkflowRun, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if run := f.runs[o.ID]; run != nil {
		select {
		case <-run.done:
			if o.WorkflowIDReusePolicy == enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY {
				return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("done", "", "r")
			}
		default:
			return fakeEnd{run: run}, nil
		}
	}
	f.started = append(f.started, o)
	run := f.add(o.ID, args[0].(goal.Input).WorkflowID, f.asks...)
	return fakeEnd{run: run}, nil
}

// command runs a command line against a fake; a typed text makes it a terminal.
func (f *fakeTemporal) command(t *testing.T, env Env, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env.Program, env.Stdout, env.Stderr, env.Getenv = "starter", &out, &errs, func(string) string { return "" }
	env.Open = func(context.Context) (*Session, error) {
		require.NotNil(t, f.runs, "nothing may be opened")
		return &Session{Temporal: f, Stays: true, Close: func() {}}, nil
	}
	if stdin != "" {
		env.Stdin, env.Terminal = strings.NewReader(stdin), term.Screen{Live: true, Ask: true, Width: func() int { return 100 }}
	}
	code = Run(t.Context(), env, args)
	return code, out.String(), errs.String()
}
