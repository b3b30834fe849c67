package answering

import (
	"context"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// WatchProgress asks a watch where it stands.
func (d *Desk) WatchProgress(ctx context.Context, workflowID string) (watch.Progress, error) {
	return ask[watch.Progress](ctx, d, workflowID, batch.QueryProgress)
}

// WatchMemoOf reads the memo of a watch; the zero memo where there is none.
func WatchMemoOf(memo *common.Memo) watch.Memo {
	var out watch.Memo
	if payload := memo.GetFields()[watch.MemoKey]; payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &out) // a memo of another shape shows nothing
	}
	return out
}
