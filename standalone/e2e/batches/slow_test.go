package batches

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// holding shows the job for txt as it was when it was created, until so many others have been created.
func holding(others int32) func(http.Handler) http.Handler {
	var created atomic.Int32
	var slow, shown atomic.Value // its path, and its JSON
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPost && r.URL.Path == client.PathJobs:
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				if bytes.Contains(body, []byte(`"txt"`)) {
					reply := httptest.NewRecorder()
					next.ServeHTTP(reply, r)
					var job client.WireJob
					_ = json.Unmarshal(reply.Body.Bytes(), &job)
					shown.Store(reply.Body.Bytes())
					slow.Store(client.PathJobs + "/" + job.JobID)
					maps.Copy(w.Header(), reply.Header())
					w.WriteHeader(reply.Code)
					_, _ = w.Write(reply.Body.Bytes())
					return
				}
				created.Add(1)
			case r.URL.Path == slow.Load() && created.Load() < others:
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write(shown.Load().([]byte))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// A file that takes many times longer than the others is carried over continue-as-new: it neither stalls them nor is
// converted twice.
func TestASlowFileIsCarriedOver(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.OpenChanged(func(o *stack.Options) {
		o.Faults = fixture.Faults(t, `rules: [{job: md txt, nth: 1, answer: {slow: 3s}}]`) // so that it is looked at
		o.Around = holding(60)
	})
	const others = 120
	var list strings.Builder
	line := func(source, to string) {
		data, err := json.Marshal(map[string]string{"source": source, "to": to})
		require.NoError(t, err)
		fmt.Fprintf(&list, "%s\n", data)
	}
	line(b.Write("slow.md", "# Slow"), "txt")
	for i := range others {
		line(b.Write(fmt.Sprintf("doc-%03d.md", i), fmt.Sprintf("# Document %d", i)), "html")
	}
	spec := manifest.Spec{Source: b.Write("list.jsonl", list.String()), Output: b.Out}
	const id, maxEvents = "batch-slow", 150
	run, err := s.Client.ExecuteWorkflow(t.Context(), temporalclient.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue},
		batch.WorkflowType, batch.Input{Name: "slow", Spec: spec, Concurrency: 4, MaxEvents: maxEvents})
	require.NoError(t, err)
	var result batch.Result
	require.NoError(t, run.Get(t.Context(), &result))
	assert.Equal(t, others+1, result.Summary.Completed)
	assert.Greater(t, result.Runs, 5)
	assert.Less(t, result.LargestHistory, 2*maxEvents)

	lines := b.Report()
	require.Len(t, lines, others+1)
	slow, meanwhile := lines[0], 0
	for _, line := range lines[1:] {
		if line.StartedAt.After(slow.StartedAt) && line.EndedAt.Before(slow.EndedAt) {
			meanwhile++
		}
	}
	t.Logf("the slow file took %s, %d others came and went meanwhile; %d histories, %d events the largest",
		slow.EndedAt.Sub(slow.StartedAt), meanwhile, result.Runs, result.LargestHistory)
	assert.Greater(t, meanwhile, 20, "more than fit into two histories")
	jobs, err := s.APIClient().Convert.List(t.Context(), client.ListParams{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, others+1, jobs.Total)
}
