package batch_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// at is between two steps: what begins at a whole second can be asked then.
func (r *batchRun) at(after time.Duration, do func(r *batchRun)) {
	r.in(after+500*time.Millisecond, do)
}

// set lets what the service refuses succeed, or not, from now on.
func (r *batchRun) set(broken *bool, to bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*broken = to
}

// whole is the progress of a batch and its shards.
func (r *batchRun) whole(t *testing.T) batch.Progress {
	t.Helper()
	p := r.progress(t)
	var shards []batch.Progress
	for _, s := range p.Shards {
		value, err := r.QueryWorkflowByID(s.WorkflowID, batch.QueryProgress)
		require.NoError(t, err)
		var one batch.Progress
		require.NoError(t, value.Get(&one))
		assert.LessOrEqual(t, one.Total, s.Items)
		shards = append(shards, one)
	}
	return p.Sum(shards)
}

func flying(p batch.Progress) int {
	n := 0
	for _, of := range p.InFlight {
		n += of
	}
	return n
}

func TestALargeBatchIsSplit(t *testing.T) {
	r := newBatchRun(430)
	most, ids := 0, map[string]bool{}
	for at := range 200 {
		r.at(time.Duration(at+1)*time.Second, func(r *batchRun) {
			p := r.whole(t)
			most = max(most, flying(p))
			assert.LessOrEqual(t, flying(p), 10)
			assert.LessOrEqual(t, len(p.Shards), 4)
			assert.Equal(t, 430, p.Total)
			for _, s := range p.Shards {
				ids[s.WorkflowID] = true
			}
		})
	}
	result, err := r.play(t, r.sharded(50))
	require.NoError(t, err)
	assert.Equal(t, batch.ResultCompleted, result.Status)
	assert.Equal(t, 430, result.Summary.Completed)
	assert.Equal(t, 10, result.Runs, "nine shards and the batch")
	assert.Len(t, ids, 9)
	assert.Equal(t, 10, most, "the shards share the bound and use it up")
	r.once(t)
	p := r.whole(t)
	assert.Equal(t, 430, p.Completed)
	assert.Equal(t, int64(430*20), p.BytesOut)
	sampled := 0
	for _, s := range p.Throughput {
		sampled += s.Done
	}
	assert.Equal(t, 430, sampled)
}

func TestASplitBatchIsSteered(t *testing.T) {
	r := newBatchRun(600)
	r.at(10*time.Second, func(r *batchRun) { r.SignalWorkflow(batch.SignalPause, batch.Steering{By: "ada"}) })
	var held int
	r.at(20*time.Second, func(r *batchRun) {
		p := r.whole(t)
		held = p.Completed
		assert.Equal(t, run.StatePaused, p.State)
		assert.Positive(t, held)
		assert.Zero(t, flying(p))
	})
	r.at(5*time.Hour, func(r *batchRun) {
		assert.Equal(t, held, r.whole(t).Completed)
		r.SignalWorkflow(batch.SignalSetConcurrency, batch.Steering{Concurrency: 2})
		r.SignalWorkflow(batch.SignalResume, nil)
	})
	for at := range 10 {
		r.at(5*time.Hour+time.Duration(at+1)*time.Second, func(r *batchRun) {
			assert.LessOrEqual(t, flying(r.whole(t)), 2, "two of four shards begin nothing")
		})
	}
	r.at(5*time.Hour+15*time.Second, func(r *batchRun) {
		r.SignalWorkflow(batch.SignalSetConcurrency, batch.Steering{Concurrency: 40})
	})
	wide := 0
	r.at(5*time.Hour+20*time.Second, func(r *batchRun) { wide = flying(r.whole(t)) })
	result, err := r.play(t, r.sharded(100))
	require.NoError(t, err)
	assert.Equal(t, 600, result.Summary.Completed)
	assert.Greater(t, wide, 10)
	r.once(t)
}

// What has failed in shards that have ended is tried again at once, what fails in those that run when they have ended;
// nothing is tried by two.
func TestRetriesInASplitBatchReachEveryShard(t *testing.T) {
	r := newBatchRun(500)
	broken := true
	tried := map[int]int{}
	r.refusals = func(step string, i int) error {
		if step != activities.StepCreate || i%7 != 0 {
			return nil
		}
		tried[i]++
		if broken {
			return workflowtest.Refusal(activities.FailureConversion, "BAD_FILE")
		}
		return nil
	}
	r.at(70*time.Second, func(r *batchRun) {
		p := r.whole(t)
		require.Positive(t, p.Failed)
		require.Less(t, p.Completed+p.Failed, 500)
		require.NotEmpty(t, p.Failures)
		assert.Equal(t, p.Failed, p.Failures[0].Count)
		r.set(&broken, false)
		r.SignalWorkflow(batch.SignalRetryFailed, batch.Steering{Codes: []string{"BAD_FILE"}})
		r.SignalWorkflow(batch.SignalRetryFailed, batch.Steering{Codes: []string{"OTHER"}})
	})
	result, err := r.play(t, r.sharded(100))
	require.NoError(t, err)
	assert.Equal(t, batch.ResultCompleted, result.Status)
	assert.Equal(t, 500, result.Summary.Completed)
	for i := range r.items {
		assert.Equal(t, 1, r.outputs[i], i)
		assert.LessOrEqual(t, tried[i], 2, i)
	}
	p := r.whole(t)
	assert.Zero(t, p.Failed)
	assert.Empty(t, p.Failures)
	assert.Equal(t, 500, p.Completed)
}

