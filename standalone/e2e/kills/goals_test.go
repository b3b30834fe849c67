package kills

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// The README's story: a goal on real files stops at a question, everything is killed with -9, comes up again, and
// is answered by a program that has nothing of ours.
func TestAGoalIsKilledAndAnsweredFromOutside(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	outsider := filepath.Join(t.TempDir(), "signal")
	inProject(t, "go", "build", "-o", outsider, "./examples/signal")
	imports := inProject(t, "go", "list", "-deps", "./examples/signal")
	for _, ours := range []string{"/workflows", "/activities", "/client\n", "/internal"} {
		assert.NotContains(t, imports, "convilyn-temporal"+ours)
	}
	args := []string{"goal", "start", "document_binder", "-o", b.Out, "--name", "Papers", "--json"}
	for _, name := range []string{"report.md", "letter.docx"} {
		args = append(args, b.Write(name, string(testkit.Examples(t, name))))
	}
	process := b.Command(append(args, "--wait")...)
	require.NoError(t, process.Start())
	var id string
	require.Eventually(t, func() bool { id = waitingRun(t, b); return id != "" }, testkit.Patience, 50*time.Millisecond)
	require.NoError(t, process.Process.Kill())
	_ = process.Wait()

	up, c := b.Up()
	t.Cleanup(func() { c.Client.Close(); _ = up.Process.Kill(); _ = up.Wait() })
	at, err := stack.LoadAddresses(b.Data)
	require.NoError(t, err)
	tell := func(slotID string, value any) {
		raw, err := json.Marshal(value)
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), outsider, at.Temporal, id, slotID, string(raw))
		cmd.Env = append(os.Environ(), "TEMPORAL_TLS=false", "TEMPORAL_API_KEY="+b.AccessKey())
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
	files := c.Order(id)
	tell("title", "Papers of the week")
	tell("order", []string{files[1], files[0]})
	tell("paper", "a4")
	c.AwaitQuestion(id, "cover")
	tell("cover", "approve")
	code, stdout, stderr := b.Run(args...) // the same command finds the same run, and its end
	require.Equal(t, 0, code, stderr)
	var line struct {
		Status  string `json:"status"`
		Outputs []struct {
			Path string `json:"path"`
		} `json:"outputs"`
		Answers []questions.Receipt `json:"answers"`
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &line))
	assert.Equal(t, "completed", line.Status)
	require.Len(t, line.Outputs, 1)
	assert.Len(t, line.Answers, 4)
	document, err := os.ReadFile(line.Outputs[0].Path)
	require.NoError(t, err)
	text := testkit.PDFText(t, testkit.PDF(t), document)
	assert.Contains(t, text, "Papers of the week")
	assert.Regexp(t, `(?s)Dear.*Quarterly`, text, "the letter comes first, as it was told")
}

// inProject runs a command in the project's folder and returns what it prints.
func inProject(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = "../../.."
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return string(output)
}

// waitingRun is the id of the run that waits on a stack of another process; empty as long as there is none.
func waitingRun(t *testing.T, b *fixture.Workspace) string {
	t.Helper()
	at, err := stack.LoadAddresses(b.Data)
	if err != nil {
		return ""
	}
	c, err := temporalclient.Dial(b.TemporalOptions(at.Temporal))
	if err != nil {
		return ""
	}
	defer c.Close()
	runs, err := (&fixture.Runs{T: t, Client: c}).RunsClient().Waiting(t.Context(), 1)
	if err != nil || len(runs) == 0 {
		return ""
	}
	return runs[0].ID
}

// Everything dies by kill -9, the service included, again and again while goals run: in the end each has one job
// and its whole result.
func TestGoalsSurviveKillsOfEverything(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	runs, kills := 4, []int{0, 2}
	if fixture.All("KILLS") {
		runs, kills = 8, []int{0, 2, 5}
	}
	process, c := b.Up()
	all, one := 0.0, b.GoalInput(2)
	one.Policy.Default = questions.Policy{AcceptAbove: &all} // takes whatever is suggested
	for n := range runs {
		input := one
		input.To.Folder += fmt.Sprintf("/%d", n)
		c.StartGoal(fmt.Sprintf("killed-%d", n), input)
	}
	for _, done := range kills {
		awaitCompleted(t, c.Client, runs, done)
		require.NoError(t, process.Process.Kill())
		_ = process.Wait()
		c.Client.Close()
		process, c = b.Up()
	}
	t.Cleanup(func() { c.Client.Close(); _ = process.Process.Kill(); _ = process.Wait() })
	at, err := stack.LoadAddresses(b.Data)
	require.NoError(t, err)
	api := fixture.APIClient(t, at.API, b.Data)
	for n := range runs {
		var result goal.Result
		require.NoError(t, c.Client.GetWorkflow(t.Context(), fmt.Sprintf("killed-%d", n), "").Get(t.Context(), &result))
		assert.Equal(t, goal.ResultCompleted, result.Status)
		require.Len(t, result.Outputs, 1)
		document, err := os.ReadFile(result.Outputs[0].Path)
		require.NoError(t, err)
		assert.Equal(t, result.Outputs[0].SHA256, sumOf(document))
		jobs, err := api.Goals.FindByFile(t.Context(), result.FileIDs[0])
		require.NoError(t, err)
		assert.Len(t, jobs, 1)
		for _, receipt := range result.Answers {
			assert.True(t, receipt.Automatic)
			assert.Equal(t, questions.VerdictAccepted, receipt.Verdict, "%s: %s", receipt.SlotID, receipt.Reason)
		}
	}
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// awaitCompleted waits until so many of the runs are done, and not until all are.
func awaitCompleted(t *testing.T, c temporalclient.Client, runs, done int) {
	t.Helper()
	require.Eventually(t, func() bool {
		completed := 0
		for n := range runs {
			description, err := c.DescribeWorkflowExecution(t.Context(), fmt.Sprintf("killed-%d", n), "")
			if err == nil && description.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
				completed++
			}
		}
		return completed >= done
	}, testkit.Patience, 20*time.Millisecond)
}
