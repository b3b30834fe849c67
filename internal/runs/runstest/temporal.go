// Package runstest is a Temporal in memory that holds runs of ours, for tests of package runs and of what is built on
// it. Queries, updates, signals and starts are answered as a worker of ours would, without one.
package runstest

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// Temporal is a connection to a Temporal in memory. Methods that are not written here panic: no code of ours calls them.
type Temporal struct {
	temporalclient.Client

	// Now is the clock of answers and of ends; time.Now where nil.
	Now func() time.Time
	// Started makes something of a run that was just started; it may End it. Nil leaves it open.
	Started func(*Run)
	// Refuse tells why an answer of a run is not taken; empty where it is. It may be nil.
	Refuse func(*Run, questions.Answer) string
	// Fault is what every request ends with, where Temporal is away. It may be nil.
	Fault error
	// Looked is told of each list that is read, where somebody listens.
	Looked chan struct{}

	mu        sync.Mutex
	runs      []*Run // oldest first
	starts    []temporalclient.StartWorkflowOptions
	lists     []string // queries of lists
	given     []questions.Answer
	calls     int
	schedules *Schedules
}

// New is a Temporal without runs.
func New() *Temporal {
	t := &Temporal{Looked: make(chan struct{}, 100)}
	t.schedules = newSchedules()
	return t
}

// Add puts runs there, the newest last.
func (t *Temporal) Add(runs ...*Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range runs {
		r.prepare()
		t.runs = append(t.runs, r)
	}
}

// Change changes runs while others may read them.
func (t *Temporal) Change(change func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change()
}

// Run is the latest run of a name; nil where there is none.
func (t *Temporal) Run(id string) *Run {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls--
	return t.find(id, "")
}

// Starts are the options of all runs that were started here, oldest first.
func (t *Temporal) Starts() []temporalclient.StartWorkflowOptions {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.starts)
}

// Lists are the queries of all lists that were read, oldest first.
func (t *Temporal) Lists() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lists)
}

// Given are the answers that came as updates, oldest first, refused ones too.
func (t *Temporal) Given() []questions.Answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.given)
}

// Calls counts the requests that read or change runs.
func (t *Temporal) Calls() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calls
}

// Schedules are those that this Temporal keeps.
func (t *Temporal) Schedules() *Schedules { return t.schedules }

// ScheduleClient is where schedules are made.
func (t *Temporal) ScheduleClient() temporalclient.ScheduleClient { return t.schedules }

func (t *Temporal) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}

// find is the latest run of an id, or the one of a Temporal run id.
func (t *Temporal) find(id, runID string) *Run {
	t.calls++
	for _, r := range slices.Backward(t.runs) {
		if r.ID == id && (runID == "" || runID == r.RunID) {
			return r
		}
	}
	return nil
}

// clause is one comparison of the queries that package runs makes.
var clause = regexp.MustCompile(`^(\w+) (=|!=|IN) (.+)$`)

func matches(query string, info *workflow.WorkflowExecutionInfo) bool {
	for part := range strings.SplitSeq(query, " AND ") {
		m := clause.FindStringSubmatch(part)
		if m == nil {
			panic("runstest cannot evaluate " + part)
		}
		listed := slices.Contains(strings.Split(strings.Trim(m[3], "()"), ", "), "'"+fieldOf(m[1], info)+"'")
		if listed == (m[2] == "!=") {
			return false
		}
	}
	return true
}

func fieldOf(name string, info *workflow.WorkflowExecutionInfo) string {
	switch name {
	case "WorkflowType":
		return info.GetType().GetName()
	case "ExecutionStatus":
		return info.GetStatus().String()
	case workflows.SearchAttributeState:
		var state string
		if p := info.GetSearchAttributes().GetIndexedFields()[name]; p != nil {
			_ = converter.GetDefaultDataConverter().FromPayload(p, &state)
		}
		return state
	}
	panic("runstest has no search attribute " + name)
}

// ListWorkflow lists runs, newest first, all that match on as many pages as it takes.
func (t *Temporal) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Fault != nil {
		return nil, t.Fault
	}
	select {
	case t.Looked <- struct{}{}:
	default:
	}
	t.lists = append(t.lists, r.GetQuery())
	t.calls++

	reply := &workflowservice.ListWorkflowExecutionsResponse{}
	skip := len(r.GetNextPageToken())
	for _, run := range slices.Backward(t.runs) {
		info := run.info()
		if !matches(r.GetQuery(), info) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(reply.Executions) == int(r.GetPageSize()) {
			reply.NextPageToken = make([]byte, len(r.GetNextPageToken())+len(reply.Executions))
			break
		}
		info.HistoryLength = 0
		reply.Executions = append(reply.Executions, info)
	}
	return reply, nil
}

// DescribeWorkflowExecution describes a run and the step that it is at.
func (t *Temporal) DescribeWorkflowExecution(_ context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Fault != nil {
		return nil, t.Fault
	}
	r := t.find(id, runID)
	if r == nil {
		return nil, serviceerror.NewNotFound("no such execution")
	}
	reply := &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: r.info()}
	if s := r.Step; s.Activity != "" {
		beat, err := converter.GetDefaultDataConverter().ToPayloads(s.Progress)
		if err != nil {
			panic(err)
		}
		reply.PendingActivities = []*workflow.PendingActivityInfo{{
			ActivityType: &common.ActivityType{Name: s.Activity}, Attempt: int32(max(1, s.Attempt)), HeartbeatDetails: beat, //nolint:gosec // a test's number
			LastFailure: &failure.Failure{Message: s.Failure},
		}}
	}
	return reply, nil
}

