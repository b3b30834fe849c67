package temporalserver

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func TestCheckDatabase(t *testing.T) {
	testkit.SkipIfShort(t, "it makes databases")
	good := filepath.Join(t.TempDir(), "temporal.db")
	require.NoError(t, createDatabase(good))
	data, err := os.ReadFile(good)
	require.NoError(t, err)
	require.NoError(t, checkDatabase(good))

	for name, damaged := range map[string][]byte{
		"empty":           {},
		"of another kind": bytes.Repeat([]byte("Dear diary, "), 1000),
		"cut":             data[:20_000],
		"overwritten":     append(bytes.Repeat([]byte{7}, 50_000), data[50_000:]...),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "temporal.db")
			require.NoError(t, os.WriteFile(path, damaged, 0o600))

			err := checkDatabase(path)

			require.Error(t, err)
			assert.Regexp(t, `^Temporal's database \S+/temporal\.db is damaged \(.+\): restore a backup of \S+, or move temporal\.db\* away and start again\.`, err.Error())
			assert.Equal(t, 0, strings.Count(err.Error(), "\n"))
			kept, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, damaged, kept, "it is not touched: a backup may need its rest")
		})
	}
}
