package runstest

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflow/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	sdkworkflow "go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// Run is a run, and what it answers. Members may be set before it is added, and in Temporal.Change afterwards.
type Run struct {
	Kind       *runs.Kind
	ID, RunID  string // the latter is "r" where empty
	FirstRunID string
	State      string // the search attribute; where empty, waiting while there are open questions, else none
	StartedAt  time.Time
	Bytes      int64     // of its history
	ClosedAt   time.Time // of a run that has ended; StartedAt where zero
	Input      any
	Silent     bool // no worker answers for it
	Later      bool // answers that count are not delivered yet: OnQuery may do that
	Labels     []string
	Memo       map[string]any // further keys, beside those of the members below

	File, Format string                        // of a conversion
	Goal, Name   string                        // of a goal
	Questions    []questions.Question          // of any kind that asks; they are in its memo
	More         int                           // questions that the memo does not hold
	Ledger       []questions.Receipt           // oldest first
	Status       goal.Status                   // of a goal
	Batch        batch.Memo                    // of a batch
	Progress     batch.Progress                // of a batch
	Failures     []batch.FailedItem            // of a batch
	Watch        watch.Memo                    // of a watch
	Waves        watch.Progress                // of a watch
	OnQuery      func()                        // before it answers one; may be nil
	OnAnswer     func(r questions.Receipt)     // after an answer counted; may be nil
	CancelResult any                           // that goes along with its cancellation; may be nil
	Step         Step                          // that it is at; none where Activity is empty
	Steps        []Step                        // further ones
	Unclaimed    time.Time                     // since when no worker takes its next workflow task; zero where it needs none
	Children     []*Run                        // that are open; they are added by themselves
	Answers      []questions.Answer            // that counted or may yet, oldest first
	Signals      []Signal                      // that it was sent, oldest first
	Asked        int                           // times, for its progress
	status       enums.WorkflowExecutionStatus // running where zero
	Result       any                           // that it ended with, or will, where End has none
	fault        error
	ended        chan struct{} // closed at its end
}

// Step is the pending activity of a run.
type Step struct {
	Activity string
	Attempt  int
	Failure  string              // of the attempt before
	Detail   *activities.Failure // likewise; may be nil
	NextAt   time.Time           // zero while an attempt is under way
	Queued   time.Time           // since when no worker takes it; zero where one did
	activities.Progress
}

func (s Step) pending() *workflow.PendingActivityInfo {
	beat, err := converter.GetDefaultDataConverter().ToPayloads(s.Progress)
	if err != nil {
		panic(err)
	}
	info := &workflow.PendingActivityInfo{
		ActivityType: &common.ActivityType{Name: s.Activity}, Attempt: int32(max(1, s.Attempt)), HeartbeatDetails: beat, //nolint:gosec // a test's number
		LastFailure: &failure.Failure{Message: s.Failure}, State: enums.PENDING_ACTIVITY_STATE_STARTED,
	}
	if s.Detail != nil {
		details, err := converter.GetDefaultDataConverter().ToPayloads(*s.Detail)
		if err != nil {
			panic(err)
		}
		info.LastFailure.FailureInfo = &failure.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failure.ApplicationFailureInfo{Details: details}}
	}
	if !s.NextAt.IsZero() {
		info.State, info.NextAttemptScheduleTime = enums.PENDING_ACTIVITY_STATE_SCHEDULED, timestamppb.New(s.NextAt)
	}
	if !s.Queued.IsZero() {
		info.State, info.ScheduledTime = enums.PENDING_ACTIVITY_STATE_SCHEDULED, timestamppb.New(s.Queued)
	}
	return info
}

// Signal is one that a run was sent.
type Signal struct {
	Name     string
	Steering batch.Steering
	Answer   questions.Answer
}

func (r *Run) prepare() {
	if r.RunID == "" {
		r.RunID = "r"
	}
	if r.ended == nil {
		r.ended = make(chan struct{})
	}
	if r.status == enums.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED {
		r.status = enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	}
}

