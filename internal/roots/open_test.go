package roots

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What is put into a path between its check and its use leads nowhere: neither a link to a file, nor one to a folder above it.
func TestOpen_PathSwappedAfterItsCheck(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	elsewhere := filepath.Join(dir, "elsewhere")
	require.NoError(t, os.MkdirAll(filepath.Join(elsewhere, "sub"), 0o755))
	for _, file := range []string{"a.md", "sub/a.md"} {
		require.NoError(t, os.WriteFile(filepath.Join(elsewhere, file), []byte("private"), 0o600))
	}
	for name, row := range map[string]struct{ swapped, to string }{
		"the file":               {"top/sub/a.md", "a.md"},
		"its folder":             {"top/sub", "sub"},
		"a folder further above": {"top", ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := filepath.Join(dir, filepath.Base(t.TempDir()), name)
			require.NoError(t, os.MkdirAll(filepath.Join(in, "top", "sub"), 0o755))
			file := filepath.Join(in, "top", "sub", "a.md")
			require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
			guard := New([]string{in}, nil)
			place, err := guard.place(file, false)
			require.NoError(t, err)
			made, err := guard.place(filepath.Join(in, "top", "sub", "new", "er"), true)
			require.NoError(t, err)

			swapped := filepath.Join(in, row.swapped)
			require.NoError(t, os.Rename(swapped, swapped+"-before"))
			require.NoError(t, os.Symlink(filepath.Join(elsewhere, row.to), swapped))

			_, err = openFile(place)
			require.ErrorIs(t, err, syscall.ESTALE)
			if filepath.Ext(row.swapped) == "" {
				_, err = openFolder(made, true)
				require.ErrorIs(t, err, syscall.ESTALE)
			}
			_, err = guard.OpenFile(file)
			var outside *OutsideError
			require.ErrorAs(t, err, &outside)
			assert.NoDirExists(t, filepath.Join(elsewhere, "new"))
			assert.NoDirExists(t, filepath.Join(elsewhere, "sub", "new"))
		})
	}
}

func TestOpenFolder(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	guard := New([]string{dir}, nil)
	folder := filepath.Join(dir, "a", "b")
	_, err = guard.OpenFolder(folder, false)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.NoDirExists(t, filepath.Join(dir, "a"), "it was not asked for")

	root, err := guard.OpenFolder(folder, true)
	require.NoError(t, err)
	require.NoError(t, os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "c")))
	require.NoError(t, root.WriteFile("x", nil, 0o600))
	require.NoError(t, root.Close())
	assert.FileExists(t, filepath.Join(dir, "c", "b", "x"), "the folder and not the path")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	_, err = guard.OpenFolder(filepath.Join(dir, "file"), true)
	require.ErrorIs(t, err, syscall.ENOTDIR)
}

// Folders on the way need the right to go through them, and no more.
func TestOpen_ThroughFoldersThatCannotBeListed(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	in := filepath.Join(dir, "closed", "in")
	require.NoError(t, os.MkdirAll(in, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(in, "a.md"), []byte("x"), 0o600))
	require.NoError(t, unix.Mkfifo(filepath.Join(in, "pipe"), 0o600))
	require.NoError(t, os.Chmod(filepath.Join(dir, "closed"), 0o311))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "closed"), 0o700) })
	for _, name := range []string{"a.md", "pipe"} { // which has no writer
		file, err := New([]string{in}, nil).OpenFile(filepath.Join(in, name))
		require.NoError(t, err)
		require.NoError(t, file.Close())
	}
}
