package private

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, want, mode(t, dir, name).Perm(), name)
		})
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
	assert.Equal(t, []Exposure{{Path: filepath.Join(dir, "db")}}, open)
}

func TestExposed_NamesWhatIsNotTheOwners(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("gives files to somebody else, which takes root")
	}
	const somebody = 54321
	for name, test := range map[string]struct {
		modes map[string]fs.FileMode
		given []string
		want  []string // texts, without the folder
	}{
		"a file":                    {map[string]fs.FileMode{".": fs.ModeDir | 0o755, "db": 0o600}, []string{"db"}, []string{"others may use DIR", "DIR/db belongs to user 54321"}},
		"a file in a closed folder": {map[string]fs.FileMode{".": fs.ModeDir | 0o700, "db": 0o600}, []string{"db"}, []string{"DIR/db belongs to user 54321"}},
		"a closed folder":           {map[string]fs.FileMode{".": fs.ModeDir | 0o700, "uploads": fs.ModeDir | 0o700}, []string{"uploads"}, []string{"DIR/uploads belongs to user 54321"}},
		"beside something else":     {map[string]fs.FileMode{".": fs.ModeDir | 0o755, "db": 0o600, "letter": 0o644}, []string{"db", "letter"}, []string{"DIR/db belongs to user 54321", "DIR/letter belongs to user 54321 and is none of ours, so the folder is left open to others"}},
		"beside a stranger's":       {map[string]fs.FileMode{".": fs.ModeDir | 0o755, "db": 0o600, "letter": 0o644}, []string{"letter"}, []string{"DIR/letter belongs to user 54321 and is none of ours, so the folder is left open to others"}},
		"closed to a stranger's":    {map[string]fs.FileMode{".": fs.ModeDir | 0o700, "db": 0o600, "letter": 0o644}, []string{"letter"}, nil},
		"all, with the folder":      {map[string]fs.FileMode{".": fs.ModeDir | 0o700, "db": 0o600}, []string{".", "db"}, nil},
		"a folder where others write": {
			map[string]fs.FileMode{".": fs.ModeDir | 0o777, "db": 0o600, "letter": 0o644},
			nil,
			[]string{"others may replace files in DIR, which also holds letter"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := tree(t, test.modes)
			for _, given := range test.given {
				require.NoError(t, os.Chown(filepath.Join(dir, given), somebody, somebody))
			}
			found, err := Exposed(dir, ours)
			require.NoError(t, err)
			var texts []string
			for _, e := range found {
				texts = append(texts, strings.ReplaceAll(e.Text(), dir, "DIR"))
				assert.NotEmpty(t, e.Remedy())
			}
			assert.Equal(t, test.want, texts)

			err = Tighten(dir, ours)
			if slices.Contains(test.given, "db") && test.want != nil || slices.Contains(test.given, "uploads") {
				require.ErrorContains(t, err, "belongs to user 54321")
			} else {
				require.NoError(t, err)
			}
		})
	}
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
