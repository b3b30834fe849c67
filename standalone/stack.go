package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/server/temporal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/faults"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/host"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
)

// options say how to bring the stack up.
type options struct {
	dir       string
	faults    *faults.Faults // for the local service to commit; nil for none
	wantPorts wantedPorts
	remote    bool // convert by the API of config, not by the local backend
	config    config.Config
	goals     []goals.Goal                    // of the local service; nil for all that there are
	around    func(http.Handler) http.Handler // of the local service; nil for nothing
}

// wantedPorts are taken where they are free; 0 leaves the choice to the system.
type wantedPorts struct{ temporal, ui, api, inbox int }

// stack is Temporal, its UI, the backend and a worker in this process.
type stack struct {
	at      addresses
	dir     string
	keys    *sealing.Keys // nil where payloads stay plain
	logger  *zap.Logger
	owner   *fileLock
	undo    []func() // in the order of starting
	notice  func(string)
	client  temporalclient.Client
	backend *backend.Service
	inbox   net.Listener
	worker  *host.Host
}

// openStack joins the stack that runs on the data folder, or starts one.
func openStack(ctx context.Context, o options, notice func(string)) (*stack, error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder, choose another with --data: %w", err)
	}
	owner, user, err := claim(ctx, o.dir)
	if err != nil {
		return nil, err
	}
	s := &stack{dir: o.dir, owner: owner, notice: notice, keys: o.config.Keys}
	if owner == nil {
		err = s.join(ctx, user, o.faults)
	} else {
		err = s.start(ctx, o, user)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stack) onClose(undo func()) { s.undo = append(s.undo, undo) }

// close ends everything in the reverse order of starting. The owner of a stack that others use waits for them.
func (s *stack) close() {
	for i := len(s.undo) - 1; i >= 0; i-- {
		s.undo[i]()
	}
	s.undo = nil
}

func stackAnswers(ctx context.Context, dir string) bool {
	at, err := loadAddresses(dir)
	if err != nil {
		return false
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", at.Temporal)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func (s *stack) join(ctx context.Context, user *fileLock, faults *faults.Faults) error {
	s.onClose(user.release)
	at, err := loadAddresses(s.dir)
	if err != nil {
		return err
	}
	if faults != nil && faults.ID() != at.Faults {
		return fmt.Errorf("the stack that runs on %s does not commit these faults; end it first, or leave --faults out", s.dir)
	}
	s.at, s.logger = at, zap.NewNop()
	if err := s.joinKeys(); err != nil {
		return err
	}
	return s.dial(ctx)
}

func (s *stack) start(ctx context.Context, o options, user *fileLock) error {
	s.onClose(s.owner.release)
	var last *fileLock
	s.onClose(func() { last.release() })
	if err := s.openLog(o); err != nil {
		return err
	}
	ports, err := choosePorts(o.wantPorts)
	if err != nil {
		return err
	}
	s.at = addresses{
		PID: os.Getpid(), Temporal: fmt.Sprintf("%s:%d", loopback, ports.temporal),
		UI: fmt.Sprintf("http://%s:%d", loopback, ports.ui), API: o.config.BaseURL, Faults: o.faults.ID(),
	}
	if !o.remote {
		if err := s.startBackend(ctx, &o, ports.api); err != nil {
			return err
		}
	}
	if err := s.startServer(ports.temporal); err != nil {
		return err
	}
	if err := s.dial(ctx); err != nil {
		return err
	}
	if err := s.prepareInbox(&o.config, ports.inbox); err != nil {
		return err
	}
	if err := s.startWorker(ctx, o.config); err != nil {
		return err
	}
	if err := s.startCodec(); err != nil {
		return err
	}
	s.onClose(startUI(s.at.Temporal, ports.ui, s.at.Codec))
	if err := s.startInbox(o.config); err != nil {
		return err
	}
	if err := s.at.save(s.dir); err != nil {
		return err
	}
	// Undone first: nothing is taken from under another process that uses this stack.
	s.onClose(func() {
		last = awaitUsers(context.Background(), s.dir, user, func() {
			s.notice("another command still uses this stack; staying until it ends")
		})
		_ = os.Remove(filepath.Join(s.dir, stackFile))
	})
	return nil
}

func choosePorts(want wantedPorts) (wantedPorts, error) {
	for _, port := range []*int{&want.temporal, &want.ui, &want.api, &want.inbox} {
		listener, err := preferPort(*port)
		if err != nil {
			return want, err
		}
		defer listener.Close() //nolint:errcheck // held until all are chosen, so that they differ
		*port = portOf(listener)
	}
	return want, nil
}

// cacheFolder is shared by all data folders: what engines compile does not depend on data.
func cacheFolder(otherwise string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return otherwise
	}
	return filepath.Join(cache, "convilyn")
}

