package inbox

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

var (
	testSecret = []byte("0123456789abcdef0123456789abcdef")
	testNow    = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
)

// bench is an inbox over a Temporal in memory, with a clock that the test moves.
type bench struct {
	*Inbox
	t        testing.TB
	temporal *runstest.Temporal
	now      time.Time
	h        http.Handler
	jar      []*http.Cookie
}

func newBench(tb testing.TB, change ...func(*Config)) *bench {
	tb.Helper()
	b := &bench{t: tb, temporal: newTemporal(), now: testNow}
	cfg := Config{
		Temporal: b.temporal, Secret: testSecret, Files: filepath.Join(tb.TempDir(), "files"), Clock: func() time.Time { return b.now },
		Previews: func(_ context.Context, job, artifact string) (io.ReadCloser, string, error) {
			kind := "image/png"
			if strings.HasSuffix(artifact, "html") {
				kind = "text/html"
			}
			return io.NopCloser(strings.NewReader(job + "/" + artifact)), kind, nil
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	in, err := New(cfg)
	require.NoError(tb, err)
	tb.Cleanup(in.Close)
	b.Inbox, b.h = in, in.Handler()
	return b
}

func newTemporal() *runstest.Temporal {
	temporal := runstest.New()
	temporal.Now = func() time.Time { return testNow }
	return temporal
}

// add puts a run there, a goal where it is of no kind, with what tests do not care for filled in.
func (b *bench) add(id string, r *runstest.Run) *runstest.Run {
	r.ID, r.StartedAt = id, testNow.Add(-4*time.Hour)
	if r.Kind == nil {
		r.Kind = runs.Goal
	}
	for i := range r.Questions {
		q := &r.Questions[i]
		if q.Round == 0 {
			q.Round = 1
		}
		if q.AskedAt.IsZero() {
			q.AskedAt = testNow.Add(-3 * time.Hour)
		}
		if q.Key == "" {
			q.Key = "key-" + q.SlotID
		}
	}
	if r.Kind == runs.Goal {
		r.Status = goal.Status{State: workflows.StateWaiting, Step: "answers", JobSpecID: "job-" + id, Open: len(r.Questions)}
	}
	b.temporal.Add(r)
	return r
}

func (b *bench) run(id string) *runstest.Run { return b.temporal.Run(id) }

func (b *bench) lastReceipt(id string) questions.Receipt {
	var last questions.Receipt
	b.temporal.Change(func() {})
	if ledger := b.run(id).Ledger; len(ledger) > 0 {
		last = ledger[len(ledger)-1]
	}
	return last
}

func withToken(c *Config) { c.Token = "the-token" }

func (b *bench) do(r *http.Request) *httptest.ResponseRecorder {
	b.t.Helper()
	if r.Host == "example.com" {
		r.Host = "localhost:8080"
	}
	if r.RemoteAddr == "192.0.2.1:1234" {
		r.RemoteAddr = "127.0.0.1:5555"
	}
	for _, c := range b.jar {
		r.AddCookie(c)
	}
	b.forget()
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	return w
}

func (b *bench) get(path string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.do(httptest.NewRequest(http.MethodGet, path, nil))
}

func (b *bench) post(path string, form url.Values) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

// upload posts a form with one file.
func (b *bench) upload(path, field, name string, content []byte) *httptest.ResponseRecorder {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile(field, name)
	require.NoError(b.t, err)
	_, err = part.Write(content)
	require.NoError(b.t, err)
	require.NoError(b.t, form.Close())
	r := httptest.NewRequest(http.MethodPost, path, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return b.do(r)
}

func (b *bench) api(method, path, body, token string) (int, map[string]any) {
	b.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := b.do(r)
	var out map[string]any
	require.NoError(b.t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
	return w.Code, out
}

func options(values ...string) []activities.Option {
	var out []activities.Option
	for _, v := range values {
		out = append(out, activities.Option{Value: v, Label: "Label " + v})
	}
	return out
}

func toneRun(name string) *runstest.Run {
	sure := 0.82
	return &runstest.Run{Name: name, Goal: "goal_lane.cover_letter", Questions: []questions.Question{{Slot: slot.Slot{
		SlotID: "tone", Type: "choice", Text: "Which tone?", Options: options("formal", "casual"), Required: true,
		Suggested: json.RawMessage(`"formal"`), Confidence: &sure,
	}}}}
}

// conversion is under way.
func conversion(file, format, activity string, percent int) *runstest.Run {
	return &runstest.Run{Kind: runs.Conversion, File: file, Format: format, Step: runstest.Step{
		Activity: activity, Progress: activities.Progress{Percent: percent},
	}}
}

// ended is a goal that came to its result an hour ago.
func ended(r *runstest.Run) *runstest.Run {
	r.ClosedAt = testNow.Add(-time.Hour)
	return r.End(goal.Result{
		Status: goal.ResultCompleted, Answers: slices.Clone(r.Ledger), Message: "All done.",
		Outputs: []activities.Output{{Path: "/out/bundle.pdf", Size: 2048, Mimetype: "application/pdf"}},
	})
}

// docsBatch is a batch in the middle: 300 files, some of which have failed.
func docsBatch() *runstest.Run {
	r := &runstest.Run{
		Kind:  runs.Batch,
		Batch: batch.Memo{Name: "docs to html", Source: "/home/kim/docs", Output: "/home/kim/out", To: "html", Files: 300, Failed: 2},
		Progress: batch.Progress{
			Name: "docs to html", State: workflows.StateRunning, Source: "/home/kim/docs", Output: "/home/kim/out", To: "html",
			Total: 300, Completed: 201, Failed: 7, Current: 20, Skipped: 2, Warnings: 3,
			InFlight: map[string]int{activities.StepDownload: 1, activities.StepAwait: 4, activities.StepUpload: 2}, Window: 7, Concurrency: 20, Throttled: 4,
			TotalBytes: 3 << 20, BytesIn: 2 << 20, BytesOut: 5 << 20, StartedAt: testNow.Add(-3 * time.Minute), Rate: 1.25, LeftFor: workflows.Duration(56 * time.Second),
			Failures: []batch.FailureGroup{
				{Code: "CONVERSION_FAILED", Count: 5, Example: "annex/7.md: the document is broken"}, {Code: "FILE_TOO_LARGE", Count: 2, Example: "scans/all.md: 2 GB"},
			},
			Slowest: []batch.ItemNow{{Name: "annex/slow.md", Step: activities.StepAwait, JobID: "job-17", Since: testNow.Add(-70 * time.Second)}}, Runs: 2,
		},
		Failures: []batch.FailedItem{{Name: "annex/7.md", Step: activities.StepAwait, Code: "CONVERSION_FAILED", Message: "the document is broken", At: testNow.Add(-20 * time.Second)}},
	}
	for i, n := range []int{4, 9, 14, 16, 16, 17, 12, 0, 3, 8, 12, 15, 16, 17, 15, 16, 17, 4} {
		r.Progress.Throughput = append(r.Progress.Throughput, batch.Sample{At: testNow.Add(time.Duration(i-18) * 10 * time.Second), Done: n})
	}
	return r
}

// troubled waits for people.
func troubled(r *runstest.Run) *runstest.Run {
	r.Progress.State, r.Progress.Reason = workflows.StateWaiting, "The batch docs to html waits: INSUFFICIENT_CREDITS"
	r.Questions = []questions.Question{{Slot: slot.Slot{
		SlotID: questions.SlotTrouble, Type: "choice", Required: true, Text: "The batch docs to html waits: the service refuses its files with INSUFFICIENT_CREDITS: no credits are left",
		Options: []activities.Option{{Value: questions.TroubleRetry, Label: "Fixed: go on"}, {Value: questions.TroubleGiveUp, Label: "Give up: the batch ends, and its report says what was done"}},
	}}}
	return r
}

// batchEnd is how the ended batch ended.
func batchEnd() batch.Result {
	return batch.Result{
		Status: batch.ResultFailures, Runs: 3, LargestHistory: 3612,
		Summary: activities.BatchSummary{
			Report: "/home/kim/out/docs to html.report.jsonl", Files: 300, Completed: 270, Current: 20, Skipped: 2, Failed: 8, Outputs: 275,
			BytesIn: 3 << 20, BytesOut: 7 << 20, Codes: map[string]int{"FILE_TOO_LARGE": 2, "CONVERSION_FAILED": 6},
		},
	}
}

func endedBatch() *runstest.Run {
	r := docsBatch()
	r.ClosedAt = testNow.Add(-time.Hour)
	return r.End(batchEnd())
}

// scansWatch is a watched folder that waits for files after three waves.
func scansWatch() *runstest.Run {
	return &runstest.Run{
		Kind: runs.Watch, State: workflows.StateWatching,
		Watch: watch.Memo{Name: "scans to pdf", Source: "/home/kim/scans", Output: "/home/kim/out", To: "pdf", Waves: 2, Converted: 4, Failed: 1},
		Waves: watch.Progress{
			Name: "scans to pdf", State: workflows.StateWatching, WaitsFor: "files in /home/kim/scans that have not changed for 5s",
			Source: "/home/kim/scans", Output: "/home/kim/out", To: "pdf", Waves: 3, Converted: 7, Files: 9, Failed: 2,
			Report: "/home/kim/out/scans to pdf.report.jsonl", StartedAt: testNow.Add(-26 * time.Hour), Runs: 2,
			Recent: []watch.WaveEnd{
				{Number: 2, WorkflowID: "scans-wave-2", Status: batch.ResultFailures, Summary: activities.BatchSummary{Files: 6, Completed: 4, Failed: 2}, EndedAt: testNow.Add(-2 * time.Hour)},
				{Number: 3, WorkflowID: "scans-wave-3", Status: batch.ResultCompleted, Summary: activities.BatchSummary{Files: 9, Completed: 3, Failed: 2}, EndedAt: testNow.Add(-5 * time.Minute)},
			},
		},
	}
}
