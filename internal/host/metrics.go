package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/uber-go/tally/v4"
	tallyprom "github.com/uber-go/tally/v4/prometheus"
	temporalclient "go.temporal.io/sdk/client"
	sdktally "go.temporal.io/sdk/contrib/tally"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/httpserver"
	"github.com/convilyn/convilyn-temporal/internal/runs"
)

// Metrics collects the figures of one process, Temporal's own and those of the API client, and those of all runs.
type Metrics struct {
	registry *prometheus.Registry
	temporal temporalclient.Client // nil before ObserveRuns
	scope    tally.Scope
	close    func() error
	requests *prometheus.HistogramVec
	worker   atomic.Bool // it is that of a worker
	ready    atomic.Bool // the worker takes tasks
}

// NewMetrics starts collecting. Close ends it.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.requests = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "convilyn_api_request_seconds", Help: "Requests to the Convilyn API and its storage, each try by itself.",
		Buckets: prometheus.DefBuckets,
	}, []string{"method", "route", "status"})
	m.registry.MustRegister(m.requests)
	reporter := tallyprom.NewReporter(tallyprom.Options{Registerer: m.registry, Gatherer: m.registry})
	scope, closer := tally.NewRootScope(tally.ScopeOptions{
		CachedReporter: reporter, Separator: tallyprom.DefaultSeparator,
		SanitizeOptions: &sdktally.PrometheusSanitizeOptions,
	}, time.Second)
	m.scope, m.close = sdktally.NewPrometheusNamingScope(scope), closer.Close
	return m
}

// Close stops collecting.
func (m *Metrics) Close() error { return m.close() }

// Handler feeds Temporal's SDK figures in.
func (m *Metrics) Handler() temporalclient.MetricsHandler { return sdktally.NewMetricsHandler(m.scope) }

// ObserveRuns adds the figures of all runs on a Temporal, which are read when somebody asks for metrics. It is called once.
func (m *Metrics) ObserveRuns(temporal temporalclient.Client, namespace string) {
	m.temporal = temporal
	m.registry.MustRegister(&state{runs: &runs.Client{Temporal: temporal, Namespace: namespace}, now: time.Now})
}

// ObserveClock adds by how much Temporal's clock is ahead of the machine's, which was set back. It is called once.
func (m *Metrics) ObserveClock(ahead func() time.Duration) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "convilyn_clock_ahead_seconds", Help: "How far the clock of the machine was set back behind that of its Temporal.",
	}, func() float64 { return ahead().Round(time.Millisecond).Seconds() }))
}

// Ready is why the process cannot do its work; nil while it can. A worker must take tasks; others need Temporal alone.
func (m *Metrics) Ready(ctx context.Context) error {
	if m.worker.Load() && !m.ready.Load() {
		return errors.New("not taking work")
	}
	if m.temporal == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	if _, err := m.temporal.CheckHealth(ctx, &temporalclient.CheckHealthRequest{}); err != nil {
		return errors.New("Temporal does not answer") //nolint:staticcheck // its name; what it said is in the log, and addresses are in it
	}
	return nil
}

// readyPatience is how long Temporal may take to say that it is well.
const readyPatience = 2 * time.Second

func (m *Metrics) observe(info client.RequestInfo) {
	m.requests.WithLabelValues(info.Method, info.Route, strconv.Itoa(info.Status)).Observe(info.Duration.Seconds())
}

// metricsConnections is how many connections health and metrics have at once.
const metricsConnections = 64

// Serve answers /healthz, /readyz and /metrics until ctx ends.
func (m *Metrics) Serve(ctx context.Context, addr string) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for health and metrics, set CONVILYN_HTTP_ADDR to another address or off: %w", err)
	}
	server := httpserver.New(m.routes(), metricsConnections)
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			m.ready.Store(false)
		}
	}()
	return nil
}

// Page serves the figures as Prometheus reads them.
func (m *Metrics) Page() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *Metrics) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Page())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := m.Ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	return mux
}
