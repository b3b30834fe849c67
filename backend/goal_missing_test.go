package backend_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/backend/engines/pdf"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// A goal sees what the service's engines refuse, and goes on with the rest.
func TestABinderLeavesOutWhatCannotBeConverted(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	s := testkit.StartService(t, testkit.WithEngines(builtIn(t)...))
	files := []string{upload(t, s, "good.md", "# Good").FileID, upload(t, s, "bad.docx", "no docx").FileID, upload(t, s, "table.csv", "a,b\n1,2\n").FileID}
	id := start(t, s, binder(files...)).JobSpecID
	until(t, s, id, client.GoalReady)
	require.Equal(t, 202, act(t, s, id, "confirm", "{}").Status)
	job := until(t, s, id, client.GoalPartial)
	assert.Regexp(t, `^bad\.docx: [^;]*docx[^;]*$`, *job.ErrorMessage, "the table is set by way of HTML")
	assert.Contains(t, *job.AgentMessage, "Bound 2 documents")
}

// binder is a request to bind files, with all answers.
func binder(files ...string) string {
	all := `["` + strings.Join(files, `","`) + `"]`
	return `{"workflowId":"goal_lane.document_binder","fileIds":` + all + `,"slotAnswers":[{"slotId":"title","value":"T"},
		{"slotId":"order","value":` + all + `},{"slotId":"paper","value":"a4"},{"slotId":"cover","value":"no_cover"}]}`
}

// builtIn are the engines that every service has.
func builtIn(t *testing.T) []engines.Engine {
	t.Helper()
	return []engines.Engine{text.New(), tables.New(), images.New(), pdf.New(pdfCache(t))}
}

// pdfCache is where what the PDF engine compiles once is kept for all tests.
func pdfCache(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	return filepath.Join(cache, "convilyn")
}
