package commands

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
)

// A data folder that has seen tomorrow is one whose clock was set back by a day. Nothing waits, and everybody is told.
func TestAStartWithAClockThatIsADayBehind(t *testing.T) {
	t.Parallel()
	testkit.SkipIfShort(t, "it runs a stack")
	b := fixture.New(t)
	require.NoError(t, os.MkdirAll(b.Data, 0o700))
	tomorrow := time.Now().Add(24 * time.Hour)
	require.NoError(t, os.WriteFile(filepath.Join(b.Data, "clock.json"), []byte(`{"now":"`+tomorrow.Format(time.RFC3339Nano)+`"}`), 0o600))
	s := b.Open("")

	code, _, stderr := b.Run("batch", filepath.Dir(b.Write("a.md", "# A")), "--to", "html", "-o", b.Out)
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stderr, "the clock of this machine was set back")
	var runs *workflowservice.ListWorkflowExecutionsResponse
	b.Eventually(func() bool {
		var err error
		runs, err = s.Temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: stack.Namespace})
		require.NoError(t, err)
		return len(runs.GetExecutions()) > 0
	}, "lists follow")
	assert.True(t, runs.GetExecutions()[0].GetStartTime().AsTime().After(tomorrow.Add(-time.Minute)), "by Temporal's own clock")

	_, page := fixture.Fetch(t, http.MethodGet, s.At.Inbox+"/metrics", "", b.Bearer())
	assert.Regexp(t, `convilyn_clock_ahead_seconds 8(6400|63\d\d\.)`, page)
	code, stdout, _ := b.Run("doctor")
	assert.Equal(t, 2, code)
	assert.Regexp(t, `FAIL  clock +the clock of this machine was set back: it is (24 h|23 h 59 min) behind`, stdout)
	assert.Contains(t, stdout, "remedy: if the clock is wrong, set it right")
}