// startedRun is a run as its starter has described it.
func startedRun(o temporalclient.StartWorkflowOptions, workflowType string, args []any) *Run {
	r := &Run{Kind: runs.KindOf(workflowType), ID: o.ID, Input: args[0], StartedAt: time.Now(), Memo: map[string]any{}}
	r.State, _ = o.TypedSearchAttributes.GetKeyword(workflows.KeyState)
	for key, kept := range o.Memo {
		switch kept := kept.(type) {
		case questions.Memo:
			r.Goal, r.Name = kept.Goal, kept.Name
		case batch.Memo:
			r.Batch = kept
		case watch.Memo:
			r.Watch = kept
		default:
			r.Memo[key] = kept
		}
	}
	return r
}

// End is the run after its end with a result of its kind, or with Result where that is nil.
func (r *Run) End(result any) *Run {
	r.close(enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, result, nil)
	return r
}

// Fail is the run after it failed.
func (r *Run) Fail(err error) *Run {
	r.close(enums.WORKFLOW_EXECUTION_STATUS_FAILED, nil, Closed(err))
	return r
}

// Terminated is the run after somebody ended it from outside: it could clear nothing up.
func (r *Run) Terminated() *Run {
	r.close(enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil, nil)
	return r
}

// Cancelled is the run after it was cancelled, with CancelResult in the details.
func (r *Run) Cancelled() *Run {
	r.cancel(time.Time{})
	return r
}

func (r *Run) cancel(at time.Time) {
	if r.ClosedAt.IsZero() {
		r.ClosedAt = at
	}
	var details []any
	if r.CancelResult != nil {
		details = []any{r.CancelResult}
	}
	r.close(enums.WORKFLOW_EXECUTION_STATUS_CANCELED, nil, Closed(temporal.NewCanceledError(details...)))
}

func (r *Run) close(status enums.WorkflowExecutionStatus, result any, fault error) {
	r.prepare()
	if !r.open() {
		return
	}
	r.status, r.fault = status, fault
	if result != nil {
		r.Result = result
	}
	close(r.ended)
}

func (r *Run) open() bool { return r.status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING }

// Closed is what a client is told of a workflow that returned this error.
func Closed(err error) error {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.ExecuteWorkflow(func(sdkworkflow.Context) error { return err })
	return env.GetWorkflowError()
}

func (r *Run) info() *workflow.WorkflowExecutionInfo {
	info := &workflow.WorkflowExecutionInfo{
		Execution: &common.WorkflowExecution{WorkflowId: r.ID, RunId: r.RunID}, Type: &common.WorkflowType{Name: r.Kind.Workflow},
		FirstRunId: r.FirstRunID, Status: r.status, HistorySizeBytes: r.Bytes, StartTime: timestamppb.New(r.StartedAt),
		Memo: &common.Memo{Fields: map[string]*common.Payload{}},
	}
	if !r.open() {
		at := r.ClosedAt
		if at.IsZero() {
			at = r.StartedAt
		}
		info.CloseTime = timestamppb.New(at)
	}
	for key, kept := range r.memo() {
		info.Memo.Fields[key] = payload(kept)
	}
	state := r.State
	if state == "" && r.Kind.Asks && r.open() && len(r.goalMemo().Questions) > 0 {
		state = workflows.StateWaiting
	}
	if state != "" {
		info.SearchAttributes = &common.SearchAttributes{IndexedFields: map[string]*common.Payload{workflows.SearchAttributeState: payload(state)}}
	}
	return info
}

func payload(kept any) *common.Payload {
	if already, ok := kept.(*common.Payload); ok {
		return already
	}
	out, err := converter.GetDefaultDataConverter().ToPayload(kept)
	if err != nil {
		panic(err)
	}
	return out
}

func (r *Run) memo() map[string]any {
	memo := map[string]any{}
	switch r.Kind {
	case runs.Conversion:
		memo[runs.MemoSource], memo[runs.MemoTarget] = r.File, r.Format
		if len(r.Questions) > 0 {
			memo[questions.MemoKey] = r.goalMemo()
		}
	case runs.Goal:
		memo[questions.MemoKey] = r.goalMemo()
	case runs.Batch:
		memo[batch.MemoKey], memo[questions.MemoKey] = r.Batch, r.goalMemo()
	case runs.Watch:
		memo[watch.MemoKey] = r.Watch
	}
	if len(r.Labels) > 0 {
		memo[runs.MemoLabels] = r.Labels
	}
	for key, kept := range r.Memo {
		memo[key] = kept
	}
	return memo
}

