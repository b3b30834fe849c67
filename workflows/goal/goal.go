package goal

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// WorkflowType is the workflow's type.
const WorkflowType = "RunGoal"

// maxRetriesDefault is how many free retries a failed job gets.
const maxRetriesDefault = 2

// RunGoal starts a goal, asks people what it asks, and brings its artifacts home. While it waits for people it
// is parked: no activity runs, and only answers, the timers of its policy, and a rare look at the job wake it.
func RunGoal(ctx workflow.Context, input Input) (Result, error) {
	r := newGoalRun(input)
	if err := r.Listen(ctx); err != nil {
		return Result{}, err
	}
	if err := run.AnswerQueries(ctx, run.Query{Name: run.QueryStatus, Handler: func() (Status, error) { return r.status(), nil }}); err != nil {
		return Result{}, err
	}
	err := r.run(ctx)
	if workflow.IsContinueAsNewError(err) {
		return Result{}, err
	}
	err = r.end(ctx, err)
	return r.result, err
}

type goalRun struct {
	questions.Handler
	input  Input
	state  State
	step   string
	ended  string // the state that the run ended in, empty until then
	shown  string // what the lists were told last
	result Result
}

func newGoalRun(input Input) *goalRun {
	r := &goalRun{input: input, result: Result{Outputs: []activities.Output{}}}
	r.Handler = questions.Handler{Ledger: &r.state.Ledger, Signals: []questions.Signal{
		{Name: questions.SignalFillSlot},
		{Name: SignalApprovePreview, SlotID: SlotPreview, Value: PreviewApprove},
		{Name: SignalRejectPreview, SlotID: SlotPreview, Value: PreviewReject},
	}}
	if input.Resume != nil {
		r.state = *input.Resume
		r.input.Resume = nil
		return r
	}
	r.state = State{Name: input.Name, Attempts: 1}
	return r
}

// run is the story: start, watch, ask, answer, confirm, collect.
func (r *goalRun) run(ctx workflow.Context) error {
	for r.state.Job.JobSpecID == "" {
		if err := r.begin(ctx); err != nil || r.result.Status != "" {
			return err
		}
	}
	for {
		if err := r.continueWhenLong(ctx); err != nil {
			return err
		}
		var err error
		switch r.state.Job.Status {
		case jobSlotsPending:
			err = r.answer(ctx)
		case jobReady:
			err = r.confirm(ctx)
		case jobReadyWithPreview:
			err = r.decidePreview(ctx)
		case jobCompleted, jobPartial:
			return r.collect(ctx)
		case jobFailed:
			err = r.retry(ctx)
		case jobCancelled:
			r.result.Status = ResultCancelled
			return nil
		default:
			err = r.watch(ctx)
		}
		if err != nil || r.result.Status != "" {
			return err
		}
	}
}

// The states of a goal job on which a run branches (CONTRACT §4.4). In all others the service works.
const (
	jobSlotsPending     = "slots_pending"
	jobReady            = "ready"
	jobReadyWithPreview = "ready_with_preview"
	jobCompleted        = "completed"
	jobPartial          = "partial"
	jobFailed           = "failed"
	jobCancelled        = "cancelled"
)

// answer waits until there are answers to send, sends them together, and learns what became of them.
func (r *goalRun) answer(ctx workflow.Context) error {
	waiting := func() bool { return len(r.state.Ledger.Outgoing()) == 0 }
	if err := r.park(ctx, waiting); err != nil || r.state.Job.Status != jobSlotsPending {
		return err
	}
	sent := r.state.Ledger.Outgoing()
	if len(sent) == 0 {
		return nil // a look has changed what is asked
	}
	answers, err := r.uploadFiles(ctx, sent)
	if err != nil || len(answers) == 0 {
		return err
	}
	return r.fill(ctx, answers)
}

