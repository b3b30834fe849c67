package commands

import (
	"net/http"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

func TestMetricsOfAStack(t *testing.T) {
	t.Parallel()
	testkit.SkipIfShort(t, "it runs a stack")
	b := fixture.New(t)
	s := b.Open("")
	for _, path := range []string{"/healthz", "/readyz"} {
		code, body := fixture.Fetch(t, http.MethodGet, s.At.Inbox+path, "", nil)
		assert.Equal(t, http.StatusOK, code, "%s: %s", path, body)
	}

	code, _, stderr := b.Run("convert", b.Write("a.md", "# A"), "--to", "html", "-o", b.Out)
	require.Equal(t, 0, code, stderr)
	code, _, _ = b.Run("convert", b.Write("a.png", "no picture"), "--to", "jpg", "-o", b.Out)
	require.Equal(t, 3, code)
	code, _, stderr = b.Run("batch", filepath.Join(b.In, "*.md"), "--to", "html", "-o", filepath.Join(b.Out, "batch"))
	require.Equal(t, 0, code, stderr)

	wanted := []string{
		`convilyn_files_total\{.*code="",.*lane="turbo",.*outcome="completed",.*\} 1\n`,
		`convilyn_files_total\{.*code="UNSUPPORTED_INPUT",.*lane="turbo",.*outcome="failed",.*\} 1\n`,
		`convilyn_files_total\{.*code="",.*lane="batch",.*outcome="completed",.*\} 1\n`,
		`convilyn_runs_ended_total\{.*lane="batch",.*outcome="completed",.*\} 1\n`,
		`convilyn_open_runs\{lane="batch",state="running"\} 0\n`, `convilyn_waiting_questions 0\n`, `convilyn_dead_letters 0\n`, `convilyn_temporal_up 1\n`,
		`temporal_workflow_completed_total\{`, `convilyn_api_request_seconds_count\{`,
	}
	var page string
	b.Eventually(func() bool { // counters are published once a second
		_, page = fixture.Fetch(t, http.MethodGet, s.At.Inbox+"/metrics", "", b.Bearer())
		for _, line := range wanted {
			if !regexp.MustCompile(line).MatchString(page) {
				return false
			}
		}
		return true
	}, "all figures are there")

	s.Worker.Stop()
	code, body := fixture.Fetch(t, http.MethodGet, s.At.Inbox+"/readyz", "", nil)
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Equal(t, "not taking work\n", body)
}
