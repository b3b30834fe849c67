package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// What becomes of the request that an attempt sends.
const (
	arrives     = "taken"
	replyLost   = "taken, and the reply is lost"
	errorAfter  = "taken, and answered with 500"
	cutOff      = "cut before it arrives"
	late        = "given up, and taken later"
	busy        = "refused with 503"
	slowDown    = "refused with 429"
	stopsBefore = "the worker stops before it is taken"
	stopsAfter  = "the worker stops after it is taken"
)

// outcome is what one attempt meets.
type outcome struct {
	request   string
	silent    bool          // Temporal hears nothing of it, and gives the step to another one after the heartbeat timeout
	paused    time.Duration // before a silent attempt sends: it runs on beside the one after it
	travels   time.Duration // of a late request, from its end on our side until it is taken
	unlisted  time.Duration // how long the list does not show the job that it makes
	listFails bool
}

func drawOutcome(t *rapid.T, honoured bool) outcome {
	f := outcome{
		request: rapid.SampledFrom([]string{arrives, replyLost, errorAfter, cutOff, late, late, busy, slowDown, stopsBefore, stopsAfter}).Draw(t, "request"),
		silent:  rapid.Bool().Draw(t, "silent"), listFails: rapid.IntRange(0, 4).Draw(t, "list fails") == 0,
	}
	within := func(d time.Duration, name string) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(d)-1).Draw(t, name))
	}
	f.travels = within(arriveFor, "travels")
	f.unlisted = within(arriveFor-f.travels, "unlisted")
	f.paused = within(createFor, "paused")
	if honoured { // then it is never too late
		f.travels *= 40
	}
	return f
}

// network is the network between the attempts at one step and the real service, in the virtual time of Temporal.
type network struct {
	t        *rapid.T
	steps    *Activities
	run      string
	now      func() time.Time
	outcomes []outcome
	ignores  bool // the list's filter
	most     int  // jobs on a page

	mu       sync.Mutex // a request outlives the attempt that has given it up
	attempt  int
	looked   bool // this attempt
	stop     context.CancelCauseFunc
	posts    int
	keys     map[string]bool
	under    []underWay
	listedAt map[string]time.Time
	next     http.Handler
}

type underWay struct {
	at      time.Time
	request *http.Request
	hidden  time.Duration
}

func (c *network) outcome() outcome {
	if c.attempt <= len(c.outcomes) {
		return c.outcomes[c.attempt-1]
	}
	return outcome{request: arrives}
}

// Attempt is CreateConversion as Temporal runs it.
func (c *network) Attempt(ctx context.Context, in CreateConversionInput) (CreateConversionResult, error) {
	before := lastProgress(ctx)
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	met := c.begin(attemptOf(ctx), stop)
	out, err := c.steps.CreateConversion(work, in)
	if met.silent {
		activity.RecordHeartbeat(ctx, before) // in the place of what nobody hears
		return out, temporal.NewApplicationErrorWithOptions("silence", "Heartbeat", temporal.ApplicationErrorOptions{NextRetryDelay: HeartbeatTimeout})
	}
	return out, err
}

func (c *network) begin(attempt int, stop context.CancelCauseFunc) outcome {
	c.deliver(c.now())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempt, c.looked, c.stop = attempt, false, stop
	return c.outcome()
}

// deliver lets the service take what has arrived by then.
func (c *network) deliver(by time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var rest []underWay
	for _, u := range c.under {
		if u.at.After(by) {
			rest = append(rest, u)
			continue
		}
		c.take(u.request, u.at.Add(u.hidden))
	}
	c.under = rest
}

// take has the service do the work, and the list show it from then on.
func (c *network) take(r *http.Request, listed time.Time) *httptest.ResponseRecorder {
	reply := httptest.NewRecorder()
	c.next.ServeHTTP(reply, r)
	var job struct{ JobID string }
	if json.Unmarshal(reply.Body.Bytes(), &job) == nil && job.JobID != "" && c.listedAt[job.JobID].IsZero() {
		c.listedAt[job.JobID] = listed
	}
	return reply
}

func (c *network) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case r.URL.Path != client.PathJobs:
			next.ServeHTTP(w, r)
		case r.Method == http.MethodGet:
			c.list(w, r)
		default:
			c.create(w, r)
		}
	})
}

