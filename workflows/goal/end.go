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
	if err == nil && r.result.Status == ResultCancelled {
		r.ended = run.StateCancelled
	}
	err = r.failure(err)
	r.show(ctx)
	r.result.JobSpecID, r.result.FileIDs, r.result.Retries, r.result.Attempts = r.state.Job.JobSpecID, r.state.FileIDs, r.state.Retries, r.state.Attempts
	if r.result.Message == "" {
		r.result.Message = r.state.Job.Message
	}
	r.result.Answers = trimmed(r.state.Ledger.Receipts)
	ended := activities.Notification{Type: activities.NotifyEnded, Status: r.ended, Message: r.result.Message}
	if err != nil {
		ended.Message = err.Error()
	} else if r.result.Status == ResultPartial {
		ended.Status = ResultPartial
	}
	r.notify(ctx, ended)
	return err
}

// abandon leaves no job running that nobody waits for, and no half-fetched file.
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
