package inbox

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
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

// addBatches adds a batch in every state, and watches.
func addBatches(l *liveBench) {
	running := docsBatch()
	running.Labels = []string{"team=legal", "urgent"}
	running.Progress.Failures = append(running.Progress.Failures, batch.FailureGroup{
		Code: "AN_UNUSUALLY_LONG_CODE_THAT_A_SERVICE_MADE_UP_ONE_DAY", Count: 1,
		Example: "annex/a-very-long-folder-name-without-any-space-in-it-at-all/and-a-very-long-file-name.md: it could not be read",
	})
	running.Batch.Source = "/home/kim/a-very-long-folder-name-without-any-space-in-it-at-all/documents/of/the/year/2026"
	l.add("running", running)
	paused := docsBatch()
	paused.Progress.State, paused.Progress.Reason = workflows.StatePaused, "paused by Ada Lund: the service is slow for others"
	paused.Progress.InFlight, paused.Progress.Slowest, paused.Progress.Rate, paused.Progress.LeftFor = nil, nil, 0, 0
	paused.Progress.Throughput = paused.Progress.Throughput[:2]
	l.add("paused", paused)
	l.add("troubled", troubled(docsBatch()))
	ended := endedBatch()
	ended.Progress.Throughput = nil
	for i := range 60 {
		ended.Progress.Throughput = append(ended.Progress.Throughput, batch.Sample{At: testNow.Add(time.Duration(i-70) * time.Minute), Done: (i * 37) % 53})
	}
	l.add("ended", ended)
	silent := docsBatch()
	silent.Silent = true
	l.add("silent", silent)
	young := docsBatch()
	young.Progress = batch.Progress{Name: "docs to html", State: workflows.StateRunning, Total: 300, Completed: 1, Window: 8, Concurrency: 50, StartedAt: testNow, Throughput: samples(1)}
	young.Failures = nil
	l.add("young", young)

	l.add("watch", scansWatch())
	working := scansWatch()
	working.Waves.State, working.Waves.Wave, working.Waves.WaitsFor = workflows.StateRunning, "young", "the end of its wave young"
	l.add("watch-working", working)
	resting := scansWatch()
	resting.Waves.State, resting.Waves.Reason, resting.Waves.WaitsFor = workflows.StatePaused, "wave 3 was stopped: more than 5 files failed", "somebody to resume it"
	l.add("watch-paused", resting)
	over := scansWatch()
	over.ClosedAt, over.CancelResult = testNow, watch.Result{Waves: 3, Converted: 7, Files: 9, Failed: 2, Report: "/home/kim/out/scans to pdf.report.jsonl"}
	l.add("watch-ended", over.Cancelled())
}

func TestABatchInABrowser(t *testing.T) {
	ctx := browser(t)
	l := newLiveBench(t)
	server := httptest.NewServer(l.h)
	t.Cleanup(server.Close)
	addBatches(l)
	require.NoError(t, chromedp.Do(ctx, see(server.URL, "batches")...))
	for _, id := range []string{"running", "paused", "troubled", "ended", "silent", "young", "watch", "watch-working", "watch-paused", "watch-ended"} {
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
		chromedp.SendKeys(`input[name=note]`, ", please"), chromedp.Click(`#steering form:first-child button`), chromedp.WaitVisible(".verdict.good"),
		holds(`document.readyState === "complete"`))) // it listens
	require.Equal(t, []runstest.Signal{{Name: batch.SignalPause, Steering: batch.Steering{By: nobody, Note: "one moment, please"}}}, l.run("running").Signals)

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
	running := l.run("running")
	l.temporal.Change(func() { running.ClosedAt = testNow; running.End(batchEnd()) })
	l.tick()
	require.NoError(t, chromedp.Do(ctx, chromedp.WaitNotPresent("form.steer"), holds(settledIs(300))))
}

// keepsMessages has pages from now on count the messages of their socket, in window.heard.
func keepsMessages() step {
	const script = `window.heard = 0; const Plain = WebSocket; window.WebSocket = function (url) {
		const socket = new Plain(url); socket.addEventListener("message", () => { window.heard++; }); return socket; };`
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	})
}

// A page that is being fetched again when something changes shows that, too.
func TestBatchPage_ChangesWhileItIsFetched(t *testing.T) {
	ctx := browser(t)
	l := newLiveBench(t)
	l.add("running", docsBatch())
	fetched, send := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sec-Fetch-Dest") != "empty" || r.URL.Path != "/runs/running" {
			l.h.ServeHTTP(w, r)
			return
		}
		page := httptest.NewRecorder()
		l.h.ServeHTTP(page, r)
		fetched <- struct{}{}
		<-send
		_, _ = page.Body.WriteTo(w)
	}))
	t.Cleanup(server.Close)
	require.NoError(t, chromedp.Do(ctx, keepsMessages(), chromedp.Navigate(server.URL+"/runs/running"), holds("window.heard === 1"), holds(settledIs(230))))

	setCompleted(l, "running", 215)
	l.tick()
	<-fetched // with 215
	setCompleted(l, "running", 225)
	l.tick()
	require.NoError(t, chromedp.Do(ctx, holds("window.heard === 3")))
	close(send)
	require.NoError(t, chromedp.Do(ctx, holds(settledIs(254))))
}

func settledIs(n int) string {
	return fmt.Sprintf(`document.querySelector(".settled b").textContent === "%d"`, n)
}

func setCompleted(l *liveBench, id string, n int) {
	r := l.run(id)
	l.temporal.Change(func() { r.Progress.Completed = n })
}
