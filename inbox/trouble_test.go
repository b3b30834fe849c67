package inbox

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
)

func TestTroubleIsOnPages(t *testing.T) {
	since := testNow.Add(-25 * time.Minute)
	step := runstest.Step{
		Activity: "DownloadResults", Attempt: 13, Failure: "DISK_FULL: no space <left>",
		Detail: &activities.Failure{Code: activities.CodeDiskFull, Since: &since},
	}
	docs := docsBatch()
	docs.Steps = []runstest.Step{step, step, step, step, step, step, step}
	folder := scansWatch()
	folder.Children = []*runstest.Run{{Kind: runs.Batch, ID: "wave", Step: step}}
	for name, run := range map[string]*runstest.Run{
		"conversion": {Kind: runs.Conversion, File: "a.md", Format: "pdf", Step: step},
		"goal":       {Kind: runs.Goal, Goal: "g", Step: step},
		"batch":      docs,
		"watch":      folder,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.add("w", run)
			contains(t, b.get("/").Body.String(), `<span class="trouble">download × 12: DISK_FULL <span title="`, ">for 25 min</span>")
			page := b.get("/runs/w").Body.String()
			contains(t, page, "Some steps fail.", "12 attempts failed since", "(25 min): DISK_FULL: no space &lt;left&gt;")
			assert.NotContains(t, page, "about 56 s", "a forecast")
		})
	}
}

func TestNotice(t *testing.T) {
	text := "The clock is <slow>."
	b := newBench(t, func(c *Config) { c.Notice = func() string { return text } })
	b.add("w", docsBatch())
	for _, path := range []string{"/", "/runs/w"} {
		contains(t, b.get(path).Body.String(), "The clock is &lt;slow&gt;.")
	}
	text = ""
	assert.NotContains(t, b.get("/").Body.String(), `id="notice"`)
}
