package goals

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// Answers arrive from many sides at once, while the run continues as new again and again. Each has one verdict,
// and none is lost between two runs.
func TestAnswersArriveWhileTheRunContinuesAsNew(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.OpenWith(testkit.Stumble(0))
	input := b.StumbleInput()
	input.MaxEvents = 40
	const id, senders, each = "boundary", 8, 40
	run := s.StartGoal(id, input)
	first := run.GetRunID()
	s.AwaitQuestion(id, "word")
	var group errgroup.Group
	for sender := range senders {
		group.Go(func() error {
			for n := range each {
				err := s.Client.SignalWorkflow(t.Context(), id, "", questions.SignalFillSlot, map[string]any{
					"slot_id": "word", "value": n, "answer_id": fmt.Sprintf("%d-%d", sender, n), // a number is no word
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Eventually(t, func() bool {
		receipts, err := s.RunsClient().Answers(t.Context(), id)
		return err == nil && len(receipts) == senders*each
	}, testkit.Patience, 50*time.Millisecond, "every answer has a receipt")
	s.Give(id, map[string]any{"word": "yes"})
	require.NoError(t, run.Get(t.Context(), nil))
	receipts, err := s.RunsClient().Answers(t.Context(), id)
	require.NoError(t, err)
	seen := map[string]int{}
	for _, receipt := range receipts {
		seen[receipt.AnswerID]++
		if receipt.Verdict != questions.VerdictAccepted {
			assert.Equal(t, questions.VerdictInvalid, receipt.Verdict)
		}
	}
	for answer, n := range seen {
		assert.Equal(t, 1, n, answer)
	}
	assert.Len(t, seen, senders*each+1)
	chain := s.Chain(id, first)
	assert.Greater(t, len(chain), 1, "it did continue as new")
	t.Logf("%d answers over %d runs", len(receipts), len(chain))
}
