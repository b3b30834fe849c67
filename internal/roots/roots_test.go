package roots_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/roots"
)

// world is a folder in with a file, a folder out, and links from there to what is private.
func world(t *testing.T) (at func(string) string, ledger *roots.Ledger) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	at = func(name string) string { return filepath.Join(dir, name) }
	for _, folder := range []string{"in/sub", "out/sub", "private", "inside"} {
		require.NoError(t, os.MkdirAll(at(folder), 0o700))
	}
	for _, file := range []string{"in/a.md", "in/b.md", "in/sub/c.md", "private/key"} {
		require.NoError(t, os.WriteFile(at(file), []byte("x"), 0o600))
	}
	for link, to := range map[string]string{"in/key.md": "private/key", "out/private": "private", "out/back": "in", "alias": "in", "dangling": "nowhere"} {
		require.NoError(t, os.Symlink(at(to), at(link)))
	}
	return at, roots.Open(at("roots.jsonl"))
}

func TestGuard_Check(t *testing.T) {
	at, ledger := world(t)
	require.NoError(t, ledger.Add(
		roots.Place{Path: at("alias/a.md"), Of: roots.File}, roots.Place{Path: at("in/sub"), Of: roots.Folder},
		roots.Place{Path: at("out"), Of: roots.Folder, Write: true}, roots.Place{Path: at("new/tree"), Of: roots.Tree, Write: true},
	))
	guards := map[string]*roots.Guard{"ledger": roots.New(nil, ledger), "trees": roots.New([]string{at("alias"), at("out")}, nil), "none": roots.New(nil, nil)}
	for _, row := range []struct {
		path          string
		write         bool
		ledger, trees bool
	}{
		{"in/a.md", false, true, true},
		{"alias/a.md", false, true, true},
		{"out/back/a.md", false, true, true},
		{"in/b.md", false, false, true},
		{"in/a.md", true, false, true},
		{"in/sub/c.md", false, true, true},
		{"in/sub/none.md", false, true, true},
		{"in/key.md", false, false, false},
		{"private/key", false, false, false},
		{"in/../private/key", false, false, false},
		{"inside", false, false, false}, // begins as "in" does
		{"out", true, true, true},
		{"out/sub", true, false, true},
		{"out/private", true, false, false},
		{"out", false, false, true},
		{"new/tree/a/b", true, true, false},
		{"new", true, false, false},
		{"dangling", false, false, false},
	} {
		t.Run(fmt.Sprint(row.path, " ", row.write, " ", row.ledger), func(t *testing.T) {
			for name, want := range map[string]bool{"ledger": row.ledger, "trees": row.trees, "none": true} {
				err := guards[name].Check(at("")+"/"+row.path, row.write)
				assert.Equal(t, want, err == nil, "%s: %s, write %t: %v", name, row.path, row.write, err)
			}
		})
	}
}

// What other processes name is known at once, and none of it is lost.
func TestLedger_IsShared(t *testing.T) {
	at, _ := world(t)
	reader := roots.New(nil, roots.Open(at("roots.jsonl")))
	require.Error(t, reader.Check(at("in/a.md"), false))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for _, name := range []string{"in/a.md", "in/b.md", "in/sub/c.md"} {
				t.Run(name, func(t *testing.T) {
					assert.NoError(t, roots.Open(at("roots.jsonl")).Add(roots.Place{Path: at(name), Of: roots.File}))
				})
			}
		})
	}
	all.Wait()
	for _, name := range []string{"in/a.md", "in/b.md", "in/sub/c.md"} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, reader.Check(at(name), false))
		})
	}
	info, err := os.Stat(at("roots.jsonl"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	ledger := roots.Open(at("roots.jsonl"))
	before := info.Size()
	require.NoError(t, ledger.Add(roots.Place{Path: at("in/a.md"), Of: roots.File}))
	info, err = os.Stat(at("roots.jsonl"))
	require.NoError(t, err)
	assert.Equal(t, before, info.Size(), "what is known is not written again")

	// A process died in the middle of a line.
	file, err := os.OpenFile(at("roots.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(`{"path":"/`)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.NoError(t, reader.Check(at("in/b.md"), false))
	require.Error(t, reader.Check(at("private/key"), false))
	require.NoError(t, ledger.Add(roots.Place{Path: at("private/key"), Of: roots.File}))
	require.NoError(t, reader.Check(at("private/key"), false), "the half line takes none with it")
}
