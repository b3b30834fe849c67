package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	temporalclient "go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
)

// historyOf reads the whole history of a run.
func historyOf(t *testing.T, s *stack, workflowID, runID string) *history.History {
	t.Helper()
	events := s.client.GetWorkflowHistory(t.Context(), workflowID, runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	out := &history.History{}
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		out.Events = append(out.Events, event)
	}
	return out
}

// A history is kept for weeks, backed up, and shown to whoever may open Temporal's page.
func TestAHistoryHoldsNoSecretsAndIsShort(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const words = "WORDS-OF-THE-DOCUMENT"
	path := b.write("report.md", "# Title\n\n"+words)
	s := b.open("")
	code, stdout, stderr := b.run("convert", path, "--to", "html", "-o", b.out, "--json")
	require.Equal(t, 0, code, stderr)
	done := results(t, stdout)[0]
	events := historyOf(t, s, done.WorkflowID, done.RunID)
	assert.LessOrEqual(t, len(events.Events), 36)
	t.Logf("%d events", len(events.Events))
	raw, err := proto.Marshal(events) // payloads are plain bytes in here, base64 in JSON
	require.NoError(t, err)
	key, err := s.apiKey()
	require.NoError(t, err)
	assert.Contains(t, string(raw), done.JobID, "the search finds what is there")
	for _, secret := range []string{key, "ck_local_", words, "signature", "policy", "X-Amz", s.at.API, "/storage/"} {
		assert.NotContains(t, string(raw), secret)
	}
	log, err := os.ReadFile(filepath.Join(b.data, "stack.log"))
	require.NoError(t, err)
	for _, secret := range []string{key, words, "signature="} {
		assert.NotContains(t, string(log), secret)
	}
}

// recordings are the paths through ConvertFile whose histories workflows/testdata keeps.
var recordings = map[string]struct {
	faults         string
	name, content  string
	target         string
	cancelAtFaults bool
}{
	"completed":             {name: "report.md", content: "# A", target: "html"},
	"retried":               {name: "report.md", content: "# A", target: "html", faults: `rules: [{route: POST /api/v1/upload/presign, count: 3, answer: {status: 503}}]`},
	"adopted":               {name: "report.md", content: "# A", target: "html", faults: `rules: [{route: POST /api/v1/jobs, count: 1, answer: {lose_reply: true}}]`},
	"input-expired":         {name: "report.md", content: "# A", target: "html", faults: `rules: [{route: POST /api/v1/jobs, count: 1, answer: {status: 410, code: FILE_EXPIRED}}]`},
	"job-failed":            {name: "letter.docx", content: "no docx", target: "txt"},
	"refused-before-upload": {name: "report.md", content: "# A", target: "epub"},
	"cancelled-in-download": {name: "report.md", content: "# A", target: "html", cancelAtFaults: true, faults: `rules: [{route: "GET /storage/**", count: 9, answer: {delay: 1h, status: 503}}]`},
}

// TestRecordHistories writes recordings to the folder that CONVILYN_RECORD names, for a new path or a new
// release. Recordings that are there stay.
func TestRecordHistories(t *testing.T) {
	for name, r := range recordings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			s := b.open(r.faults)
			format := filepath.Ext(r.name)[1:]
			run, err := s.client.ExecuteWorkflow(t.Context(), temporalclient.StartWorkflowOptions{ID: "convert-" + name, TaskQueue: workflows.TaskQueue},
				convert.WorkflowType, convert.Input{
					Source: "file://" + b.write(r.name, r.content), Name: r.name, SourceFormat: format,
					To: activities.Destination{Folder: "file://" + b.out, Stem: "out", Format: r.target},
				})
			require.NoError(t, err)
			if r.cancelAtFaults {
				awaitStep(t, s, run, activities.StepDownload)
				require.NoError(t, s.client.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
			}
			_ = run.Get(t.Context(), nil)
			events := historyOf(t, s, run.GetID(), run.GetRunID())
			entries, _ := os.ReadDir(b.out)
			for _, entry := range entries {
				assert.NotContains(t, entry.Name(), ".part", "no half-fetched file is left")
			}
			record(t, "convert-file-"+name, events)
		})
	}
}

func awaitStep(t *testing.T, s *stack, run temporalclient.WorkflowRun, step string) {
	t.Helper()
	require.Eventually(t, func() bool {
		value, err := s.client.QueryWorkflow(t.Context(), run.GetID(), run.GetRunID(), workflows.QueryStatus)
		var status convert.Status
		return err == nil && value.Get(&status) == nil && status.Step == step
	}, time.Minute, 50*time.Millisecond)
}
