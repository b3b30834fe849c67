package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines/apart"
)

const enginesName = "engines"

// newEngines is the other end of enginesApart: the local service's conversions, in a process of their own.
func newEngines() *cobra.Command {
	return &cobra.Command{
		Use: enginesName + " CACHE", Short: "The engines of the conversion service", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return backend.ServeEngines(cmd.Context(), args[0], cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

// enginesApart has this very program started for the conversions of the local service.
func enginesApart(cacheDir string) (*apart.Config, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to start the engines: %w", err)
	}
	return &apart.Config{Path: self, Args: []string{enginesName, cacheDir}}, nil
}
