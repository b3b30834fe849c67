package batch_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// crowded converts nothing until somebody has been refused, which gone tells.
func crowded(gone <-chan struct{}) engines.Engine {
	e := text.New()
	convert := e.Convert
	e.Convert = func(ctx context.Context, in engines.Request) (engines.Result, error) {
		select {
		case <-gone:
			return convert(ctx, in)
		case <-ctx.Done():
			return engines.Result{}, ctx.Err()
		}
	}
	return e
}

type statusWatch struct {
	http.ResponseWriter
	seen func(status int)
}

func (w *statusWatch) WriteHeader(status int) {
	w.seen(status)
	w.ResponseWriter.WriteHeader(status)
}

// The real steps against a service that has room for four conversions at once.
func TestABatchFindsItsPaceWithACrowdedService(t *testing.T) {
	testkit.SkipIfShort(t, "it converts 600 files")
	const files, atOnce = 300, 8 // more than go through while those that were refused pause
	for name, answer := range map[string]string{
		"asks for a pause":   "{status: 429, retry_after: 1}",
		"says that it's 429": "{status: 429}",
	} {
		t.Run(name, func(t *testing.T) {
			if name != "asks for a pause" {
				testkit.SkipLong(t, "the pace is found by pauses, too")
			}
			gone := make(chan struct{})
			service := testkit.StartService(t, testkit.WithEngines(crowded(gone)), testkit.WithFaults(t, `
ignore_idempotency: true
rules: [{job: "* *", above: 4, answer: `+answer+`}]
`))
			refused := sync.OnceFunc(func() { close(gone) })
			service.Around(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					next.ServeHTTP(&statusWatch{ResponseWriter: w, seen: func(status int) {
						if status == http.StatusTooManyRequests {
							refused()
						}
					}}, r)
				})
			})
			in, out := t.TempDir(), t.TempDir()
			for i := range files {
				require.NoError(t, os.WriteFile(filepath.Join(in, fmt.Sprintf("%02d.md", i)), []byte("# A"), 0o600))
			}
			env := workflowtest.NewEnvironment()
			workflows.Register(env)
			env.RegisterActivity(activities.New(activities.API{Files: service.Client.Files, Convert: service.Client.Convert, Support: service.Client}, 200*time.Millisecond, nil))
			var windows []int
			throttled := 0
			env.SetOnActivityCompletedListener(func(*activity.Info, converter.EncodedValue, error) {
				value, err := env.QueryWorkflow(batch.QueryProgress)
				var p batch.Progress
				if assert.NoError(t, err) && assert.NoError(t, value.Get(&p)) {
					windows, throttled = append(windows, p.Window), p.Throttled
				}
			})
			env.ExecuteWorkflow(batch.WorkflowType, batch.Input{
				Name: "crowd", Spec: activities.BatchSpec{Source: in, Output: out, To: "html"}, Concurrency: atOnce,
			})
			require.NoError(t, env.GetWorkflowError(), name)
			var result batch.Result
			require.NoError(t, env.GetWorkflowResult(&result))
			assert.Equal(t, files, result.Summary.Completed, name)
			page, err := service.Client.Convert.List(t.Context(), client.ListParams{})
			require.NoError(t, err)
			assert.Equal(t, files, page.Total, "%s: a job a file", name)

			windows = slices.Compact(windows)
			t.Logf("%s: %d refusals; files at once: %v", name, throttled, windows)
			assert.Positive(t, throttled, "what was refused is told")
			narrowed, widened := 0, 0
			for i := 1; i < len(windows); i++ {
				if windows[i] < windows[i-1] {
					narrowed++
				} else if narrowed > 0 {
					widened++
				}
			}
			assert.Positive(t, narrowed, "%s: it made way", name)
			assert.Positive(t, widened, "%s: and came back", name)
		})
	}
}
