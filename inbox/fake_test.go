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
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

var (
	testSecret = []byte("0123456789abcdef0123456789abcdef")
	testNow    = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
)

// fakeRun is a run with a ledger: the first answer to a question counts, and the same answer id gets its verdict again.
type fakeRun struct {
	name, goal string
	questions  []questions.Question
	ledger     []questions.Receipt
	ended      bool
	silent     bool // no worker
	step       string
	percent    int
	batch      *fakeBatch // nil for goals and conversions
}

// fakeDesk stands for Temporal and the runs behind it.
type fakeDesk struct {
	mu      sync.Mutex
	runs    map[string]*fakeRun
	order   []string
	answers int // calls of Answer
	looks   int // calls of Waiting
	looked  chan struct{}
}

func newDesk() *fakeDesk {
	return &fakeDesk{runs: map[string]*fakeRun{}, looked: make(chan struct{}, 100)}
}

func (d *fakeDesk) add(id string, r *fakeRun) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range r.questions {
		q := &r.questions[i]
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
	d.runs[id] = r
	d.order = append(d.order, id)
}

func (d *fakeDesk) memo(r *fakeRun) questions.Memo {
	memo := questions.Memo{Goal: r.goal, Name: r.name}
	for _, q := range r.questions {
		memo.Questions = append(memo.Questions, questions.MemoQuestion{
			SlotID: q.SlotID, Type: q.Type, Text: cut(q.Text, 200), Key: q.Key, AskedAt: q.AskedAt, Deadline: q.Deadline, For: q.For,
		})
	}
	return memo
}

func (d *fakeDesk) Waiting(context.Context, int) ([]answering.Run, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	var out []answering.Run
	for _, id := range d.order {
		if r := d.runs[id]; !r.ended && len(r.questions) > 0 {
			out = append(out, answering.Run{WorkflowID: id, RunID: "r", StartedAt: testNow.Add(-4 * time.Hour), Memo: d.memo(r)})
		}
	}
	select {
	case d.looked <- struct{}{}:
	default:
	}
	return out, nil
}

func (d *fakeDesk) find(id string) (*fakeRun, error) {
	r := d.runs[id]
	if r == nil {
		return nil, answering.ErrNoSuchRun
	}
	if r.silent {
		return nil, context.DeadlineExceeded
	}
	return r, nil
}

func (d *fakeDesk) Questions(_ context.Context, id string) ([]questions.Question, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, err := d.find(id)
	if err != nil {
		return nil, err
	}
	return slices.Clone(r.questions), nil
}

func (d *fakeDesk) Answers(_ context.Context, id string) ([]questions.Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, err := d.find(id)
	if err != nil {
		return nil, err
	}
	return slices.Clone(r.ledger), nil
}

func (d *fakeDesk) Status(_ context.Context, id string) (goal.Status, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, err := d.find(id)
	if err != nil {
		return goal.Status{}, err
	}
	return goal.Status{State: "waiting", Step: "answers", JobSpecID: "job-" + id, Open: len(r.questions)}, nil
}

func (d *fakeDesk) Answer(_ context.Context, id string, a questions.Answer) (questions.Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers++
	receipt := questions.Receipt{
		AnswerID: a.AnswerID, SlotID: a.SlotID, Value: a.Value, AnsweredBy: a.AnsweredBy, Channel: a.Channel, Note: a.Note, ReceivedAt: testNow,
	}
	r := d.runs[id]
	switch {
	case r == nil:
		return receipt, answering.ErrNoSuchRun
	case r.ended:
		return receipt, answering.ErrEnded
	case r.silent:
		return receipt, answering.ErrNoVerdict
	}
	for _, old := range r.ledger {
		if old.AnswerID == a.AnswerID {
			return old, nil
		}
	}
	for i, q := range r.questions {
		if q.SlotID != a.SlotID {
			continue
		}
		if q.Type == "choice" && q.FreeText == "" && !slices.ContainsFunc(q.Options, func(o activities.Option) bool { return o.Value == textOf(a.Value) }) {
			receipt.Verdict, receipt.Reason, receipt.Value = questions.VerdictInvalid, "not one of the options", nil
			return receipt, &answering.RefusedError{Receipt: receipt}
		}
		receipt.Verdict = questions.VerdictAccepted
		r.questions = slices.Delete(slices.Clone(r.questions), i, i+1)
		r.ledger = append(r.ledger, receipt)
		return receipt, nil
	}
	for _, old := range r.ledger {
		if old.SlotID == a.SlotID {
			receipt.Verdict, receipt.Reason, receipt.Value = questions.VerdictConflict, "another answer counted first", nil
			return receipt, &answering.RefusedError{Receipt: receipt}
		}
	}
	receipt.Verdict = questions.VerdictEarly
	r.ledger = append(r.ledger, receipt)
	return receipt, nil
}

