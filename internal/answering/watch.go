package answering

import (
	"context"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/workflows"
)

// WatchProgress asks a watch where it stands.
func (d *Desk) WatchProgress(ctx context.Context, workflowID string) (workflows.WatchProgress, error) {
	return ask[workflows.WatchProgress](ctx, d, workflowID, workflows.QueryProgress)
}

// WatchMemoOf reads the memo of a watch; the zero memo where there is none.
func WatchMemoOf(memo *common.Memo) workflows.WatchMemo {
	var out workflows.WatchMemo
	if payload := memo.GetFields()[workflows.MemoWatch]; payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &out) // a memo of another shape shows nothing
	}
	return out
}
