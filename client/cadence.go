package client

import (
	"context"
	"errors"
	"time"
)

// Cadence is how often to look at a job: steady at first, then slower while nothing moves. A conversion's service may suggest
// when, and may hold its reply until there is something to see.
type Cadence struct {
	Interval time.Duration // the first wait; 1 s by default, 200 ms at least

	current time.Duration
	last    int
	stale   int
	looked  bool
	cut     bool // a request that was to be held got no reply
}

const (
	defaultInterval = time.Second
	shortestWait    = 200 * time.Millisecond
	longestWait     = 5 * time.Second
	staleLooks      = 3
)

func (c *Cadence) interval() time.Duration {
	if c.current == 0 {
		c.current = c.Interval
		if c.current <= 0 {
			c.current = defaultInterval
		}
		c.current = max(c.current, shortestWait)
	}
	return c.current
}

// Next is the wait before the next look, given the percentage that this one saw.
func (c *Cadence) Next(percent int) time.Duration {
	c.interval()
	if c.looked && percent == c.last {
		c.stale++
	} else {
		c.stale = 0
	}
	c.looked, c.last = true, percent
	if c.stale >= staleLooks {
		c.current = min(c.current*3/2, longestWait)
	}
	return c.current
}

// NextFor is Next for a conversion. The service's suggestion becomes the interval, unless the caller has chosen another than the
// default. After a reply that was held there is nothing left to wait for.
func (c *Cadence) NextFor(job *ConvertJob) time.Duration {
	if chosen := c.Interval > 0 && c.Interval != defaultInterval; job.SuggestedPoll != nil && !chosen {
		c.current, c.stale, c.looked = min(max(*job.SuggestedPoll, shortestWait), longestWait), 0, false
	}
	wait := c.Next(job.Percent())
	if job.held {
		return 0
	}
	return wait
}

// Hold is how long to ask for the reply to the next look to be held (WithWait): as long as the wait after it would be. It is 0
// once such a request was cut.
func (c *Cadence) Hold() time.Duration {
	if c.cut {
		return 0
	}
	return c.interval()
}

// Cut reports whether a look failed in a way that may come of its being held, as by a proxy that cuts what takes long. The next
// look, which is due at once then, is not to be held, nor are later ones.
func (c *Cadence) Cut(err error) bool {
	var refused *APIError
	var broken *TransportError
	maybe := errors.As(err, &broken) && broken.Sent || errors.As(err, &refused) && retryable(refused.Status)
	if c.cut || !maybe {
		return false
	}
	c.cut = true
	return true
}

// ErrWaitTimeout is a job that was still running when the time to wait was over.
var ErrWaitTimeout = errors.New("the job is still going; wait for it again with its id")

// limit is the time that a Wait may take, with its requests and their retries.
type limit struct {
	ctx  context.Context // ends with it
	stop context.CancelFunc
	now  func() time.Time
	end  time.Time
}

func (c *connection) newLimit(ctx context.Context, d time.Duration) *limit {
	l := &limit{now: c.now, end: c.now().Add(d)}
	l.ctx, l.stop = context.WithTimeout(ctx, d)
	return l
}

// passes reports whether the time is over before another wait is.
func (l *limit) passes(wait time.Duration) bool { return l.now().Add(wait).After(l.end) }

// cause is the error of a request: the end of the time, where that has broken it off. Outer is the context of the caller.
func (l *limit) cause(outer context.Context, err error) error {
	if outer.Err() == nil && l.ctx.Err() != nil {
		return ErrWaitTimeout
	}
	return err
}
