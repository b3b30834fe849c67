package client

import (
	"errors"
	"time"
)

// Cadence is how often to look at a job (CONTRACT §3.4): steady at first, then slower while nothing moves.
type Cadence struct {
	Interval time.Duration // the first wait; 1 s by default, 200 ms at least

	current time.Duration
	last    int
	stale   int
	looked  bool
}

const (
	defaultInterval = time.Second
	shortestWait    = 200 * time.Millisecond
	longestWait     = 5 * time.Second
	staleLooks      = 3
)

// Next is the wait before the next look, given the percentage that this one saw.
func (c *Cadence) Next(percent int) time.Duration {
	if c.current == 0 {
		c.current = c.Interval
		if c.current <= 0 {
			c.current = defaultInterval
		}
		c.current = max(c.current, shortestWait)
	}
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

// ErrWaitTimeout is a job that was still running when the time to wait was over.
var ErrWaitTimeout = errors.New("the job is still going; wait for it again with its id")
