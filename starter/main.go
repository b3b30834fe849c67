// Command starter starts, watches and cancels conversions on any Temporal.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/internal/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, cli.Env{
		Program: "starter", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
		Terminal: terminal.Of(os.Stderr, os.Stdin), Interrupts: terminal.Interrupts, Open: open, Catalog: catalog(os.Getenv),
		Commands: []*cobra.Command{newInbox(os.Getenv)},
	}, os.Args[1:]))
}

// catalog is nil where there is no key to ask the service with.
func catalog(getenv func(string) string) func(ctx context.Context) (*client.Catalog, error) {
	cfg, err := config.Load(getenv)
	if err != nil || cfg.APIKey == "" {
		return nil
	}
	return func(ctx context.Context) (*client.Catalog, error) {
		api, err := client.New(cfg.BaseURL, string(cfg.APIKey))
		if err != nil {
			return nil, err
		}
		return api.Goals.Catalog(ctx)
	}
}

func open(ctx context.Context) (*cli.Session, error) {
	options, err := temporalconn.Options()
	if err != nil {
		return nil, err
	}
	c, err := temporalconn.Dial(ctx, options, logging.ForTemporal(zap.NewNop()))
	if err != nil {
		return nil, err
	}
	return &cli.Session{
		Temporal: c, Namespace: options.Namespace, Address: options.HostPort, Stays: true, Close: c.Close,
	}, nil
}
