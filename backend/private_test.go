package backend

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// What earlier versions left open to others is closed at the start, and nothing that is made is open.
func TestOpen_KeepsTheDataFolderFromOthers(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Chmod(dir, 0o755)) // whatever the umask

	for _, when := range []string{"at the first start", "after an earlier version"} {
		t.Run(when, func(t *testing.T) {
			service, err := Open(t.Context(), Config{DataDir: dir, Registry: engines.NewRegistry(t.Context())})
			require.NoError(t, err)
			require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
				require.NoError(t, err)
				info, err := entry.Info()
				require.NoError(t, err)
				assert.Zero(t, info.Mode().Perm()&0o077, "%s, %s: %s", path, when, info.Mode())
				return nil
			}))
			require.NoError(t, service.Close(t.Context()))

			require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
				mode := fs.FileMode(0o644)
				if entry.IsDir() {
					mode = 0o755
				}
				return os.Chmod(path, mode)
			}))
		})
	}
}