func (r *goalRun) fill(ctx workflow.Context, answers []activities.SlotAnswer) error {
	r.show(ctx) // nobody shall answer again what is on its way, however long that takes
	var out activities.FillSlotsResult
	err := r.try(ctx, activities.StepFill, func(ctx workflow.Context) error {
		// A look, a PATCH, and a few races.
		ctx = r.options(ctx, 2*time.Minute, fmt.Sprintf("Answer %d questions of job %s", len(answers), r.state.Job.JobSpecID))
		return workflow.ExecuteActivity(ctx, steps.FillSlots, activities.FillSlotsInput{JobSpecID: r.state.Job.JobSpecID, Answers: answers}).Get(ctx, &out)
	})
	if err != nil {
		return err
	}
	now := workflow.Now(ctx)
	for _, slotID := range out.Delivered {
		r.state.Ledger.Deliver(slotID, now)
	}
	for _, slotID := range out.Elsewhere {
		r.state.Ledger.Withdraw(slotID, out.Snapshot.Filled[slotID], now)
	}
	for _, refusal := range out.Refused {
		r.state.Ledger.Refuse(refusal.SlotID, refusal.Reason)
	}
	r.count(out.Attempts)
	r.see(ctx, out.Snapshot)
	return nil
}

// confirm submits a job that has all it needs. A second confirmation would be refused, and does no harm.
func (r *goalRun) confirm(ctx workflow.Context) error {
	return r.act(ctx, activities.StepConfirm, "Confirm job "+r.state.Job.JobSpecID, steps.ConfirmGoal, activities.GoalInput{JobSpecID: r.state.Job.JobSpecID})
}

// decidePreview never confirms by itself what somebody has to see first.
func (r *goalRun) decidePreview(ctx workflow.Context) error {
	decision := func() string { return r.state.Ledger.Decision(SlotPreview) }
	if err := r.park(ctx, func() bool { return decision() == "" }); err != nil || r.state.Job.Status != jobReadyWithPreview {
		return err
	}
	choice := decision()
	r.state.Ledger.Deliver(SlotPreview, workflow.Now(ctx))
	if choice == PreviewReject {
		return r.cancelJob(ctx)
	}
	return r.confirm(ctx)
}

func (r *goalRun) cancelJob(ctx workflow.Context) error {
	return r.act(ctx, activities.StepCancel, "Cancel job "+r.state.Job.JobSpecID, steps.CancelGoal, activities.GoalInput{JobSpecID: r.state.Job.JobSpecID})
}

// retry runs a failed job again where the service says that this may help; it costs nothing, starting anew might.
func (r *goalRun) retry(ctx workflow.Context) error {
	most := maxRetriesDefault
	if r.input.MaxRetries != nil {
		most = *r.input.MaxRetries
	}
	failure := r.state.Job.Error
	if failure == nil || failure.Action != retryAction || r.state.Retries >= most {
		return jobFailure(r.state.Job, r.state.Retries)
	}
	r.state.Retries++
	return r.act(ctx, activities.StepRetry, "Retry job "+r.state.Job.JobSpecID, steps.RetryGoal, activities.RetryGoalInput{
		JobSpecID: r.state.Job.JobSpecID, AttemptID: r.state.Job.AttemptID, Reason: "automatic retry after " + failure.Code,
	})
}

// retryAction is the suggestedAction that says that a retry may help.
const retryAction = "retry"

// watch follows the job while the service works on it.
func (r *goalRun) watch(ctx workflow.Context) error {
	r.show(ctx)
	var job activities.GoalSnapshot
	err := r.try(ctx, activities.StepWatch, func(ctx workflow.Context) error {
		// One long look that carries on with the same job after each hour.
		ctx = r.options(ctx, time.Hour, "Watch job "+r.state.Job.JobSpecID)
		return workflow.ExecuteActivity(ctx, steps.WatchGoal, activities.GoalInput{JobSpecID: r.state.Job.JobSpecID}).Get(ctx, &job)
	})
	if err != nil {
		return err
	}
	r.see(ctx, job)
	return nil
}

