package activities

import (
	"context"

	"github.com/convilyn/convilyn-temporal/client"
)

// ConfirmGoal submits a ready job and reads it again. A job that is confirmed already refuses a second time,
// which is fine.
func (a *Activities) ConfirmGoal(ctx context.Context, in GoalInput) (GoalSnapshot, error) {
	return a.act(ctx, StepConfirm, in.JobSpecID, func(ctx context.Context) error {
		return a.goals.Confirm(ctx, in.JobSpecID, client.WithIdempotencyKey(idempotencyKey(ctx, StepConfirm)))
	})
}

// CancelGoal cancels a job and reads it again. One that has ended already is left as it is.
func (a *Activities) CancelGoal(ctx context.Context, in GoalInput) (GoalSnapshot, error) {
	return a.act(ctx, StepCancel, in.JobSpecID, func(ctx context.Context) error {
		return a.goals.Cancel(ctx, in.JobSpecID, client.WithIdempotencyKey(idempotencyKey(ctx, StepCancel)))
	})
}

// StepCancel names CancelGoal in failures and progress.
const StepCancel = "cancel"

// RetryGoalInput is a failed job to run again.
type RetryGoalInput struct {
	JobSpecID string `json:"job_spec_id"`
	AttemptID string `json:"attempt_id,omitempty"` // the attempt that failed
	Reason    string `json:"reason,omitempty"`
}

// RetryGoal uses the free retry of a failed job. Where an earlier try at it was heard, it is not repeated.
func (a *Activities) RetryGoal(ctx context.Context, in RetryGoalInput) (GoalSnapshot, error) {
	return a.act(ctx, StepRetry, in.JobSpecID, func(ctx context.Context) error {
		job, err := a.retrieveGoal(ctx, in.JobSpecID)
		if err != nil || job.Status != client.GoalFailed || job.AttemptID != in.AttemptID {
			return err
		}
		return a.goals.Retry(ctx, in.JobSpecID, client.RetryParams{Mode: client.RerunSameThread, Reason: in.Reason},
			client.WithIdempotencyKey(idempotencyKey(ctx, StepRetry+"-"+in.AttemptID)))
	})
}

// act does something to a job once, as far as the job is concerned, and returns the job as it then is.
func (a *Activities) act(ctx context.Context, step, jobSpecID string, do func(ctx context.Context) error) (GoalSnapshot, error) {
	work, attempt := startAttempt(ctx, step)
	defer attempt.end()
	err := do(work)
	if err != nil && !client.IsConflict(err) {
		return GoalSnapshot{}, failed(work, step, err)
	}
	job, err := a.retrieveGoal(work, jobSpecID)
	if err != nil {
		return GoalSnapshot{}, failed(work, step, err)
	}
	return snapshotOf(job), nil
}
