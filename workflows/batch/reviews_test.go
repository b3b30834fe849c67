package batch_test

import (
	"cmp"
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

// asking is the input of a batch that asks about losses, in whose every tenth file something is missing.
func (r *batchRun) asking(policy questions.Policy) batch.Input {
	r.lossy = func(i int) bool { return i%10 == 0 }
	input := r.input()
	input.OnLoss, input.Policy = questions.OnLossAsk, policy
	return input
}

func (r *batchRun) questions(t *testing.T) []questions.Question {
	t.Helper()
	value, err := r.QueryWorkflow(questions.QueryQuestions)
	require.NoError(t, err)
	var open []questions.Question
	require.NoError(t, value.Get(&open))
	return open
}

func (r *batchRun) answer(i int, choice string) {
	answer := workflowtest.Answer(fmt.Sprintf("%d-%s", i, choice), fmt.Sprintf("%s.%d", questions.SlotLoss, i), choice)
	answer.AnsweredBy = "kim"
	r.SignalWorkflow(questions.SignalFillSlot, answer)
}

// last is the line of an item's report.
func (r *batchRun) last(i int) activities.BatchEntry { return r.entries[i][len(r.entries[i])-1] }

func TestBatch_AsksAboutEachLoss(t *testing.T) {
	r := newBatchRun(30)
	input := r.asking(questions.Policy{})
	r.in(time.Hour, func(r *batchRun) {
		p := r.progress(t)
		assert.Equal(t, run.StateWaiting, p.State)
		assert.Equal(t, "outputs that lack something of their sources wait for an answer", p.Reason)
		assert.Equal(t, 27, p.Completed, "what lacks nothing waits for nobody")
		assert.Equal(t, map[string]int{activities.StepReview: 3}, p.InFlight)
		open := r.questions(t)
		require.Len(t, open, 3)
		assert.Equal(t, "convilyn.loss.0", open[0].SlotID)
		assert.Equal(t, "0.md to html: 1 of 3 words of the source is not in the output: x. Keep the output?", open[0].Text)
		assert.Equal(t, open[0].Key, open[1].Key, "all of them can be answered together")
		r.answer(0, questions.LossKeep)
		r.answer(10, questions.LossRefuse)
	})
	r.in(50*time.Hour, func(r *batchRun) {
		require.Len(t, r.questions(t), 1)
		r.answer(20, questions.LossKeep)
	})

	result, err := r.play(t, input)

	require.NoError(t, err)
	assert.Equal(t, batch.ResultFailures, result.Status)
	assert.Equal(t, map[int]int{0: 1, 20: 1}, r.placed)
	assert.Equal(t, map[int]int{10: 1}, r.dropped)
	assert.Equal(t, []string{"check: 1 of 3 words of the source is not in the output: x", "check: kept by kim"}, r.last(0).Warnings)
	refused := r.last(10)
	require.NotNil(t, refused.Error)
	assert.Equal(t, activities.CodeLossRefused, refused.Error.Code)
	assert.Equal(t, "refused by kim: 1 of 3 words of the source is not in the output: x", refused.Error.Message)
	assert.Equal(t, 1, refused.Check.Missing)
}

func TestBatch_OneAnswerForAllLosses(t *testing.T) {
	for choice, status := range map[string]manifest.Status{questions.LossKeepAll: manifest.StatusCompleted, questions.LossRefuseAll: manifest.StatusFailed} {
		t.Run(choice, func(t *testing.T) {
			r := newBatchRun(60)
			input := r.asking(questions.Policy{})
			r.slow[50] = 3 * time.Hour // its loss comes after the answer
			r.in(time.Hour, func(r *batchRun) {
				assert.Len(t, r.questions(t), 5)
				r.answer(20, choice)
			})

			_, err := r.play(t, input)

			require.NoError(t, err)
			for i := 0; i < 60; i += 10 {
				assert.Equal(t, status, r.last(i).Status, "item %d", i)
				assert.Equal(t, 1, r.placed[i]+r.dropped[i], "item %d", i)
			}
			assert.Empty(t, r.questions(t))
		})
	}
}

// An answer about a file itself goes before one for all; of those for all the first one counts.
func TestBatch_OwnAnswersGoBeforeThoseForAll(t *testing.T) {
	r := newBatchRun(150)
	input := r.asking(questions.Policy{})
	r.lossy = func(i int) bool { return i%10 == 0 && i < 50 }
	r.in(20*time.Second+500*time.Millisecond, func(r *batchRun) {
		require.Len(t, r.questions(t), 5)
		r.SetContinueAsNewSuggested(true)
		r.SignalWorkflow(batch.SignalResume, batch.Steering{})
		// The next run finds all of them, and looks at files in the order of their indexes.
		r.answer(0, questions.LossKeep)
		r.answer(30, questions.LossRefuseAll)
		r.answer(20, questions.LossKeepAll)
	})

	_, err := r.play(t, input)

	require.NoError(t, err)
	assert.Equal(t, 2, r.runs)
	assert.Equal(t, map[int]int{0: 1, 20: 1}, r.placed)
	assert.Equal(t, map[int]int{10: 1, 30: 1, 40: 1}, r.dropped)
}

// Deadlines pass while a batch is paused, so that its questions stay in lists.
func TestBatch_PausedIsListedAsWaiting(t *testing.T) {
	r := newBatchRun(30)
	input := r.asking(questions.Policy{})
	r.slow[25] = 5 * time.Hour
	r.in(time.Hour, func(r *batchRun) { r.SignalWorkflow(batch.SignalPause, batch.Steering{By: "kim"}) })
	r.in(2*time.Hour, func(r *batchRun) {
		assert.Equal(t, run.StatePaused, r.progress(t).State)
		assert.Equal(t, run.StateWaiting, r.listed)
		r.SignalWorkflow(batch.SignalResume, batch.Steering{})
		r.answer(0, questions.LossKeepAll)
	})

	_, err := r.play(t, input)

	require.NoError(t, err)
	assert.Equal(t, run.StateCompleted, r.listed)
}

func TestBatch_LossesAtTheirDeadline(t *testing.T) {
	for name, test := range map[string]struct {
		policy questions.Policy
		status manifest.Status
	}{
		"refused": {questions.Policy{Deadline: run.Duration(72 * time.Hour)}, manifest.StatusFailed},
		"kept":    {questions.Policy{Deadline: run.Duration(72 * time.Hour), OnDeadline: questions.DeadlineDefault, Default: []byte(`"keep"`)}, manifest.StatusCompleted},
	} {
		t.Run(name, func(t *testing.T) {
			r := newBatchRun(60)
			input := r.asking(test.policy)
			r.slow[50] = time.Hour
			r.in(30*time.Minute, func(r *batchRun) { r.answer(10, questions.LossKeep) })
			r.in(40*time.Hour, func(r *batchRun) {
				r.SetContinueAsNewSuggested(true)
				r.SignalWorkflow(batch.SignalResume, batch.Steering{})
			})

			_, err := r.play(t, input)

			require.NoError(t, err)
			assert.Equal(t, 2, r.runs)
			assert.Equal(t, manifest.StatusCompleted, r.last(10).Status)
			for _, i := range []int{0, 20, 30, 40, 50} {
				assert.Equal(t, test.status, r.last(i).Status, "item %d", i)
				if test.status == manifest.StatusFailed {
					assert.Equal(t, questions.CodeDeadline, r.last(i).Error.Code)
				}
			}
			assert.Equal(t, 73, int(r.spent.Hours()), "the last one an hour after the others")
		})
	}
}

// What waits goes along, and is answered in a later run.
func TestBatch_LossesAreCarriedAlong(t *testing.T) {
	r := newBatchRun(300)
	input := r.asking(questions.Policy{})
	for at := range 12 {
		r.in(time.Duration(at*7)*time.Second+500*time.Millisecond, func(r *batchRun) { r.SetContinueAsNewSuggested(true) })
	}
	r.in(time.Hour, func(r *batchRun) {
		require.Len(t, r.questions(t), 30)
		for i := 0; i < 300; i += 20 {
			r.answer(i, questions.LossKeep)
		}
	})
	r.in(2*time.Hour, func(r *batchRun) { r.answer(10, questions.LossRefuseAll) })

	result, err := r.play(t, input)

	require.NoError(t, err)
	assert.Greater(t, r.runs, 3)
	assert.Equal(t, []int{285, 15}, []int{result.Summary.Completed, result.Summary.Failed})
	for i := range 300 {
		require.Equal(t, 1, r.outputs[i], "item %d is converted once", i)
		require.Len(t, r.entries[i], 1)
	}
	assert.Len(t, r.placed, 15)
	assert.Len(t, r.dropped, 15)
}

// What waits travels along when the batch continues as new, so that what has not begun is held back.
func TestBatch_AsksAboutABoundedNumberOfLosses(t *testing.T) {
	for name, c := range map[string]struct {
		files       int
		filesEach   int // of an output; one where 0
		concurrency int // as the batch has it where 0
		asked       int
	}{
		"questions":          {files: 400, asked: 100},
		"files of an output": {files: 40, filesEach: 400, concurrency: 1, asked: 3},
	} {
		t.Run(name, func(t *testing.T) {
			r := newBatchRun(c.files)
			input := r.asking(questions.Policy{})
			input.Concurrency, r.heldFiles = cmp.Or(c.concurrency, input.Concurrency), c.filesEach
			r.lossy = func(int) bool { return true }
			r.in(time.Hour, func(r *batchRun) {
				assert.Len(t, r.questions(t), c.asked)
				assert.Equal(t, run.StateWaiting, r.progress(t).State)
				r.answer(0, questions.LossKeepAll)
			})

			result, err := r.play(t, input)

			require.NoError(t, err)
			assert.Equal(t, c.files, result.Summary.Completed)
		})
	}
}

func TestBatch_CancelledAtLosses(t *testing.T) {
	r := newBatchRun(30)
	input := r.asking(questions.Policy{})
	r.in(time.Hour, func(r *batchRun) { r.CancelWorkflow() })

	_, err := r.play(t, input)

	var cancelled *temporal.CanceledError
	require.ErrorAs(t, err, &cancelled)
	assert.Equal(t, map[int]int{0: 1, 10: 1, 20: 1}, r.dropped)
	assert.Equal(t, manifest.StatusCancelled, r.last(10).Status)
	assert.Equal(t, manifest.StatusCompleted, r.last(11).Status)
}

// A refused one is tried again as any other that has failed, and asked about again.
func TestBatch_RefusedLossesAreTriedAgain(t *testing.T) {
	r := newBatchRun(20)
	input := r.asking(questions.Policy{})
	r.in(time.Hour, func(r *batchRun) { r.answer(10, questions.LossRefuse) })
	r.in(2*time.Hour, func(r *batchRun) {
		r.SignalWorkflow(batch.SignalRetryFailed, batch.Steering{Codes: []string{activities.CodeLossRefused}})
	})
	r.in(3*time.Hour, func(r *batchRun) { // while the retried file waits
		r.SignalWorkflow(batch.SignalRetryFailed, batch.Steering{Codes: []string{activities.CodeLossRefused}})
	})
	r.in(4*time.Hour, func(r *batchRun) {
		require.Len(t, r.questions(t), 2)
		assert.Equal(t, 2, r.outputs[10], "it is converted once more, and not twice")
		r.SignalWorkflow(questions.SignalFillSlot, workflowtest.Answer("again", "convilyn.loss.10", questions.LossKeep))
		r.answer(0, questions.LossKeep)
	})

	result, err := r.play(t, input)

	require.NoError(t, err)
	assert.Equal(t, batch.ResultCompleted, result.Status)
	assert.Equal(t, map[int]int{0: 1, 10: 1}, r.placed)
}

// Many files, and each answer is a person's: such a batch has one place where it asks.
func TestBatch_ThatAsksIsNotSplit(t *testing.T) {
	r := newBatchRun(100)
	input := r.asking(questions.Policy{})
	input.ShardItems, input.Plan.Every, input.Plan.Marks = 10, 10, r.sharded(10).Plan.Marks
	r.in(time.Hour, func(r *batchRun) {
		assert.Empty(t, r.progress(t).Shards)
		r.answer(0, questions.LossKeepAll)
	})
	_, err := r.play(t, input)
	require.NoError(t, err)
}