// collect brings the artifacts home. A partial result is one, and says what it lacks.
func (r *goalRun) collect(ctx workflow.Context) error {
	r.show(ctx)
	var out activities.CollectArtifactsResult
	err := r.try(ctx, activities.StepCollect, func(ctx workflow.Context) error {
		// Two gigabytes, the most an artifact may have, over a thin line.
		ctx = r.options(ctx, 2*time.Hour, "Download the artifacts of job "+r.state.Job.JobSpecID)
		return workflow.ExecuteActivity(ctx, steps.CollectArtifacts, activities.CollectArtifactsInput{
			JobSpecID: r.state.Job.JobSpecID, Folder: r.input.To.Folder, OnExist: r.input.To.OnExist,
		}).Get(ctx, &out)
	})
	if err != nil {
		return err
	}
	r.count(out.Attempts)
	r.result.Outputs, r.result.Status = out.Outputs, ResultCompleted
	if r.state.Job.Status == jobPartial {
		r.result.Status = ResultPartial
		r.result.Missing = missing(r.state.Job)
	}
	return nil
}

func missing(job activities.GoalSnapshot) []string {
	switch {
	case job.Error != nil && job.Error.Message != "":
		return []string{job.Error.Message}
	case job.Message != "":
		return []string{job.Message}
	default:
		return []string{"the service does not say what is missing"}
	}
}

// act does one thing to the job and sees what it is then.
func (r *goalRun) act(ctx workflow.Context, step, summary string, activity, input any) error {
	var job activities.GoalSnapshot
	err := r.try(ctx, step, func(ctx workflow.Context) error {
		// A few requests, each with a timeout of its own.
		ctx = r.options(ctx, 2*time.Minute, summary)
		return workflow.ExecuteActivity(ctx, activity, input).Get(ctx, &job)
	})
	if err != nil {
		return err
	}
	r.see(ctx, job)
	return nil
}

// try does a step; where only people can mend what it failed by, it asks them instead of throwing away what was
// paid for and answered.
func (r *goalRun) try(ctx workflow.Context, step string, do func(workflow.Context) error) error {
	for {
		r.step = step
		err := do(ctx)
		if err == nil {
			r.state.Ledger.Recall(questions.SlotTrouble) // it was asked before the run continued as new, and has mended itself
			return nil
		}
		failure, known := activities.FailureOf(err)
		if !known || !mendable(failure.Kind) || temporal.IsCanceledError(err) {
			return err
		}
		cause := fmt.Sprintf("%s: %s", failure.Code, failure.Message)
		again, askErr := r.askTrouble(ctx, step, cause)
		if askErr != nil {
			return askErr
		}
		if !again {
			return err
		}
	}
}

// mendable says that people can mend the cause while the job waits.
func mendable(kind string) bool {
	switch kind {
	case activities.FailureAuth, activities.FailurePlan, activities.FailureOutput, activities.FailureMismatch:
		return true
	}
	return false
}

func (r *goalRun) askTrouble(ctx workflow.Context, step, cause string) (again bool, err error) {
	r.ask(ctx, troubleQuestion(step, cause))
	decision := func() string { return r.state.Ledger.Decision(questions.SlotTrouble) }
	if err := r.rest(ctx, func() bool { return decision() == "" }); err != nil {
		return false, err
	}
	again = decision() == questions.TroubleRetry
	r.state.Ledger.Deliver(questions.SlotTrouble, workflow.Now(ctx))
	r.show(ctx)
	return again, nil
}

func (r *goalRun) count(attempts int) { r.state.Attempts = max(r.state.Attempts, attempts) }

// steps are the activities; only their names are used here.
var steps *activities.Activities

// options are the limits that all steps share.
func (r *goalRun) options(ctx workflow.Context, attempt time.Duration, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: attempt,
		// No end for all attempts: a job that was paid for waits for the network as long as it takes.
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 500 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second,
		},
		Summary: summary,
	})
}
