package temporalserver

import (
	"sync"
	"time"

	"go.temporal.io/server/common/clock"
)

// Clock is that of the history service. It follows the machine's, but never goes back: timers of before would wait for as long,
// and new ones are put after those. It may be used by several goroutines.
type Clock struct {
	clock.RealTimeSource
	read func() (wall time.Time, running time.Duration)

	mu    sync.Mutex
	begin time.Time // what the clock says less how long it runs; it only grows
}

// NewClock is a clock that begins at a time, or at the machine's where that is later.
func NewClock(atLeast time.Time) *Clock {
	began := time.Now()
	return newClock(atLeast, func() (time.Time, time.Duration) {
		now := time.Now() // one reading of both clocks
		return now.Round(0), now.Sub(began)
	})
}

func newClock(atLeast time.Time, read func() (time.Time, time.Duration)) *Clock {
	c := &Clock{read: read}
	_, running := read()
	c.begin = atLeast.Add(-running)
	return c
}

// look reads the machine's clock and ours. Where the machine's is later, ours follows: it was behind, or the machine slept.
func (c *Clock) look() (wall, ours time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, running := c.read()
	if begin := wall.Add(-running); begin.After(c.begin) {
		c.begin = begin
	}
	return wall, c.begin.Add(running)
}

// Now is the time of the server, in UTC.
func (c *Clock) Now() time.Time {
	_, ours := c.look()
	return ours.UTC()
}

// Since is how long ago a time of the server was.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// Ahead is by how much the machine's clock was set back, as far as it has not caught up.
func (c *Clock) Ahead() time.Duration {
	wall, ours := c.look()
	return ours.Sub(wall)
}
