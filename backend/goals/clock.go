package goals

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/client"
)

// clock ends its context when a pass has worked for so long; it stands while the pass waits for somebody else.
type clock struct {
	mu    sync.Mutex
	timer *time.Timer
	left  time.Duration
	since time.Time
}

// startClock gives a context that ends with a Failure as its cause when the time is up; stop frees it.
func startClock(ctx context.Context, atMost time.Duration) (c *clock, limited context.Context, stop func()) {
	limited, end := context.WithCancelCause(ctx)
	c = &clock{left: atMost, since: time.Now()}
	c.timer = time.AfterFunc(atMost, func() {
		end(&Failure{
			Code: CodeStep, Action: client.ActionRetry,
			Message: fmt.Sprintf("the job worked for longer than %s and was stopped; a retry goes on from the steps that are done", atMost),
		})
	})
	return c, limited, func() {
		c.timer.Stop()
		end(nil)
	}
}

func (c *clock) pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer.Stop()
	c.left -= time.Since(c.since)
}

func (c *clock) goOn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since = time.Now()
	c.timer.Reset(max(c.left, 0))
}
