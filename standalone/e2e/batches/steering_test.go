package batches

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// How many files are under way at once follows the word of people, up and down.
func TestABatchIsNarrowedAndWidened(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.Open(`rules: [{route: POST /api/v1/jobs, probability: 1, answer: {delay: 40ms}}]`)
	const files = 400
	for i := range files {
		b.Write(fmt.Sprintf("doc-%03d.md", i), fmt.Sprintf("# Document %d", i))
	}
	const id = "batch-steered"
	run, err := s.Client.ExecuteWorkflow(t.Context(), temporalclient.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue},
		batch.WorkflowType, batch.Input{
			Name: "steered", Spec: manifest.Spec{Source: b.In, Output: b.Out, To: "html"}, Concurrency: 1,
		})
	require.NoError(t, err)
	until := func(is func(p batch.Progress) bool) time.Time {
		t.Helper()
		require.Eventually(t, func() bool {
			var p batch.Progress
			value, err := s.Client.QueryWorkflow(t.Context(), id, "", batch.QueryProgress)
			return err == nil && value.Get(&p) == nil && is(p)
		}, testkit.Patience, 5*time.Millisecond)
		return time.Now()
	}
	done := func(n int) time.Time {
		t.Helper()
		return until(func(p batch.Progress) bool { return p.Completed >= n })
	}
	tell := func(signal string, concurrency int) {
		t.Helper()
		require.NoError(t, s.Client.SignalWorkflow(t.Context(), id, "", signal, batch.Steering{Concurrency: concurrency}))
	}
	widened := done(20)
	tell(batch.SignalSetConcurrency, 50)
	widest := done(200)
	tell(batch.SignalSetConcurrency, 5)
	narrowed := until(func(p batch.Progress) bool { return p.Concurrency == 5 })
	done(300)
	tell(batch.SignalPause, 0)
	paused := until(func(p batch.Progress) bool { return p.State == workflows.StatePaused && len(p.InFlight) == 0 })
	resumed := time.Now()
	tell(batch.SignalResume, 0)
	var result batch.Result
	require.NoError(t, run.Get(t.Context(), &result))
	require.Equal(t, files, result.Summary.Completed)

	lines := b.Report()
	narrow := atOnce(lines, time.Time{}, widened)
	wide := atOnce(lines, widened, widest)
	again := atOnce(lines, narrowed, paused)
	t.Logf("files under way at once: %d, then %d, then %d; files a second: %.1f, %.1f, %.1f", narrow, wide, again,
		perSecond(lines, lines[0].StartedAt, widened), perSecond(lines, widened, widest), perSecond(lines, narrowed, paused))
	assert.Equal(t, 1, narrow)
	assert.Greater(t, wide, 20)
	assert.LessOrEqual(t, again, 5)
	for _, line := range lines {
		began := line.StartedAt
		assert.False(t, began.After(paused) && began.Before(resumed), "a file began while the batch was paused: %s", line.Source)
	}
}

// atOnce is the most files that were under way at once when one began that began in the time, not counting those that
// had begun before it.
func atOnce(lines []manifest.Line, from, to time.Time) int {
	most := 0
	for _, line := range lines {
		if at := line.StartedAt; at.Before(from) || at.After(to) {
			continue
		}
		inFlight := 0
		for _, other := range lines {
			if !other.StartedAt.Before(from) && !other.StartedAt.After(line.StartedAt) && other.EndedAt.After(line.StartedAt) {
				inFlight++
			}
		}
		most = max(most, inFlight)
	}
	return most
}

func perSecond(lines []manifest.Line, from, to time.Time) float64 {
	n := 0
	for _, line := range lines {
		if line.EndedAt.After(from) && line.EndedAt.Before(to) {
			n++
		}
	}
	return float64(n) / to.Sub(from).Seconds()
}
