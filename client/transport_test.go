package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if process := asProcess(); process != nil {
		if err := process(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // it is main of this process
		}
		return
	}
	goleak.VerifyTestMain(m)
}

const testKey = "ck_test_0123456789"

// recorded is one request as a server saw it.
type recorded struct {
	method, path, query, body string
	header                    http.Header
}

// api is a server that plays a script: the nth request gets the nth handler, the last one serves the rest.
type api struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []recorded
	script []http.HandlerFunc
}

func newAPI(t *testing.T, script ...http.HandlerFunc) *api {
	t.Helper()
	a := &api{script: script}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		handler := a.script[min(len(a.seen), len(a.script)-1)]
		a.seen = append(a.seen, recorded{r.Method, r.URL.Path, r.URL.RawQuery, string(body), r.Header.Clone()})
		a.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		handler(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *api) requests() []recorded {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]recorded(nil), a.seen...)
}

func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hangUp takes the request and cuts the line.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// newTestClient talks to a; its sleeps take no time and are noted in the slice.
func newTestClient(t *testing.T, a *api, opts ...Option) (*Client, *[]time.Duration) {
	t.Helper()
	slept := new([]time.Duration)
	var passed time.Duration
	c, err := New(a.URL, testKey, append([]Option{
		withSleep(func(ctx context.Context, d time.Duration) error {
			*slept, passed = append(*slept, d), passed+d
			return ctx.Err()
		}),
		withClock(func() time.Time { return time.Unix(0, 0).Add(passed) }),
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c, slept
}

const queuedJob = `{"jobId":"job_1","status":"queued","processorType":"document_conversion","progress":0,"createdAt":"2026-06-01T08:00:00Z","updatedAt":"2026-06-01T08:00:00Z"}`

var aConversion = CreateParams{FileID: "file_1", SourceFormat: "docx", TargetFormat: "pdf"}

func TestRetryRule(t *testing.T) {
	type want struct {
		delay time.Duration
		again bool
	}
	for _, test := range []struct {
		attempt, most, status int
		asked                 time.Duration
		want
	}{
		{1, 2, 503, 0, want{200 * time.Millisecond, true}},
		{2, 2, 503, 0, want{400 * time.Millisecond, true}},
		{3, 2, 503, 0, want{}},
		{1, 0, 503, 0, want{}},
		{9, 20, 500, 0, want{retryCap, true}},
		{60, 99, 500, 0, want{retryCap, true}},
		{1, 2, 429, 2 * time.Second, want{2 * time.Second, true}},
		{1, 2, 429, time.Minute, want{}}, // too long to hold a goroutine for: the caller decides
		{1, 2, noReply, 0, want{200 * time.Millisecond, true}},
		{3, 2, noReply, 0, want{}},
		{1, 2, 408, 0, want{200 * time.Millisecond, true}},
		{1, 2, 502, 0, want{200 * time.Millisecond, true}},
		{1, 2, 504, 0, want{200 * time.Millisecond, true}},
		{1, 2, 400, 0, want{}},
		{1, 2, 401, 0, want{}},
		{1, 2, 402, 0, want{}},
		{1, 2, 404, 0, want{}},
		{1, 2, 409, time.Second, want{}},
		{1, 2, 422, 0, want{}},
		{1, 2, 501, 0, want{}},
	} {
		t.Run(fmt.Sprint(test.attempt, " ", test.most, " ", test.status), func(t *testing.T) {
			delay, again := retryDelay(test.attempt, test.most, test.status, test.asked, 0.5)
			assert.Equal(t, test.want, want{delay, again}, "%+v", test)
		})
	}
	low, _ := retryDelay(1, 2, 503, 0, 0)
	high, _ := retryDelay(1, 2, 503, 0, 0.999)
	assert.Equal(t, 150*time.Millisecond, low)
	assert.InDelta(t, 250*time.Millisecond, high, float64(time.Millisecond))
}

func TestRequestsCarryWhatTheContractAsks(t *testing.T) {
	a := newAPI(t, answer(202, queuedJob))
	c, _ := newTestClient(t, a, WithUserAgent("tool/9"))
	_, err := c.Convert.Create(t.Context(), aConversion)
	require.NoError(t, err)
	_, err = c.Convert.Retrieve(t.Context(), "job/1?")
	require.NoError(t, err)
	seen := a.requests()
	require.Len(t, seen, 2)
	assert.Equal(t, "POST /api/v1/jobs", seen[0].method+" "+seen[0].path)
	assert.JSONEq(t, `{"processor_type":"document_conversion","params":{"source_file_id":"file_1","source_format":"docx","target_format":"pdf"}}`, seen[0].body)
	assert.Equal(t, "Bearer "+testKey, seen[0].header.Get("Authorization"))
	assert.Equal(t, "application/json", seen[0].header.Get("Content-Type"))
	assert.Equal(t, "application/json", seen[0].header.Get("Accept"))
	assert.Equal(t, "tool/9 convilyn-go/"+Version, seen[0].header.Get("User-Agent"))
	assert.Len(t, seen[0].header.Get("Idempotency-Key"), 36, "a fresh UUID")
	assert.Equal(t, "/api/v1/jobs/job/1?", seen[1].path, "ids are escaped, never a query")
	assert.Empty(t, seen[1].query)
	assert.Empty(t, seen[1].header.Get("Idempotency-Key"), "reads carry none")
	assert.Empty(t, seen[1].header.Get("Content-Type"))
}

func TestBodiesOfTheFamilies(t *testing.T) {
	for want, params := range map[string]CreateParams{
		`{"processor_type":"document_conversion","params":{"source_file_id":"f","source_format":"docx","target_format":"pdf","quality":"high","page_range":"1-5"}}`: {FileID: "f", SourceFormat: "docx", TargetFormat: "pdf", Quality: "high", PageRange: "1-5"},
		`{"processor_type":"image_conversion","params":{"file_id":"f","output_format":"webp","quality":80}}`:                                                        {FileID: "f", SourceFormat: "png", TargetFormat: "webp", Quality: "80"},
		`{"processor_type":"image_conversion","params":{"file_id":"f","output_format":"png"}}`:                                                                      {FileID: "f", SourceFormat: "pdf", TargetFormat: "png"},
		`{"processor_type":"media_processing","params":{"file_id":"f","output_format":"mp3","quality":"high"}}`:                                                     {FileID: "f", SourceFormat: "wav", TargetFormat: "mp3", Quality: "high"},
		`{"processor_type":"media_processing","params":{"file_id":"f","output_format":"ogg","quality":"7"}}`:                                                        {FileID: "f", SourceFormat: "wav", TargetFormat: "ogg", Quality: "7"},
	} {
		t.Run(want, func(t *testing.T) {
			body, err := params.wire()
			require.NoError(t, err)
			encoded, err := json.Marshal(body)
			require.NoError(t, err)
			assert.JSONEq(t, want, string(encoded))
		})
	}
}

func TestRetriesOfOneCallShareTheirKey(t *testing.T) {
	a := newAPI(t, answer(503, ``), answer(502, `<html>`), answer(202, queuedJob))
	c, slept := newTestClient(t, a)
	job, err := c.Convert.Create(t.Context(), aConversion, WithIdempotencyKey("step-1"))
	require.NoError(t, err)
	assert.Equal(t, "job_1", job.JobID)
	assert.Len(t, *slept, 2)
	for _, r := range a.requests() {
		assert.Equal(t, "step-1", r.header.Get("Idempotency-Key"))
		assert.NotEmpty(t, r.body, "every try sends the whole body")
	}
}

func TestTheTypeOfAnErrorSurvivesRetries(t *testing.T) {
	a := newAPI(t, answer(503, ``), answer(402, `{"detail":{"code":"QUOTA_EXCEEDED","message":"Cap used"}}`))
	c, _ := newTestClient(t, a)
	_, err := c.Convert.Create(t.Context(), aConversion)
	require.True(t, IsQuotaExceeded(err), "%v", err)
	var e *APIError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 2, e.Attempts)

	a = newAPI(t, answer(429, `{"detail":{"code":"RATE_LIMITED","message":"Slow down"}}`, "Retry-After", "1"))
	c, slept := newTestClient(t, a)
	_, err = c.Convert.Retrieve(t.Context(), "job_1")
	require.True(t, IsRateLimited(err), "a lasting 429 is a rate limit, not something new: %v", err)
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 3, e.Attempts)
	assert.Equal(t, time.Second, e.RetryAfter)
	assert.Equal(t, []time.Duration{time.Second, time.Second}, *slept, "the service's word, without jitter")
}

func TestLongWaitsGoToTheCaller(t *testing.T) {
	a := newAPI(t, answer(429, ``, "Retry-After", "120"))
	c, slept := newTestClient(t, a)
	_, err := c.Convert.Retrieve(t.Context(), "job_1")
	var e *APIError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 2*time.Minute, e.RetryAfter)
	assert.Empty(t, *slept)
	assert.Len(t, a.requests(), 1)
}

