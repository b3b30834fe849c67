package manifest_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/manifest"
)

// A batch of a million files has more parts than a process may have files open.
func TestFinishKeepsFewPartsOpen(t *testing.T) {
	p := newPlace(t)
	const count = 120
	for i := range count {
		p.write(t, fmt.Sprintf("%03d.md", i), "x")
	}
	plan, all := p.make(t)
	for i := range all {
		entry := manifest.Entry{Index: (i * 7) % count, Status: manifest.StatusCancelled}
		require.NoError(t, manifest.Anywhere.WritePart(plan.Folder, fmt.Sprintf("s000-%06d", i), []manifest.Entry{entry}))
	}
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: limit.Max}))
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) })
	summary, err := manifest.Anywhere.Finish(t.Context(), plan, "x")
	require.NoError(t, err)
	assert.Equal(t, count, summary.Cancelled)
}

func TestAnItemMayHaveVeryManyOutputs(t *testing.T) {
	p := newPlace(t, "a.md", "b.md")
	plan, all := p.make(t)
	entry := done(t, plan, all[0])
	for len(entry.Outputs) < 8000 {
		entry.Outputs = append(entry.Outputs, entry.Outputs[0])
	}
	require.NoError(t, manifest.Anywhere.WritePart(plan.Folder, "s000-000001", []manifest.Entry{entry}))
	summary, err := manifest.Anywhere.Finish(t.Context(), plan, "x")
	require.NoError(t, err)
	assert.Equal(t, 8000, summary.Outputs)
	verified, err := manifest.Verify(t.Context(), summary.Report, func(manifest.Mismatch) error { return nil }, nil)
	require.NoError(t, err)
	assert.Equal(t, 8000, verified.Outputs)
	plan, _ = p.make(t)
	assert.Equal(t, 1, plan.Items, "the report tells later batches what is there")
}

func TestTheReportHasTheSizeThatWasUploaded(t *testing.T) {
	p := newPlace(t, "a.md")
	plan, all := p.make(t)
	entry := done(t, plan, all[0])
	entry.Size = 1234
	require.NoError(t, manifest.Anywhere.WritePart(plan.Folder, "s000-000001", []manifest.Entry{entry}))
	summary, err := manifest.Anywhere.Finish(t.Context(), plan, "x")
	require.NoError(t, err)
	assert.EqualValues(t, 1234, summary.BytesIn)
}

func TestAnOpenQuoteDoesNotReadTheRestIntoMemory(t *testing.T) {
	p := newPlace(t, "a.md")
	rest := strings.Repeat("a.md,"+strings.Repeat("x", 95)+"\n", 300_000) // 30 MB
	p.spec.Source = p.write(t, "m.csv", "source,dest\n\"a.md,x\n"+rest)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := manifest.Check(t.Context(), p.spec, nil, nil)
	runtime.ReadMemStats(&after)
	require.EqualError(t, err, "m.csv line 2: it is longer than 1048576 bytes; is a quote left open?")
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
}

func TestSpreadsheetsPutAMarkBeforeAQuote(t *testing.T) {
	p := newPlace(t, "a.md")
	p.spec.Source = p.write(t, "m.csv", "\xef\xbb\xbf\"source\",\"dest\"\r\n\"a.md\",\"x\"\r\n")
	plan, all := p.make(t)
	assert.Equal(t, []string{"x.html"}, dests(plan, all))
	assert.FileExists(t, filepath.Join(plan.Folder, manifest.SettledFile))
}
