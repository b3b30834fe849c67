package inbox

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// views keeps pictures of a page, wide, narrow and dark, and wants it to fit a narrow screen.
func views(name string) []step {
	fits := holds(`document.documentElement.scrollWidth <= innerWidth`)
	return []step{
		chromedp.EmulateViewport(1280, 1400), shoot(name + "-desktop"), scheme("dark"), shoot(name + "-dark"), scheme("light"),
		chromedp.EmulateViewport(380, 1900), fits, shoot(name + "-phone"), chromedp.EmulateViewport(1280, 900),
	}
}

// see loads a page and keeps its views.
func see(address, name string) []step {
	return append([]step{chromedp.Navigate(address), chromedp.WaitVisible("h1")}, views(name)...)
}

// batchDesk has a batch in every state.
func batchDesk(l *liveBench) {
	running := docsBatch()
	running.batch.progress.Failures = append(running.batch.progress.Failures, batch.FailureGroup{
		Code: "AN_UNUSUALLY_LONG_CODE_THAT_A_SERVICE_MADE_UP_ONE_DAY", Count: 1,
		Example: "annex/a-very-long-folder-name-without-any-space-in-it-at-all/and-a-very-long-file-name.md: it could not be read",
	})
	running.batch.memo.Source = "/home/kim/a-very-long-folder-name-without-any-space-in-it-at-all/documents/of/the/year/2026"
	l.desk.add("running", running)
	paused := docsBatch()
	paused.batch.progress.State, paused.batch.progress.Reason = workflows.StatePaused, "paused by Ada Lund: the service is slow for others"
	paused.batch.progress.InFlight, paused.batch.progress.Slowest, paused.batch.progress.Rate, paused.batch.progress.LeftFor = nil, nil, 0, 0
	paused.batch.progress.Throughput = paused.batch.progress.Throughput[:2]
	l.desk.add("paused", paused)
	l.desk.add("troubled", troubled(docsBatch()))
	ended := endedBatch()
	ended.batch.progress.Throughput = nil
	for i := range 60 {
		ended.batch.progress.Throughput = append(ended.batch.progress.Throughput, batch.Sample{At: testNow.Add(time.Duration(i-70) * time.Minute), Done: (i * 37) % 53})
	}
	l.desk.add("ended", ended)
	silent := docsBatch()
	silent.silent = true
	l.desk.add("silent", silent)
	young := docsBatch()
	young.batch.progress = batch.Progress{Name: "docs to html", State: workflows.StateRunning, Total: 300, Completed: 1, Window: 8, Concurrency: 50, StartedAt: testNow, Throughput: samples(1)}
	young.batch.failures = nil
	l.desk.add("young", young)
}

func TestABatchInABrowser(t *testing.T) {
	ctx := browser(t)
	l := newLiveBench(t)
	server := httptest.NewServer(l.h)
	t.Cleanup(server.Close)
	batchDesk(l)
	require.NoError(t, chromedp.Do(ctx, see(server.URL, "batches")...))
	for _, id := range []string{"running", "paused", "troubled", "ended", "silent", "young"} {
		require.NoError(t, chromedp.Do(ctx, see(server.URL+"/runs/"+id, "batch-"+id)...))
	}

	// the numbers go on beside what is being typed, opened, and reached by the keyboard
	require.NoError(t, chromedp.Do(ctx,
		chromedp.Navigate(server.URL+"/runs/running"), chromedp.WaitVisible(".chart"), chromedp.Click("summary"),
		chromedp.SendKeys(`input[name=note]`, "one moment"), holds(settledIs(230))))
	setCompleted(l, "running", 215)
	l.tick()
	require.NoError(t, chromedp.Do(ctx,
		holds(settledIs(244)), holds(`document.querySelector("input[name=note]").value === "one moment"`),
		holds(`document.querySelector("#chart-numbers").open`), holds(`document.querySelector("#stale").textContent === ""`),
		chromedp.Focus("#retry-all")))
	setCompleted(l, "running", 225)
	l.tick()
	require.NoError(t, chromedp.Do(ctx,
		holds(settledIs(254)), holds(`document.activeElement.id === "retry-all"`),
		chromedp.SendKeys(`input[name=note]`, ", please"), chromedp.Click(`#steering form:first-child button`), chromedp.WaitVisible(".verdict.good")))
	require.Equal(t, []told{{batch.SignalPause, batch.Steering{By: nobody, Note: "one moment, please"}}}, l.desk.runs["running"].batch.told)

	// nothing is taken away from under a click, or while text is marked
	script := func(code string) step { return holds("(" + code + ", true)") }
	require.NoError(t, chromedp.Do(ctx,
		script(`document.querySelector("#retry-all").dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }))`),
		script(`window.under = document.querySelector("#retry-all")`)))
	setCompleted(l, "running", 226)
	l.tick()
	require.NoError(t, chromedp.Do(ctx,
		holds(`performance.getEntriesByType("resource").some((e) => e.initiatorType === "fetch")`),
		holds(`window.under.isConnected`), script(`document.dispatchEvent(new PointerEvent("pointerup"))`), holds(settledIs(255)),
		script(`getSelection().selectAllChildren(document.querySelector(".settled b"))`)))
	setCompleted(l, "running", 227)
	l.tick()
	require.NoError(t, chromedp.Do(ctx, holds(settledIs(255)), script(`getSelection().removeAllRanges()`), holds(settledIs(256))))

	// a batch that ends takes its buttons away
	l.desk.mu.Lock()
	l.desk.runs["running"].ended, l.desk.runs["running"].batch.result = true, endedBatch().batch.result
	l.desk.mu.Unlock()
	l.tick()
	require.NoError(t, chromedp.Do(ctx, chromedp.WaitNotPresent("form.steer"), holds(settledIs(300))))
}

func settledIs(n int) string {
	return fmt.Sprintf(`document.querySelector(".settled b").textContent === "%d"`, n)
}

func setCompleted(l *liveBench, id string, n int) {
	l.desk.mu.Lock()
	defer l.desk.mu.Unlock()
	l.desk.runs[id].batch.progress.Completed = n
}
