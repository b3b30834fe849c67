package runs

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.temporal.io/api/serviceerror"

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
	return ask[watch.Progress](ctx, c, id, batch.QueryProgress)
}

// Progress asks a batch where it stands, and the shards of one that is split.
func (c *Client) Progress(ctx context.Context, id string) (batch.Progress, error) {
	whole, err := ask[batch.Progress](ctx, c, id, batch.QueryProgress)
	if err != nil || len(whole.Shards) == 0 {
		return whole, err
	}
	shards, err := askShards[batch.Progress](ctx, c, whole, batch.QueryProgress)
	return whole.Sum(shards), err
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
	var missing *serviceerror.NotFound
	switch {
	case errors.As(err, &missing):
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
