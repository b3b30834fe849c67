package inbox

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/inbox/link"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func contains(t *testing.T, page string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		assert.Contains(t, page, want)
	}
}

func TestABatchIsShownWhole(t *testing.T) {
	b := newBench(t)
	b.add("w", docsBatch())
	page := b.get("/runs/w").Body.String()
	contains(t, page,
		"<b>230</b> of 300 files, 76 %", "201 converted", "20 current", "2 skipped", "7 failed", "70 left", `aria-label="201 converted, 20 current, 2 skipped, 7 failed, 70 left"`,
		"1.2 files a second", "about 56 s", "upload 2, convert 4, download 1", "7 of 20 at once", "4 times", "2.1 MB of 3.1 MB", "5.2 MB", "started", "3 min ago",
		"annex/slow.md", "job-17", "<b>5</b> × <code>CONVERSION_FAILED</code>", "annex/7.md: the document is broken", "20 s ago",
		`name="code" value="FILE_TOO_LARGE"`, "Retry all failed", "Pause", `value="20"`, "/home/kim/docs → /home/kim/out", "10 s a bar; most 17, last 4")
	assert.NotContains(t, page, "Resume")
	r := docsBatch()
	r.Progress.State, r.Progress.Reason = workflows.StatePaused, "paused by Kim: lunch"
	b.add("paused", r)
	page = b.get("/runs/paused").Body.String()
	contains(t, page, "Resume", "paused by Kim: lunch", "Retry these")
	assert.NotContains(t, page, ">Pause<")
}

func TestABatchIsSteeredByItsButtons(t *testing.T) {
	for name, c := range map[string]struct {
		form url.Values
		want runstest.Signal
		said string
	}{
		"pause": {
			url.Values{"signal": {"pause"}, "note": {" lunch "}, "answered_by": {"Kim"}},
			runstest.Signal{Name: batch.SignalPause, Steering: batch.Steering{By: "Kim", Note: "lunch"}},
			"Told to pause",
		},
		"resume":      {url.Values{"signal": {"resume"}}, runstest.Signal{Name: batch.SignalResume, Steering: batch.Steering{By: "the inbox"}}, "Told to go on."},
		"concurrency": {url.Values{"signal": {"set-concurrency"}, "concurrency": {" 1 "}}, runstest.Signal{Name: batch.SignalSetConcurrency, Steering: batch.Steering{By: "the inbox", Concurrency: 1}}, "1 file under way"},
		"most":        {url.Values{"signal": {"set-concurrency"}, "concurrency": {"500"}}, runstest.Signal{Name: batch.SignalSetConcurrency, Steering: batch.Steering{By: "the inbox", Concurrency: 500}}, "500 files under way"},
		"retry": {
			url.Values{"signal": {"retry-failed"}, "code": {"FILE_TOO_LARGE"}},
			runstest.Signal{Name: batch.SignalRetryFailed, Steering: batch.Steering{By: "the inbox", Codes: []string{"FILE_TOO_LARGE"}}},
			"failed with FILE_TOO_LARGE.",
		},
		"retry all": {url.Values{"signal": {"retry-failed"}}, runstest.Signal{Name: batch.SignalRetryFailed, Steering: batch.Steering{By: "the inbox"}}, "all failed files"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			r := docsBatch()
			b.add("w", r)
			require.Contains(t, b.follow(b.post("/runs/w/steering", c.form)), c.said)
			require.Equal(t, []runstest.Signal{c.want}, r.Signals)
		})
	}
}

func TestWhatABatchCannotBeToldIsSaidInALine(t *testing.T) {
	b := newBench(t)
	r := docsBatch()
	b.add("w", r)
	b.add("ended", endedBatch())
	b.add("goal", toneRun("Letter"))
	for _, n := range []string{"", "0", "501", "-3", "many", "1e3", "99999999999999999999"} {
		t.Run(n, func(t *testing.T) {
			page := b.follow(b.post("/runs/w/steering", url.Values{"signal": {"set-concurrency"}, "concurrency": {n}}))
			require.Contains(t, page, "is not a number from 1 to 500. Nothing was changed.", n)
		})
	}
	require.Equal(t, http.StatusBadRequest, b.post("/runs/w/steering", url.Values{"signal": {"fill-slot"}}).Code)
	require.Equal(t, http.StatusUnprocessableEntity, b.post("/runs/goal/steering", url.Values{"signal": {"pause"}}).Code)
	require.Equal(t, http.StatusNotFound, b.post("/runs/nowhere/steering", url.Values{"signal": {"pause"}}).Code)
	require.Contains(t, b.follow(b.post("/runs/ended/steering", url.Values{"signal": {"pause"}})), "has ended meanwhile")
	require.Empty(t, r.Signals)
}