// openLog keeps the log of the stack beside its data; the terminal belongs to the command.
func (s *stack) openLog(o options) error {
	file, err := os.OpenFile(filepath.Join(s.dir, "stack.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	// Temporal's last goroutines may still log when the file is closed; that is nothing for the terminal.
	s.logger = logging.New(file, o.config.LogLevel, o.config.LogFormat).WithOptions(zap.ErrorOutput(zapcore.AddSync(io.Discard)))
	s.onClose(func() { _ = file.Close() })
	return nil
}

func (s *stack) startBackend(ctx context.Context, o *options, port int) error {
	dir := filepath.Join(s.dir, "backend")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the backend's folder: %w", err)
	}
	children, err := backend.EnginesApart(cacheFolder(dir))
	if err != nil {
		return err
	}
	cfg := backend.Config{
		DataDir: dir, Registry: backend.DefaultRegistry(ctx, o.engines(dir)), Apart: children, Logger: s.logger.Named("backend"),
		Faults: o.faults, Goals: o.goals,
	}
	service, err := backend.Open(ctx, cfg)
	if err != nil {
		return fmt.Errorf("start the conversion service: %w", err)
	}
	s.backend = service
	s.onClose(func() {
		closing, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := service.Close(closing); err != nil {
			s.logger.Error("closing the conversion service", zap.Error(err))
		}
	})
	listener, err := listen(port)
	if err != nil {
		return err
	}
	handler := service.Handler()
	if o.around != nil {
		handler = o.around(handler)
	}
	server := backend.NewServer(handler)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.logger.Error("the conversion service stopped", zap.Error(err))
		}
	}()
	s.onClose(func() { _ = server.Close() })
	s.at.API = "http://" + listener.Addr().String()
	o.config.BaseURL, o.config.APIKey = s.at.API, config.Secret(service.Key())
	o.config.EventsURL = "ws" + strings.TrimPrefix(s.at.API, "http") + client.PathEvents
	return nil
}

// engines are the settings of the local service's engines.
func (o *options) engines(dir string) backend.EngineSettings {
	return backend.EngineSettings{CacheDir: cacheFolder(dir), GotenbergURL: string(o.config.GotenbergURL)}
}

func (s *stack) startServer(port int) error {
	// Temporal's own log at info level is about Temporal's insides.
	logger := s.logger.Named("temporal-server").WithOptions(zap.IncreaseLevel(zap.WarnLevel))
	server, err := startTemporal(filepath.Join(s.dir, "temporal.db"), port, logger)
	if err != nil {
		return err
	}
	s.onClose(func() { stopServer(server, s.logger) })
	return nil
}

func stopServer(server temporal.Server, logger *zap.Logger) {
	if err := server.Stop(); err != nil {
		logger.Error("stopping Temporal", zap.Error(err))
	}
}

func (s *stack) dial(ctx context.Context) error {
	c, err := temporalconn.Dial(ctx, temporalclient.Options{
		HostPort: s.at.Temporal, Namespace: namespace,
		// It never leaves this machine.
		ConnectionOptions: temporalclient.ConnectionOptions{GrpcCompression: &temporalclient.GrpcCompressionNone{}},
	}, s.keys, logging.ForTemporal(s.logger))
	if err != nil {
		return err
	}
	s.client = c
	s.onClose(c.Close)
	return nil
}

func (s *stack) startWorker(ctx context.Context, cfg config.Config) error {
	metrics := host.NewMetrics()
	s.onClose(func() { _ = metrics.Close() })
	cfg.StopTimeout = min(cfg.StopTimeout, 10*time.Second)
	worker, err := host.New(ctx, cfg, s.client, namespace, metrics, s.logger.Named("worker"))
	if err != nil {
		return err
	}
	if err := worker.Start(); err != nil {
		return err
	}
	s.worker = worker
	s.onClose(worker.Stop)
	return nil
}

// apiKey is what a local stack's service lets in.
func (s *stack) apiKey() (string, error) {
	data, err := os.ReadFile(filepath.Join(s.dir, "backend", "key"))
	if err != nil {
		return "", fmt.Errorf("read the key of the local conversion service: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// onTerm is what asks a process to leave.
var onTerm = []os.Signal{os.Interrupt, syscall.SIGTERM}
