package batches

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

const slowly = `rules: [{route: POST /api/v1/jobs, probability: 1, answer: {delay: 100ms}}]`

// Somebody tidies up the folder of the outputs in the middle of a batch. It goes on, and has lost what was removed alone.
func TestABatchOutlivesItsOutputFolder(t *testing.T) {
	testkit.SkipIfShort(t, "it converts by a stack")
	t.Parallel()
	b := fixture.New(t)
	s := b.Open(slowly)
	const files = 40
	b.Documents(files)
	run := s.Start("batch-tidied", batch.WorkflowType, batch.Input{
		Name: "tidied", Spec: manifest.Spec{Source: b.In, Output: b.Out, To: "html"}, Concurrency: 4,
	})
	b.Eventually(func() bool { return s.BatchProgress("batch-tidied").Completed > 5 }, "some are done")
	require.NoError(t, os.Rename(b.Out, b.Out+"-away")) // at one blow: files come all the time

	var result batch.Result
	require.NoError(t, run.Get(t.Context(), &result))
	assert.Equal(t, batch.ResultCompleted, result.Status)
	lines := b.Report()
	assert.Len(t, lines, files)
	for _, line := range lines {
		assert.Equal(t, manifest.StatusCompleted, line.Status)
	}
	assert.Equal(t, files, s.Jobs())
	assert.NoDirExists(t, filepath.Join(b.Out, ".convilyn"))
}

// A plan that is gone all the same ends the batch, cancelled or not; and the same command takes it up from what is there.
func TestABatchWhosePlanIsGone(t *testing.T) {
	testkit.SkipIfShort(t, "it converts by a stack")
	for _, cancel := range []bool{false, true} {
		t.Run(fmt.Sprintf("cancelled %t", cancel), func(t *testing.T) {
			if !cancel {
				testkit.SkipLong(t, "one that is cancelled writes its report, too")
			}
			t.Parallel()
			b := fixture.New(t)
			b.Documents(30)
			faults := filepath.Join(b.In, "..", "slow.yml")
			require.NoError(t, os.WriteFile(faults, []byte(slowly), 0o600))
			up, c := b.Up("--faults", faults)
			t.Cleanup(func() { _ = up.Process.Kill(); _ = up.Wait() })
			code, id, stderr := b.Run("batch", b.In, "--to", "html", "-o", b.Out, "--concurrency", "1", "--detach") // so that it does not end before it is paused
			require.Zero(t, code, stderr)
			id = id[:len(id)-1]
			b.Eventually(func() bool { return c.BatchProgress(id).Completed > 3 }, "some are done")
			c.Signal(id, batch.SignalPause, batch.Steering{})
			plans, err := filepath.Glob(filepath.Join(b.Data, "batches", "*", "*", "*"))
			require.NoError(t, err)
			require.Len(t, plans, 1)
			require.NoError(t, os.RemoveAll(plans[0]))
			if cancel {
				code, _, stderr = b.Run("runs", "cancel", id)
				assert.Zero(t, code, stderr)
			} else {
				c.Signal(id, batch.SignalResume, batch.Steering{})
				code, _, stderr = b.Run("runs", "watch", id)
				assert.Equal(t, cli.ExitJobFailed, code, stderr)
			}
			_, stdout, stderr := b.Run("runs", "show", id)
			assert.Contains(t, stdout+stderr, activities.CodePlanMissing)
			assert.Contains(t, stdout+stderr, plans[0])
			made := len(b.Report())
			assert.GreaterOrEqual(t, made, 4)

			code, _, stderr = b.Run("batch", b.In, "--to", "html", "-o", b.Out)
			require.Zero(t, code, stderr)
			assert.Contains(t, stderr, "current", "what was made before is known")
			lines := b.Report()
			assert.Len(t, lines, 30)
			for _, line := range lines {
				assert.NotEmpty(t, line.Outputs, line.Source)
			}
		})
	}
}
