package run

import (
	"errors"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
)

// MaxRounds bounds how often a run starts over because the service has forgotten its input or its results.
const MaxRounds = 3

// Step limits an activity that is tried until it succeeds, or fails for good.
type Step struct {
	Summary  string        // for people who look at the run
	Attempt  time.Duration // the most that one attempt may take
	Total    time.Duration // the most that all attempts may take together; 0 for no limit
	Attempts int32         // at most; 0 for no limit
	Priority temporal.Priority
}

// Options sets the options of a step on a context. A worker that dies is noticed by its heartbeats, whatever Attempt allows.
func Options(ctx workflow.Context, s Step) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    s.Attempt,
		ScheduleToCloseTimeout: s.Total,
		HeartbeatTimeout:       activities.HeartbeatTimeout,
		// A cancelled step is over when it has cleaned up after itself.
		WaitForCancellation: true,
		// A service that restarts is back within seconds; one that is down for an hour is not asked every second.
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 500 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second,
			MaximumAttempts: s.Attempts,
		},
		Summary:  s.Summary,
		Priority: s.Priority,
	})
}

// Cancelled takes the failure of a step that was not tried again because the run was cancelled for the cancellation: whoever
// cancels while a service is down gets what they asked for.
func Cancelled(ctx workflow.Context, err error) error {
	var step *temporal.ActivityError
	if ctx.Err() == nil || !errors.As(err, &step) || step.RetryState() != enums.RETRY_STATE_CANCEL_REQUESTED {
		return err
	}
	if workflow.GetVersion(ctx, "cancel-is-no-failure", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return err
	}
	return ctx.Err()
}
