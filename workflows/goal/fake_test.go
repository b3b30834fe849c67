package goal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/notify"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// stage is where a job of the fake service stands until its caller acts.
type stage struct {
	status client.GoalStatus
	slots  []client.PendingSlot
	failed *client.GoalError
}

func asks(slots ...client.PendingSlot) stage {
	return stage{status: client.GoalSlotsPending, slots: slots}
}

func at(status client.GoalStatus) stage { return stage{status: status} }

func choice(id string) client.PendingSlot {
	return client.PendingSlot{
		SlotID: id, SlotType: slot.Choice, Question: "Which " + id + "?", Required: true,
		Options: []client.SlotOption{{Value: "a", Label: "A"}, {Value: "b", Label: "B"}},
	}
}

// fakeGoals is a service at the seam of the client: real activities, no network.
type fakeGoals struct {
	mu      sync.Mutex
	stages  []stage
	job     client.GoalJob
	starts  int
	patches []string // slot=value, in the order taken
	calls   map[string]int
	fail    map[string][]error // errors to give first, by call
	after   func(call string)  // runs when a call is done, within the lock
	files   int
}

func newFakeGoals(stages ...stage) *fakeGoals {
	return &fakeGoals{stages: stages, calls: map[string]int{}, fail: map[string][]error{}, after: func(string) {}}
}

// enter counts a call and gives the error that is planned for it.
func (f *fakeGoals) enter(call string) (leave func(), err error) {
	f.mu.Lock()
	f.calls[call]++
	if planned := f.fail[call]; len(planned) > 0 {
		err, f.fail[call] = planned[0], planned[1:]
	}
	return func() { f.after(call); f.mu.Unlock() }, err
}

func (f *fakeGoals) advance() {
	now := f.stages[0]
	f.stages = f.stages[1:]
	f.job.Status, f.job.PendingSlots, f.job.Error = now.status, now.slots, now.failed
	f.job.ItemVersion++
}

func (f *fakeGoals) snapshot() *client.GoalJob {
	job := f.job
	job.PendingSlots = slices.Clone(f.job.PendingSlots)
	job.FilledSlots = map[string]json.RawMessage{}
	for id, value := range f.job.FilledSlots {
		job.FilledSlots[id] = value
	}
	return &job
}

func (f *fakeGoals) Catalog(context.Context, ...client.CallOption) (*client.Catalog, error) {
	leave, err := f.enter("catalog")
	defer leave()
	return &client.Catalog{Workflows: []client.CatalogEntry{{WorkflowID: "goal_lane.fake", Name: "Fake"}}}, err
}

func (f *fakeGoals) Start(_ context.Context, p client.StartParams, _ ...client.CallOption) (*client.GoalJob, error) {
	leave, err := f.enter("start")
	defer leave()
	if refused(err) {
		return nil, err
	}
	f.starts++
	f.job = client.GoalJob{JobSpecID: fmt.Sprintf("job-%d", f.starts), FileIDs: p.FileIDs, FilledSlots: map[string]json.RawMessage{}, AttemptID: "att_1"}
	for _, answer := range p.Answers {
		f.job.FilledSlots[answer.SlotID] = answer.Value
	}
	f.advance()
	return f.snapshot(), err
}

// refused says that a planned error stands for a request that was not carried out, not for a lost reply.
func refused(err error) bool { return err != nil && !client.IsAmbiguous(err) }

func (f *fakeGoals) Retrieve(context.Context, string, ...client.CallOption) (*client.GoalJob, error) {
	leave, err := f.enter("retrieve")
	defer leave()
	return f.snapshot(), err
}

func (f *fakeGoals) FindByFile(context.Context, string, ...client.CallOption) ([]client.GoalJob, error) {
	leave, err := f.enter("find")
	defer leave()
	if f.starts == 0 || err != nil {
		return nil, err
	}
	return []client.GoalJob{*f.snapshot()}, nil
}

