package backend_test

import (
	"context"
	"net/http"
	"sync"
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

// dammed is faults whose delays last until they are let go; sleeping gets one for each that begins.
func dammed(t *testing.T, yaml string) (option testkit.Option, sleeping <-chan struct{}, letGo func()) {
	t.Helper()
	faults, err := faults.Parse([]byte(yaml))
	require.NoError(t, err)
	begun, open := make(chan struct{}, 100), make(chan struct{})
	faults.Sleep = func(ctx context.Context, _ time.Duration) error {
		begun <- struct{}{}
		select {
		case <-open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	letGo = sync.OnceFunc(func() { close(open) })
	t.Cleanup(letGo)
	return func(c *backend.Config) { c.Faults = faults }, begun, letGo
}

func TestMoreRequestsAtOnceThanThereIsRoomFor(t *testing.T) {
	faults, sleeping, letGo := dammed(t, `
rules:
  - {route: GET /api/v1/files, above: 2, answer: {status: 429, retry_after: 3}}
  - {route: GET /api/v1/files, probability: 1, answer: {delay: 1h}}
`)
	s := testkit.StartService(t, faults)
	c := impatient(t, s)
	ended := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := c.Files.List(t.Context())
			ended <- err
		}()
	}
	<-sleeping
	<-sleeping
	for range 5 { // those that are refused take no room
		_, err := c.Files.List(t.Context())
		require.True(t, client.IsRateLimited(err), "%v", err)
	}
	letGo()
	require.NoError(t, <-ended)
	require.NoError(t, <-ended)
	_, err := c.Files.List(t.Context())
	require.NoError(t, err)
}

// A request that goes wrong in another way gives its place back, too.
func TestEveryRequestLeaves(t *testing.T) {
	s := testkit.StartService(t, testkit.WithFaults(t, `
rules:
  - {route: "* /**", above: 1, answer: {status: 429}}
  - {route: GET /api/v1/files, nth: 1, answer: {lose_reply: true}}
  - {route: GET /api/v1/files, nth: 1, answer: {cut_body: true}}
  - {route: GET /api/v1/files, nth: 1, answer: {status: 500}}
`))
	c := impatient(t, s)
	for range 3 {
		_, err := c.Files.List(t.Context())
		require.Error(t, err)
		require.False(t, client.IsRateLimited(err), "%v", err)
	}
	_, err := c.Files.List(t.Context())
	require.NoError(t, err)
}

func TestMoreConversionsAtOnceThanThereIsRoomFor(t *testing.T) {
	const room, callers = 3, 20
	faults, _, letGo := dammed(t, `
rules:
  - {job: md html, above: 3, answer: {status: 503, retry_after: 2, code: BUSY}}
  - {job: "* *", probability: 1, answer: {slow: 1h}}
`)
	s := testkit.StartService(t, faults)
	c := impatient(t, s)
	file := upload(t, s, "a.md", "# A")
	var made, refused atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			_, err := c.Convert.Create(t.Context(), params(file.FileID))
			var e *client.APIError
			switch {
			case err == nil:
				made.Add(1)
			case assert.ErrorAs(t, err, &e) && assert.Equal(t, "BUSY", e.Code) && assert.Equal(t, http.StatusServiceUnavailable, e.Status):
				assert.Equal(t, 2*time.Second, e.RetryAfter)
				refused.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, room, made.Load(), "no more, however many ask at once")
	assert.EqualValues(t, callers-room, refused.Load())
	page, err := c.Convert.List(t.Context(), client.ListParams{})
	require.NoError(t, err)
	assert.Equal(t, room, page.Total, "what is refused is not made")

	text := params(file.FileID)
	text.TargetFormat = "txt"
	_, err = c.Convert.Create(t.Context(), text)
	require.NoError(t, err, "another pair of formats has room of its own")
	letGo()
	for _, job := range page.Jobs {
		_, err := c.Convert.Wait(t.Context(), job.JobID, quick)
		require.NoError(t, err)
	}
	_, err = c.Convert.Create(t.Context(), params(file.FileID))
	require.NoError(t, err)
}

// The same request again finds its job, however full the service is.
func TestARepeatOfACreationNeedsNoRoom(t *testing.T) {
	faults, _, _ := dammed(t, `
rules:
  - {job: "* *", above: 1, answer: {status: 429}}
  - {job: "* *", probability: 1, answer: {slow: 1h}}
`)
	s := testkit.StartService(t, faults)
	c := impatient(t, s)
	file := upload(t, s, "a.md", "# A")
	first, err := c.Convert.Create(t.Context(), params(file.FileID), client.WithIdempotencyKey("k"))
	require.NoError(t, err)
	_, err = c.Convert.Create(t.Context(), params(file.FileID))
	require.True(t, client.IsRateLimited(err), "%v", err)
	again, err := c.Convert.Create(t.Context(), params(file.FileID), client.WithIdempotencyKey("k"))
	require.NoError(t, err)
	assert.Equal(t, first.JobID, again.JobID)
}
