package activities

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/client"
)

// Every step must have HeartbeatTimeout: a worker that dies is noticed after this long. Workers must
// report at least every HeartbeatInterval for that (worker.Options.MaxHeartbeatThrottleInterval).
const (
	HeartbeatTimeout  = 10 * time.Second
	HeartbeatInterval = 2 * time.Second
)

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// idempotencyKey names one step of one run; it is the same for every attempt at the step.
func idempotencyKey(ctx context.Context, part string) string {
	info := activity.GetInfo(ctx)
	return info.WorkflowExecution.RunID + "-" + info.ActivityID + "-" + part
}

// Progress is what a running step reports in its heartbeats, and so what watchers see.
type Progress struct {
	Step    string `json:"step"`
	Percent int    `json:"percent"` // 0-100
	Bytes   int64  `json:"bytes,omitempty"`
	Message string `json:"message,omitempty"`
	// Still is when the job that is waited for was last seen to move, by the worker's clock; nil in other steps.
	Still *time.Time `json:"still_since,omitempty"`
	Throttle
	Spoiled int `json:"spoiled,omitempty"` // attempts after which bytes were not as the service announced them
	// Ended is the latest attempt that has reported its end; those after it fell silent. Open is how long after its end
	// a write of the step may still take effect.
	Ended int           `json:"ended,omitempty"`
	Open  time.Duration `json:"open,omitempty"`
}

// Throttle is what a service that was too busy has answered. Rejected counts 429 and 503 replies; SlowDown counts those that
// carried Retry-After or were 429.
type Throttle struct {
	Rejected int `json:"refused,omitempty"`
	SlowDown int `json:"asked,omitempty"`
}

// Add adds what another step was answered.
func (t *Throttle) Add(other Throttle) {
	t.Rejected += other.Rejected
	t.SlowDown += other.SlowDown
}

// attempt is one attempt at a step. While it runs it sends its progress in heartbeats: a worker that dies falls silent, and
// the step is given to another one after HeartbeatTimeout. What earlier attempts left in their last heartbeat goes on in it.
type attempt struct {
	number   int           // from 1
	before   Progress      // as the attempts before this one have left it
	throttle Throttle      // of all attempts so far
	spoiled  int           // attempts after which bytes were not as the service announced them
	open     time.Duration // for the next attempt to know, see Progress
	latest   atomic.Pointer[Progress]
	stop     context.CancelCauseFunc
	done     chan struct{}
}

// startAttempt begins to send heartbeats. The context it returns ends when the run is cancelled or the worker stops.
func startAttempt(ctx context.Context, step string) (context.Context, *attempt) {
	ctx, cancel := context.WithCancelCause(ctx)
	a := &attempt{number: attemptOf(ctx), before: lastProgress(ctx), stop: cancel, done: make(chan struct{})}
	a.throttle, a.spoiled = a.before.Throttle, a.before.Spoiled
	a.set(Progress{Step: step})
	go a.beat(ctx, cancel)
	return ctx, a
}

func (a *attempt) set(progress Progress) {
	progress.Throttle, progress.Spoiled = a.throttle, a.spoiled
	a.latest.Store(&progress)
}

// failed turns an error into a failure of the step, as the function failed does. It leaves with the last heartbeat what the
// attempts after this one have to know, and what the one that succeeds returns to the workflow: Throttle.
func (a *attempt) failed(ctx context.Context, step string, err error) error {
	cause := err
	err = failed(ctx, step, err)
	a.end() // no older heartbeat comes after this one
	var app *temporal.ApplicationError
	if errors.As(err, &app) && app.Type() == FailureRateLimited {
		a.throttle.Rejected++
		if asksToSlowDown(cause) {
			a.throttle.SlowDown++
		}
	}
	last := *a.latest.Load()
	last.Ended, last.Open = a.number, a.open
	a.set(last)
	activity.RecordHeartbeat(context.WithoutCancel(ctx), *a.latest.Load())
	return err
}

// transfers is how often a step moves bytes that turn out to be others, before it says so for good. With the pauses of
// the retry policy it is a minute: enough for a bad line or a replica that lags, and too little to fetch gigabytes for a week.
const transfers = 8

// mismatch is bytes that are not as the service announced them. Moving them again helps, unless it does not.
func (a *attempt) mismatch(code, text string) error {
	a.spoiled++
	final := a.spoiled >= transfers
	kind := FailureUnavailable
	if final {
		kind, text = FailureMismatch, fmt.Sprintf("%s, %d times", text, a.spoiled)
	}
	return &localError{kind: kind, code: code, text: text, retry: !final}
}

// asksToSlowDown tells a service that is asked too much from one that is in trouble.
func asksToSlowDown(err error) bool {
	var api *client.APIError
	return client.IsRateLimited(err) || errors.As(err, &api) && api.RetryAfter > 0
}

func lastProgress(ctx context.Context) Progress {
	var last Progress
	if !activity.HasHeartbeatDetails(ctx) || activity.GetHeartbeatDetails(ctx, &last) != nil {
		return Progress{}
	}
	return last
}

func (a *attempt) beat(ctx context.Context, cancel context.CancelCauseFunc) {
	defer close(a.done)
	ticker := time.NewTicker(HeartbeatInterval)
	defer ticker.Stop()
	stopping := activity.GetWorkerStopChannel(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-stopping:
			cancel(errWorkerStopping)
			return
		case <-ticker.C:
			activity.RecordHeartbeat(ctx, *a.latest.Load())
		}
	}
}

func (a *attempt) end() {
	a.stop(nil)
	<-a.done
}

func runID(ctx context.Context) string { return activity.GetInfo(ctx).WorkflowExecution.RunID }

func percent(done, total int64) int {
	if total <= 0 {
		return 0
	}
	return int(min(done*100/total, 100))
}

// patience is how many attempts a service gets to know a job that it has just created.
const patience = 3
