// Package runstest is a Temporal in memory that holds runs of ours, for tests of package runs and of what is built on
// it. Queries, updates, signals and starts are answered as a worker of ours would, without one.
package runstest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"
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
		for _, child := range r.Children {
			child.prepare()
			t.runs = append(t.runs, child)
		}
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
var clause = regexp.MustCompile(`^(\w+) (=|!=|>=|<|IN|STARTS_WITH) (.+)$`)

func matches(query string, info *workflow.WorkflowExecutionInfo) bool {
	for part := range strings.SplitSeq(query, " AND ") {
		m := clause.FindStringSubmatch(part)
		if m == nil {
			panic("runstest cannot evaluate " + part)
		}
		field, wanted := fieldOf(m[1], info), strings.Trim(m[3], "'")
		switch m[2] {
		case "STARTS_WITH":
			if !strings.HasPrefix(field, wanted) {
				return false
			}
			continue
		case ">=", "<":
			if timeOf(field).Before(timeOf(wanted)) == (m[2] == ">=") {
				return false
			}
			continue
		}
		all := strings.Split(strings.Trim(m[3], "()"), ", ")
		if m[1] == "ExecutionStatus" {
			mustBeStatuses(all)
		}
		listed := slices.Contains(all, "'"+field+"'")
		if listed == (m[2] == "!=") {
			return false
		}
	}
	return true
}

// mustBeStatuses refuses what Temporal refuses.
func mustBeStatuses(quoted []string) {
	for _, one := range quoted {
		if _, err := enums.WorkflowExecutionStatusFromString(strings.Trim(one, "'")); err != nil {
			panic(err)
		}
	}
}

func timeOf(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return at
}

func fieldOf(name string, info *workflow.WorkflowExecutionInfo) string {
	switch name {
	case "WorkflowId":
		return info.GetExecution().GetWorkflowId()
	case "StartTime":
		return info.GetStartTime().AsTime().Format(time.RFC3339Nano)
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

// CountWorkflow counts runs.
func (t *Temporal) CountWorkflow(_ context.Context, r *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Fault != nil {
		return nil, t.Fault
	}
	reply := &workflowservice.CountWorkflowExecutionsResponse{}
	for _, run := range t.runs {
		if matches(r.GetQuery(), run.info()) {
			reply.Count++
		}
	}
	return reply, nil
}

// inOrder are the runs as Temporal lists them: open ones, the newest first, then those that ended last.
func (t *Temporal) inOrder() []*Run {
	order := slices.Clone(t.runs)
	slices.Reverse(order)
	slices.SortStableFunc(order, func(a, b *Run) int {
		switch {
		case a.open() && b.open():
			return b.StartedAt.Compare(a.StartedAt)
		case a.open() || b.open():
			return cmp.Compare(a.status, b.status) // running is the least
		}
		return b.ClosedAt.Compare(a.ClosedAt)
	})
	return order
}

// ListWorkflow lists runs, all that match on as many pages as it takes.
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
	for _, run := range t.inOrder() {
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

// CheckHealth fails while Temporal is away.
func (t *Temporal) CheckHealth(context.Context, *temporalclient.CheckHealthRequest) (*temporalclient.CheckHealthResponse, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return &temporalclient.CheckHealthResponse{}, t.Fault
}

// DescribeWorkflowExecution describes a run and the step that it is at.
func (t *Temporal) DescribeWorkflowExecution(_ context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Fault != nil {
		return nil, t.Fault
	}
	if id == "" || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, serviceerror.NewInternal("as the client of Temporal says it: an id goes into a header, which takes printable ASCII alone")
	}
	r := t.find(id, runID)
	if r == nil {
		return nil, serviceerror.NewNotFound("no such execution")
	}
	reply := &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: r.info()}
	for _, s := range append([]Step{r.Step}, r.Steps...) {
		if s.Activity != "" {
			reply.PendingActivities = append(reply.PendingActivities, s.pending())
		}
	}
	if !r.Unclaimed.IsZero() {
		reply.PendingWorkflowTask = &workflow.PendingWorkflowTaskInfo{
			State: enums.PENDING_WORKFLOW_TASK_STATE_SCHEDULED, Attempt: 1,
			ScheduledTime: timestamppb.New(r.Unclaimed), OriginalScheduledTime: timestamppb.New(r.Unclaimed),
		}
	}
	for _, child := range r.Children {
		reply.PendingChildren = append(reply.PendingChildren, &workflow.PendingChildExecutionInfo{WorkflowId: child.ID, RunId: child.RunID})
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

// service is the part of Temporal's API that goes beside its SDK.
type service struct {
	workflowservice.WorkflowServiceClient
	t *Temporal
}

// WorkflowService deletes runs; nothing else of it is used.
func (t *Temporal) WorkflowService() workflowservice.WorkflowServiceClient { return service{t: t} }

// DeleteWorkflowExecution forgets a run.
func (s service) DeleteWorkflowExecution(_ context.Context, r *workflowservice.DeleteWorkflowExecutionRequest, _ ...grpc.CallOption) (*workflowservice.DeleteWorkflowExecutionResponse, error) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	before := len(s.t.runs)
	s.t.runs = slices.DeleteFunc(s.t.runs, func(run *Run) bool {
		return run.ID == r.GetWorkflowExecution().GetWorkflowId() && run.RunID == r.GetWorkflowExecution().GetRunId()
	})
	if len(s.t.runs) == before {
		return nil, serviceerror.NewNotFound("no such execution")
	}
	return &workflowservice.DeleteWorkflowExecutionResponse{}, nil
}
