// Command starter starts, watches and cancels conversions on any Temporal.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/internal/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, cli.Env{
		Program: "starter", Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
		Terminal: terminal.Of(os.Stderr), Open: open,
	}, os.Args[1:]))
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
