// Command backend serves the Convilyn API by itself: a conversion service of one's own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/faults"
	"github.com/convilyn/convilyn-temporal/internal/build"
	"github.com/convilyn/convilyn-temporal/internal/logging"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once; what it was doing goes on at the next start.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

const (
	exitOK    = 0
	exitUsage = 1
	exitFault = 2
)

// closing is how long requests and conversions get to end in order.
const closing = 10 * time.Second

// settings are what the flags say.
type settings struct {
	dir, listen, baseURL, keyFile, faults string
	workers                               int
	logLevel, logFormat                   string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := newCommand(stderr)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintf(stderr, "backend: %v\n", err)
	var fault *serviceError
	if errors.As(err, &fault) {
		return exitFault
	}
	return exitUsage // what cobra itself refuses is usage, too
}

// serviceError is a service that cannot start or go on.
type serviceError struct{ error }

func newCommand(stderr io.Writer) *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "backend --data DIR",
		Short: "Serve the Convilyn API: uploads, conversions, goals, events",
		Long: "backend serves the Convilyn API on a folder of its own, until SIGTERM. What it has accepted survives its death:\n" +
			"started again on the same folder, queued and half-done jobs go on.\n\n" +
			"CONVILYN_GOTENBERG_URL names a Gotenberg server to print by, where there is one.\n\n" +
			"With --faults it misbehaves as a YAML file says, to rehearse against; docs/faults.md shows what such a file holds.",
		Example: "  backend --data /var/lib/convilyn --listen 0.0.0.0:8980 --base-url http://backend:8980 --key-file /run/secrets/convilyn_api_key\n" +
			"  backend --data /tmp/rehearsal --faults faults.yaml",
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), s, cmd.OutOrStdout(), stderr) },
	}
	cmd.AddCommand(&cobra.Command{
		Use: backend.EnginesCommand + " CACHE", Short: "The engines of the service", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return backend.ServeEngines(cmd.Context(), args[0], cmd.InOrStdin(), cmd.OutOrStdout())
		},
	})
	flags := cmd.Flags()
	flags.StringVar(&s.dir, "data", "", "folder for everything; made where it is missing")
	flags.StringVar(&s.listen, "listen", "127.0.0.1:8980", "address to serve on")
	flags.StringVar(&s.baseURL, "base-url", "", "how clients reach the service, for storage URLs (default: as they asked)")
	flags.StringVar(&s.keyFile, "key-file", "", "file with the keys to accept, one per line (default: one is created in the data folder)")
	flags.StringVar(&s.faults, "faults", "", "YAML file with faults to commit")
	flags.IntVar(&s.workers, "workers", 0, "conversions at once (default: one a core)")
	flags.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&s.logFormat, "log-format", "json", "json or console")
	build.AddFlags(cmd)
	return cmd
}

func serve(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	logger, err := newLogger(s, stderr)
	if err != nil {
		return err
	}
	defer logger.Sync() //nolint:errcheck // stderr cannot always be synced
	cfg, err := s.config()
	if err != nil {
		return err
	}
	cfg.Logger = logger
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.listen)
	if err != nil {
		return &serviceError{fmt.Errorf("listen, choose another address with --listen: %w", err)}
	}
	cache := filepath.Join(s.dir, "cache")
	cfg.Registry = backend.DefaultRegistry(ctx, backend.EngineSettings{CacheDir: cache, GotenbergURL: os.Getenv("CONVILYN_GOTENBERG_URL")})
	if cfg.Children, err = backend.EngineChildren(cache); err != nil {
		return &serviceError{err}
	}
	service, err := backend.Open(ctx, cfg)
	if err != nil {
		_ = listener.Close()
		return &serviceError{err}
	}
	logger.Info("the service starts", zap.String("api", listener.Addr().String()), zap.String("data", s.dir), zap.String("faults", s.faults))
	_, _ = fmt.Fprintf(stdout, "http://%s\n", listener.Addr())
	err = answer(ctx, listener, service)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	if err := errors.Join(err, service.Close(end)); err != nil {
		return &serviceError{err}
	}
	return nil
}

// answer serves requests until ctx ends.
func answer(ctx context.Context, listener net.Listener, service *backend.Service) error {
	server := backend.NewServer(service.Handler())
	stopped := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing/2)
		defer cancel()
		_ = server.Shutdown(end)
		_ = server.Close()
	})
	defer stopped()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

func (s settings) config() (backend.Config, error) {
	cfg := backend.Config{DataDir: s.dir, BaseURL: s.baseURL, Workers: s.workers}
	if s.dir == "" {
		return cfg, errors.New("name the folder for its data with --data")
	}
	if s.workers < 0 {
		return cfg, fmt.Errorf("--workers %d: it takes one at least", s.workers)
	}
	var err error
	if s.keyFile != "" {
		if cfg.Keys, err = readKeys(s.keyFile); err != nil {
			return cfg, err
		}
	}
	if s.faults != "" {
		if cfg.Faults, err = faults.Load(s.faults); err != nil {
			return cfg, err
		}
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return cfg, fmt.Errorf("make the data folder: %w", err)
	}
	return cfg, nil
}

func readKeys(path string) ([]string, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	keys := strings.Fields(string(data))
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no key; put one on a line", path)
	}
	return keys, nil
}

func newLogger(s settings, stderr io.Writer) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(s.logLevel)
	if err != nil || level > zapcore.ErrorLevel {
		return nil, fmt.Errorf("--log-level %q is not debug, info, warn or error", s.logLevel)
	}
	if s.logFormat != "json" && s.logFormat != "console" {
		return nil, fmt.Errorf("--log-format %q is not json or console", s.logFormat)
	}
	return logging.New(stderr, level, s.logFormat), nil
}