func (f *fakeGoals) FillSlots(_ context.Context, _ string, p client.FillParams, _ ...client.CallOption) (*client.GoalJob, error) {
	leave, err := f.enter("fill")
	defer leave()
	if refused(err) {
		return nil, err
	}
	if p.ExpectedVersion != nil && *p.ExpectedVersion != f.job.ItemVersion {
		return nil, apiError(http.StatusConflict, "VERSION_CONFLICT")
	}
	for _, answer := range p.Answers {
		f.take(answer.SlotID, answer.Value)
	}
	return f.snapshot(), err
}

// take fills a slot, by whoever it is; when none is left the job goes on.
func (f *fakeGoals) take(slotID string, value json.RawMessage) {
	f.patches = append(f.patches, slotID+"="+string(value))
	f.job.FilledSlots[slotID] = value
	f.job.PendingSlots = slices.DeleteFunc(f.job.PendingSlots, func(s client.PendingSlot) bool { return s.SlotID == slotID })
	f.job.ItemVersion++
	if len(f.job.PendingSlots) == 0 {
		f.advance()
	}
}

func (f *fakeGoals) step(call string, from ...client.GoalStatus) error {
	leave, err := f.enter(call)
	defer leave()
	if refused(err) {
		return err
	}
	if !slices.Contains(from, f.job.Status) {
		return apiError(http.StatusConflict, "CONFLICT")
	}
	switch call {
	case "cancel":
		f.job.Status, f.job.PendingSlots = client.GoalCancelled, nil
		return err
	case "retry":
		f.job.AttemptID += "1"
	}
	f.advance()
	return err
}

func (f *fakeGoals) Confirm(context.Context, string, ...client.CallOption) error {
	return f.step("confirm", client.GoalReady, client.GoalReadyWithPreview)
}

func (f *fakeGoals) Cancel(context.Context, string, ...client.CallOption) error {
	return f.step("cancel", client.GoalReady, client.GoalReadyWithPreview, client.GoalExecuting, client.GoalSlotsPending)
}

func (f *fakeGoals) Retry(_ context.Context, _ string, p client.RetryParams, _ ...client.CallOption) error {
	if p.Mode != client.RerunSameThread {
		panic("it is charged in full: " + p.Mode)
	}
	return f.step("retry", client.GoalFailed)
}

func (f *fakeGoals) Artifacts(context.Context, string, ...client.CallOption) ([]client.Artifact, error) {
	leave, err := f.enter("artifacts")
	defer leave()
	return []client.Artifact{{ArtifactID: "art_1", FileName: "out.txt", MimeType: "text/plain", SizeBytes: 4}}, err
}

func (f *fakeGoals) ArtifactLink(context.Context, string, string, ...client.CallOption) (*client.ResultFile, error) {
	return &client.ResultFile{URL: "https://example.org/"}, nil
}

// Balance is what the account has, a hundred credits unless it is planned to be unknown.
func (f *fakeGoals) Balance(context.Context, ...client.CallOption) (*client.Balance, error) {
	leave, err := f.enter("balance")
	defer leave()
	return &client.Balance{Credits: 100}, err
}

// change changes the job as the service itself would.
func (f *fakeGoals) change(how func(job *client.GoalJob)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how(&f.job)
}

// goOn lets a job go on that is frozen, or that somebody elsewhere has acted on.
func (f *fakeGoals) goOn() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance()
}

// Events lets a job that works go on by one stage a look.
func (f *fakeGoals) Events(ctx context.Context, _ string, _ client.EventOptions) iter.Seq2[client.GoalEvent, error] {
	return func(yield func(client.GoalEvent, error) bool) {
		leave, err := f.enter("events")
		if err == nil && !f.job.Status.AwaitsCaller() && !f.job.Status.Terminal() {
			f.advance()
		}
		job := f.snapshot()
		leave()
		yield(client.GoalEvent{Type: client.EventStatus, Job: job}, err)
	}
}

