package cli

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
)

func TestHelpStandsBeforeOtherFlags(t *testing.T) {
	env := Env{AddFlags: func(root *cobra.Command) { root.PersistentFlags().String("data", "", "data folder") }}
	for name, args := range map[string][]string{
		"alone":             {"--help"},
		"before a flag":     {"--help", "--data", "DIR"},
		"short, after one":  {"--data", "DIR", "-h"},
		"short, before one": {"-h", "--data", "DIR"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(t.Context(), t, nil, env, "", args...)
			assert.Equal(t, ExitOK, code, stderr)
			assert.Contains(t, stdout, "Available Commands")
		})
	}
}