func (d *fakeDesk) runOf(id string) run {
	r := d.runs[id]
	out := run{ID: id, RunID: "r", Goal: r.goal != "", Name: r.name, State: workflows.StateRunning, Step: r.step, Percent: r.percent, StartedAt: testNow.Add(-4 * time.Hour), Memo: d.memo(r)}
	if len(r.questions) > 0 {
		out.State = workflows.StateWaiting
	}
	if r.batch != nil {
		out.Batch = &batchSeen{Memo: r.batch.memo}
	}
	if r.ended {
		at := testNow.Add(-time.Hour)
		out.State, out.ClosedAt = workflows.StateCompleted, &at
	}
	return out
}

func (d *fakeDesk) Runs(_ context.Context, which listing, _ int) ([]run, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []run
	for _, id := range d.order {
		r := d.runs[id]
		kind := listRunning
		switch {
		case r.ended:
			kind = listEnded
		case r.batch != nil:
			kind = listBatches
		}
		if kind == which {
			out = append(out, d.runOf(id))
		}
	}
	return out, nil
}

func (d *fakeDesk) Look(_ context.Context, id string) (run, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.runs[id] == nil {
		return run{}, answering.ErrNoSuchRun
	}
	return d.runOf(id), nil
}

func (d *fakeDesk) Result(_ context.Context, id string) (result, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b := d.runs[id].batch; b != nil {
		return *b.result, nil
	}
	return result{
		Status: "completed", Answers: d.runs[id].ledger, Message: "All done.",
		Outputs: []activities.Output{{Path: "/out/bundle.pdf", Size: 2048, Mimetype: "application/pdf"}},
	}, nil
}

func (d *fakeDesk) lastReceipt(id string) questions.Receipt {
	d.mu.Lock()
	defer d.mu.Unlock()
	ledger := d.runs[id].ledger
	if len(ledger) == 0 {
		return questions.Receipt{}
	}
	return ledger[len(ledger)-1]
}

func (d *fakeDesk) sent() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.answers
}

// bench is an inbox over a fake, with a clock that the test moves.
type bench struct {
	*Inbox
	t    testing.TB
	desk *fakeDesk
	now  time.Time
	h    http.Handler
	jar  []*http.Cookie
}

func newBench(tb testing.TB, change ...func(*Config)) *bench {
	tb.Helper()
	b := &bench{t: tb, desk: newDesk(), now: testNow}
	cfg := Config{
		Secret: testSecret, Files: filepath.Join(tb.TempDir(), "files"), Clock: func() time.Time { return b.now },
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
	in, err := build(cfg, b.desk)
	require.NoError(tb, err)
	tb.Cleanup(in.Close)
	b.Inbox, b.h = in, in.Handler()
	return b
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

func toneRun(name string) *fakeRun {
	sure := 0.82
	return &fakeRun{name: name, goal: "goal_lane.cover_letter", questions: []questions.Question{{
		Slot: slot.Slot{
			SlotID: "tone", Type: "choice", Text: "Which tone?", Options: options("formal", "casual"), Required: true,
			Suggested: json.RawMessage(`"formal"`), Confidence: &sure,
		},
	}}}
}
