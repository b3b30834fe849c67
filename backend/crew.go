package backend

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// lookAgain is when an idle worker looks for jobs that nobody woke it for, after an error of the store say.
const lookAgain = 5 * time.Second

// crew is so many workers that take jobs as they come.
type crew struct {
	size   int
	logger *zap.Logger
	queued chan struct{}
	done   chan struct{}
}

func newCrew(size int, logger *zap.Logger) crew {
	return crew{size: size, logger: logger, queued: make(chan struct{}, size), done: make(chan struct{})}
}

// start lets the workers take jobs until ctx ends; take gives nil where nothing is to be done.
func (c *crew) start(ctx context.Context, take func(ctx context.Context) (do func(ctx context.Context), err error)) {
	var workers sync.WaitGroup
	for range c.size {
		workers.Go(func() { c.work(ctx, take) })
	}
	go func() {
		workers.Wait()
		close(c.done)
	}()
}

// wake tells an idle worker of a new job; when all are busy they will see it by themselves.
func (c *crew) wake() {
	select {
	case c.queued <- struct{}{}:
	default:
	}
}

func (c *crew) stopped() <-chan struct{} { return c.done }

func (c *crew) work(ctx context.Context, take func(ctx context.Context) (func(ctx context.Context), error)) {
	for ctx.Err() == nil {
		do, err := take(ctx)
		if err != nil && ctx.Err() == nil {
			c.logger.Error("take a job", zap.Error(err))
		}
		if err == nil && do != nil {
			do(ctx)
			continue
		}
		c.rest(ctx)
	}
}

// rest waits until there may be something to do.
func (c *crew) rest(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-c.queued:
	case <-time.After(lookAgain):
	}
}
