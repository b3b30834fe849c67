package histories

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// The plan is removed under a batch, which ends with a report of what its run knows.
func TestRecordABatchWhosePlanIsGone(t *testing.T) {
	testkit.SkipIfShort(t, "it converts by a stack")
	t.Parallel()
	for name, shard := range map[string]int{"plan-missing": 0, "plan-missing-split": 10} {
		t.Run(name, func(t *testing.T) {
			skipUnlessTaken(t, "convert-batch-"+name)
			t.Parallel()
			b := fixture.New(t)
			s := b.Open(`rules: [{route: POST /api/v1/jobs, probability: 1, answer: {delay: 50ms}}]`)
			b.Documents(40)
			id := "batch-" + name
			run := s.Start(id, batch.WorkflowType, batch.Input{
				Name: name, Spec: manifest.Spec{Source: b.In, Output: b.Out, To: "html", MarkEvery: shard}, Concurrency: 4, ShardItems: shard,
			})
			b.Eventually(func() bool { return b.Outputs(".html") > 3 }, "some are done")
			plans, err := filepath.Glob(filepath.Join(b.Data, "batches", "*", "*", "*"))
			require.NoError(t, err)
			require.Len(t, plans, 1)
			require.NoError(t, os.RemoveAll(plans[0]))

			failure, known := activities.FailureOf(run.Get(t.Context(), nil))
			require.True(t, known)
			assert.Equal(t, activities.CodePlanMissing, failure.Code)
			assert.NotEmpty(t, b.Report())
			record(t, "convert-batch-"+name, s.History(id, run.GetRunID()))
		})
	}
}
