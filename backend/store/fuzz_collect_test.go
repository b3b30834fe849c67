package store

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// FuzzCollect: of what an engine says it has made, only files of its own work folder are taken.
func FuzzCollect(f *testing.F) {
	for _, path := range []string{"out.html", "./out.html", "../out.html", "sub/../out.html", "sub/in.html", "link", "pipe", "sub", "", ".", "..", "/etc/passwd", "no\x00such", "out.html/"} {
		f.Add(path, false)
		f.Add(path, true)
	}
	root := f.TempDir()
	folder := filepath.Join(root, "work")
	require.NoError(f, os.MkdirAll(filepath.Join(folder, "sub"), 0o700))
	secret := "what nobody may fetch"
	for _, path := range []string{filepath.Join(root, "out.html"), filepath.Join(folder, "sub", "in.html")} {
		require.NoError(f, os.WriteFile(path, []byte(secret), 0o600))
	}
	require.NoError(f, os.WriteFile(filepath.Join(folder, "out.html"), []byte("made"), 0o600))
	require.NoError(f, os.Symlink(filepath.Join(root, "out.html"), filepath.Join(folder, "link")))
	require.NoError(f, syscall.Mkfifo(filepath.Join(folder, "pipe"), 0o600))
	f.Fuzz(func(t *testing.T, path string, absolute bool) {
		if !absolute {
			path = folder + "/" + path
		}
		rows, err := collect(folder, []engines.File{{Path: path, Filename: "a", Mimetype: "text/html"}})
		if err != nil {
			return
		}
		require.Equal(t, "out.html", rows[0].Stored, "%q was taken", path)
		require.Equal(t, int64(len("made")), rows[0].Size)
		require.True(t, strings.HasPrefix(filepath.Clean(path), folder))
	})
}
