package activities

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// Progress is what a running step reports in its heartbeats, and so what watchers see.
type Progress struct {
	Step    string `json:"step"`
	Percent int    `json:"percent"` // 0-100
	Bytes   int64  `json:"bytes,omitempty"`
	Message string `json:"message,omitempty"`
	Refused int    `json:"refused,omitempty"` // attempts that were told to slow down
}

// errWorkerStopping ends a step early so that another worker takes it over at once.
var errWorkerStopping = errors.New("the worker is stopping; the step goes on elsewhere")

// pulse reports the latest progress while a step runs. A worker that dies falls silent, and the step is
// given to another one after HeartbeatTimeout.
type pulse struct {
	refused int // attempts before this one that were told to slow down
	latest  atomic.Pointer[Progress]
	stop    context.CancelCauseFunc
	done    chan struct{}
}

// startPulse begins reporting. The context it returns ends when the run is cancelled or the worker stops.
func startPulse(ctx context.Context, step string) (context.Context, *pulse) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &pulse{refused: refusedSoFar(ctx), stop: cancel, done: make(chan struct{})}
	p.set(Progress{Step: step})
	go p.beat(ctx, cancel)
	return ctx, p
}

func (p *pulse) set(progress Progress) {
	progress.Refused = p.refused
	p.latest.Store(&progress)
}

// failed is failed, and leaves with the last heartbeat that the service asked to slow down: whoever sets the pace
// learns of it from the attempt that succeeds.
func (p *pulse) failed(ctx context.Context, step string, err error) error {
	err = failed(ctx, step, err)
	var app *temporal.ApplicationError
	if errors.As(err, &app) && app.Type() == FailureRateLimited {
		p.refused++
		p.set(*p.latest.Load())
		activity.RecordHeartbeat(ctx, *p.latest.Load())
	}
	return err
}

func refusedSoFar(ctx context.Context) int {
	var last Progress
	if !activity.HasHeartbeatDetails(ctx) || activity.GetHeartbeatDetails(ctx, &last) != nil {
		return 0
	}
	return last.Refused
}

func (p *pulse) beat(ctx context.Context, cancel context.CancelCauseFunc) {
	defer close(p.done)
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
			activity.RecordHeartbeat(ctx, *p.latest.Load())
		}
	}
}

func (p *pulse) end() {
	p.stop(nil)
	<-p.done
}
