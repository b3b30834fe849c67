package client_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// Where a part cannot be moved nothing is left that looks like an output.
func TestPlaceOnAnotherDisk(t *testing.T) {
	part, folder := filepath.Join(t.TempDir(), "p.part"), testkit.Mount(t, "64k")
	require.NoError(t, os.WriteFile(part, []byte("whole"), 0o600))
	for _, overwrite := range []bool{false, true} {
		t.Run(fmt.Sprintf("overwrite %v", overwrite), func(t *testing.T) {
			require.Error(t, client.Place(part, filepath.Join(folder, "out"), overwrite))
			entries, err := os.ReadDir(folder)
			require.NoError(t, err)
			assert.Empty(t, entries)
			assert.FileExists(t, part, "for the next attempt")
		})
	}
}
