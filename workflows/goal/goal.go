// Package goal is the workflow RunGoal: a job of several steps that stops at questions for people.
package goal

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
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

func newGoalRun(input Input) *goalRun {
	r := &goalRun{input: input, result: Result{Outputs: []activities.Output{}}}
	r.Handler = questions.Handler{Ledger: &r.state.Ledger, OnAnswer: r.onAnswer, Signals: []questions.Signal{
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
		case r.state.Unshown:
			err = r.awaitShown(ctx)
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

// answer waits until there are answers to send, sends them together, and learns what became of them.
func (r *goalRun) answer(ctx workflow.Context) error {
	if q := r.state.Ledger.InvalidGiven(); q != nil && workflow.GetVersion(ctx, "invalid-preset-stops", workflow.DefaultVersion, 1) != workflow.DefaultVersion {
		return presetFailure(q)
	}
	if len(r.state.Job.Slots) == 0 && waitsUntilShown(ctx) {
		r.state.Unshown = r.state.Job.Status // it has all its answers
		return nil
	}
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
	r.publish(ctx) // nobody shall answer again what is on its way, however long that takes
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
	var reopened []string
	for _, refusal := range out.Refused {
		reopened = append(reopened, r.refuse(ctx, refusal.SlotID, refusal.Reason)...)
	}
	r.count(out.Attempts)
	r.see(ctx, out.Snapshot)
	r.notifyRefused(ctx, reopened)
	return nil
}

// retry runs a failed job again where the service says that this may help; it costs nothing, a new start might.
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

// watch follows the job while the service works on it, and asks people about one that does not move.
func (r *goalRun) watch(ctx workflow.Context) error {
	if r.state.Ledger.Find(SlotStuck) != nil {
		return r.decideStuck(ctx)
	}
	r.publish(ctx)
	var seen sight
	err := r.try(ctx, activities.StepWatch, func(ctx workflow.Context) error {
		// One long look that carries on with the same job after each hour.
		ctx, stop := workflow.WithCancel(r.options(ctx, time.Hour, "Watch job "+r.state.Job.JobSpecID))
		defer stop()
		watching := workflow.ExecuteActivity(ctx, steps.WatchGoal, activities.GoalInput{JobSpecID: r.state.Job.JobSpecID})
		if workflow.GetVersion(ctx, "ask-about-stuck", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
			return watching.Get(ctx, &seen.job)
		}
		var err error
		seen, err = r.awaitNews(ctx, watching)
		return err
	})
	switch {
	case err != nil:
		return err
	case seen.still > 0:
		r.state.Job = seen.job
		r.ask(ctx, stuckQuestion(seen, r.spends()))
		return r.decideStuck(ctx)
	}
	r.see(ctx, seen.job)
	return nil
}

// collect brings the artifacts home. A partial result is one, and says what it lacks.
func (r *goalRun) collect(ctx workflow.Context) error {
	r.publish(ctx)
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

// resultState is the state of a run that has come to its result. Before version 1 of "result-states" those that are partial or
// were given up said that they were completed.
func (r *goalRun) resultState(ctx workflow.Context) string {
	state, known := map[string]string{ResultCancelled: run.StateCancelled, ResultPartial: run.StatePartial, ResultDropped: run.StateStopped}[r.result.Status]
	switch {
	case !known:
		return run.StateCompleted
	case state != run.StateCancelled && workflow.GetVersion(ctx, "result-states", workflow.DefaultVersion, 1) == workflow.DefaultVersion:
		return run.StateCompleted
	}
	return state
}

// end settles everything, however the run ended, and says how that was.
func (r *goalRun) end(ctx workflow.Context, err error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err != nil {
		r.abandon(ctx)
	}
	if errors.Is(err, errCancelledByPolicy) {
		r.result.Status, err = ResultCancelled, nil
	}
	if drainErr := r.Drain(ctx); drainErr != nil {
		workflow.GetLogger(ctx).Error("cannot hear the last answers", "error", drainErr)
	}
	r.state.Ledger.Close()
	r.ended = run.EndState(err)
	if err == nil {
		r.ended = r.resultState(ctx)
	}
	err = r.failure(err)
	r.publish(ctx)
	r.result.JobSpecID, r.result.FileIDs, r.result.Retries, r.result.Attempts = r.state.Job.JobSpecID, r.state.FileIDs, r.state.Retries, r.state.Attempts
	if r.result.Message == "" {
		r.result.Message = r.state.Job.Message
	}
	r.result.Answers = trimmed(r.state.Ledger.Receipts)
	ended := activities.Notification{Type: activities.NotifyEnded, Status: r.ended, Message: r.result.Message}
	if err != nil {
		ended.Message = err.Error()
	} else {
		ended.Status = r.result.Status
	}
	run.CountRun(ctx, run.LaneGoal, ended.Status)
	r.notify(ctx, ended)
	return err
}

// abandon leaves no job running that nobody waits for, and no partly downloaded file.
func (r *goalRun) abandon(ctx workflow.Context) {
	switch r.state.Job.Status {
	case "", jobCompleted, jobPartial, jobFailed, jobCancelled:
	default:
		ctx := workflow.WithScheduleToCloseTimeout(r.options(ctx, 2*time.Minute, "Cancel job "+r.state.Job.JobSpecID), time.Hour)
		err := workflow.ExecuteActivity(ctx, steps.CancelGoal, activities.GoalInput{JobSpecID: r.state.Job.JobSpecID}).Get(ctx, &r.state.Job)
		if err != nil {
			workflow.GetLogger(ctx).Error("cannot cancel the job", "job_spec_id", r.state.Job.JobSpecID, "error", err)
		}
	}
	if r.step == activities.StepCollect {
		convert.DiscardParts(ctx, activities.DiscardPartsInput{Folder: r.input.To.Folder})
	}
}

// trimmed leaves long values out of a result; the ledger has them.
func trimmed(receipts []questions.Receipt) []questions.Receipt {
	const longest = 256
	out := make([]questions.Receipt, len(receipts))
	for i, receipt := range receipts {
		out[i] = receipt
		if len(receipt.Value) > longest {
			out[i].Value = run.Encode(fmt.Sprintf("(%d bytes)", len(receipt.Value)))
		}
	}
	return out
}

// jobFailure is a job that ended as failed, in a form that names it.
func jobFailure(job activities.GoalSnapshot, retries int) error {
	detail := activities.Failure{
		Step: activities.StepWatch, Kind: activities.FailureConversion, Code: activities.CodeUnknown, Message: "the job failed and the service gave no reason",
		Attempts: retries + 1, JobID: job.JobSpecID,
	}
	if job.Error != nil {
		detail.Code, detail.Message, detail.Reason = job.Error.Code, job.Error.Message, job.Error.Reason
	}
	return temporal.NewApplicationErrorWithOptions(detail.Message, detail.Code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{detail}})
}

// failure names goal, step and code in one line; the step's detail travels along.
func (r *goalRun) failure(err error) error {
	if err == nil || temporal.IsCanceledError(err) {
		return err
	}
	detail, ok := activities.FailureOf(err)
	if !ok {
		detail = activities.Failure{Step: r.step, Kind: activities.FailureUnknown, Code: activities.CodeUnknown, Message: err.Error(), Attempts: r.state.Attempts}
	}
	detail.JobID = r.state.Job.JobSpecID
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("%s: %s: %s: %s", r.goal(), detail.Step, detail.Code, detail.Message),
		detail.Code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{detail}})
}
