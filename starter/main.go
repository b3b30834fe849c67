// Command starter starts, watches and cancels conversions on any Temporal.
package main

import (
	"context"
	"fmt"
	"io"
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
	s := &starter{getenv: getenv, stderr: os.Stderr}
	os.Exit(cli.Run(ctx, cli.Env{
		Program: "starter", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: getenv,
		Terminal: term.Of(os.Stderr, os.Stdout, os.Stdin), Interrupts: term.Interrupts, Open: s.open, Catalog: catalog(os.Getenv),
		Commands: []*cobra.Command{s.newInbox()}, AddFlags: func(root *cobra.Command) { keyFile.AddFlag(root); s.addFlag(root) },
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

// starter is where its commands find Temporal.
type starter struct {
	getenv func(string) string
	stderr io.Writer
	data   string
}

func (s *starter) addFlag(root *cobra.Command) {
	root.PersistentFlags().StringVar(&s.data, "data", "", "data folder of a running standalone, whose Temporal is used where TEMPORAL_ADDRESS names none")
}

func (s *starter) open(ctx context.Context) (*cli.Session, error) {
	keys, err := config.Keys(s.getenv)
	if err != nil {
		return nil, &cli.Failure{Code: cli.ExitUsage, Err: err}
	}
	options, notice, err := temporalconn.Options(s.data)
	if err != nil {
		return nil, err
	}
	if notice != "" {
		_, _ = fmt.Fprintln(s.stderr, "starter: "+notice)
	}

	c, err := temporalconn.Dial(ctx, options, keys, logging.ForTemporal(zap.NewNop()))
	if err != nil {
		return nil, err
	}
	return &cli.Session{
		Temporal: c, Namespace: options.Namespace, Address: options.HostPort, Keys: keys, Stays: true, Close: c.Close,
	}, nil
}
