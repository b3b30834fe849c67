package activities

import (
	"context"
	"math"

	"github.com/convilyn/convilyn-temporal/client"
)

// StepAwait names AwaitConversion in failures and progress.
const StepAwait = "convert"

// patience is how many attempts a service gets to know a job that it has just created.
const patience = 3

// AwaitConversionInput is the job to wait for.
type AwaitConversionInput struct {
	JobID string `json:"job_id"`
}

// AwaitConversionResult is how the wait went; the job has completed.
type AwaitConversionResult struct {
	Attempts int `json:"attempts"`
	Throttle
}

// jobFailedError is a job that ended as failed.
type jobFailedError struct {
	code, message, reason string
	faithfulTargets       []string
}

func (e *jobFailedError) Error() string { return e.code + ": " + e.message }

// AwaitConversion polls until the job ends, at the contract's cadence. It only reads, so a retry just goes
// on with the same job. Progress travels in heartbeats and adds nothing to history.
func (a *Activities) AwaitConversion(ctx context.Context, in AwaitConversionInput) (AwaitConversionResult, error) {
	work, attempt := startAttempt(ctx, StepAwait)
	defer attempt.end()
	if err := a.await(work, in.JobID, attempt); err != nil {
		return AwaitConversionResult{}, attempt.failed(work, StepAwait, err)
	}
	return AwaitConversionResult{Attempts: attemptOf(ctx), Throttle: attempt.throttle}, nil
}

func (a *Activities) await(ctx context.Context, jobID string, attempt *attempt) error {
	cadence := client.Cadence{Interval: a.poll}
	for {
		job, err := a.convert.Retrieve(ctx, jobID)
		switch {
		case client.IsNotFound(err) && attemptOf(ctx) > patience:
			return resultsGone(jobID)
		case client.IsNotFound(err):
			return &localError{
				kind: FailureUnavailable, code: CodeJobUnknown, retry: true,
				text: "the service does not know job " + jobID + " (yet)",
			}
		case err != nil:
			return err
		}
		if job.Status == client.JobCompleted {
			a.fresh.put(job, a.now())
			return nil
		}
		if job.Status == client.JobFailed {
			return jobFailed(job)
		}
		progress := jobPercent(job)
		attempt.set(Progress{Step: StepAwait, Percent: progress, Message: job.ProgressMessage})
		if err := a.sleep(ctx, cadence.Next(progress)); err != nil {
			return err
		}
	}
}

func jobPercent(job *client.ConvertJob) int {
	if job.Progress == nil {
		return 0
	}
	return int(math.Round(*job.Progress * 100))
}

func jobFailed(job *client.ConvertJob) error {
	if job.Error == nil {
		return &jobFailedError{code: CodeUnknown, message: "the job failed and the service gave no reason"}
	}
	failure := &jobFailedError{code: job.Error.Code, message: job.Error.Message}
	if job.Error.Detail != nil {
		failure.reason, failure.faithfulTargets = job.Error.Detail.Reason, job.Error.Detail.FaithfulTargets
	}
	return failure
}