func TestALostReplyIsNotSentAgain(t *testing.T) {
	a := newAPI(t, answer(200, queuedJob), hangUp)
	c, _ := newTestClient(t, a)
	_, err := c.Convert.Retrieve(t.Context(), "job_1") // leaves a connection, on which net/http dares more
	require.NoError(t, err)
	_, err = c.Convert.Create(t.Context(), aConversion)
	require.True(t, IsAmbiguous(err), "%v", err)
	assert.Len(t, a.requests(), 2)

	dead := newAPI(t, hangUp)
	dead.Close()
	c, _ = newTestClient(t, dead)
	_, err = c.Convert.Create(t.Context(), aConversion)
	require.Error(t, err)
	assert.False(t, IsAmbiguous(err), "no connection was had: %v", err)
}

func TestWhatIsHarmlessIsSentAgainWithoutAReply(t *testing.T) {
	a := newAPI(t, hangUp, hangUp, answer(200, queuedJob))
	c, slept := newTestClient(t, a)
	_, err := c.Convert.Retrieve(t.Context(), "job_1")
	require.NoError(t, err)
	assert.Len(t, *slept, 2)

	a = newAPI(t, hangUp, answer(401, ``))
	c, _ = newTestClient(t, a)
	_, err = c.Files.Upload(t.Context(), UploadParams{Name: "a", Size: 1, Body: strings.NewReader("x")})
	require.True(t, IsAuth(err), "the grant was asked for again: %v", err)
	seen := a.requests()
	require.Len(t, seen, 2)
	assert.Equal(t, seen[0].header.Get("Idempotency-Key"), seen[1].header.Get("Idempotency-Key"))
}