func (f *fakeGoals) Upload(_ context.Context, p client.UploadParams, _ ...client.CallOption) (*client.File, error) {
	_, _ = io.Copy(io.Discard, p.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files++
	return &client.File{FileID: fmt.Sprintf("file_%d", f.files)}, nil
}

type fakeConvert struct {
	activities.Convert
	goals *fakeGoals
}

func (f fakeConvert) Fetch(_ context.Context, file client.ResultFile, o client.FetchOptions) (*client.Downloaded, error) {
	leave, err := f.goals.enter("fetch")
	defer leave()
	if err != nil {
		return nil, err
	}
	return &client.Downloaded{Path: o.PartPath, Size: file.Size, SHA256: "s", Mimetype: file.Mimetype}, o.Folder.WriteFile(o.PartPath, []byte("done"), 0o600)
}

func apiError(status int, code string) error {
	return &client.APIError{Status: status, Code: code, Message: "m", Details: map[string]any{}, Method: http.MethodPost}
}

// lost is a request that was carried out and whose reply never came.
var lost = &client.TransportError{Sent: true, Err: io.ErrUnexpectedEOF}

// goalRun is a RunGoal in virtual time, over as many runs as it continues as new.
type goalRun struct {
	prepare func(*testsuite.TestWorkflowEnvironment) // each environment; may be nil
	*testsuite.TestWorkflowEnvironment
	goals   *fakeGoals
	confirm string // what the worker says
	plan    []planned
	spent   time.Duration
	runs    int
	// told is called as a notification begins, where anybody is to be notified; nil for nobody.
	told func(r *goalRun, n activities.Notification)
}

type planned struct {
	after time.Duration
	do    func(r *goalRun)
}

func (r *goalRun) in(after time.Duration, do func(r *goalRun)) {
	r.plan = append(r.plan, planned{after, do})
}

func (r *goalRun) answers(after time.Duration, id, slotID, value string) {
	r.in(after, func(r *goalRun) { r.SignalWorkflow(questions.SignalFillSlot, workflowtest.Answer(id, slotID, value)) })
}

// listens has notifications told to told in place of a webhook.
func (r *goalRun) listens() *activities.Notifier {
	if r.told == nil {
		return nil
	}
	r.OnWorkflow(notify.WorkflowType, mock.Anything, mock.Anything).Return(nil)
	r.SetOnChildWorkflowStartedListener(func(_ *workflow.Info, _ workflow.Context, args converter.EncodedValues) {
		var n activities.Notification
		if err := args.Get(&n); err != nil {
			panic(err)
		}
		r.told(r, n)
	})
	return new(activities.Notifier)
}

// play runs the workflow to its end; input may be anything that is one when it is encoded. What was planned for a time after a run continued as new happens in the next.
func (r *goalRun) play(t *testing.T, input any) (goal.Result, error) {
	t.Helper()
	var result goal.Result
	for {
		r.runs++
		require.Less(t, r.runs, 200, "it continues as new without end")
		r.TestWorkflowEnvironment = workflowtest.NewEnvironment()
		workflows.Register(r)
		api := activities.API{Files: r.goals, Convert: fakeConvert{goals: r.goals}, Goals: r.goals, Confirm: r.confirm, Account: r.goals}
		r.RegisterActivity(activities.New(api, time.Second, r.listens()))
		if r.prepare != nil {
			r.prepare(r.TestWorkflowEnvironment)
		}
		begun := r.Now()
		rest := r.plan
		r.plan = nil
		workflowtest.WhenBegun(r.TestWorkflowEnvironment, func() {
			for _, p := range rest {
				r.RegisterDelayedCallback(func() {
					if r.IsWorkflowCompleted() {
						r.plan = append(r.plan, planned{p.after - r.Now().Sub(begun), p.do})
						return
					}
					p.do(r)
				}, max(p.after, 0))
			}
		})
		r.ExecuteWorkflow(goal.WorkflowType, input)
		require.True(t, r.IsWorkflowCompleted())
		r.spent += r.Now().Sub(begun)
		err := r.GetWorkflowError()
		var again *workflow.ContinueAsNewError
		if !workflowtest.AsContinueAsNew(err, &again) {
			if err == nil {
				require.NoError(t, r.GetWorkflowResult(&result))
			}
			return result, err
		}
		var next goal.Input
		require.NoError(t, workflowtest.Decode(again.Input, &next))
		input = next
		passed := r.Now().Sub(begun)
		for _, p := range rest {
			if p.after > passed {
				r.plan = append(r.plan, planned{p.after - passed, p.do})
			}
		}
	}
}
