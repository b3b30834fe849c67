package inbox

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/uploads"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// give answers a run. A file that was uploaded for an answer that is not taken is removed again.
func (in *Inbox) give(ctx context.Context, id string, answer questions.Answer) (questions.Receipt, error) {
	if err := uploads.Note(in.cfg.Files, answer.Value, id); err != nil {
		in.cfg.Logger.Warn("an upload will not be removed when its run has ended", zap.Error(err))
	}
	receipt, err := in.runs.Answer(ctx, id, answer)
	var refused *runs.RefusedError
	switch {
	case errors.As(err, &refused), errors.Is(err, runs.ErrEnded), errors.Is(err, runs.ErrNoSuchRun):
		uploads.Refused(in.cfg.Files, answer.Value, id)
	case err != nil: // it may have been taken
	case receipt.Verdict != questions.VerdictAccepted && receipt.Verdict != questions.VerdictEarly:
		uploads.Refused(in.cfg.Files, answer.Value, id)
	}
	return receipt, err
}

// sweepEvery is how often uploads are looked through for those that nobody needs any more.
const sweepEvery = time.Hour

// SweepUploads removes uploads that no run needs any more, until the context ends.
func (in *Inbox) SweepUploads(ctx context.Context) {
	if in.cfg.Files == "" {
		return
	}
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		in.sweepUploads(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (in *Inbox) sweepUploads(ctx context.Context) {
	unneeded, err := uploads.Unneeded(ctx, in.runs, in.cfg.Files, in.cfg.Clock())
	for _, upload := range unneeded {
		err = errors.Join(err, upload.Remove())
	}
	if err != nil && ctx.Err() == nil {
		in.cfg.Logger.Warn("uploads that nobody needs stay until later", zap.Error(err))
	}
}