func TestWithoutRetries(t *testing.T) {
	a := newAPI(t, answer(503, ``))
	c, _ := newTestClient(t, a)
	_, err := c.Convert.Create(t.Context(), aConversion, WithoutRetries())
	require.True(t, IsAmbiguous(err))
	assert.Len(t, a.requests(), 1)
}

func TestRepliesThatAreNone(t *testing.T) {
	for name, reply := range map[string]http.HandlerFunc{
		"not JSON":   answer(200, `<html>`),
		"no job":     answer(200, `{}`),
		"a list":     answer(200, `[]`),
		"empty":      answer(200, ``),
		"a redirect": answer(302, ``, "Location", "https://example.org/"),
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat(" ", replyLimit+1))
		},
		"cut":           answer(200, `{"jobId":"job_1"`, "Content-Length", "500"),
		"wrong in type": answer(200, `{"jobId":7,"status":"queued"}`),
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, reply)
			c, _ := newTestClient(t, a)
			_, err := c.Convert.Retrieve(t.Context(), "job_1")
			var e *TransportError
			require.ErrorAs(t, err, &e, name)
			assert.True(t, e.Sent, name)
			want := 1
			if name == "cut" {
				want = 1 + defaultMaxRetries
			}
			assert.Len(t, a.requests(), want, "%s: a redirect is not followed, a bad reply not asked for again", name)
		})
	}
}

func TestListFilters(t *testing.T) {
	a := newAPI(t, answer(200, `{"jobs":[],"total":0,"page":2,"limit":5}`))
	c, _ := newTestClient(t, a)
	page, err := c.Convert.List(t.Context(), ListParams{Status: JobFailed, ProcessorType: ProcessorImage, FileID: "f", Page: 2, Limit: 5})
	require.NoError(t, err)
	assert.Equal(t, 2, page.Page)
	assert.Equal(t, "file_id=f&limit=5&page=2&processor_type=image_conversion&status=failed", a.requests()[0].query)
}

