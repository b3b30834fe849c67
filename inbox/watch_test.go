package inbox

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// A watched folder was shown as a goal without questions, and in no list.
func TestWatch_IsShownAsAWatch(t *testing.T) {
	b := newBench(t)
	b.add("w", scansWatch())
	contains(t, b.get("/").Body.String(),
		"Watched folders", "scans to pdf", "/home/kim/scans → /home/kim/out", `class="state watching"`, "3 waves, 7 files converted", "2 failed")
	page := b.get("/runs/w").Body.String()
	contains(t, page,
		`<span class="state watching">watching`, "started", "26 h ago", "/home/kim/scans → /home/kim/out", "to <b>pdf</b>",
		"Waits for files in /home/kim/scans that have not changed for 5s", "<dd>3</dd>", "<dd>7 files</dd>", "<dd>9 files</dd>", "<dd>2 files</dd>",
		"/home/kim/out/scans to pdf.report.jsonl", `href="/runs/scans-wave-3"`, "3 files converted", `<span class="state partial">partial`,
		"2 failed of 6 so far", "5 min ago", ">Pause<")
	assert.NotContains(t, page, "Nothing waits for an answer here", "a watch is no goal")
	assert.NotContains(t, page, "Files at once", "its waves are batches")
	assert.Less(t, strings.Index(page, "scans-wave-3"), strings.Index(page, "scans-wave-2"), "the newest wave comes first")
}

func TestWatch_ShowsTheWaveUnderWay(t *testing.T) {
	b := newBench(t)
	watch := scansWatch()
	watch.Waves.State, watch.Waves.Wave, watch.Waves.WaitsFor = workflows.StateRunning, "scans-wave-3", "the end of its wave scans-wave-3"
	b.add("w", watch)
	b.add("scans-wave-3", docsBatch())
	page := b.get("/runs/w").Body.String()
	contains(t, page, "Wave 3", `href="/runs/scans-wave-3"`, "<b>230</b> of 300 files, 76 %", "201 converted", "the end of its wave")

	wave := b.run("scans-wave-3")
	b.temporal.Change(func() { wave.Progress.Completed++ })
	assert.NotEqual(t, versionOf(page), versionOf(b.get("/runs/w").Body.String()), "open pages of the watch hear of its wave")
}

func TestWatch_IsPausedAndResumed(t *testing.T) {
	b := newBench(t)
	r := b.add("w", scansWatch())
	require.Contains(t, b.follow(b.post("/runs/w/steering", url.Values{"signal": {"pause"}, "note": {"lunch"}, "answered_by": {"Kim"}})), "Told to pause")
	b.temporal.Change(func() { r.Waves.State, r.Waves.Reason = workflows.StatePaused, "paused by Kim: lunch" })
	page := b.get("/runs/w").Body.String()
	contains(t, page, `class="state paused"`, "paused by Kim: lunch", ">Resume<")
	require.Contains(t, b.follow(b.post("/runs/w/steering", url.Values{"signal": {"resume"}, "answered_by": {"Kim"}})), "Told to go on.")
	require.Equal(t, []runstest.Signal{
		{Name: batch.SignalPause, Steering: batch.Steering{By: "Kim", Note: "lunch"}},
		{Name: batch.SignalResume, Steering: batch.Steering{By: "Kim"}},
	}, r.Signals)

	for _, signal := range []string{"set-concurrency", "retry-failed"} {
		t.Run(signal, func(t *testing.T) {
			require.Equal(t, http.StatusUnprocessableEntity, b.post("/runs/w/steering", url.Values{"signal": {signal}, "concurrency": {"3"}}).Code, signal)
		})
	}
	require.Len(t, r.Signals, 2, "a watch is not told what only batches understand")
}

func TestWatch_WithoutAWorkerIsShownFromItsMemo(t *testing.T) {
	b := newBench(t)
	watch := scansWatch()
	watch.Silent = true
	b.add("w", watch)
	contains(t, b.get("/").Body.String(), "2 waves, 4 files converted", "1 failed")
	contains(t, b.get("/runs/w").Body.String(), "No worker answers for this watch", "<dd>2</dd>", "<dd>4 files</dd>", ">Pause<")
	b.get("/")
	assert.Equal(t, 2, watch.Asked, "the list does not ask it again for a while; its page does")
}

func TestWatch_Ended(t *testing.T) {
	b := newBench(t)
	watched := scansWatch()
	watched.ClosedAt, watched.CancelResult = testNow, watch.Result{Waves: 4, Converted: 8, Files: 10, Failed: 2, Report: "/home/kim/out/r.jsonl"}
	b.add("w", watched.Cancelled())
	page := b.get("/runs/w").Body.String()
	contains(t, page, "This folder is not watched any more.", "<dd>4</dd>", "<dd>8 files</dd>", "<dd>10 files</dd>", "/home/kim/out/r.jsonl", "took 26 h")
	assert.NotContains(t, page, "/steering")
	assert.NotContains(t, page, "Waits for")
	contains(t, b.get("/").Body.String(), "Recently ended", "scans to pdf", "2 waves, 4 files converted")
}

func TestRunOfNoKindIsShown(t *testing.T) {
	b := newBench(t)
	b.add("other", &runstest.Run{Kind: &runs.Kind{Workflow: "SomebodyElses"}})
	require.Equal(t, http.StatusOK, b.get("/runs/other").Code)
	require.Equal(t, http.StatusUnprocessableEntity, b.post("/runs/other/steering", url.Values{"signal": {"pause"}}).Code)
}
