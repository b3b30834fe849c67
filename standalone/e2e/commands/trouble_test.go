package commands

import (
	"bufio"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

// marks are the troubles of open runs as 'runs list' has them, by lane.
func marks(t *testing.T, b *fixture.Workspace) map[string]runs.Trouble {
	t.Helper()
	code, stdout, stderr := b.Run("runs", "list", "--state", "running", "--json")
	require.Equal(t, 0, code, stderr)
	found := map[string]runs.Trouble{}
	for lines := bufio.NewScanner(strings.NewReader(stdout)); lines.Scan(); {
		var row struct {
			Lane    string
			Trouble []runs.Trouble
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &row))
		if len(row.Trouble) > 0 {
			found[row.Lane] = row.Trouble[0]
		}
	}
	return found
}

func TestTroubleOfAServiceThatRefusesForEver(t *testing.T) {
	t.Parallel()
	testkit.SkipIfShort(t, "it runs a stack")
	b := fixture.New(t)
	b.Open(`rules: [{route: "POST /api/v1/jobs", probability: 1, answer: {status: 503}}, {route: "POST /api/v1/jobs/goal", probability: 1, answer: {status: 503}}]`)
	file, docs := b.Write("a.md", "# A"), filepath.Join(b.In, "*.md")
	book := b.Write("people.csv", string(testkit.Examples(t, "people.csv")))
	for _, args := range [][]string{
		{"convert", file, "--to", "html", "-o", b.Out},
		{"batch", docs, "--to", "html", "-o", filepath.Join(b.Out, "batch")},
		{"batch", docs, "--to", "html", "-o", filepath.Join(b.Out, "watch"), "--watch", "--settle", "1s", "--name", "w"},
		{"goal", "start", "table_extractor", book, "-o", filepath.Join(b.Out, "goal")},
	} {
		code, _, stderr := b.Run(append(args, "--detach")...)
		require.Equal(t, 0, code, stderr)
	}

	var found map[string]runs.Trouble
	b.Eventually(func() bool { found = marks(t, b); return len(found) == 4 }, "all four are marked")
	for lane, trouble := range found {
		assert.Equal(t, "UNAVAILABLE", trouble.Code, lane)
		assert.GreaterOrEqual(t, trouble.Attempts, 3, lane)
		require.NotNil(t, trouble.Since, lane)
	}
	assert.Contains(t, found["watch"].WorkflowID, "watch-w-", "the wave that the step belongs to")

	code, stdout, _ := b.Run("doctor")
	assert.Equal(t, 2, code)
	assert.Regexp(t, `FAIL  runs .*UNAVAILABLE.*and \d more`, stdout)
	_, stdout, _ = b.Run("runs", "show", "watch-w")
	assert.Regexp(t, `(?m)^trouble  create, \d+ attempts failed since .*UNAVAILABLE`, stdout)
}

func TestTroubleOfAWorkerThatIsGone(t *testing.T) {
	t.Parallel()
	testkit.SkipIfShort(t, "it runs a stack")
	b := fixture.New(t)
	s := b.Open("")
	s.Worker.Stop()
	code, _, stderr := b.Run("convert", b.Write("a.md", "# A"), "--to", "html", "-o", b.Out, "--detach")
	require.Equal(t, 0, code, stderr)
	b.Eventually(func() bool { return marks(t, b)["turbo"].Code == runs.CodeNoWorker }, "it is marked")

	code, stdout, stderr := b.Run("doctor")
	assert.Equal(t, 2, code, stderr)
	assert.Contains(t, stdout, "remedy: start a worker")
}
