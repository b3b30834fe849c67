package temporalconn

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/convilyn/convilyn-temporal/internal/datafolder"
)

// Another user of the machine learns whose the folder is, and not that no stack runs there.
func TestOptions_DataFolderOfSomebodyElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("gives folders to somebody else, which takes root")
	}
	const owner, other = 54321, 65534
	for name, test := range map[string]struct{ closed, says string }{
		"a closed folder":          {"state/convilyn", "belongs to user 54321, and is closed to you; run the command as user 54321, or name a folder of your own with --data"},
		"a folder in a closed one": {"state", "is in a folder of somebody else, which is closed to you; run the command as its owner"},
		"an old one that is open":  {"", "belongs to user 54321, and is closed to you"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
			state := filepath.Join(dir, "state")
			data := filepath.Join(state, "convilyn")
			require.NoError(t, os.MkdirAll(data, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(data, datafolder.OwnerLock), nil, 0o600))
			for _, path := range []string{state, data, filepath.Join(data, datafolder.OwnerLock)} {
				t.Run(path, func(t *testing.T) {
					require.NoError(t, os.Chown(path, owner, owner))
				})
			}
			for _, path := range []string{"state", "state/convilyn"} {
				t.Run(path, func(t *testing.T) {
					if path != test.closed {
						require.NoError(t, os.Chmod(filepath.Join(dir, path), 0o755))
					}
				})
			}
			t.Setenv("XDG_STATE_HOME", state)
			t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(dir, "none.toml"))
			runtime.LockOSThread() // the identity is the thread's
			defer runtime.UnlockOSThread()
			require.NoError(t, unix.Setfsuid(other))
			_, _, err := Options(data)
			_, notice, err2 := Options("")
			require.NoError(t, unix.Setfsuid(0))

			require.ErrorContains(t, err, "the data folder "+data+" "+test.says)
			require.NoError(t, err2)
			assert.Contains(t, notice, "using localhost:7233, for the data folder "+data)
		})
	}
}