func TestOnlyPeopleOfTheInboxSteer(t *testing.T) {
	form := strings.NewReader("signal=pause")
	b := newBench(t)
	r := docsBatch()
	b.add("w", r)
	foreign := httptest.NewRequest(http.MethodPost, "/runs/w/steering", form)
	foreign.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, b.do(foreign).Code)
	require.Less(t, b.get("/runs/w/steering?signal=pause").Code, 500)

	locked := newBench(t, withToken)
	locked.add("w", troubled(r))
	require.Equal(t, http.StatusUnauthorized, locked.post("/runs/w/steering", url.Values{"signal": {"pause"}}).Code)
	require.Empty(t, r.Signals)
	login := locked.post("/login", url.Values{"token": {"the-token"}, "name": {"Ada"}})
	address := testLink(locked, func(c *link.Claim) { c.SlotID = questions.SlotTrouble })
	page := locked.get(address).Body.String()
	contains(t, page, "Fixed: go on")
	require.NotContains(t, page, "/steering", "a link is for one answer")
	require.Equal(t, http.StatusUnprocessableEntity, locked.post(address, url.Values{"signal": {"pause"}}).Code)
	require.Empty(t, r.Signals)
	locked.jar = login.Result().Cookies()
	locked.follow(locked.post("/runs/w/steering", url.Values{"signal": {"pause"}, "answered_by": {"Mallory"}}))
	require.Equal(t, []runstest.Signal{{Name: batch.SignalPause, Steering: batch.Steering{By: "Ada"}}}, r.Signals)
}

func TestTheTroubleOfABatchIsAnsweredOnItsPage(t *testing.T) {
	b := newBench(t)
	b.add("w", troubled(docsBatch()))
	contains(t, b.get("/").Body.String(), "no credits are left", `class="state waiting"`)
	page := b.get("/runs/w").Body.String()
	contains(t, page, "Fixed: go on", `action="/runs/w/answers"`, "no credits are left", ">Set<")
	assert.NotContains(t, page, ">Pause<", "it stands still already")
	assert.NotContains(t, page, `class="notice"`, "the question says it already")
	require.Contains(t, b.follow(b.post("/runs/w/answers", url.Values{"v:" + questions.SlotTrouble: {questions.TroubleRetry}})), "Accepted. Thank you.")
	require.JSONEq(t, `"`+questions.TroubleRetry+`"`, string(b.lastReceipt("w").Value))
}

func TestAnEndedBatchShowsItsReport(t *testing.T) {
	b := newBench(t)
	r := endedBatch()
	b.add("w", r)
	page := b.get("/runs/w").Body.String()
	contains(t, page, `<span class="state partial">partial`, "<b>300</b> of 300 files, 100 %", "270 converted", "8 failed", "/home/kim/out/docs to html.report.jsonl",
		"3, the largest of 3612 events", "275", "<b>6</b> × <code>CONVERSION_FAILED</code>", "annex/7.md: the document is broken", "runs retry w")
	r.Silent = true
	stopped := batchEnd()
	stopped.Status, stopped.Reason = batch.ResultStopped, "more than 5 files failed"
	r.Result = stopped
	silent := b.get("/runs/w").Body.String()
	contains(t, silent, `<span class="state stopped">stopped`, "more than 5 files failed", "<b>6</b> × <code>CONVERSION_FAILED</code>")
	assert.NotContains(t, silent, "No worker")
	for _, p := range []string{page, silent} {
		assert.NotContains(t, p, "/steering", "nothing is left to steer")
	}
	b.add("failed", docsBatch().Fail(errors.New("docs to html: plan: the folder is gone")))
	contains(t, b.get("/runs/failed").Body.String(), "the folder is gone")
}

func TestABatchThatNobodyAnswersForIsShownFromItsMemo(t *testing.T) {
	b := newBench(t)
	r := troubled(docsBatch())
	r.Silent = true
	b.add("w", r)
	page := b.get("/runs/w").Body.String()
	contains(t, page, "No worker answers for this batch", "300 files</b>, 2 failed", "/home/kim/docs", "no credits are left", ">Set<")
	require.NotContains(t, page, "7 failed")
	contains(t, b.get("/").Body.String(), "300 files", "2 failed")
}

