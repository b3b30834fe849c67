package client

import (
	"context"
	"errors"
	"time"
)

// stallTimeout ends a transfer that has not moved for so long; how long a whole one takes depends on its size.
const stallTimeout = 60 * time.Second

var errStalled = errors.New("the transfer has not moved for a minute")

// stallGuard cancels a transfer that stands still.
type stallGuard struct {
	timer  *time.Timer
	cancel context.CancelCauseFunc
	ctx    context.Context
}

func newStallGuard(ctx context.Context) (context.Context, *stallGuard) {
	ctx, cancel := context.WithCancelCause(ctx)
	g := &stallGuard{cancel: cancel, ctx: ctx}
	g.timer = time.AfterFunc(stallTimeout, func() { cancel(errStalled) })
	return ctx, g
}

func (g *stallGuard) moved() { g.timer.Reset(stallTimeout) }

func (g *stallGuard) stop() {
	g.timer.Stop()
	g.cancel(nil)
}

// cause prefers the reason for which the guard cancelled over what the network said about it.
func (g *stallGuard) cause(err error) error {
	if errors.Is(context.Cause(g.ctx), errStalled) {
		return errStalled
	}
	return err
}
