package build

import (
	"errors"

	"github.com/spf13/cobra"
)

// AddFlags gives a root command --version, and --json with it. Without them the command does what it did before, or
// shows its help.
func AddFlags(root *cobra.Command) {
	var version, asJSON bool
	root.Flags().BoolVar(&version, "version", false, "print version, commit, Go and Temporal")
	root.Flags().BoolVar(&asJSON, "json", false, "with --version: as JSON")

	work := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case version:
			return Read(cmd.Root().Name()).Print(cmd.OutOrStdout(), asJSON)
		case asJSON:
			return errors.New("--json must come with --version, or after a command")
		case work == nil:
			return cmd.Help()
		}
		return work(cmd, args)
	}
}