func (r *Run) goalMemo() questions.Memo {
	memo := questions.Memo{Goal: r.Goal, Name: r.Name, More: r.More}
	for _, q := range r.Questions[:len(r.Questions)-r.More] {
		if q.Answered {
			memo.Answered++
			continue
		}
		listed := questions.MemoQuestion{
			SlotID: q.SlotID, Type: q.Type, Text: q.Text[:min(len(q.Text), 200)], Key: q.Key, AskedAt: q.AskedAt, Deadline: q.Deadline, For: q.For,
		}
		if q.Refused != nil {
			listed.Refused = q.Refused.Reason
		}
		memo.Questions = append(memo.Questions, listed)
	}
	return memo
}

func (r *Run) answer(query string) any {
	if r.OnQuery != nil {
		r.OnQuery()
	}
	switch query {
	case questions.QueryQuestions:
		return slices.Clone(r.Questions)
	case questions.QueryAnswers:
		return slices.Clone(r.Ledger)
	case batch.QueryFailures:
		return slices.Clone(r.Failures)
	}
	switch r.Kind {
	case runs.Batch:
		return r.Progress
	case runs.Watch:
		return r.Waves
	}
	return r.Status
}

// take judges an answer: the first one to a question counts, and an id that was heard before gets its receipt again.
func (r *Run) take(a questions.Answer, now time.Time, refuse func(*Run, questions.Answer) string) questions.Receipt {
	receipt := questions.Receipt{
		AnswerID: a.AnswerID, SlotID: a.SlotID, Value: a.Value, AnsweredBy: a.AnsweredBy, Channel: a.Channel, Note: a.Note, ReceivedAt: now,
	}
	for _, old := range r.Ledger {
		if a.AnswerID != "" && old.AnswerID == a.AnswerID {
			return old
		}
	}
	no := func(verdict questions.Verdict, reason string) questions.Receipt {
		receipt.Verdict, receipt.Reason, receipt.Value = verdict, reason, nil
		return receipt
	}

	at := slices.IndexFunc(r.Questions, func(q questions.Question) bool { return q.SlotID == a.SlotID && !q.Answered })
	switch {
	case at < 0 && slices.ContainsFunc(r.Ledger, func(old questions.Receipt) bool { return old.SlotID == a.SlotID }):
		return no(questions.VerdictConflict, "another answer counted first")
	case at < 0 && a.Asked:
		return no(questions.VerdictInvalid, fmt.Sprintf("this run does not ask %.80q", a.SlotID))
	case at < 0:
		receipt.Verdict = questions.VerdictEarly
	case r.Questions[at].Refuse(a.Value) != "":
		return no(questions.VerdictInvalid, r.Questions[at].Refuse(a.Value))
	default:
		receipt.Verdict, receipt.DeliveredAt = questions.VerdictAccepted, &now // its question is closed below
		receipt.Label = r.Questions[at].Label(a.Value)
		if r.Later {
			receipt.DeliveredAt = nil
		}
	}
	if refuse != nil {
		if reason := refuse(r, a); reason != "" {
			return no(questions.VerdictInvalid, reason)
		}
	}

	r.Ledger, r.Answers = append(r.Ledger, receipt), append(r.Answers, a)
	switch {
	case at >= 0 && r.Later:
		r.Questions = slices.Clone(r.Questions)
		r.Questions[at].Answered = true
	case at >= 0:
		r.Questions = slices.Delete(slices.Clone(r.Questions), at, at+1)
	}
	if r.OnAnswer != nil {
		r.OnAnswer(receipt)
	}
	return receipt
}

// Required reports whether a required question is open.
func (r *Run) Required() bool {
	return slices.ContainsFunc(r.Questions, func(q questions.Question) bool { return q.Required && !q.Answered })
}
