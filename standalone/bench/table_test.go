package bench

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
