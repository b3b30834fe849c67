// Package host runs a worker: connections, registration, health, metrics, and an orderly end.
package host

import (
	"context"
	"fmt"
	"time"

	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/roots"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// Host is a worker with its surroundings.
type Host struct {
	worker  worker.Worker
	logger  *zap.Logger
	fatal   chan error
	metrics *Metrics
}

// New prepares a worker on a connected Temporal client. It fails when the namespace lacks our search attributes.
func New(ctx context.Context, cfg config.Config, temporal temporalclient.Client, namespace string, metrics *Metrics, logger *zap.Logger) (*Host, error) {
	if err := temporalconn.CheckSearchAttributes(ctx, temporal, namespace); err != nil {
		return nil, err
	}
	api, err := newAPIClient(cfg, metrics)
	if err != nil {
		return nil, err
	}
	notifier, err := newNotifier(cfg)
	if err != nil {
		return nil, err
	}
	h := &Host{logger: logger, metrics: metrics, fatal: make(chan error, 1)}
	metrics.worker.Store(true)
	options := WorkerOptions(cfg)
	options.OnFatalError = func(err error) { h.fatal <- err }
	h.worker = worker.New(temporal, workflows.TaskQueue, options)
	workflows.Register(h.worker)
	h.worker.RegisterActivity(activities.New(activities.API{
		Files: api.Files, Convert: api.Convert, Goals: api.Goals, Support: api, Account: api.Account, Confirm: confirmPolicy(cfg, api),
	}, cfg.PollInterval, notifier, activities.WithState(cfg.State), activities.WithRoots(guard(cfg))))
	return h, nil
}

// guard is what the worker's files are checked by.
func guard(cfg config.Config) *roots.Guard {
	var ledger *roots.Ledger
	if cfg.Ledger != "" {
		ledger = roots.Open(cfg.Ledger)
	}
	return roots.New(cfg.Roots, ledger)
}

// confirmPolicy is how goals are confirmed whose policy does not say. A local API charges nobody.
func confirmPolicy(cfg config.Config, api *client.Client) string {
	switch {
	case cfg.Confirm != "":
		return cfg.Confirm
	case api.Local():
		return questions.ConfirmAuto
	default:
		return questions.ConfirmAsk
	}
}

// WorkerOptions are those of our workers.
func WorkerOptions(cfg config.Config) worker.Options {
	eager := cfg.MaxActivities
	return worker.Options{
		MaxConcurrentActivityExecutionSize: cfg.MaxActivities,
		// Zero, the SDK's default, would cut running steps off at every deploy.
		WorkerStopTimeout: cfg.StopTimeout,
		// A dead worker is noticed within activities.HeartbeatTimeout only if the living report often enough.
		MaxHeartbeatThrottleInterval:     activities.HeartbeatInterval,
		DefaultHeartbeatThrottleInterval: activities.HeartbeatInterval,
		// A batch schedules many steps in one task. Those that this worker has room for it takes along with the task's
		// reply, at half the cost; the rest of its room is for everybody else.
		MaxEagerActivityReservationsPerWorkflowTask: &eager,
		MaxConcurrentEagerActivityExecutionSize:     max(1, eager*4/5),
		// The SDK's default of a second fails workflow tasks of a machine that is only busy.
		DeadlockDetectionTimeout: 10 * time.Second,
	}
}

func newAPIClient(cfg config.Config, metrics *Metrics) (*client.Client, error) {
	options := []client.Option{client.WithObserver(metrics.observe), client.WithEventsURL(cfg.EventsURL)}
	if cfg.APIRate > 0 {
		options = append(options, client.WithRateLimit(rate.Limit(cfg.APIRate), max(1, int(cfg.APIRate))))
	}
	api, err := cfg.API(options...)
	if err != nil {
		return nil, fmt.Errorf("the Convilyn API: %w", err)
	}
	return api, nil
}

// newNotifier is nil where nobody is to be notified.
func newNotifier(cfg config.Config) (*activities.Notifier, error) {
	if cfg.WebhookURL == "" {
		return nil, nil
	}
	notifier, err := activities.NewNotifier(string(cfg.WebhookURL), string(cfg.WebhookSecret), answerLink(cfg))
	if err != nil {
		return nil, fmt.Errorf("notifications (CONVILYN_WEBHOOK_URL, CONVILYN_WEBHOOK_SECRET): %w", err)
	}
	return notifier, nil
}

// Start begins to take work.
func (h *Host) Start() error {
	if err := h.worker.Start(); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	h.metrics.ready.Store(true)
	return nil
}

// Stop takes no more work and gives running steps their grace.
func (h *Host) Stop() {
	h.metrics.ready.Store(false)
	started := time.Now()
	h.worker.Stop()
	h.logger.Info("worker drained", zap.Duration("took", time.Since(started)))
}

// Run works until ctx ends or the worker cannot go on.
func (h *Host) Run(ctx context.Context) error {
	if err := h.Start(); err != nil {
		return err
	}
	defer h.Stop()
	select {
	case <-ctx.Done():
		return nil
	case err := <-h.fatal:
		return fmt.Errorf("the worker cannot go on: %w", err)
	}
}