func TestARetryBeforeABatchIsSplitDoesNotHoldIt(t *testing.T) {
	r := newBatchRun(6)
	r.in(0, func(r *batchRun) { r.SignalWorkflow(batch.SignalRetryFailed, batch.Steering{}) })
	result, err := r.play(t, r.sharded(2))
	require.NoError(t, err)
	assert.Equal(t, batch.ResultCompleted, result.Status)
	r.once(t)
}

func TestTroubleOfASplitBatchIsAskedOnce(t *testing.T) {
	r := newBatchRun(400)
	broken := false
	r.refusals = func(step string, _ int) error {
		if broken && step == activities.StepCreate {
			return workflowtest.Refusal(activities.FailurePlan, "INSUFFICIENT_CREDITS")
		}
		return nil
	}
	r.at(10*time.Second, func(r *batchRun) { r.set(&broken, true) })
	r.at(time.Hour, func(r *batchRun) {
		p := r.whole(t)
		assert.Equal(t, run.StateWaiting, p.State)
		assert.Contains(t, p.Reason, "INSUFFICIENT_CREDITS")
		assert.Equal(t, p.InFlight[activities.StepCreate], flying(p), "all are held before their job")
		r.SignalWorkflow(questions.SignalFillSlot, questions.Answer{SlotID: questions.SlotTrouble, Value: []byte(`"retry"`)})
	})
	r.at(2*time.Hour, func(r *batchRun) {
		assert.Equal(t, run.StateWaiting, r.whole(t).State, "it is not fixed, and asks again")
		r.set(&broken, false)
		r.SignalWorkflow(batch.SignalResume, nil)
	})
	result, err := r.play(t, r.sharded(100))
	require.NoError(t, err)
	assert.Equal(t, batch.ResultCompleted, result.Status)
	r.once(t)
}

func TestASplitBatchIsGivenUp(t *testing.T) {
	r := newBatchRun(400)
	r.refusals = func(step string, i int) error {
		if step == activities.StepCreate && i%100 > 30 {
			return workflowtest.Refusal(activities.FailureAuth, "INVALID_API_KEY")
		}
		return nil
	}
	r.at(time.Hour, func(r *batchRun) {
		r.SignalWorkflow(questions.SignalFillSlot, questions.Answer{SlotID: questions.SlotTrouble, Value: []byte(`"give_up"`)})
	})
	result, err := r.play(t, r.sharded(100))
	require.NoError(t, err)
	assert.Equal(t, batch.ResultStopped, result.Status)
	assert.Contains(t, result.Reason, "given up")
	assert.Positive(t, result.Summary.Completed)
	assert.Positive(t, result.Summary.Failed, "those that the service refused")
	assert.Positive(t, result.Summary.NotStarted)
}

func TestASplitBatchStopsAtItsBounds(t *testing.T) {
	t.Run("failures", func(t *testing.T) {
		r := newBatchRun(1000)
		r.refusals = func(step string, i int) error {
			if step == activities.StepCreate && i%2 == 0 {
				return workflowtest.Refusal(activities.FailureConversion, fmt.Sprintf("BAD_%d", i%3))
			}
			return nil
		}
		input := r.sharded(200)
		input.MaxFailures = 20
		result, err := r.play(t, input)
		require.NoError(t, err)
		assert.Equal(t, batch.ResultStopped, result.Status)
		assert.Contains(t, result.Reason, "more than 20 files failed")
		assert.Greater(t, result.Summary.Failed, 20)
		assert.LessOrEqual(t, result.Summary.Failed, 20+10, "those that were under way")
		assert.Positive(t, result.Summary.NotStarted)
	})
	t.Run("time", func(t *testing.T) {
		r := newBatchRun(1000)
		input := r.sharded(200)
		input.MaxDuration = run.Duration(time.Minute)
		result, err := r.play(t, input)
		require.NoError(t, err)
		assert.Equal(t, batch.ResultStopped, result.Status)
		assert.Contains(t, result.Reason, "1m0s")
		assert.Positive(t, result.Summary.Completed)
		assert.Positive(t, result.Summary.NotStarted)
		assert.Less(t, r.spent, 2*time.Minute)
	})
}

func TestASplitBatchIsCancelled(t *testing.T) {
	r := newBatchRun(1000)
	r.at(30*time.Second, func(r *batchRun) { r.CancelWorkflow() })
	_, err := r.play(t, r.sharded(200))
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, err, &cancelled)
	completed := 0
	for i := range r.items {
		if all := r.entries[i]; len(all) > 0 {
			require.Len(t, all, 1)
			if all[0].Status == manifest.StatusCompleted {
				completed++
				assert.Equal(t, 1, r.outputs[i])
			}
		}
	}
	assert.Positive(t, completed)
	assert.Less(t, r.spent, time.Minute)
	var result batch.Result
	require.NoError(t, cancelled.Details(&result))
	assert.Equal(t, completed, result.Summary.Completed)
	assert.Equal(t, 1000, result.Summary.Files)
	assert.Equal(t, 5, result.Runs, "the shards took their counts along")
	assert.Equal(t, completed, r.progress(t).Completed)
}

// One shard cannot go on: the others bring down what flies, and the report tells all that was done.
func TestASplitBatchFailsWithItsShard(t *testing.T) {
	r := newBatchRun(1200)
	r.broken = func(path string, offset int64) error {
		if offset == 600 { // the second page of the second shard
			return temporal.NewNonRetryableApplicationError("gone", activities.FailureInput, errors.New("gone"), activities.Failure{
				Step: activities.StepPlan, Kind: activities.FailureInput, Code: activities.CodeInputMissing, Message: path + " is gone",
			})
		}
		return nil
	}
	_, err := r.play(t, r.sharded(400))
	require.ErrorContains(t, err, "is gone")
	assert.Less(t, len(r.entries), 1200)
	assert.NotEmpty(t, r.entries)
	assert.True(t, r.reported)
}
