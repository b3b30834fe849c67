package batch_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// A batch whose plan is gone ends, and its report has what its run knows.
func TestBatch_WithoutItsPlan(t *testing.T) {
	for name, row := range map[string]struct {
		files, shard int
		lacks        bool // files of an earlier history
	}{
		"in one history": {files: 150},
		"in several":     {files: 300, lacks: true},
		"in shards":      {files: 500, shard: 100},
	} {
		t.Run(name, func(t *testing.T) {
			r := newBatchRun(row.files)
			input := r.input()
			if row.shard > 0 {
				input = r.sharded(row.shard)
			}
			if row.lacks {
				r.in(15*time.Second, func(r *batchRun) { r.SetContinueAsNewSuggested(true) })
			}
			r.in(35*time.Second, func(r *batchRun) { r.set(&r.gone, true) })
			_, err := r.play(t, input)
			failure, known := activities.FailureOf(err)
			require.True(t, known, "%v", err)
			assert.Equal(t, activities.CodePlanMissing, failure.Code)
			assert.False(t, r.reported)
			require.NotEmpty(t, r.salvaged)

			unknown, made := 0, 0
			for i := range r.outputs {
				made++
				entry := r.salvaged[i]
				if entry == nil {
					unknown++
					continue
				}
				assert.Equal(t, manifest.StatusCompleted, entry.Status, "%d", i)
				assert.NotEmpty(t, entry.Outputs)
			}
			assert.Equal(t, row.lacks, unknown > 0, "%d of %d are not known", unknown, made)
			text := "/out/docs-to-html.report.jsonl has all that had ended"
			if row.lacks {
				text = "since nothing else knew of them"
			}
			if row.shard == 0 { // what a shard has written into parts is known to nobody
				assert.ErrorContains(t, err, text)
			}
		})
	}
}

func TestBatch_CancelledWithoutItsPlanEnds(t *testing.T) {
	r := newBatchRun(200)
	r.in(10*time.Second, func(r *batchRun) {
		r.set(&r.gone, true)
		r.CancelWorkflow()
	})
	_, err := r.play(t, r.input())
	require.True(t, temporal.IsCanceledError(err), "%v", err)
	assert.Contains(t, cancelledResult(t, err).Reason, activities.CodePlanMissing)
	assert.NotEmpty(t, r.salvaged)
}

// Whoever cancels a batch does not wait for room on a disk.
func TestBatch_CancelledWithoutRoomForItsReportEnds(t *testing.T) {
	r := newBatchRun(50)
	r.in(10*time.Second, func(r *batchRun) {
		r.set(&r.full, true)
		r.CancelWorkflow()
	})
	_, err := r.play(t, r.input())
	require.True(t, temporal.IsCanceledError(err), "%v", err)
	result := cancelledResult(t, err)
	assert.Contains(t, result.Reason, activities.CodeDiskFull)
	assert.Empty(t, result.Summary.Report)
}

func cancelledResult(t *testing.T, err error) (result batch.Result) {
	t.Helper()
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, err, &cancelled)
	require.NoError(t, cancelled.Details(&result))
	return result
}
