package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
)

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
	state, err := config.State(s.getenv)
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
		Temporal: c, Namespace: options.Namespace, Address: options.HostPort, Keys: keys, State: state, Stays: true, Close: c.Close,
	}, nil
}
