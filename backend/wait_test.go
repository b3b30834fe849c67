package backend_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// Whoever looks at intervals learns of an end on average half an interval too late.
func TestAReplyIsHeldUntilTheJobEnds(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]bool{"completed": false, "failed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate()
			engine := g.engine()
			if convert := engine.Convert; broken {
				engine.Convert = func(ctx context.Context, in engines.Request) (engines.Result, error) {
					_, err := convert(ctx, in)
					return engines.Result{}, errors.Join(err, os.ErrInvalid)
				}
			}
			s := testkit.StartService(t, testkit.WithEngines(engine))
			file := upload(t, s, "a.md", "a")
			job, err := s.Client.Convert.Create(t.Context(), params(file.FileID))
			require.NoError(t, err)
			<-g.entered
			path := client.PathJobs + "/" + job.JobID
			go func() {
				assert.Eventually(t, func() bool { return s.Requests(http.MethodGet, path) > 0 }, testkit.Patience, time.Millisecond)
				close(g.open)
			}()

			status, header, body := raw(t, s, http.MethodGet, path, "", "Prefer", "wait=30")

			assert.Equal(t, http.StatusOK, status)
			assert.Equal(t, "wait=30", header.Get("Preference-Applied"))
			assert.Equal(t, name, statusOf(t, body))
		})
	}
}

func TestAReplyIsHeldNoLongerThanIsPreferred(t *testing.T) {
	t.Parallel()
	g := newGate()
	s := testkit.StartService(t, testkit.WithEngines(g.engine()))
	file := upload(t, s, "a.md", "a")
	job, err := s.Client.Convert.Create(t.Context(), params(file.FileID))
	require.NoError(t, err)
	<-g.entered

	_, header, body := raw(t, s, http.MethodGet, client.PathJobs+"/"+job.JobID, "", "Prefer", "wait=1")
	assert.Equal(t, "wait=1", header.Get("Preference-Applied"))
	assert.Equal(t, "processing", statusOf(t, body))
	_, header, body = raw(t, s, http.MethodGet, client.PathJobs+"/"+job.JobID, "")
	assert.Empty(t, header.Get("Preference-Applied"))
	assert.Equal(t, "processing", statusOf(t, body))
	close(g.open)
}

func TestACreatedJobMayComeBackDone(t *testing.T) {
	t.Parallel()
	s := testkit.StartService(t)
	file := upload(t, s, "a.md", "# A")

	job, err := s.Client.Convert.Create(t.Context(), params(file.FileID), client.WithWait(testkit.Patience))

	require.NoError(t, err)
	assert.Equal(t, client.JobCompleted, job.Status)
}

func statusOf(t *testing.T, body string) string {
	t.Helper()
	var job struct{ Status string }
	require.NoError(t, json.Unmarshal([]byte(body), &job), body)
	return job.Status
}