func TestABatchThatIsBeingPlannedHasNoNumbersYet(t *testing.T) {
	b := newBench(t)
	b.add("w", &runstest.Run{Kind: runs.Batch, State: workflows.StatePlanning, Batch: batch.Memo{Name: "new", Source: "docs"}, Progress: batch.Progress{Name: "new", State: workflows.StatePlanning}})
	for _, path := range []string{"/", "/runs/w"} {
		t.Run(path, func(t *testing.T) {
			page := b.get(path).Body.String()
			contains(t, page, `class="state planning"`)
			assert.NotContains(t, page, "of 0 files", path)
		})
	}
}

func TestBatchesInTheLists(t *testing.T) {
	b := newBench(t)
	b.add("open", docsBatch())
	b.add("over", endedBatch())
	page := b.get("/").Body.String()
	contains(t, page, "230 of 300 files", "7 failed", `value="76"`, "/home/kim/docs → /home/kim/out", "300 files, <span class=\"trouble\">2 failed")
	b.run("open").Progress.Completed = 300
	assert.NotEqual(t, versionOf(page), versionOf(b.get("/").Body.String()), "open pages hear of it")
}

func TestAnOpenPageHearsOfItsBatch(t *testing.T) {
	l := newLiveBench(t)
	l.add("w", docsBatch())
	conn, _, err := l.dial("/live?run=w", nil)
	require.NoError(t, err)
	first := l.version(conn)
	setCompleted(l, "w", 202)
	l.tick()
	second := l.version(conn)
	require.NotEqual(t, first, second)
	r := l.run("w")
	l.temporal.Change(func() { r.End(batchEnd()) })
	l.tick()
	require.NotEqual(t, second, l.version(conn))
}

func versionOf(page string) string {
	_, rest, _ := strings.Cut(page, `data-version="`)
	version, _, _ := strings.Cut(rest, `"`)
	return version
}

// A batch that does not answer must not cost every look its patience.
func TestASilentBatchIsAskedAgainLater(t *testing.T) {
	b := newBench(t)
	r := docsBatch()
	r.Silent = true
	b.add("w", r)
	for range 3 {
		b.get("/")
	}
	require.Equal(t, 1, r.Asked)
	r.Silent = false
	b.now = b.now.Add(silenceFor)
	require.Contains(t, b.get("/").Body.String(), "230 of 300 files")
	b.get("/")
	require.Equal(t, 3, r.Asked)
}

func TestHostileTextOfABatchStaysText(t *testing.T) {
	b := newBench(t)
	evil := `"><script>alert(1)</script>`
	r := docsBatch()
	now := &r.Progress
	r.Batch.Name, r.Batch = evil, batch.Memo{Name: evil, Source: evil, Output: evil, To: evil}
	now.Reason, now.State, now.Report = evil, evil, evil
	now.Failures = []batch.FailureGroup{{Code: evil, Count: 1, Example: evil}}
	now.Slowest = []batch.ItemNow{{Name: evil, Step: evil, JobID: evil}}
	now.InFlight = map[string]int{evil: 1}
	r.Failures = []batch.FailedItem{{Name: evil, Step: evil, Code: evil, Message: evil}}
	b.add("w", r)
	for _, path := range []string{"/", "/runs/w"} {
		t.Run(path, func(t *testing.T) {
			w := b.get(path)
			require.Equal(t, http.StatusOK, w.Code)
			require.NotContains(t, w.Body.String(), "<script>alert", path)
		})
	}
	require.NotContains(t, b.follow(b.post("/runs/w/steering", url.Values{"signal": {"retry-failed"}, "code": {evil}})), "<script>alert")
}

// Codes beyond those that a batch keeps apart cannot be retried by name.
func TestManyCodesAreRetriedTogether(t *testing.T) {
	b := newBench(t)
	r := docsBatch()
	r.Progress.Failures = append(r.Progress.Failures, batch.FailureGroup{Code: batch.CodesOther, Count: 3})
	b.add("w", r)
	page := b.get("/runs/w").Body.String()
	contains(t, page, "<b>3</b> × <code>OTHER</code>", "Retry all failed")
	assert.NotContains(t, page, `value="OTHER"`)
}
