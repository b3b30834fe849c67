package workflows_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// Runs that were recorded on a real server must replay: a run that began under an older version of this code
// goes on under this one. Where one does not, use workflow.GetVersion; the recordings stay as they are.
func TestRecordedRunsReplay(t *testing.T) {
	recordings, err := filepath.Glob(filepath.Join("testdata", "history", "*.json"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, path := range recordings {
		name := filepath.Base(path)
		names[name] = true
		t.Run(name, func(t *testing.T) {
			replayer := worker.NewWorkflowReplayer()
			workflows.Register(replayer)
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			history, err := client.HistoryFromJSON(bytes.NewReader(data), client.HistoryJSONOptions{})
			require.NoError(t, err)
			// Some name their children after themselves.
			started := history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
			require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(logging.ForTemporal(zap.NewNop()), history, worker.ReplayWorkflowHistoryOptions{
				OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId()},
			}))
			assert.NotContains(t, string(data), "ck_local_")
			assert.NotContains(t, string(data), "signature=")
		})
	}
	for _, path := range []string{"completed", "retried", "adopted", "input-expired", "job-failed", "cancelled-in-download", "cancelled-while-unavailable", "refused-before-upload", "loss-kept", "loss-refused"} {
		assert.True(t, names["convert-file-"+path+".json"], "no recording of the path %q", path)
	}
	for _, path := range []string{
		"answered", "answered-by-signal", "answered-at-the-start", "answered-elsewhere", "suggestion-accepted", "timed-out-to-default", "timed-out-and-failed",
		"timed-out-and-cancelled", "escalated", "cancelled", "retried", "retried-in-vain", "continued-as-new", "continued-as-new-then",
		"preview-approved", "preview-rejected", "start-adopted", "start-dropped", "start-stopped", "start-again", "start-ambiguous-after-refusal", "trouble-mended", "notified",
		"answered-one-by-one", "answer-refused", "preset-invalid", "confirmed", "confirmed-knowing-credits", "not-confirmed", "confirmed-unshown", "confirmed-again", "stuck-waited-cancelled", "stuck-ended-elsewhere",
		"notified-in-turn", // before version 1 of ask-then-tell
		"notified-together",
	} {
		assert.True(t, names["run-goal-"+path+".json"], "no recording of the path %q", path)
	}
	for _, path := range []string{"completed", "continued-as-new", "continued-as-new-then", "steered", "trouble-mended", "retried", "partial", "split", "split-steered", "refused-at-random", "refused-at-random-then", "plan-missing", "plan-missing-split", "losses", "losses-then"} {
		assert.True(t, names["convert-batch-"+path+".json"], "no recording of the path %q", path)
	}
	for _, path := range []string{"split", "split-steered"} {
		assert.True(t, names["convert-shard-"+path+".json"], "no recording of the path %q", path)
	}
	for _, path := range []string{"cancelled", "paused", "continued-as-new", "continued-as-new-then"} {
		assert.True(t, names["watch-folder-"+path+".json"], "no recording of the path %q", path)
	}
	assert.True(t, names["notify-delivered.json"])
}