func TestHealthIsAnonymous(t *testing.T) {
	a := newAPI(t, answer(200, `{"status":"ok"}`))
	c, _ := newTestClient(t, a)
	require.NoError(t, c.Health(t.Context()))
	assert.Empty(t, a.requests()[0].header.Get("Authorization"))
}

func TestSupport(t *testing.T) {
	a := newAPI(t, answer(200, `{"routes":[{"source":"md","target":"pdf","qualityMode":"superb","engine":"x"}],"unavailable":null}`))
	c, _ := newTestClient(t, a)
	list, err := c.Support(t.Context(), FamilyDocument)
	require.NoError(t, err)
	assert.Equal(t, []Route{{Source: "md", Target: "pdf", QualityMode: "superb", Engine: "x"}}, list.Routes)
	assert.Equal(t, "/api/v1/document/support", a.requests()[0].path)
}

func TestObserverSeesEveryTry(t *testing.T) {
	a := newAPI(t, answer(503, ``), answer(200, queuedJob, "X-Quota-State", " SOFT_LIMIT "))
	var seen []RequestInfo
	c, _ := newTestClient(t, a, WithObserver(func(i RequestInfo) { seen = append(seen, i) }))
	_, err := c.Convert.Retrieve(t.Context(), "job_1")
	require.NoError(t, err)
	require.Len(t, seen, 2)
	assert.Equal(t, "/api/v1/jobs/{job_id}", seen[0].Route, "a template: ids would make a metric of each")
	assert.Equal(t, []int{503, 200}, []int{seen[0].Status, seen[1].Status})
	assert.Equal(t, []int{1, 2}, []int{seen[0].Attempt, seen[1].Attempt})
	assert.False(t, seen[0].SoftLimit)
	assert.True(t, seen[1].SoftLimit)
}

func TestCancelledWhileWaiting(t *testing.T) {
	a := newAPI(t, answer(503, ``))
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := newTestClient(t, a, withSleep(func(ctx context.Context, _ time.Duration) error {
		cancel()
		return ctx.Err()
	}))
	_, err := c.Convert.Retrieve(ctx, "job_1")
	require.ErrorIs(t, err, context.Canceled)
}

func TestNewRefusesBadSettings(t *testing.T) {
	for name, test := range map[string]struct{ base, key, says string }{
		"no key":          {DefaultBaseURL, " ", "CONVILYN_API_KEY"},
		"author key":      {DefaultBaseURL, "cvl_secret", "authors"},
		"portal key":      {DefaultBaseURL, "cvi_secret", "authors"},
		"key in two":      {DefaultBaseURL, "ck_se cret", "pasted completely"},
		"plain http":      {"http://api.example.org", testKey, "https"},
		"a path":          {"https://api.example.org/api/v1", testKey, "/api/v1"},
		"no host":         {"https://", testKey, "host"},
		"a query":         {"https://h/?secret=1", testKey, "query"},
		"user":            {"https://me:secret@h", testKey, "query, user"},
		"not a URL":       {"::secret", testKey, "URL"},
		"a name on LAN":   {"http://192.168.1.1", testKey, "https"},
		"another scheme":  {"ftp://h", testKey, "https"},
		"looks like home": {"http://localhost.example.org", testKey, "https"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.base, test.key)
			var e *ArgumentError
			require.ErrorAs(t, err, &e, name)
			assert.Contains(t, err.Error(), test.says, name)
			assert.NotContains(t, err.Error(), "secret", name)
		})
	}
	for _, base := range []string{DefaultBaseURL + "/", "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "https://host/prefix"} {
		t.Run(base, func(t *testing.T) {
			_, err := New(base, "any_other_prefix")
			require.NoError(t, err, base)
		})
	}
}

func TestPrefixOfTheBaseURL(t *testing.T) {
	a := newAPI(t, answer(200, queuedJob))
	c, err := New(a.URL+"/gateway/", testKey)
	require.NoError(t, err)
	defer c.CloseIdleConnections()
	_, err = c.Convert.Retrieve(t.Context(), "job_1")
	require.NoError(t, err)
	assert.Equal(t, "/gateway/api/v1/jobs/job_1", a.requests()[0].path)
}
