package bench

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	assert.Zero(t, median(nil))
	assert.InDelta(t, 3, median([]float64{3}), 0)
	assert.InDelta(t, 2.5, median([]float64{4, 2, 3, 1}), 0)
	assert.InDelta(t, 3, median([]float64{100, 3, 1}), 0)
}

func TestMediansAreOfEachFigureByItself(t *testing.T) {
	got := medians([]Figures{{Seconds: 1, CPU: 30, Memory: 5}, {Seconds: 2, CPU: 10, Memory: 7}, {Seconds: 9, CPU: 20, Memory: 6}})
	assert.Equal(t, Figures{Seconds: 2, CPU: 20, Memory: 6}, got)
}

func TestEveryFigureHasAMedian(t *testing.T) {
	var one Figures
	for i, into := range one.all() {
		*into = float64(i + 1)
	}
	assert.Equal(t, one, medians([]Figures{one}))
}

func TestFiguresAreAFile(t *testing.T) {
	got := figures(10, use{wall: 2 * time.Second, cpu: 5, memory: 400}, histories{activities: 31, events: 120, bytes: 25_000},
		ServiceUse{Requests: 50, Transfers: 20, CPU: 1})
	assert.Equal(t, Figures{
		Seconds: 2, FilesPerSecond: 5, Activities: 3.1, Events: 12, HistoryBytes: 2500, Requests: 5, Transfers: 2, CPU: 0.5, ServiceCPU: 0.1, Memory: 400,
	}, got)
}

func contest(bare, child, ours float64, activities, events float64) []Contestant {
	return []Contestant{
		{Name: nameBare, Median: Figures{FilesPerSecond: bare}},
		{Name: nameChild, Median: Figures{FilesPerSecond: child}},
		{Name: nameDefaults, Median: Figures{FilesPerSecond: 2 * child}},
		{Name: nameOurs, Median: Figures{FilesPerSecond: ours, Activities: activities, Events: events}},
	}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		kind        string
		contestants []Contestant
		values      []float64
		met         []bool
	}{
		{"free", contest(100, 10, 50, 4, 18), []float64{0.5, 5, 4, 18}, []bool{true, true, true, true}},
		{"free", contest(100, 20, 40, 4.01, 18.5), []float64{0.4, 2, 4.01, 18.5}, []bool{false, false, false, false}},
		{"costly", contest(10, 10, 9, 4.1, 25), []float64{0.9}, []bool{true}},
		{"costly", contest(10, 10, 8.9, 4.1, 25), []float64{0.89}, []bool{false}},
		{"orchestration", contest(0, 10, 49, 3, 10), []float64{4.9, 2.45, 3, 10}, []bool{false, false, true, true}},
	} {
		got := kindNamed(t, c.kind).judge(c.contestants)
		require.Len(t, got, len(c.values))
		for i, target := range got {
			assert.InDelta(t, c.values[i], target.Value, 1e-9, "%s: %s", c.kind, target.What)
			assert.Equal(t, c.met[i], target.Met, "%s: %s %g", c.kind, target.What, target.Value)
		}
	}
}

func kindNamed(t *testing.T, name string) kind {
	t.Helper()
	for _, k := range kinds {
		if k.name == name {
			return k
		}
	}
	require.Fail(t, "no such kind", name)
	return kind{}
}

func TestTable(t *testing.T) {
	r := &Report{
		Machine: Machine{OS: "linux", Arch: "amd64", CPUs: 2, Go: "go1.26.8"}, Rounds: 3,
		Kinds: []KindReport{
			{
				Name: "free", Title: "md to html", Files: 400, Concurrency: 50, InputBytes: 1234,
				Contestants: []Contestant{
					{Name: nameBare, Median: Figures{FilesPerSecond: 12345.678, Requests: 5, CPU: 0.0021, ServiceCPU: 0.004, Memory: 123e6}},
					{Name: nameOurs, Median: Figures{FilesPerSecond: 70.72, Activities: 3.021, Events: 10.79, HistoryBytes: 3078, Requests: 5.08, CPU: 12.3456, ServiceCPU: 0.0047}},
				},
				Targets: []Target{
					{What: "speed over bare client", Value: 0.52, Bound: 0.5, Met: true},
					{What: "events a file", Value: 18.4, Bound: 18, AtMost: true},
				},
			},
			{Name: "costly", Title: "jpg of 1600×1200 to webp", Skipped: "the service does not convert jpg to webp; install libwebp"},
		},
	}
	var b bytes.Buffer
	require.NoError(t, WriteTable(&b, r))
	assert.Equal(t, `medians of 3 rounds; linux amd64, 2 CPUs, go1.26.8

free: md to html, 400 files of 1.2 kB, 50 at once
                  files/s  activities  events   history       API        CPU    service  memory
                               a file  a file  B a file  requests  ms a file  ms a file      MB
bare client       12345.7           -       -         -      5.00        2.1        4.0     123
ConvertBatch         70.7        3.02    10.8      3078      5.08    12345.6        4.7       -
  ✓ speed over bare client       0.52  (≥ 0.5)
  ✗ events a file               18.40  (≤ 18)

costly: jpg of 1600×1200 to webp
  skipped: the service does not convert jpg to webp; install libwebp
`, b.String())
	for line := range strings.Lines(b.String()) {
		assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSpace(line)), 100, line)
	}
}

func TestSizesAndCounts(t *testing.T) {
	assert.Equal(t, "999 B", size(999))
	assert.Equal(t, "206.9 kB", size(206_880))
	assert.Equal(t, "1 round", plural(1, "round"))
	assert.Equal(t, "0 rounds", plural(0, "round"))
}
