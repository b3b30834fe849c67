package private

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var ours = Ours{"db*", "uploads"}

func tree(t *testing.T, modes map[string]fs.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range modes {
		path := filepath.Join(dir, name)
		if mode.IsDir() {
			require.NoError(t, os.MkdirAll(path, 0o700))
		} else {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
			require.NoError(t, os.WriteFile(path, nil, 0o600))
		}
	}
	for name, mode := range modes {
		require.NoError(t, os.Chmod(filepath.Join(dir, name), mode.Perm()|mode&fs.ModeSticky))
	}
	return dir
}

func mode(t *testing.T, parts ...string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(filepath.Join(parts...))
	require.NoError(t, err)
	return info.Mode()
}

func TestTighten_ClosesWhatIsOurs(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]fs.FileMode{
		".": fs.ModeDir | 0o755, "db": 0o644, "db-wal": 0o640, "uploads": fs.ModeDir | 0o750, "uploads/a": 0o640, "uploads/run": 0o750,
	})
	outside := filepath.Join(t.TempDir(), "elsewhere")
	require.NoError(t, os.WriteFile(outside, nil, 0o600))
	require.NoError(t, os.Chmod(outside, 0o644))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "uploads", "link")))

	require.NoError(t, Tighten(dir, ours))

	assert.Equal(t, fs.FileMode(0o700), mode(t, dir).Perm())
	for name, want := range map[string]fs.FileMode{"db": 0o600, "db-wal": 0o600, "uploads": 0o700, "uploads/a": 0o600, "uploads/run": 0o700} {
		assert.Equal(t, want, mode(t, dir, name).Perm(), name)
	}
	assert.Equal(t, fs.FileMode(0o644), mode(t, outside).Perm(), "a link's end is not ours")
	open, err := Exposed(dir, ours)
	require.NoError(t, err)
	assert.Empty(t, open)
}

func TestTighten_LeavesAFolderThatHoldsMore(t *testing.T) {
	t.Parallel()
	for name, modes := range map[string]map[string]fs.FileMode{
		"a home":           {".": fs.ModeDir | 0o755, "db": 0o644, "letter.txt": 0o644},
		"a sticky folder":  {".": fs.ModeDir | fs.ModeSticky | 0o777, "db": 0o644},
		"of somebody else": {".": fs.ModeDir | 0o755, "db": 0o644, "project": fs.ModeDir | 0o755},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := tree(t, modes)
			require.NoError(t, Tighten(dir, ours))
			for entry, before := range modes {
				want := before.Perm()
				if entry == "db" {
					want = 0o600
				}
				assert.Equal(t, want, mode(t, dir, entry).Perm(), entry)
			}
		})
	}
}

func TestExposed_TakesAClosedFolderForClosed(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]fs.FileMode{".": fs.ModeDir | 0o700, "uploads": fs.ModeDir | 0o700, "uploads/a": 0o644, "db": 0o644})
	open, err := Exposed(dir, ours)
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(dir, "db")}, open)
}

func TestSecret_IsMadeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	first, err := Secret(path)
	require.NoError(t, err)
	assert.Len(t, first, 2*SecretSize)
	assert.Equal(t, fs.FileMode(0o600), mode(t, path).Perm())

	again, err := Secret(path)
	require.NoError(t, err)
	assert.Equal(t, first, again)

	require.NoError(t, os.WriteFile(path, []byte("short\n"), 0o600))
	_, err = Secret(path)
	assert.ErrorContains(t, err, path, "a broken secret is not replaced in silence")
	_, err = ReadSecret(path + "-none")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}
