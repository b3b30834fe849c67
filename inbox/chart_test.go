package inbox

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

func samples(counts ...int) []batch.Sample {
	var out []batch.Sample
	for i, n := range counts {
		out = append(out, batch.Sample{At: testNow.Add(time.Duration(i) * 80 * time.Second), Done: n})
	}
	return out
}

func TestAChartOfFewAndOfManySamples(t *testing.T) {
	require.Nil(t, chartOf(nil, true))

	one := chartOf(samples(5), true)
	assert.Equal(t, []bar{{At: testNow, Done: 5, Height: chartHigh, Open: true}}, one.Bars)
	assert.Equal(t, chartFew*chartWide, one.Wide)
	assert.Equal(t, "Files done; most 5, last 5", one.Caption())
	assert.Equal(t, "09:00:00 UTC/", one.Begin()+"/"+one.End(), "one sample does not tell how long it is")

	two := chartOf(samples(0, 4), false)
	assert.Equal(t, bar{At: testNow, Y: chartHigh}, two.Bars[0])
	assert.Equal(t, bar{At: testNow.Add(80 * time.Second), Done: 4, X: chartWide, Height: chartHigh}, two.Bars[1])
	assert.Equal(t, "Files done, 1 min 20 s a bar; most 4, last 4", two.Caption())
	assert.Equal(t, "09:00:00 UTC/09:40:00 UTC", two.Begin()+"/"+two.End())

	counts := make([]int, 60)
	counts[0], counts[59] = 1, 1000
	many := chartOf(samples(counts...), true)
	assert.Equal(t, 60*chartWide, many.Wide)
	assert.InDelta(t, 2, many.Bars[0].Height, 0.001, "one file is seen beside a thousand")
	assert.Equal(t, "09:00 UTC/10:20 UTC", many.Begin()+"/"+many.End())
	assert.Equal(t, "60 bars from 2026-11-24 09:00:00 UTC, 1 min 20 s each. The highest is 1000 files, the last 1000 and still counted. The numbers follow below.", many.Text())

	idle := chartOf(samples(0, 0), false)
	assert.Zero(t, idle.Bars[1].Height)
}

func TestSharesFillTheBar(t *testing.T) {
	shares := tally{Total: 10, Completed: 5, Failed: 1, NotStarted: 1}.Shares()
	assert.Equal(t, []share{
		{Class: "done", Name: "converted", Count: 5, Width: 500},
		{Class: "failed", Name: "failed", Count: 1, X: 500, Width: 100},
		{Class: "unstarted", Name: "not started", Count: 1, X: 600, Width: 100},
		{Class: "left", Name: "left", Count: 3, X: 700, Width: 300},
	}, shares)
	assert.Equal(t, "299 kept as they were, 2 left", tally{Total: 301, Kept: 299}.Text(), "a batch that was tried again")
	assert.Empty(t, tally{}.Shares(), "not planned yet")
	assert.Zero(t, tally{}.Percent())
	assert.Equal(t, 99, tally{Total: 1000, Completed: 999}.Percent())
}

func TestWhatIsUnderWayIsInTheOrderOfTheSteps(t *testing.T) {
	assert.Equal(t, "upload 1, convert 2, download 3, another 4", inFlight(map[string]int{"another": 4, "download": 3, "convert": 2, "upload": 1, "create": 0}))
	assert.Equal(t, "nothing", inFlight(nil))
	for rate, want := range map[float64]string{0: "nothing done lately", 2.51: "2.5 files a second", 0.5: "30.0 files a minute", 0.01: "36.0 files an hour"} {
		t.Run(fmt.Sprintf("rate %v", rate), func(t *testing.T) {
			assert.Equal(t, want, rateText(rate))
		})
	}
}
