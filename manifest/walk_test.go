package manifest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLinksToFilesOfTheFolderAreFollowed(t *testing.T) {
	p := newPlace(t, "a.md", "sub/b.md")
	p.out = filepath.Join(p.in, "out")
	p.spec.Output = p.out
	elsewhere := filepath.Join(t.TempDir(), "c.md")
	require.NoError(t, os.WriteFile(elsewhere, []byte("x"), 0o600))
	require.NoError(t, os.MkdirAll(p.out, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(p.out, "made.md"), []byte("x"), 0o600))
	for link, end := range map[string]string{
		"inside.md": "sub/b.md", "chained.md": "inside.md",
		"outside.md": elsewhere, "folder": "sub", "folder.md": "sub", "nothing.md": "gone.md", "itself.md": "itself.md", "output.md": "out/made.md",
	} {
		t.Run(link, func(t *testing.T) {
			require.NoError(t, os.Symlink(end, filepath.Join(p.in, link)))
		})
	}
	plan, all := p.make(t)
	assert.Equal(t, []string{"a.html", "chained.html", "inside.html", "sub/b.html"}, dests(plan, all))
}
