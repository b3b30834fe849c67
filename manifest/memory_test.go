package manifest_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/manifest"
)

// manyItems is how many items the tests of memory have; more for measuring by hand.
func manyItems(tb testing.TB) int {
	tb.Helper()
	text := os.Getenv("CONVILYN_ITEMS")
	if text == "" {
		return 200_000
	}
	n, err := strconv.Atoi(text)
	require.NoError(tb, err)
	return n
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// A plan, its parts and its report are never in memory as a whole: what is held is some bytes an item.
func TestManyItemsTakeFewBytesEach(t *testing.T) {
	testkit.SkipLong(t, "it plans very many items")
	count := manyItems(t)
	p := newPlace(t, "a.md")
	p.spec.Source = filepath.Join(p.in, "m.jsonl")
	file, err := os.Create(p.spec.Source)
	require.NoError(t, err)
	out := bufio.NewWriter(file)
	for i := range count {
		fmt.Fprintf(out, `{"source":"a.md","dest":"%03d/%06d"}`+"\n", i%1000, i)
	}
	require.NoError(t, out.Flush())
	require.NoError(t, file.Close())

	before := heap()
	var held int64
	plan, err := manifest.Anywhere.Make(t.Context(), p.spec, manifest.NewFolder("", p.out, "x", time.Now()), func(tally manifest.Tally) {
		if tally.Listed%count == 0 { // the last one: what planning holds is all there
			held = heap() - before
		}
	})
	require.NoError(t, err)
	require.Equal(t, count, plan.Items)
	require.Positive(t, held)
	t.Logf("planning: %.1f bytes an item", float64(held)/float64(count))
	assert.Less(t, held, int64(count)*100)
	assert.Less(t, heap()-before, int64(1<<20), "nothing of it stays")

	const part = 100
	for first := 0; first < count; first += part {
		entries := make([]manifest.Entry, 0, part)
		for i := first; i < min(first+part, count); i++ {
			entries = append(entries, manifest.Entry{Index: i, Status: manifest.StatusCancelled})
		}
		require.NoError(t, manifest.Anywhere.WritePart(plan.Folder, fmt.Sprintf("s000-%06d", first/part), entries))
	}
	watched := &afterHalf{Context: t.Context(), half: count + count/2, look: func() { held = heap() - before }}
	summary, err := manifest.Anywhere.Finish(watched, plan, "x")
	require.NoError(t, err)
	require.Equal(t, count, summary.Cancelled)
	t.Logf("finishing: %.1f bytes an item", float64(held)/float64(count))
	assert.Less(t, held, int64(count)*40)
}

// afterHalf is a context that looks once when Finish, which asks it for each entry and each line, is amid its lines.
type afterHalf struct {
	context.Context
	asked, half int
	look        func()
}

func (a *afterHalf) Err() error {
	if a.asked++; a.asked == a.half {
		a.look()
	}
	return a.Context.Err()
}

// A folder may hold all the files, and nothing of it is held but their names.
func TestOneFolderOfManyFiles(t *testing.T) {
	const count = 20_000
	p := newPlace(t)
	require.NoError(t, os.MkdirAll(p.in, 0o755))
	first := p.write(t, "000000.md", "x")
	for i := 1; i < count; i++ {
		require.NoError(t, os.Link(first, filepath.Join(p.in, fmt.Sprintf("%06d.md", i))))
	}
	before := heap()
	var held int64
	plan, err := manifest.Anywhere.Make(t.Context(), p.spec, manifest.NewFolder("", p.out, "x", time.Now()), func(tally manifest.Tally) {
		if tally.Listed == count {
			held = heap() - before
		}
	})
	require.NoError(t, err)
	require.Equal(t, count, plan.Items)
	require.Positive(t, held)
	t.Logf("listing: %.1f bytes a file", float64(held)/count)
	assert.Less(t, held, int64(count)*300)
}
