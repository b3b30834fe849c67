package host

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/notify"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func TestMetricsOfAllRuns(t *testing.T) {
	asked, began := time.Now().Add(-time.Hour), time.Now().Add(-2*time.Hour)
	question := func(id string) questions.Question {
		return questions.Question{Slot: slot.Slot{SlotID: id, Type: "text", Required: true}, AskedAt: asked}
	}
	letter := &runs.Kind{Workflow: notify.WorkflowType}
	refused := func(id string) *runstest.Run {
		return (&runstest.Run{Kind: letter, ID: id}).Fail(errors.New("410"))
	}
	full := runstest.Step{Activity: "DownloadResults", Attempt: 9, Failure: "DISK_FULL: no", Detail: &activities.Failure{Code: "DISK_FULL", Since: &began}}
	odd := runstest.Step{Activity: "UploadFile", Attempt: 9, Failure: "no", Detail: &activities.Failure{Code: "an odd \n code"}}
	temporal := runstest.New()
	temporal.Add(
		&runstest.Run{Kind: runs.Goal, ID: "g", Questions: []questions.Question{question("a"), question("b")}},
		&runstest.Run{Kind: runs.Batch, ID: "b", Steps: []runstest.Step{full, full, odd}},
		&runstest.Run{Kind: runs.Batch, ID: "p", State: workflows.StatePaused},
		(&runstest.Run{Kind: runs.Conversion, ID: "c"}).End(nil),
		refused("dead"), refused("resent"), &runstest.Run{Kind: letter, ID: "resent"},
	)
	m := NewMetrics()
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	m.ObserveRuns(temporal, "ns")
	read := func() string {
		reply := httptest.NewRecorder()
		m.Page().ServeHTTP(reply, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
		require.Equal(t, 200, reply.Code, reply.Body.String())
		return reply.Body.String()
	}

	body := read()
	for _, line := range []string{
		"convilyn_temporal_up 1",
		`convilyn_open_runs{lane="goal",state="waiting"} 1`, `convilyn_open_runs{lane="goal",state="running"} 0`,
		`convilyn_open_runs{lane="batch",state="running"} 1`, `convilyn_open_runs{lane="batch",state="paused"} 1`, `convilyn_open_runs{lane="turbo",state="running"} 0`,
		"convilyn_waiting_questions 2", "convilyn_dead_letters 1",
		`convilyn_retrying_steps{code="DISK_FULL",step="download"} 2`, `convilyn_retrying_steps{code="OTHER",step="upload"} 1`,
	} {
		assert.Contains(t, body, "\n"+line+"\n")
	}
	assert.Regexp(t, `\nconvilyn_oldest_question_age_seconds 36\d\d\.`, body)
	assert.Regexp(t, `\nconvilyn_oldest_retry_age_seconds 72\d\d\.`, body)

	calls := temporal.Calls()
	read()
	assert.Equal(t, calls, temporal.Calls(), "what was read a moment ago is not read again")
}

func TestMetricsWithoutTemporal(t *testing.T) {
	temporal := runstest.New()
	temporal.Fault = errors.New("away")
	m := NewMetrics()
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	m.ObserveRuns(temporal, "ns")

	reply := httptest.NewRecorder()
	m.Page().ServeHTTP(reply, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	assert.Equal(t, 200, reply.Code)
	assert.Contains(t, reply.Body.String(), "\nconvilyn_temporal_up 0\n")
	assert.NotContains(t, reply.Body.String(), "convilyn_waiting_questions", "a number that nobody knows")
}

func TestHealthReadinessAndMetrics(t *testing.T) {
	m := NewMetrics()
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	server := httptest.NewServer(m.routes())
	t.Cleanup(server.Close)
	get := func(path string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
		require.NoError(t, err)
		response, err := server.Client().Do(req)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(body)
	}
	status, _ := get("/healthz")
	assert.Equal(t, 200, status)
	m.worker.Store(true)
	status, body := get("/readyz")
	assert.Equal(t, 503, status, "not before work is taken: %s", body)
	m.ready.Store(true)
	status, _ = get("/readyz")
	assert.Equal(t, 200, status)
	temporal := runstest.New()
	m.ObserveRuns(temporal, "ns")
	status, body = get("/readyz")
	assert.Equal(t, 200, status, body)
	temporal.Change(func() { temporal.Fault = errors.New("away, at 10.0.0.1") })
	status, body = get("/readyz")
	assert.Equal(t, 503, status)
	assert.Equal(t, "Temporal does not answer\n", body, "and not where it was looked for")
	m.observe(client.RequestInfo{Method: "GET", Route: "/api/v1/jobs/{job_id}", Status: 200, Duration: time.Second})
	_, body = get("/metrics")
	assert.Contains(t, body, `convilyn_api_request_seconds_count{method="GET",route="/api/v1/jobs/{job_id}",status="200"} 1`)
}
