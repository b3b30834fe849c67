package run

import (
	"time"

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
		},
		Summary:  s.Summary,
		Priority: s.Priority,
	})
}
