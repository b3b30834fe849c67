package queue

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/fidelity"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// Engines find the engine for a pair of formats.
type Engines interface {
	Find(source, target string, options ...string) (engines.Engine, engines.Route, error)
	Options(source, target string) []option.Option
}

// Config is what jobs and goals have in common.
type Config struct {
	Store   *store.Store
	Engines Engines
	Workers int           // conversions at once
	Timeout time.Duration // of one conversion
	// Check compares what a conversion made with its source; nil where that is not possible.
	Check  func(ctx context.Context, in engines.Request, made engines.Result) (fidelity.Report, error)
	Locks  Locks // nil where passwords are not taken
	Logger *zap.Logger
	Now    func() time.Time
}

// lookAgain is how long an idle worker waits before it looks for jobs without being woken: after an error of the store,
// for example.
const lookAgain = 5 * time.Second

// workers take jobs as they come, a number of them at once.
type workers struct {
	size   int
	logger *zap.Logger
	queued chan struct{}
	done   chan struct{}
}

func newWorkers(size int, logger *zap.Logger) workers {
	return workers{size: size, logger: logger, queued: make(chan struct{}, size), done: make(chan struct{})}
}

// start lets the workers take jobs until ctx ends; take gives nil where nothing is to be done.
func (w *workers) start(ctx context.Context, take func(ctx context.Context) (do func(ctx context.Context), err error)) {
	var all sync.WaitGroup
	for range w.size {
		all.Go(func() { w.work(ctx, take) })
	}
	go func() {
		all.Wait()
		close(w.done)
	}()
}

// Wake tells an idle worker of a new job; when all are busy they will see it by themselves.
func (w *workers) Wake() {
	select {
	case w.queued <- struct{}{}:
	default:
	}
}

// Stopped is closed when no worker runs any more.
func (w *workers) Stopped() <-chan struct{} { return w.done }

func (w *workers) work(ctx context.Context, take func(ctx context.Context) (func(ctx context.Context), error)) {
	for ctx.Err() == nil {
		do, err := take(ctx)
		if err != nil && ctx.Err() == nil {
			w.logger.Error("take a job", zap.Error(err))
		}
		if err == nil && do != nil {
			do(ctx)
			continue
		}
		w.rest(ctx)
	}
}

// rest waits until there may be something to do.
func (w *workers) rest(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-w.queued:
	case <-time.After(lookAgain):
	}
}

// convert converts by the engine for the pair, within the time that a conversion may take.
func convert(ctx context.Context, cfg Config, in engines.Request) (engines.Result, error) {
	engine, _, err := cfg.Engines.Find(in.Source, in.Target, in.Asked()...)
	if err != nil {
		return engines.Result{}, err
	}
	limited, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()

	result, err := safely(limited, engine, in)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = engines.Errorf(engines.CodeConversionFailed, "the conversion took longer than %s", cfg.Timeout)
	}
	return result, err
}

// safely keeps an engine's panic to its job.
func safely(ctx context.Context, engine engines.Engine, in engines.Request) (result engines.Result, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("engine %s panicked: %v\n%s", engine.Name, cause, debug.Stack())
		}
	}()
	return engine.Convert(ctx, in)
}
