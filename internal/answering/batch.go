package answering

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// Progress asks a batch where it stands, and the shards of one that is split.
func (d *Desk) Progress(ctx context.Context, workflowID string) (batch.Progress, error) {
	whole, err := ask[batch.Progress](ctx, d, workflowID, batch.QueryProgress)
	if err != nil || len(whole.Shards) == 0 {
		return whole, err
	}
	shards, err := askShards[batch.Progress](ctx, d, whole, batch.QueryProgress)
	return whole.Sum(shards), err
}

// askShards asks all at once. One that has not begun yet has nothing to say.
func askShards[T any](ctx context.Context, d *Desk, whole batch.Progress, query string) ([]T, error) {
	answers := make([]T, len(whole.Shards))
	faults := make([]error, len(whole.Shards))
	var wg sync.WaitGroup
	for i, shard := range whole.Shards {
		wg.Go(func() { answers[i], faults[i] = ask[T](ctx, d, shard.WorkflowID, query) })
	}
	wg.Wait()
	for i, err := range faults {
		if errors.Is(err, ErrNoSuchRun) {
			faults[i] = nil
		}
	}
	return answers, errors.Join(faults...)
}

// Failures asks a batch for files that failed, the latest first, as far as it remembers them; the report has all.
func (d *Desk) Failures(ctx context.Context, workflowID string) ([]batch.FailedItem, error) {
	failed, err := ask[[]batch.FailedItem](ctx, d, workflowID, batch.QueryFailures)
	if err != nil {
		return nil, err
	}
	whole, err := ask[batch.Progress](ctx, d, workflowID, batch.QueryProgress)
	if err != nil || len(whole.Shards) == 0 {
		return failed, err
	}
	more, err := askShards[[]batch.FailedItem](ctx, d, whole, batch.QueryFailures)
	return batch.JoinFailures(append(more, failed)...), err
}

// Steer sends a batch one of its signals: batch.SignalPause, SignalResume, SignalSetConcurrency or
// SignalRetryFailed. A batch that has ended is ErrEnded.
func (d *Desk) Steer(ctx context.Context, workflowID, signal string, steering batch.Steering) error {
	err := d.Temporal.SignalWorkflow(ctx, workflowID, "", signal, steering)
	if err == nil {
		return nil
	}
	if fault := d.closed(ctx, workflowID, err); fault != nil {
		return fault
	}
	return fmt.Errorf("tell %s to %s: %w", workflowID, signal, err)
}

// BatchMemoOf reads the memo of a batch; the zero memo where there is none.
func BatchMemoOf(memo *common.Memo) batch.Memo {
	var out batch.Memo
	if payload := memo.GetFields()[batch.MemoKey]; payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &out) // a memo of another shape shows nothing
	}
	return out
}
