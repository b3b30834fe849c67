package backend_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/faults"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// impatient is a client that tries each request once.
func impatient(t *testing.T, s *testkit.Service) *client.Client {
	t.Helper()
	c, err := client.New(s.URL, s.Key(), client.WithMaxRetries(0))
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// The contract's table of envelopes, as the client reads them.
func TestFaultsInEveryEnvelope(t *testing.T) {
	const reason = "Forbidden"
	for envelope, want := range map[string]struct{ code, message string }{
		"flat":   {"NO_WAY", "A fault on request."},
		"detail": {"NO_WAY", "A fault on request."},
		"text":   {"HTTP_403", "A fault on request."},
		"list":   {"HTTP_403", reason},
		"error":  {"HTTP_403", reason},
		"html":   {"HTTP_403", reason},
		"empty":  {"HTTP_403", reason},
	} {
		t.Run(envelope, func(t *testing.T) {
			s := testkit.StartService(t, testkit.WithFaults(t, "rules: [{route: GET /api/v1/files, count: 1, answer: {status: 403, code: NO_WAY, envelope: "+envelope+"}}]"))
			_, err := impatient(t, s).Files.List(t.Context())
			var e *client.APIError
			require.ErrorAs(t, err, &e, envelope)
			assert.Equal(t, want.code, e.Code, envelope)
			assert.Equal(t, want.message, e.Message, envelope)
		})
	}
}

// converted is a job that has ended well.
func converted(t *testing.T, s *testkit.Service) *client.ConvertJob {
	t.Helper()
	file := upload(t, s, "a.md", "# A heading\n\nAnd some words below it.")
	job, err := s.Client.Convert.Create(t.Context(), params(file.FileID))
	require.NoError(t, err)
	job, err = s.Client.Convert.Wait(t.Context(), job.JobID, quick)
	require.NoError(t, err)
	return job
}

func TestAShortReplyIsNoOutput(t *testing.T) {
	s := testkit.StartService(t, testkit.WithFaults(t, "rules: [{route: 'GET /storage/**', count: 1, answer: {short_body: true}}]"))
	job := converted(t, s)
	part := filepath.Join(t.TempDir(), "a.part")
	_, err := impatient(t, s).Convert.Fetch(t.Context(), job.ResultFiles[0], client.FetchOptions{PartPath: part})
	require.Error(t, err, "half a file that looks whole")
	got, err := impatient(t, s).Convert.Fetch(t.Context(), job.ResultFiles[0], client.FetchOptions{PartPath: part})
	require.NoError(t, err)
	assert.Equal(t, job.ResultFiles[0].Size, got.Size)
	data, err := os.ReadFile(part)
	require.NoError(t, err)
	assert.True(t, bytes.HasSuffix(bytes.TrimSpace(data), []byte("</html>")))
}

func TestATricklingReplyIsWhole(t *testing.T) {
	faults, waited := patient(t, "rules: [{route: 'GET /storage/**', count: 1, answer: {trickle: 100}}]")
	s := testkit.StartService(t, faults)
	job := converted(t, s)
	got, err := impatient(t, s).Convert.Fetch(t.Context(), job.ResultFiles[0], client.FetchOptions{PartPath: filepath.Join(t.TempDir(), "a.part")})
	require.NoError(t, err)
	assert.Equal(t, job.ResultFiles[0].Size, got.Size)
	assert.InDelta(t, float64(got.Size)/100, waited().Seconds(), 0.2)
}

// patient is faults that make nobody wait, and what they would have.
func patient(t *testing.T, yaml string) (testkit.Option, func() time.Duration) {
	t.Helper()
	faults, err := faults.Parse([]byte(yaml))
	require.NoError(t, err)
	var waited atomic.Int64
	faults.Sleep = func(_ context.Context, d time.Duration) error {
		waited.Add(int64(d))
		return nil
	}
	return func(c *backend.Config) { c.Faults = faults }, func() time.Duration { return time.Duration(waited.Load()) }
}

func TestFaultsOfJobs(t *testing.T) {
	faults, waited := patient(t, `
rules:
  - {job: md html, nth: 1, answer: {fail: CORRUPT_FILE}}
  - {job: "md *", nth: 1, answer: {stuck: true}}
  - {job: "* html", nth: 1, answer: {slow: 1h}}
  - {job: docx pdf, count: 100, answer: {fail: OTHER}}
`)
	s := testkit.StartService(t, faults, func(c *backend.Config) { c.ConvertTimeout = quick.Timeout / 100 })
	file := upload(t, s, "a.md", "# A")
	end := func() *client.ConvertJob {
		job, err := s.Client.Convert.Create(t.Context(), params(file.FileID))
		require.NoError(t, err)
		_, _ = s.Client.Convert.Wait(t.Context(), job.JobID, quick) // a failed job is an error, too
		job, err = s.Client.Convert.Retrieve(t.Context(), job.JobID)
		require.NoError(t, err)
		return job
	}
	assert.Equal(t, "CORRUPT_FILE", end().Error.Code)
	stuck := end()
	require.NotNil(t, stuck.Error)
	assert.Contains(t, stuck.Error.Message, "took longer than")
	assert.Equal(t, client.JobCompleted, end().Status)
	assert.Equal(t, time.Hour, waited(), "the slow one")
}

// Where keys mean nothing, the same request makes another job: that is for the caller to prevent.
func TestKeysThatAreIgnored(t *testing.T) {
	for keys, want := range map[string]int{"false": 1, "true": 2} {
		t.Run(keys, func(t *testing.T) {
			s := testkit.StartService(t, testkit.WithFaults(t, "ignore_idempotency: "+keys))
			file := upload(t, s, "a.md", "# A")
			for range 2 {
				_, err := s.Client.Convert.Create(t.Context(), params(file.FileID), client.WithIdempotencyKey("the-same-key-twice"))
				require.NoError(t, err)
			}
			page, err := s.Client.Convert.List(t.Context(), client.ListParams{})
			require.NoError(t, err)
			assert.Equal(t, want, page.Total, "ignored: %s", keys)
		})
	}
}
