package sandbox_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
)

func TestHome_OfAProcessThatIsGone(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	held, remove, err := sandbox.Home("of this process")
	require.NoError(t, err)
	gone, fresh, other := filepath.Join(os.TempDir(), "convilyn-call-gone"), filepath.Join(os.TempDir(), "convilyn-call-fresh"), filepath.Join(os.TempDir(), "convilyn-other")
	long := time.Now().Add(-time.Hour)
	for _, folder := range []string{gone, fresh, other} {
		require.NoError(t, os.MkdirAll(filepath.Join(folder, "profile"), 0o700))
	}
	for _, folder := range []string{gone, other, held} {
		require.NoError(t, os.Chtimes(folder, long, long))
	}

	sandbox.Sweep()

	assert.NoDirExists(t, gone)
	assert.DirExists(t, fresh, "its process may be about to lock it")
	assert.DirExists(t, other)
	assert.DirExists(t, held)
	remove()
	assert.NoDirExists(t, held)
}
