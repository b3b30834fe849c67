// Command worker runs conversions: it takes steps from Temporal and does them against the Convilyn API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/build"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/host"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once; what ran goes on elsewhere.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

const (
	exitOK    = 0
	exitUsage = 1
	exitFault = 2
)

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		return usage(args, stdout, stderr)
	}
	cfg, err := config.Load(getenv)
	if err == nil && cfg.APIKey == "" {
		err = errors.New("no key for the Convilyn API; set CONVILYN_API_KEY or CONVILYN_API_KEY_FILE")
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "worker: %v\n", err)
		return exitUsage
	}
	if err := work(ctx, cfg, stderr); err != nil {
		_, _ = fmt.Fprintf(stderr, "worker: %v\n", err)
		return exitFault
	}
	return exitOK
}

func usage(args []string, stdout, stderr io.Writer) int {
	switch line := strings.Join(args, " "); line {
	case "--version", "--version --json", "--json --version":
		if err := build.Read("worker").Print(stdout, line != "--version"); err != nil {
			_, _ = fmt.Fprintf(stderr, "worker: %v\n", err)
			return exitFault
		}
		return exitOK
	}
	if args[0] != "-h" && args[0] != "--help" && args[0] != "help" {
		_, _ = fmt.Fprintf(stderr, "worker: unknown argument %q; see worker --help\n", args[0])
		return exitUsage
	}
	_, _ = fmt.Fprint(stdout, "worker takes steps from Temporal and does them against the Convilyn API, until SIGTERM.\n"+
		"It has no flags but --version, and --json with that. Temporal's connection comes from TEMPORAL_* or temporal.toml, the rest from:\n\n")
	for _, v := range config.Variables() {
		_, _ = fmt.Fprintf(stdout, "  %-24s %s (default %q)\n", v.Name, v.Help, v.Default)
	}
	return exitOK
}

func work(ctx context.Context, cfg config.Config, stderr io.Writer) error {
	logger := logging.New(stderr, cfg.LogLevel, cfg.LogFormat)
	defer logger.Sync() //nolint:errcheck // stderr cannot always be synced
	metrics := host.NewMetrics()
	defer metrics.Close() //nolint:errcheck // the process ends
	options, notice, err := temporalconn.Options("")
	if err != nil {
		return err
	}
	if notice != "" {
		logger.Info(notice)
	}
	options.MetricsHandler = metrics.Handler()
	temporal, err := temporalconn.Dial(ctx, options, cfg.Keys, logging.ForTemporal(logger))
	if err != nil {
		return err
	}
	defer temporal.Close()
	h, err := host.New(ctx, cfg, temporal, options.Namespace, metrics, logger)
	if err != nil {
		return err
	}
	metrics.ObserveRuns(temporal, options.Namespace)
	if cfg.HTTPAddr != "" {
		if err := metrics.Serve(ctx, cfg.HTTPAddr); err != nil {
			return err
		}
	}
	logger.Info("worker starts", zap.String("temporal", options.HostPort), zap.String("namespace", options.Namespace), zap.String("api", cfg.BaseURL), zap.String("encryption_key", cfg.Keys.Sealer()))
	return h.Run(ctx)
}
