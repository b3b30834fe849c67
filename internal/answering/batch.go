package answering

import (
	"context"
	"fmt"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/workflows"
)

// Progress asks a batch where it stands.
func (d *Desk) Progress(ctx context.Context, workflowID string) (workflows.BatchProgress, error) {
	return ask[workflows.BatchProgress](ctx, d, workflowID, workflows.QueryProgress)
}

// Failures asks a batch for files that failed, the latest first, as far as it remembers them; the report has all.
func (d *Desk) Failures(ctx context.Context, workflowID string) ([]workflows.FailedItem, error) {
	return ask[[]workflows.FailedItem](ctx, d, workflowID, workflows.QueryFailures)
}

// Steer sends a batch one of its signals: workflows.SignalPause, SignalResume, SignalSetConcurrency or
// SignalRetryFailed. A batch that has ended is ErrEnded.
func (d *Desk) Steer(ctx context.Context, workflowID, signal string, steering workflows.Steering) error {
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
func BatchMemoOf(memo *common.Memo) workflows.BatchMemo {
	var out workflows.BatchMemo
	if payload := memo.GetFields()[workflows.MemoBatch]; payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &out) // a memo of another shape shows nothing
	}
	return out
}
