package histories

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
)

// A history is kept for weeks, backed up, and shown to whoever may open Temporal's page.
func TestAHistoryHoldsNoSecretsAndIsShort(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	const words = "WORDS-OF-THE-DOCUMENT"
	path := b.Write("report.md", "# Title\n\n"+words)
	s := b.Open("")
	code, stdout, stderr := b.Run("convert", path, "--to", "html", "-o", b.Out, "--json")
	require.Equal(t, 0, code, stderr)
	done := fixture.Results(t, stdout)[0]
	events := s.History(done.WorkflowID, done.RunID)
	assert.LessOrEqual(t, len(events.Events), 36)
	t.Logf("%d events", len(events.Events))
	raw, err := proto.Marshal(events) // payloads are plain bytes in here, base64 in JSON
	require.NoError(t, err)
	key, err := s.APIKey()
	require.NoError(t, err)
	assert.Contains(t, string(raw), done.JobID, "the search finds what is there")
	for _, secret := range []string{key, "ck_local_", words, "signature", "policy", "X-Amz", s.At.API, "/storage/"} {
		assert.NotContains(t, string(raw), secret)
	}
	log, err := os.ReadFile(filepath.Join(b.Data, "stack.log"))
	require.NoError(t, err)
	for _, secret := range []string{key, words, "signature="} {
		assert.NotContains(t, string(log), secret)
	}
}

// recordings are the paths through ConvertFile whose histories workflows/testdata keeps.
var recordings = map[string]struct {
	faults        string
	name, content string
	target        string
	cancelAt      string // a step
}{
	"completed":             {name: "report.md", content: "# A", target: "html"},
	"retried":               {name: "report.md", content: "# A", target: "html", faults: `rules: [{route: POST /api/v1/upload/presign, count: 3, answer: {status: 503}}]`},
	"adopted":               {name: "report.md", content: "# A", target: "html", faults: `rules: [{route: POST /api/v1/jobs, count: 1, answer: {lose_reply: true}}]`},
	"input-expired":         {name: "report.md", content: "# A", target: "html", faults: `rules: [{route: POST /api/v1/jobs, count: 1, answer: {status: 410, code: FILE_EXPIRED}}]`},
	"job-failed":            {name: "letter.docx", content: "no docx", target: "txt"},
	"refused-before-upload": {name: "report.md", content: "# A", target: "epub"},
	"cancelled-in-download": {name: "report.md", content: "# A", target: "html", cancelAt: activities.StepDownload, faults: `rules: [{route: "GET /storage/**", count: 9, answer: {delay: 1h, status: 503}}]`},
	// The attempt fails after the cancellation, and before its next heartbeat would have told it.
	"cancelled-while-unavailable": {name: "report.md", content: "# A", target: "html", cancelAt: activities.StepUpload, faults: `rules: [{route: POST /api/v1/upload/presign, count: 9, answer: {delay: 300ms, status: 503}}]`},
}

// TestRecordHistories writes recordings to the folder that CONVILYN_RECORD names, for a new path or a new
// release. Recordings that are there stay.
func TestRecordHistories(t *testing.T) {
	faultless := fixture.Shared(t, func(b *fixture.Workspace) *fixture.Stack { return b.Open("") })
	for name, r := range recordings {
		t.Run(name, func(t *testing.T) {
			skipUnlessTaken(t, "convert-file-"+name)
			t.Parallel()
			b := fixture.New(t)
			var s *fixture.Stack
			if r.faults == "" {
				s = faultless(t)
			} else {
				s = b.Open(r.faults)
			}
			format := filepath.Ext(r.name)[1:]
			run := s.Start("convert-"+name, convert.WorkflowType, convert.Input{
				Source: "file://" + b.Write(r.name, r.content), Name: r.name, SourceFormat: format,
				To: activities.Destination{Folder: "file://" + b.Out, Stem: "out", Format: r.target},
			})
			if r.cancelAt != "" {
				s.AwaitStep(run.GetID(), r.cancelAt)
				require.NoError(t, s.Client.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
			}
			err := run.Get(t.Context(), nil)
			assert.Equal(t, r.cancelAt != "", temporal.IsCanceledError(err), "%v", err)
			events := s.History(run.GetID(), run.GetRunID())
			entries, _ := os.ReadDir(b.Out)
			for _, entry := range entries {
				assert.NotContains(t, entry.Name(), ".part", "no half-fetched file is left")
			}
			record(t, "convert-file-"+name, events)
		})
	}
}
