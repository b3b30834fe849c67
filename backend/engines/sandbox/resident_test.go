package sandbox_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// resident does nothing; what a program could do in its folder, the test does.
func resident(t *testing.T, bounds sandbox.Bounds) *sandbox.Resident {
	t.Helper()
	testkit.SkipIfShort(t, "it starts a program")
	r, err := sandbox.StartResident("test", bounds, func(home string) (sandbox.Command, error) {
		return sandbox.Command{Name: "sleep", Args: []string{"1000"}, Home: home}, nil
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		r.Discard()
		assert.NoDirExists(t, r.Home)
		r.Discard() // it may be called twice
	})
	return r
}

func input(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "input.txt")
	require.NoError(t, os.WriteFile(path, []byte("text"), 0o600))
	return path
}

func TestResident_WorksInItsFolder(t *testing.T) {
	r := resident(t, sandbox.Bounds{Uses: 2, Memory: 1 << 30})
	for range 2 {
		assert.False(t, r.Tired())
		inside, made, err := r.Begin(input(t))
		require.NoError(t, err)
		data, err := os.ReadFile(inside)
		require.NoError(t, err)
		assert.Equal(t, "text", string(data))
		require.NoError(t, os.WriteFile(filepath.Join(made, "a.pdf"), []byte("pdf"), 0o600))

		into := filepath.Join(t.TempDir(), "out")
		require.NoError(t, r.Collect(into))
		data, err = os.ReadFile(filepath.Join(into, "a.pdf"))
		require.NoError(t, err)
		assert.Equal(t, "pdf", string(data))
		r.End()
		assert.NoFileExists(t, inside)
	}
	assert.True(t, r.Tired())
}

func TestResident_TiresOfMemory(t *testing.T) {
	assert.True(t, resident(t, sandbox.Bounds{Uses: 2, Memory: 1}).Tired())
}

// A program that a file has taken over may leave links to what it does not see itself.
func TestResident_FollowsNoLinks(t *testing.T) {
	r := resident(t, sandbox.Bounds{Uses: 9, Memory: 1 << 30})
	elsewhere := t.TempDir()
	secret := filepath.Join(elsewhere, "secret.pdf")
	require.NoError(t, os.WriteFile(secret, []byte("of somebody else"), 0o600))

	require.NoError(t, os.Symlink(elsewhere, filepath.Join(r.Home, "work")))
	inside, made, err := r.Begin(input(t))
	require.NoError(t, err, "a link in the place of the folder is removed")
	assert.FileExists(t, inside)
	left, err := os.ReadDir(elsewhere)
	require.NoError(t, err)
	assert.Len(t, left, 1)

	require.NoError(t, os.Symlink(secret, filepath.Join(made, "a.pdf")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(made, "b.pdf"), 0o600))
	into := filepath.Join(t.TempDir(), "out")
	require.NoError(t, r.Collect(into))
	left, err = os.ReadDir(into)
	require.NoError(t, err)
	assert.Empty(t, left)

	require.NoError(t, os.RemoveAll(made))
	require.NoError(t, os.Symlink(elsewhere, made))
	require.Error(t, r.Collect(filepath.Join(t.TempDir(), "out")))
}

// unseen is a context that has ended, of which a watch has not heard yet.
type unseen struct{ context.Context }

func (unseen) Err() error { return context.Canceled }

// The work and the watch both see the end of the time: where the work is first, its caller hears of the time, too.
func TestResident_TellsTheEndOfItsTime(t *testing.T) {
	r := resident(t, sandbox.Bounds{})

	err := r.Do(unseen{t.Context()}, sandbox.Watch{}, func(context.Context) error { return net.ErrClosed })

	require.ErrorIs(t, err, context.Canceled)
	<-r.Ended()
}