func (c *network) create(w http.ResponseWriter, r *http.Request) {
	if c.attempt > 1 && !c.looked {
		c.t.Errorf("attempt %d sends before it has looked", c.attempt)
	}
	c.posts++
	c.keys[r.Header.Get("Idempotency-Key")] = true
	body, _ := io.ReadAll(r.Body)
	again := r.Clone(context.WithoutCancel(r.Context()))
	again.Body = io.NopCloser(bytes.NewReader(body))
	again.Header.Set("Idempotency-Key", c.run+r.Header.Get("Idempotency-Key")) // the test server's runs all have the same id
	f := c.outcome()
	if f.silent && f.paused > 0 || f.request == late {
		at := c.now().Add(f.travels)
		if f.silent {
			at = at.Add(f.paused)
		}
		c.under = append(c.under, underWay{at, again, f.unlisted})
		panic(http.ErrAbortHandler)
	}
	if f.request == busy || f.request == slowDown {
		w.WriteHeader(map[string]int{busy: http.StatusServiceUnavailable, slowDown: http.StatusTooManyRequests}[f.request])
		return
	}
	if f.request == cutOff {
		panic(http.ErrAbortHandler)
	}
	if f.request == stopsBefore {
		c.stop(errWorkerStopping)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	reply := c.take(again, c.now().Add(f.unlisted))
	switch f.request {
	case replyLost:
		panic(http.ErrAbortHandler)
	case stopsAfter:
		c.stop(errWorkerStopping)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case errorAfter:
		w.WriteHeader(http.StatusInternalServerError)
	default:
		w.WriteHeader(reply.Code)
		_, _ = w.Write(reply.Body.Bytes())
	}
}

// list shows what the service lists, less what is not listed yet.
func (c *network) list(w http.ResponseWriter, r *http.Request) {
	c.looked = true
	if c.outcome().listFails {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	query := r.URL.Query()
	if c.ignores {
		query.Del("file_id")
	}
	query.Set("limit", strconv.Itoa(c.most))
	r.URL.RawQuery = query.Encode()
	reply := httptest.NewRecorder()
	c.next.ServeHTTP(reply, r)
	var page map[string]any
	if err := json.Unmarshal(reply.Body.Bytes(), &page); err != nil {
		c.t.Errorf("the list is no JSON: %v", err)
	}
	jobs, _ := page["jobs"].([]any)
	shown := []any{}
	for _, job := range jobs {
		id, _ := job.(map[string]any)["jobId"].(string)
		if !c.listedAt[id].After(c.now()) {
			shown = append(shown, job)
		}
	}
	page["jobs"] = shown
	_ = json.NewEncoder(w).Encode(page)
}

// Whatever becomes of requests and attempts: there is one job in the end, and it is the one that the step names.
//
// A service that ignores idempotency keys must take a request within arriveFor of its end on our side, and list its job by
// then; one that honours them may take as long as it likes.
func TestOneJobWhateverHappensToTheRequests(t *testing.T) {
	for name, honoured := range map[string]bool{"keys are ignored": false, "keys are honoured": true} {
		t.Run(name, func(t *testing.T) {
			if honoured {
				testkit.SkipLong(t, "where keys are ignored, more can go wrong")
			}
			var options []testkit.Option
			if !honoured {
				options = append(options, testkit.WithFaults(t, "ignore_idempotency: true"))
			}
			b := newBench(t, options...)
			impatient, err := client.New(b.URL, b.Key(), client.WithMaxRetries(0)) // repeats that take real time
			require.NoError(t, err)
			t.Cleanup(impatient.CloseIdleConnections)
			b.steps.convert = impatient.Convert
			other := uploaded(t, b)
			for range 110 { // other people's work, more than a page of it
				_, err := b.Client.Convert.Create(t.Context(), client.CreateParams{FileID: other, SourceFormat: "md", TargetFormat: "txt"})
				require.NoError(t, err)
			}
			rapid.Check(t, func(rt *rapid.T) {
				c := &network{
					t: rt, steps: b.steps, keys: map[string]bool{}, listedAt: map[string]time.Time{},
					ignores: rapid.Bool().Draw(rt, "the filter is ignored"), most: rapid.SampledFrom([]int{20, 100}).Draw(rt, "jobs on a page"),
				}
				for range rapid.IntRange(0, 4).Draw(rt, "attempts that fail") {
					c.outcomes = append(c.outcomes, drawOutcome(rt, honoured))
				}
				in := CreateConversionInput{FileID: uploaded(t, b), SourceFormat: "md", TargetFormat: "html"}
				c.run = in.FileID
				c.next = b.Handler()
				b.Around(c.around)
				out := c.play(t, in)
				b.Around(func(next http.Handler) http.Handler { return next })
				c.deliver(c.now().Add(24 * time.Hour))
				page, err := b.Client.Convert.List(t.Context(), client.ListParams{FileID: in.FileID})
				require.NoError(t, err)
				var made []string
				for _, job := range page.Jobs {
					if job.ConvertsFile(in.FileID, in.TargetFormat) {
						made = append(made, job.JobID)
					}
				}
				assert.Equal(rt, []string{out.JobID}, made, "one job, which the step names")
				assert.Len(rt, c.keys, 1, "every request has the same key")
				assert.LessOrEqual(rt, c.posts, c.attempt)
			})
		})
	}
}

func uploaded(t *testing.T, b *bench) string {
	t.Helper()
	file, err := b.Client.Files.Upload(t.Context(), client.UploadParams{Name: "a.md", Size: 3, ContentType: "text/markdown", Body: strings.NewReader("# A")})
	require.NoError(t, err)
	return file.FileID
}

// play has Temporal's test server run the step, attempt after attempt, until it succeeds.
func (c *network) play(t *testing.T, in CreateConversionInput) CreateConversionResult {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(testkit.Patience)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // a busy machine is no deadlock
	c.now = env.Now
	env.RegisterActivity(c.Attempt)
	env.ExecuteWorkflow(func(ctx workflow.Context) (CreateConversionResult, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: 2 * time.Minute,
			RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 500 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second, MaximumAttempts: 100},
		})
		var out CreateConversionResult
		err := workflow.ExecuteActivity(ctx, c.Attempt, in).Get(ctx, &out)
		return out, err
	})
	require.NoError(t, env.GetWorkflowError())
	var out CreateConversionResult
	require.NoError(t, env.GetWorkflowResult(&out))
	return out
}

// quiet is a logger for runs by the hundred.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
