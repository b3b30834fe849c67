package host

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
)

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
	status, body := get("/readyz")
	assert.Equal(t, 503, status, "not before work is taken: %s", body)
	m.ready.Store(true)
	status, _ = get("/readyz")
	assert.Equal(t, 200, status)
	m.observe(client.RequestInfo{Method: "GET", Route: "/api/v1/jobs/{job_id}", Status: 200, Duration: time.Second})
	_, body = get("/metrics")
	assert.Contains(t, body, `convilyn_api_request_seconds_count{method="GET",route="/api/v1/jobs/{job_id}",status="200"} 1`)
}
