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
)

// Metrics collects the figures of one worker: Temporal's own and those of the API client.
type Metrics struct {
	registry *prometheus.Registry
	scope    tally.Scope
	close    func() error
	requests *prometheus.HistogramVec
	ready    atomic.Bool
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

func (m *Metrics) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !m.ready.Load() {
			http.Error(w, "not taking work", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	return mux
}
