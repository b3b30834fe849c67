package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/client"
)

// listing is a service of a few jobs, listed in its own way, that takes requests as it likes.
type listing struct {
	Convert
	pages   [][]client.ConvertJob
	bare    bool // it tells neither page nor total
	listed  int
	created int
	fails   error // what creating fails with
	until   time.Duration
}

func (l *listing) List(_ context.Context, p client.ListParams, _ ...client.CallOption) (*client.JobPage, error) {
	l.listed++
	out := &client.JobPage{}
	if p.Page <= len(l.pages) {
		out.Jobs = l.pages[p.Page-1]
	}
	out.Total = len(out.Jobs)
	if !l.bare {
		out.Page, out.Total = p.Page, 0
		for _, page := range l.pages {
			out.Total += len(page)
		}
	}
	return out, nil
}

func (l *listing) Create(ctx context.Context, _ client.CreateParams, _ ...client.CallOption) (*client.ConvertJob, error) {
	l.created++
	deadline, _ := ctx.Deadline()
	l.until = time.Until(deadline)
	return &client.ConvertJob{JobID: "job_new", Status: client.JobCompleted}, l.fails
}

func jobOf(file string, n int, at time.Time) client.ConvertJob {
	params, _ := json.Marshal(client.WireJobParams{SourceFileID: file, TargetFormat: "html"})
	return client.ConvertJob{JobID: fmt.Sprintf("job_%d", n), Params: params, CreatedAt: at}
}

func TestOfSeveralJobsTheOldestIsAdopted(t *testing.T) {
	now := time.Now()
	for name, jobs := range map[string][]client.ConvertJob{
		"newest first": {jobOf("f", 2, now), jobOf("other", 3, now), jobOf("f", 1, now.Add(-time.Second))},
		"oldest first": {jobOf("f", 1, now.Add(-time.Second)), jobOf("f", 2, now)},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.steps.convert = &listing{pages: [][]client.ConvertJob{jobs}}
			out, err := run[CreateConversionResult](t, b, b.steps.CreateConversion, CreateConversionInput{FileID: "f", SourceFormat: "md", TargetFormat: "html", Again: true})
			require.NoError(t, err)
			assert.Equal(t, "job_1", out.JobID, name)
			assert.True(t, out.Adopted)
		})
	}
}

// The list is not documented: pages may be shorter than asked for, have no total, or be the same whatever page is asked for.
func TestTheWholeListIsLookedThrough(t *testing.T) {
	now := time.Now()
	other, wanted := []client.ConvertJob{jobOf("other", 1, now), jobOf("other", 2, now)}, []client.ConvertJob{jobOf("f", 3, now)}
	in := CreateConversionInput{FileID: "f", TargetFormat: "html"}
	for _, bare := range []bool{false, true} {
		t.Run(fmt.Sprintf("bare %v", bare), func(t *testing.T) {
			b := newBench(t)
			b.steps.convert = &listing{pages: [][]client.ConvertJob{other, wanted}, bare: bare}
			job, err := b.steps.findJob(t.Context(), in, now)
			require.NoError(t, err)
			require.NotNil(t, job)
			same := &listing{pages: [][]client.ConvertJob{other, other, other, other}, bare: bare}
			b.steps.convert = same
			job, err = b.steps.findJob(t.Context(), in, now)
			require.NoError(t, err)
			assert.Nil(t, job)
			assert.Equal(t, 2, same.listed, "a page that brings nothing new is the last")
		})
	}
	old := []client.ConvertJob{jobOf("other", 1, now), jobOf("other", 2, now.Add(-2*time.Hour))}
	long := &listing{pages: [][]client.ConvertJob{old, wanted, other}}
	steps := &Activities{convert: long}
	_, err := steps.findJob(t.Context(), in, now)
	require.NoError(t, err)
	assert.Equal(t, 1, long.listed, "newest first, and long before the step")
}

// What the next attempt has to know, and how long it waits for it.
func TestAnAttemptTellsWhetherItsRequestMayStillBeTaken(t *testing.T) {
	reset := &client.TransportError{Method: http.MethodPost, Route: client.PathJobs, Sent: true, Err: errors.New("connection reset")}
	unsent := &client.TransportError{Method: http.MethodPost, Route: client.PathJobs, Err: errors.New("connection refused")}
	for _, test := range []struct {
		fails error
		open  time.Duration
		asked int
	}{
		{reset, arriveFor, 0},
		{unsent, 0, 0},
		{&client.APIError{Status: 500, Code: "INTERNAL"}, arriveFor, 0},
		{&client.APIError{Status: 504, Code: "HTTP_504"}, arriveFor, 0},
		{&client.APIError{Status: 503, Code: "UNAVAILABLE"}, 0, 0},
		{&client.APIError{Status: 503, Code: "UNAVAILABLE", RetryAfter: time.Second}, 0, 1},
		{&client.APIError{Status: 429, Code: "RATE_LIMITED"}, 0, 1},
	} {
		t.Run(fmt.Sprint(test.asked), func(t *testing.T) {
			b := newBench(t)
			service := &listing{fails: test.fails}
			b.steps.convert = service
			var last Progress
			b.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) { _ = details.Get(&last) })
			_, err := run[CreateConversionResult](t, b, b.steps.CreateConversion, CreateConversionInput{FileID: "f", SourceFormat: "md", TargetFormat: "html"})
			require.Error(t, err)
			assert.Equal(t, 1, last.Ended)
			assert.Equal(t, test.open, last.Open, "%v", test.fails)
			assert.Equal(t, test.asked, last.SlowDown, "%v", test.fails)
			assert.Zero(t, service.listed, "the first attempt has nothing to look for")
			assert.Positive(t, service.until)
			assert.LessOrEqual(t, service.until, createFor, "an attempt that was given up sends nothing any more")
		})
	}
	assert.Equal(t, arriveFor, openFor(3, Progress{Ended: 2, Open: arriveFor}))
	assert.Zero(t, openFor(3, Progress{Ended: 2}))
	assert.Equal(t, unheardFor, openFor(3, Progress{Ended: 1}), "the second fell silent")
	assert.Equal(t, unheardFor, openFor(2, Progress{}))
}

// A batch that had to be fixed begins the step again, and the attempts of the step before are not counted.
func TestAStepThatFailedBeforeLooksAtOnce(t *testing.T) {
	b := newBench(t)
	service := &listing{}
	b.steps.convert = service
	_, err := run[CreateConversionResult](t, b, b.steps.CreateConversion, CreateConversionInput{FileID: "f", SourceFormat: "md", TargetFormat: "html", Again: true})
	failureOf(t, err, FailureUnavailable)
	assert.Equal(t, 1, service.listed)
	assert.Zero(t, service.created)
}
