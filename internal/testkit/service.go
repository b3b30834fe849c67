// Package testkit starts the real parts for tests: the conversion service on loopback, and a client of it.
package testkit

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/backend/faults"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
)

// Service is a running conversion service.
type Service struct {
	*backend.Service
	URL    string
	Client *client.Client
	Clock  *Clock

	tb     testing.TB
	config backend.Config
	server *httptest.Server
	mu     sync.Mutex
	seen   map[string]int
	around func(http.Handler) http.Handler
}

// Option changes the service's configuration before it starts.
type Option func(*backend.Config)

// WithFaults makes the service misbehave as the YAML says.
func WithFaults(tb testing.TB, yaml string) Option {
	tb.Helper()
	faults, err := faults.Parse([]byte(yaml))
	require.NoError(tb, err)
	return func(c *backend.Config) { c.Faults = faults }
}

// WithEngines replaces the text engine, which is all that the service has otherwise.
func WithEngines(all ...engines.Engine) Option {
	return func(c *backend.Config) { c.Registry = engines.NewRegistry(context.Background(), all...) }
}

// WithGoals replaces the goals that the service offers.
func WithGoals(all ...goals.Goal) Option {
	return func(c *backend.Config) { c.Goals = all }
}

// Loopback is where services listen, and PrivateHost an address that this machine alone reaches too, but that no rule of
// ours takes for localhost.
const (
	Loopback    = "127.0.0.1"
	PrivateHost = "127.0.0.2"
)

// StartService starts a service on an empty folder; it ends with the test.
func StartService(tb testing.TB, options ...Option) *Service {
	tb.Helper()
	return StartServiceAt(tb, Loopback, options...)
}

// StartServiceAt starts one that listens at an address of this machine, and is its client's private host there.
func StartServiceAt(tb testing.TB, host string, options ...Option) *Service {
	tb.Helper()
	s := &Service{tb: tb, Clock: NewClock(), seen: map[string]int{}}
	s.config = backend.Config{DataDir: tb.TempDir(), Registry: engines.NewRegistry(tb.Context(), text.New()), Clock: s.Clock.Now}
	for _, option := range options {
		option(&s.config)
	}
	s.open()
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", host+":0")
	require.NoError(tb, err)
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	require.NoError(tb, s.server.Listener.Close())
	s.server.Listener = listener
	s.server.Start()
	tb.Cleanup(s.server.Close)
	tb.Cleanup(func() { s.close() })
	s.URL = s.server.URL
	var private []client.Option
	if host != Loopback { // which needs no leave
		private = append(private, client.WithPrivateHost())
	}
	s.Client, err = client.New(s.URL, s.Key(), private...)
	require.NoError(tb, err)
	tb.Cleanup(s.Client.CloseIdleConnections)
	return s
}

func (s *Service) open() {
	s.tb.Helper()
	service, err := backend.Open(context.WithoutCancel(s.tb.Context()), s.config)
	require.NoError(s.tb, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Service = service
}

func (s *Service) close() {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	require.NoError(s.tb, s.Close(ctx))
}

// Restart stops the service and opens it again on the same folder and address.
func (s *Service) Restart() {
	s.tb.Helper()
	s.close()
	s.open()
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen[r.Method+" "+r.URL.Path]++
	handler := s.Handler()
	if s.around != nil {
		handler = s.around(handler)
	}
	s.mu.Unlock()
	handler.ServeHTTP(w, r)
}

// EventsURL is where the service takes event streams.
func (s *Service) EventsURL() string {
	return "ws" + strings.TrimPrefix(s.URL, "http") + client.PathEvents
}

// DataDir is the folder that the service keeps everything in.
func (s *Service) DataDir() string { return s.config.DataDir }

// Around puts something around the service's handler, from now on.
func (s *Service) Around(f func(next http.Handler) http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.around = f
}

// Requests counts the requests of a method and path.
func (s *Service) Requests(method, path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[method+" "+path]
}

// Clock is a clock that stands until it is moved.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock starts at the present, to the second.
func NewClock() *Clock { return &Clock{now: time.Now().UTC().Truncate(time.Second)} }

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// FileURL is the URL of a local path.
func FileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }
