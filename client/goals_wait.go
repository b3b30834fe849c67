package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// GoalWaitOptions bound a Wait.
type GoalWaitOptions struct {
	Interval time.Duration // first wait between looks, 1 s by default, 200 ms at least
	Timeout  time.Duration // 300 s by default; the job goes on without us
	// IdleTimeout bounds the time in which neither status nor progress changes; 0 for none.
	IdleTimeout time.Duration
	// OnProgress gets the job at every look; may be nil.
	OnProgress func(*GoalJob)
}

// ErrIdleTimeout says that nothing changed for too long.
var ErrIdleTimeout = errors.New("neither status nor progress of the job changed for too long; wait for it again with its id")

// GoalFailedError is a goal job that ended as failed.
type GoalFailedError struct{ Job *GoalJob }

func (e *GoalFailedError) Error() string {
	if e.Job.Error == nil {
		return fmt.Sprintf("goal job %s failed: %s: the service gave no reason", e.Job.JobSpecID, CodeGoalFailed)
	}
	return fmt.Sprintf("goal job %s failed: %s: %s", e.Job.JobSpecID, e.Job.Error.Code, e.Job.Error.Message)
}

// IsConflict is an action that the job's state does not allow, such as a second confirm. Refusals with a name of
// their own (a stale version, billing, a file in use) are none.
func IsConflict(err error) bool {
	return is(err, http.StatusConflict) && !IsNotPriced(err) && !IsChargeUnavailable(err) && !IsFileInUse(err) && !IsVersionConflict(err) && !IsStorage(err)
}

// Wait looks at a job until it ends or awaits the caller: answers, or a confirmation, which Wait never gives. A
// failed one is a *GoalFailedError.
func (s *Goals) Wait(ctx context.Context, jobSpecID string, o GoalWaitOptions) (*GoalJob, error) {
	if o.Timeout <= 0 {
		o.Timeout = 300 * time.Second
	}
	cadence := Cadence{Interval: o.Interval}
	var waited, idle time.Duration
	var last *GoalJob
	for {
		job, err := s.Retrieve(ctx, jobSpecID)
		if err != nil {
			return nil, err
		}
		if o.OnProgress != nil {
			o.OnProgress(job)
		}
		switch {
		case job.Status == GoalFailed:
			return job, &GoalFailedError{Job: job}
		case job.Status.Terminal() || job.Status.AwaitsCaller():
			return job, nil
		}
		if last == nil || last.Status != job.Status || last.Percent() != job.Percent() {
			idle = 0
		}
		last = job
		delay := cadence.Next(job.Percent())
		waited, idle = waited+delay, idle+delay
		switch {
		case waited > o.Timeout:
			return job, ErrWaitTimeout
		case o.IdleTimeout > 0 && idle > o.IdleTimeout:
			return job, ErrIdleTimeout
		}
		if err := s.c.sleep(ctx, delay); err != nil {
			return job, err
		}
	}
}