// value is the answer to a query.
type value struct{ of any }

func (v value) HasValue() bool { return true }

func (v value) Get(into any) error {
	data, err := json.Marshal(v.of)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// QueryWorkflow answers for the run, unless it is silent.
func (t *Temporal) QueryWorkflow(_ context.Context, id, _, query string, _ ...any) (converter.EncodedValue, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Fault != nil {
		return nil, t.Fault
	}
	r := t.find(id, "")
	if r == nil {
		return nil, serviceerror.NewNotFound("no such execution")
	}
	if query == batch.QueryProgress {
		r.Asked++
	}
	if r.Silent {
		return nil, serviceerror.NewDeadlineExceeded("nobody polls")
	}
	return value{r.answer(query)}, nil
}

type update struct {
	temporalclient.WorkflowUpdateHandle
	receipt questions.Receipt
}

func (u update) Get(_ context.Context, into any) error {
	*into.(*questions.Receipt) = u.receipt
	return nil
}

// UpdateWorkflow takes an answer.
func (t *Temporal) UpdateWorkflow(_ context.Context, o temporalclient.UpdateWorkflowOptions) (temporalclient.WorkflowUpdateHandle, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Fault != nil {
		return nil, t.Fault
	}
	answer := o.Args[0].(questions.Answer)
	t.given = append(t.given, answer)
	r := t.find(o.WorkflowID, "")
	switch {
	case r == nil || !r.open():
		return nil, serviceerror.NewNotFound("no such execution")
	case r.Silent:
		return nil, serviceerror.NewUnavailable("nobody polls")
	}
	receipt := r.take(answer, t.now(), t.Refuse)
	if receipt.Verdict == questions.VerdictInvalid || receipt.Verdict == questions.VerdictConflict {
		return nil, temporal.NewApplicationErrorWithOptions(receipt.Reason, questions.AnswerRefused, temporal.ApplicationErrorOptions{Details: []any{receipt}})
	}
	return update{receipt: receipt}, nil
}

// SignalWorkflow keeps the signal.
func (t *Temporal) SignalWorkflow(_ context.Context, id, _, signal string, arg any) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Fault != nil {
		return t.Fault
	}
	r := t.find(id, "")
	if r == nil || !r.open() {
		return serviceerror.NewNotFound("no such execution")
	}
	sent := Signal{Name: signal}
	switch arg := arg.(type) {
	case batch.Steering:
		sent.Steering = arg
	case questions.Answer:
		sent.Answer = arg
	}
	r.Signals = append(r.Signals, sent)
	return nil
}

// CancelWorkflow ends a run, with what it would have said at its end in the details.
func (t *Temporal) CancelWorkflow(_ context.Context, id, _ string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.find(id, "")
	if r == nil {
		return serviceerror.NewNotFound("no such execution")
	}
	r.cancel(t.now())
	return nil
}

// handle is a run whose end can be waited for.
type handle struct {
	temporalclient.WorkflowRun
	t *Temporal
	r *Run
}

func (h handle) GetRunID() string { return h.r.RunID }

func (h handle) Get(ctx context.Context, into any) error {
	if h.r == nil {
		return serviceerror.NewNotFound("no such execution")
	}
	select {
	case <-h.r.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	h.t.mu.Lock()
	defer h.t.mu.Unlock()
	if h.r.fault != nil || into == nil {
		return h.r.fault
	}
	return value{h.r.Result}.Get(into)
}

// GetWorkflow follows a run to its end.
func (t *Temporal) GetWorkflow(_ context.Context, id, runID string) temporalclient.WorkflowRun {
	t.mu.Lock()
	defer t.mu.Unlock()
	return handle{t: t, r: t.find(id, runID)}
}

// ExecuteWorkflow starts a run, or comes back to the one that is there, as the policies of the options demand.
func (t *Temporal) ExecuteWorkflow(_ context.Context, o temporalclient.StartWorkflowOptions, kind any, args ...any) (temporalclient.WorkflowRun, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.find(o.ID, ""); r != nil {
		switch {
		case r.open() && o.WorkflowIDConflictPolicy == enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING:
			return handle{t: t, r: r}, nil
		case r.open(), r.fault == nil && o.WorkflowIDReusePolicy == enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY:
			return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("it is there", "", r.RunID)
		}
	}
	t.starts = append(t.starts, o)
	r := startedRun(o, kind.(string), args)
	r.prepare()
	t.runs = append(t.runs, r)
	if t.Started != nil {
		t.Started(r)
	}
	return handle{t: t, r: r}, nil
}

type events struct{ start *history.HistoryEvent }

func (e *events) HasNext() bool { return e.start != nil }

func (e *events) Next() (*history.HistoryEvent, error) {
	if e.start == nil {
		return nil, errors.New("the history is at its end")
	}
	event := e.start
	e.start = nil
	return event, nil
}

// GetWorkflowHistory has the first event alone.
func (t *Temporal) GetWorkflowHistory(_ context.Context, id, runID string, _ bool, _ enums.HistoryEventFilterType) temporalclient.HistoryEventIterator {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.find(id, runID)
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(r.Input)
	if err != nil {
		panic(err)
	}
	return &events{start: &history.HistoryEvent{EventTime: timestamppb.New(r.StartedAt), Attributes: &history.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &history.WorkflowExecutionStartedEventAttributes{Input: payloads},
	}}}
}
