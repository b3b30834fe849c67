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
	"github.com/convilyn/convilyn-temporal/internal/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the process at once.
	context.AfterFunc(ctx, stop)
	var keyFile cli.KeyFile
	getenv := keyFile.Getenv(os.Getenv)
	os.Exit(cli.Run(ctx, cli.Env{
		Program: "starter", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: getenv,
		Terminal: term.Of(os.Stderr, os.Stdout, os.Stdin), Interrupts: term.Interrupts, Open: opener(getenv), Catalog: catalog(os.Getenv),
		Commands: []*cobra.Command{newInbox(getenv)}, AddFlags: keyFile.AddFlag,
	}, os.Args[1:]))
}

// catalog is nil where there is no key to ask the service with.
func catalog(getenv func(string) string) func(ctx context.Context) (*client.Catalog, error) {
	cfg, err := config.Load(getenv)
	if err != nil || cfg.APIKey == "" {
		return nil
	}
	return func(ctx context.Context) (*client.Catalog, error) {
		api, err := cfg.API()
		if err != nil {
			return nil, err
		}
		return api.Goals.Catalog(ctx)
	}
}

func opener(getenv func(string) string) func(ctx context.Context) (*cli.Session, error) {
	return func(ctx context.Context) (*cli.Session, error) { return open(ctx, getenv) }
}

func open(ctx context.Context, getenv func(string) string) (*cli.Session, error) {
	keys, err := config.Keys(getenv)
	if err != nil {
		return nil, &cli.Failure{Code: cli.ExitUsage, Err: err}
	}
	options, err := temporalconn.Options()
	if err != nil {
		return nil, err
	}
	c, err := temporalconn.Dial(ctx, options, keys, logging.ForTemporal(zap.NewNop()))
	if err != nil {
		return nil, err
	}
	return &cli.Session{
		Temporal: c, Namespace: options.Namespace, Address: options.HostPort, Keys: keys, Stays: true, Close: c.Close,
	}, nil
}
