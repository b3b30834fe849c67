package main

import (
	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/backend"
)

// newEngines is the other end of backend.EnginesApart: the local service's conversions, in a process of their own.
func newEngines() *cobra.Command {
	return &cobra.Command{
		Use: backend.EnginesCommand + " CACHE", Short: "The engines of the conversion service", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return backend.ServeEngines(cmd.Context(), args[0], cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}
