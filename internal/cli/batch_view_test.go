package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

func someProgress() batch.Progress {
	return batch.Progress{
		State: workflows.StatePaused, Reason: "paused by ann: until the night", Total: 10_000, Completed: 4000, Failed: 6, Current: 990, Skipped: 4, Warnings: 7,
		InFlight: map[string]int{"download": 6, "upload": 3, "convert": 40}, Window: 49, Concurrency: 50, Throttled: 2,
		TotalBytes: 3_400_000_000, BytesIn: 1_200_000_000, BytesOut: 800_000_000,
		Rate: 12.34, LeftFor: workflows.Duration(7*time.Minute + 1500*time.Millisecond),
		Failures: []batch.FailureGroup{
			{Code: "CONVERSION_FAILED", Count: 3, Example: "a\x1b[2J.md: the page\nis missing"},
			{Code: "B", Count: 1, Example: "b.md: no"},
			{Code: "C", Count: 1, Example: "c.md: no"},
			{Code: "D", Count: 1, Example: "d.md: no"},
		},
	}
}

func drawn(p batch.Progress, terminal term.Screen) string {
	var out bytes.Buffer
	v := newBatchView(&Env{Stderr: &out, Terminal: terminal, Program: "starter"}, "batch-docs-to-pdf-0123456789ab", nil)
	v.progress = &p
	v.draw()
	return out.String()
}

func TestABatchOnAScreen(t *testing.T) {
	for width, want := range map[int]string{
		80: strings.Repeat("█", 15) + strings.Repeat("░", 15) + ` 5000 of 10000 files, 50 %
4000 converted, 990 current, 4 skipped, 6 failed, 7 with warnings
12.3 a second, about 7 min 2 s left, 1.2 GB of 3.4 GB in, 800 MB out
in flight: upload 3, convert 40, download 6; window 49 of 50, throttled 2 times
  3 × CONVERSION_FAILED  a\x1b[2J.md: the page\nis missing
  1 × B  b.md: no
  1 × C  c.md: no
  and 1 kind more
paused by ann: until the night; go on with 'starter runs resume batch-docs-to-…
`,
		120: strings.Repeat("█", 25) + strings.Repeat("░", 25) + ` 5000 of 10000 files, 50 %
4000 converted, 990 current, 4 skipped, 6 failed, 7 with warnings
12.3 a second, about 7 min 2 s left, 1.2 GB of 3.4 GB in, 800 MB out
in flight: upload 3, convert 40, download 6; window 49 of 50, throttled 2 times
  3 × CONVERSION_FAILED  a\x1b[2J.md: the page\nis missing
  1 × B  b.md: no
  1 × C  c.md: no
  and 1 kind more
paused by ann: until the night; go on with 'starter runs resume batch-docs-to-pdf-0123456789ab'
`,
	} {
		t.Run(fmt.Sprintf("width %v", width), func(t *testing.T) {
			assert.Equal(t, want, drawn(someProgress(), term.Screen{Live: true, Width: func() int { return width }}))
		})
	}
}

func TestABatchWithoutAScreen(t *testing.T) {
	assert.Equal(t, "5000 of 10000 files (paused), 6 failed, 12.3 a second, about 7 min 2 s left, paused by ann: until the night\n", drawn(someProgress(), term.Screen{}))
}

func TestWhyABatchStandsStill(t *testing.T) {
	p := someProgress()
	p.State, p.Reason = workflows.StateWaiting, "the key is refused"
	assert.Equal(t, "waiting: the key is refused; go on with 'starter slots answer b convilyn.trouble=retry'", standsStill(p, "starter", "b"))
	p.State = workflows.StateRunning
	assert.Empty(t, standsStill(p, "starter", "b"))
	p.State, p.Reason = "planning", ""
	assert.Equal(t, "planning", standsStill(p, "starter", "b"))
}

func TestABatchThatIsTriedAgainCountsWhatItKeeps(t *testing.T) {
	assert.Equal(t, "299 of 301 files\n", drawn(batch.Progress{State: workflows.StateRunning, Total: 301, Kept: 299}, term.Screen{}))
}
