package stack

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/internal/private"
	"github.com/convilyn/convilyn-temporal/standalone/loopback"
)

// Service is the local conversion service, on loopback.
type Service struct {
	*backend.Service
	URL string

	logger *zap.Logger
	close  []func()
}

// OpenService starts the service of a stack by itself, on a data folder of a stack.
func OpenService(ctx context.Context, o Options, port int) (*Service, error) {
	logger, closeLog, err := openLog(o)
	if err != nil {
		return nil, err
	}
	listener, err := loopback.Listen(port)
	if err != nil {
		closeLog()
		return nil, err
	}

	s, err := startService(ctx, o, listener, logger)
	if err != nil {
		_ = listener.Close()
		closeLog()
		return nil, err
	}
	s.close = append([]func(){closeLog}, s.close...)
	return s, nil
}

// Close ends the service. Conversions that run are done again at the next start.
func (s *Service) Close() {
	for i := len(s.close) - 1; i >= 0; i-- {
		s.close[i]()
	}
	s.close = nil
}

// APIKey is what the service on a stack's data folder lets in.
func APIKey(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "backend", "key")) //nolint:gosec // inside the data folder
	if err != nil {
		return "", fmt.Errorf("read the key of the local conversion service: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

func startService(ctx context.Context, o Options, listener net.Listener, logger *zap.Logger) (*Service, error) {
	dir := filepath.Join(o.Dir, "backend")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the backend's folder: %w", err)
	}
	children, err := backend.EngineChildren(cacheFolder(dir))
	if err != nil {
		return nil, err
	}

	service, err := backend.Open(ctx, backend.Config{
		DataDir: dir, Registry: backend.DefaultRegistry(ctx, o.EngineSettings(dir)), Children: children, Logger: logger.Named("backend"),
		Faults: o.Faults, Goals: o.Goals,
	})
	if err != nil {
		return nil, fmt.Errorf("start the conversion service: %w", err)
	}

	s := &Service{Service: service, logger: logger}
	s.close = append(s.close, s.closeBackend)
	s.serve(o, listener)
	return s, nil
}

func (s *Service) serve(o Options, listener net.Listener) {
	handler := s.Handler()
	if o.Around != nil {
		handler = o.Around(handler)
	}
	server := backend.NewServer(handler)
	go serve(server, listener, "conversion service", s.logger)

	s.close = append(s.close, func() { _ = server.Close() })
	s.URL = "http://" + listener.Addr().String()
}

func (s *Service) closeBackend() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Service.Close(ctx); err != nil {
		s.logger.Error("closing the conversion service", zap.Error(err))
	}
}

// configure has a worker use the service.
func (s *Service) configure(cfg *config.Config) {
	cfg.BaseURL, cfg.APIKey = s.URL, config.Secret(s.Key())
	cfg.EventsURL = "ws" + strings.TrimPrefix(s.URL, "http") + client.PathEvents
}

// The log takes a hundred megabytes at most, whatever happens.
const (
	logMegabytes = 25
	logsKept     = 3 // beside the one that is written
)

// openLog keeps the log of the stack beside its data; the terminal belongs to the command.
func openLog(o Options) (logger *zap.Logger, closeLog func(), err error) {
	path := filepath.Join(o.Dir, "stack.log")
	if err := private.Create(path); err != nil { // else the first line of the log would find out
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	file := &logFile{rotated: lumberjack.Logger{Filename: path, MaxSize: logMegabytes, MaxBackups: logsKept}}

	logger = logging.New(zapcore.AddSync(file), o.Config.LogLevel, o.Config.LogFormat).WithOptions(zap.ErrorOutput(zapcore.AddSync(io.Discard)))
	return logger, file.close, nil
}

// logFile drops what is logged after its end, as Temporal's last goroutines do: lumberjack would make the file again, in a
// folder that may be another stack's by then.
type logFile struct {
	mu      sync.Mutex
	rotated lumberjack.Logger
	closed  bool
}

func (f *logFile) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return len(p), nil
	}
	return f.rotated.Write(p)
}

func (f *logFile) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	_ = f.rotated.Close()
}
