package batch_test

import (
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

// once asserts that every item was uploaded, converted and fetched once, and has one completed line.
func (r *batchRun) once(t *testing.T) {
	t.Helper()
	for i := range r.items {
		require.Equal(t, 1, r.uploads[i], "uploads of %d", i)
		require.Equal(t, 1, r.jobs[i], "jobs of %d", i)
		require.Equal(t, 1, r.outputs[i], "outputs of %d", i)
		require.Len(t, r.entries[i], 1, "lines of %d", i)
		require.Equal(t, manifest.StatusCompleted, r.entries[i][0].Status)
	}
}

func TestABatchConvertsEverythingOnce(t *testing.T) {
	r := newBatchRun(450)
	var most int
	for at := range 60 {
		r.in(time.Duration(at)*time.Second+time.Millisecond, func(r *batchRun) {
			p := r.progress(t)
			inFlight := 0
			for _, n := range p.InFlight {
				inFlight += n
			}
			most = max(most, inFlight)
			assert.LessOrEqual(t, inFlight, 10)
		})
	}
	result, err := r.play(t, r.input())
	require.NoError(t, err)
	assert.Equal(t, batch.ResultCompleted, result.Status)
	assert.Equal(t, 450, result.Summary.Completed)
	assert.Equal(t, 10, most, "the pace grows to its bound")
	r.once(t)
	p := r.progress(t)
	assert.Equal(t, run.StateCompleted, p.State)
	assert.Equal(t, 450, p.Completed)
	assert.Equal(t, int64(9000), p.BytesOut)
}

func TestABatchThatIsTriedAgainTellsWhatItKeeps(t *testing.T) {
	r := newBatchRun(2)
	input := r.input()
	input.Plan.Kept = 299
	_, err := r.play(t, input)
	require.NoError(t, err)
	p := r.progress(t)
	assert.Equal(t, []int{301, 299, 2}, []int{p.Total, p.Kept, p.Completed})
}

// Histories end in the middle of everything; a slow file is carried along and neither stalls the others nor is
// converted twice.
func TestABatchContinuesAsNew(t *testing.T) {
	r := newBatchRun(300)
	r.slow[3] = 90 * time.Second
	for at := range 20 {
		r.in(time.Duration(at*7)*time.Second+500*time.Millisecond, func(r *batchRun) { r.SetContinueAsNewSuggested(true) })
	}
	result, err := r.play(t, r.input())
	require.NoError(t, err)
	assert.Equal(t, 300, result.Summary.Completed)
	assert.Greater(t, r.runs, 5)
	assert.Equal(t, r.runs, result.Runs)
	assert.Positive(t, r.carry[0])
	r.once(t)
	assert.Equal(t, 1, r.waits[3], "abandoned waits have not ended")
	assert.Less(t, r.spent, 3*time.Minute, "the others went on meanwhile")
}

func TestABatchPausesAndResumes(t *testing.T) {
	r := newBatchRun(100)
	r.in(5*time.Second, func(r *batchRun) {
		r.SignalWorkflow(batch.SignalPause, batch.Steering{By: "ada", Note: "lunch"})
	})
	var held int
	r.in(30*time.Second, func(r *batchRun) {
		p := r.progress(t)
		assert.Equal(t, run.StatePaused, p.State)
		assert.Equal(t, "paused by ada: lunch", p.Reason)
		assert.Empty(t, p.InFlight, "what was under way has come to its end")
		held = p.Completed
		assert.Positive(t, held)
	})
	r.in(time.Hour, func(r *batchRun) {
		assert.Equal(t, held, r.progress(t).Completed)
		r.SetContinueAsNewSuggested(true)
	})
	r.in(2*time.Hour, func(r *batchRun) { r.SignalWorkflow(batch.SignalResume, nil) })
	result, err := r.play(t, r.input())
	require.NoError(t, err)
	assert.Equal(t, 100, result.Summary.Completed)
	assert.Greater(t, r.spent, 2*time.Hour)
	r.once(t)
}

func TestConcurrencyIsSetFromOutside(t *testing.T) {
	r := newBatchRun(200)
	inFlight := func(want int) func(r *batchRun) {
		return func(r *batchRun) {
			p := r.progress(t)
			n := 0
			for _, m := range p.InFlight {
				n += m
			}
			assert.Equal(t, want, n)
			assert.Equal(t, want, p.Window)
		}
	}
	set := func(n int) func(r *batchRun) {
		return func(r *batchRun) {
			r.SignalWorkflow(batch.SignalSetConcurrency, batch.Steering{Concurrency: n})
		}
	}
	input := r.input()
	input.Concurrency = 1
	r.in(9500*time.Millisecond, inFlight(1))
	r.in(10*time.Second, set(20))
	r.in(20500*time.Millisecond, inFlight(20))
	r.in(21*time.Second, set(5))
	r.in(30500*time.Millisecond, inFlight(5))
	r.in(31*time.Second, set(0))
	r.in(32*time.Second, set(501))
	r.in(33500*time.Millisecond, inFlight(5))
	_, err := r.play(t, input)
	require.NoError(t, err)
	r.once(t)
}

// A job whose creation was tried more than once may exist, and is looked for when the batch goes on, in whatever run.
func TestAMendedBatchLooksForTheJobsItMayHaveMade(t *testing.T) {
	r := newBatchRun(20)
	refused := true
	r.refusals = func(step string, i int) error {
		switch {
		case !refused || step != activities.StepCreate || i < 5:
			return nil
		case i == 5:
			return workflowtest.Refusal(activities.FailureAuth, "AUTH_REQUIRED")
		default:
			return workflowtest.RefusalAt(2, activities.FailureAuth, "AUTH_REQUIRED")
		}
	}
	r.in(time.Minute, func(r *batchRun) { r.SetContinueAsNewSuggested(true) })
	r.in(time.Hour, func(r *batchRun) {
		refused = false
		r.SignalWorkflow(batch.SignalResume, nil)
	})
	result, err := r.play(t, r.input())
	require.NoError(t, err)
	assert.Equal(t, 20, result.Summary.Completed)
	assert.Greater(t, r.runs, 1)
	assert.False(t, r.again[4], "created at once")
	assert.False(t, r.again[5], "refused at once")
	assert.True(t, r.again[6], "tried twice")
	r.once(t)
}

// Spent credits hold the batch instead of failing it; people are asked, once.
func TestSpentCreditsHoldTheBatch(t *testing.T) {
	r := newBatchRun(60)
	spent := true
	r.refusals = func(step string, i int) error {
		if spent && step == activities.StepCreate && i >= 15 {
			return workflowtest.Refusal(activities.FailurePlan, "CREDITS_SPENT")
		}
		return nil
	}
	r.in(time.Hour, func(r *batchRun) {
		p := r.progress(t)
		assert.Equal(t, run.StateWaiting, p.State)
		assert.Contains(t, p.Reason, "CREDITS_SPENT")
		assert.Zero(t, p.Failed)
		var open []questions.Question
		value, err := r.QueryWorkflow(questions.QueryQuestions)
		require.NoError(t, err)
		require.NoError(t, value.Get(&open))
		require.Len(t, open, 1)
		assert.Equal(t, questions.SlotTrouble, open[0].SlotID)
		r.SetContinueAsNewSuggested(true)
	})
	r.in(2*time.Hour, func(r *batchRun) {
		assert.Equal(t, run.StateWaiting, r.progress(t).State, "the question outlives the history")
		r.mu.Lock()
		spent = false
		r.mu.Unlock()
		r.SignalWorkflow(questions.SignalFillSlot, workflowtest.Answer("1", questions.SlotTrouble, questions.TroubleRetry))
	})
	result, err := r.play(t, r.input())
	require.NoError(t, err)
	assert.Equal(t, batch.ResultCompleted, result.Status)
	r.once(t)
}

func TestAHeldBatchIsGivenUp(t *testing.T) {
	r := newBatchRun(60)
	r.refusals = func(step string, i int) error {
		if step == activities.StepCreate && i >= 15 {
			return workflowtest.Refusal(activities.FailureAuth, "AUTH_REQUIRED")
		}
		return nil
	}
	r.in(time.Hour, func(r *batchRun) {
		r.SignalWorkflow(questions.SignalFillSlot, workflowtest.Answer("1", questions.SlotTrouble, questions.TroubleGiveUp))
	})
	result, err := r.play(t, r.input())
	require.NoError(t, err)
	assert.Equal(t, batch.ResultStopped, result.Status)
	assert.Contains(t, result.Reason, "AUTH_REQUIRED")
	assert.Equal(t, 15, result.Summary.Completed)
	assert.Equal(t, 60, result.Summary.Completed+result.Summary.Failed+result.Summary.Cancelled+result.Summary.NotStarted)
}

func TestFailedFilesAreRetried(t *testing.T) {
	r := newBatchRun(120)
	fixed := false
	r.refusals = func(step string, i int) error {
		if step != activities.StepCreate || fixed || i%10 != 0 {
			return nil
		}
		if i%20 == 0 {
			return workflowtest.Refusal(activities.FailureConversion, "CORRUPT")
		}
		return workflowtest.Refusal(activities.FailureConversion, "TOO_LARGE")
	}
	r.in(12*time.Second, func(r *batchRun) {
		p := r.progress(t)
		assert.Positive(t, p.Failed)
		assert.Len(t, p.Failures, 2)
		r.SignalWorkflow(batch.SignalRetryFailed, batch.Steering{Codes: []string{"CORRUPT"}})
		r.SignalWorkflow(batch.SignalRetryFailed, nil) // at once: no file may be tried by both
		fixed = true
	})
	result, err := r.play(t, r.input())
	require.NoError(t, err)
	assert.Equal(t, batch.ResultCompleted, result.Status)
	assert.Equal(t, 120, result.Summary.Completed)
	assert.Zero(t, r.progress(t).Failed)
	for i := range r.items {
		assert.Equal(t, 1, r.jobs[i], "jobs of %d", i)
		assert.Equal(t, 1, r.outputs[i])
	}
}

func TestBatch_IsPartialWhereFilesFailed(t *testing.T) {
	r := newBatchRun(20)
	r.refusals = func(step string, i int) error {
		if step != activities.StepCreate || i != 7 {
			return nil
		}
		return workflowtest.Refusal(activities.FailureConversion, "CORRUPT")
	}

	result, err := r.play(t, r.input())

	require.NoError(t, err)
	assert.Equal(t, batch.ResultFailures, result.Status, "results keep the word of old histories")
	assert.Equal(t, run.StatePartial, batch.StateOf(result.Status))
	assert.Equal(t, run.StatePartial, r.progress(t).State)
}

func TestTooManyFailuresStopABatch(t *testing.T) {
	r := newBatchRun(200)
	r.refusals = func(step string, i int) error {
		if step == activities.StepCreate && i%2 == 0 {
			return workflowtest.Refusal(activities.FailureConversion, "CORRUPT")
		}
		return nil
	}
	input := r.input()
	input.MaxFailures = 5
	result, err := r.play(t, input)
	require.NoError(t, err)
	assert.Equal(t, batch.ResultStopped, result.Status)
	assert.Equal(t, "more than 5 files failed", result.Reason)
	assert.Positive(t, result.Summary.NotStarted)
	assert.Zero(t, result.Summary.Cancelled, "what is under way comes to its end")
}

func TestABatchTakesNoLongerThanItMay(t *testing.T) {
	r := newBatchRun(200)
	input := r.input()
	input.MaxDuration = run.Duration(20 * time.Second)
	r.in(10*time.Second, func(r *batchRun) { r.SetContinueAsNewSuggested(true) })
	result, err := r.play(t, input)
	require.NoError(t, err)
	assert.Equal(t, batch.ResultStopped, result.Status)
	assert.Equal(t, "it has reached its time limit of 20s", result.Reason)
	assert.Positive(t, result.Summary.NotStarted)
	assert.Less(t, r.spent, 30*time.Second)
}

func TestAHeldBatchTakesNoLongerThanItMay(t *testing.T) {
	r := newBatchRun(60)
	r.refusals = func(string, int) error { return workflowtest.Refusal(activities.FailureAuth, "AUTH_REQUIRED") }
	input := r.input()
	input.MaxDuration = run.Duration(time.Hour)
	result, err := r.play(t, input)
	require.NoError(t, err)
	assert.Equal(t, batch.ResultStopped, result.Status)
	assert.Equal(t, "it has reached its time limit of 1h0m0s", result.Reason)
	assert.Equal(t, time.Hour, r.spent.Round(time.Minute))
}

func TestACancelledBatchAccountsForEverything(t *testing.T) {
	r := newBatchRun(200)
	r.in(10*time.Second, func(r *batchRun) { r.CancelWorkflow() })
	_, err := r.play(t, r.input())
	require.Error(t, err)
	assert.True(t, temporal.IsCanceledError(err))
	assert.Equal(t, run.StateCancelled, r.progress(t).State)
	assert.Positive(t, r.progress(t).Cancelled)
	assert.NotEmpty(t, r.progress(t).Report)
	done := 0
	for i := range r.items {
		require.LessOrEqual(t, len(r.entries[i]), 1)
		done += len(r.entries[i])
	}
	p := r.progress(t)
	assert.Equal(t, p.Completed+p.Cancelled, done)
}

func TestThePaceFollowsTheService(t *testing.T) {
	r := newBatchRun(300)
	for i := 100; i < 110; i++ {
		r.refused[i] = 2
	}
	input := r.input()
	input.Concurrency = 40
	least := 40
	for at := 10; at < 60; at++ {
		r.in(time.Duration(at)*time.Second, func(r *batchRun) { least = min(least, r.progress(t).Window) })
	}
	_, err := r.play(t, input)
	require.NoError(t, err)
	assert.LessOrEqual(t, least, 21, "halved")
	assert.GreaterOrEqual(t, least, 15, "once, for refusals that belong together")
	assert.Equal(t, 20, r.progress(t).Throttled)
	r.once(t)
}

// A report names the file and the job that an item has in the end: not those that the service has forgotten, and none where
// there are none.
func TestBatch_ReportNamesTheLatestFileAndJob(t *testing.T) {
	const item = 3
	gone := workflowtest.Refusal(activities.FailureResultsGone, activities.CodeUnknown)
	tests := map[string]struct {
		refusals   map[string][]error // of the item's steps, one after the other; nil for none
		continueAt []time.Duration
		status     manifest.Status
		fileID     string
		jobID      string
	}{
		"once":               {status: manifest.StatusCompleted, fileID: "file-3", jobID: "job-3"},
		"continued as new":   {continueAt: []time.Duration{10 * time.Second}, status: manifest.StatusCompleted, fileID: "file-3", jobID: "job-3"},
		"started over":       {refusals: map[string][]error{activities.StepAwait: {gone}}, status: manifest.StatusCompleted, fileID: "file-2-3", jobID: "job-2-3"},
		"started over twice": {refusals: map[string][]error{activities.StepAwait: {gone, gone}}, status: manifest.StatusCompleted, fileID: "file-3-3", jobID: "job-3-3"},
		"started over after it continued as new": {
			refusals: map[string][]error{activities.StepAwait: {gone}}, continueAt: []time.Duration{10 * time.Second},
			status: manifest.StatusCompleted, fileID: "file-2-3", jobID: "job-2-3",
		},
		"started over, and refused at its upload": {
			refusals: map[string][]error{activities.StepAwait: {gone}, activities.StepUpload: {nil, workflowtest.Refusal(activities.FailureInput, "INPUT_MISSING")}},
			status:   manifest.StatusFailed,
		},
		"started over, and refused at its creation": {
			refusals: map[string][]error{activities.StepAwait: {gone}, activities.StepCreate: {nil, workflowtest.Refusal(activities.FailureRefused, "NO")}},
			status:   manifest.StatusFailed, fileID: "file-2-3",
		},
		"forgotten for good": {
			refusals: map[string][]error{activities.StepAwait: {gone, gone, gone}},
			status:   manifest.StatusFailed, fileID: "file-3-3", jobID: "job-3-3",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newBatchRun(5)
			r.slow[item] = 20 * time.Second
			calls := map[string]int{}
			r.refusals = func(step string, i int) error {
				if i != item {
					return nil
				}
				calls[step]++
				if n := calls[step]; n <= len(test.refusals[step]) {
					return test.refusals[step][n-1]
				}
				return nil
			}
			for _, at := range test.continueAt {
				r.in(at, func(r *batchRun) { r.SetContinueAsNewSuggested(true) })
			}

			_, err := r.play(t, r.input())

			require.NoError(t, err)
			assert.Equal(t, 1+len(test.continueAt), r.runs)
			require.Len(t, r.entries[item], 1)
			entry := r.entries[item][0]
			assert.Equal(t, test.status, entry.Status)
			assert.Equal(t, test.fileID, entry.FileID)
			assert.Equal(t, test.jobID, entry.JobID)
		})
	}
}
