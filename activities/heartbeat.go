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

// Progress is what a running step reports in its heartbeats, and so what watchers see.
type Progress struct {
	Step    string `json:"step"`
	Percent int    `json:"percent"` // 0-100
	Bytes   int64  `json:"bytes,omitempty"`
	Message string `json:"message,omitempty"`
	Refused int    `json:"refused,omitempty"` // attempts that were told that it is too much for now
	Asked   int    `json:"asked,omitempty"`   // those of them that were asked to slow down, by 429 or Retry-After
	Spoiled int    `json:"spoiled,omitempty"` // attempts after which bytes were not as the service announced them
	// Ended is the latest attempt that has told how it ended; those after it fell silent. Open is how long after its end
	// a write of the step may still take effect.
	Ended int           `json:"ended,omitempty"`
	Open  time.Duration `json:"open,omitempty"`
}

// errWorkerStopping ends a step early so that another worker takes it over at once.
var errWorkerStopping = errors.New("the worker is stopping; the step goes on elsewhere")

// pulse reports the latest progress while a step runs. A worker that dies falls silent, and the step is
// given to another one after HeartbeatTimeout.
type pulse struct {
	attempt int
	before  Progress      // as the attempts before this one have left it
	refused int           // attempts that were told that it is too much for now
	asked   int           // those of them that were asked to slow down
	spoiled int           // attempts after which bytes were not as the service announced them
	open    time.Duration // for the next attempt to know, see Progress
	latest  atomic.Pointer[Progress]
	stop    context.CancelCauseFunc
	done    chan struct{}
}

// startPulse begins reporting. The context it returns ends when the run is cancelled or the worker stops.
func startPulse(ctx context.Context, step string) (context.Context, *pulse) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &pulse{attempt: attemptOf(ctx), before: lastProgress(ctx), stop: cancel, done: make(chan struct{})}
	p.refused, p.asked, p.spoiled = p.before.Refused, p.before.Asked, p.before.Spoiled
	p.set(Progress{Step: step})
	go p.beat(ctx, cancel)
	return ctx, p
}

func (p *pulse) set(progress Progress) {
	progress.Refused, progress.Asked, progress.Spoiled = p.refused, p.asked, p.spoiled
	p.latest.Store(&progress)
}

// failed is failed, and leaves with the last heartbeat what the attempts after this one have to know, and, from the one
// that succeeds, whoever sets the pace.
func (p *pulse) failed(ctx context.Context, step string, err error) error {
	cause := err
	err = failed(ctx, step, err)
	p.end() // no older heartbeat comes after this one
	var app *temporal.ApplicationError
	if errors.As(err, &app) && app.Type() == FailureRateLimited {
		p.refused++
		if asksToSlowDown(cause) {
			p.asked++
		}
	}
	last := *p.latest.Load()
	last.Ended, last.Open = p.attempt, p.open
	p.set(last)
	activity.RecordHeartbeat(context.WithoutCancel(ctx), *p.latest.Load())
	return err
}

// transfers is how often a step moves bytes that turn out to be others, before it says so for good. With the pauses of
// the retry policy it is a minute: enough for a bad line or a replica that lags, and too little to fetch gigabytes for a week.
const transfers = 8

// mismatch is bytes that are not as the service announced them. Moving them again helps, unless it does not.
func (p *pulse) mismatch(code, text string) error {
	p.spoiled++
	final := p.spoiled >= transfers
	kind := FailureUnavailable
	if final {
		kind, text = FailureMismatch, fmt.Sprintf("%s, %d times", text, p.spoiled)
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
