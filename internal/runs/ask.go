package runs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// Questions asks a run what it waits for.
func (c *Client) Questions(ctx context.Context, id string) ([]questions.Question, error) {
	return ask[[]questions.Question](ctx, c, id, questions.QueryQuestions)
}

// Answers asks a run what became of every answer.
func (c *Client) Answers(ctx context.Context, id string) ([]questions.Receipt, error) {
	return ask[[]questions.Receipt](ctx, c, id, questions.QueryAnswers)
}

// Status asks a goal where it stands.
func (c *Client) Status(ctx context.Context, id string) (goal.Status, error) {
	return ask[goal.Status](ctx, c, id, workflows.QueryStatus)
}

// WatchProgress asks a watch where it stands.
func (c *Client) WatchProgress(ctx context.Context, id string) (watch.Progress, error) {
	now, err := ask[watch.Progress](ctx, c, id, batch.QueryProgress)
	for i, wave := range now.Recent {
		now.Recent[i].Status = batch.StateOf(wave.Status)
	}
	return now, err
}

// Progress asks a batch where it stands, and the shards of one that is split.
func (c *Client) Progress(ctx context.Context, id string) (batch.Progress, error) {
	whole, err := ask[batch.Progress](ctx, c, id, batch.QueryProgress)
	if err != nil || len(whole.Shards) == 0 {
		return current(whole, c.now()), err
	}
	shards, err := askShards[batch.Progress](ctx, c, whole, batch.QueryProgress)
	return current(whole.Sum(shards), c.now()), err
}

// leastQuiet is how long nothing may be done, whatever the rate, before a forecast means nothing.
const leastQuiet = 20 * time.Second

// Quiet reports whether so long nothing was done, by the rate of what was done before (a second), that the rate says nothing
// about what is to come.
func Quiet(latest time.Time, rate float64, now time.Time) bool {
	const turns = 5 // in which something would have been done
	usual := time.Duration(0)
	if rate > 0 {
		usual = time.Duration(min(turns/rate, float64(time.Hour/time.Second)) * float64(time.Second))
	}
	return now.Sub(latest) > max(leastQuiet, usual)
}

// current takes back rate and forecast where nothing is done any more. The run itself counts by the time of its last event, and
// a run whose steps fail has none.
func current(p batch.Progress, now time.Time) batch.Progress {
	if latest, known := landed(p); known && Quiet(latest, p.Rate, now) {
		p.Rate, p.LeftFor = 0, 0
	}
	return p
}

// Failures asks a batch for files that failed, the latest first, as far as it remembers them; the report has all.
func (c *Client) Failures(ctx context.Context, id string) ([]batch.FailedItem, error) {
	failed, err := ask[[]batch.FailedItem](ctx, c, id, batch.QueryFailures)
	if err != nil {
		return nil, err
	}
	whole, err := ask[batch.Progress](ctx, c, id, batch.QueryProgress)
	if err != nil || len(whole.Shards) == 0 {
		return failed, err
	}
	more, err := askShards[[]batch.FailedItem](ctx, c, whole, batch.QueryFailures)
	return batch.JoinFailures(append(more, failed)...), err
}

func ask[T any](ctx context.Context, c *Client, id, query string) (T, error) {
	var out T
	value, err := c.Temporal.QueryWorkflow(ctx, id, "", query)
	switch {
	case err != nil && isMissing(id, err):
		return out, fmt.Errorf("%s: %w", id, ErrNoSuchRun)
	case err != nil:
		return out, fmt.Errorf("ask %s for its %s: %w", id, query, err)
	}
	if err := value.Get(&out); err != nil {
		return out, fmt.Errorf("read the %s of %s: %w", query, id, err)
	}
	return out, nil
}

// askShards asks all at once. One that has not begun yet has nothing to say.
func askShards[T any](ctx context.Context, c *Client, whole batch.Progress, query string) ([]T, error) {
	answers := make([]T, len(whole.Shards))
	faults := make([]error, len(whole.Shards))
	var all sync.WaitGroup
	for i, shard := range whole.Shards {
		all.Go(func() { answers[i], faults[i] = ask[T](ctx, c, shard.WorkflowID, query) })
	}
	all.Wait()

	for i, err := range faults {
		if errors.Is(err, ErrNoSuchRun) {
			faults[i] = nil
		}
	}
	return answers, errors.Join(faults...)
}
