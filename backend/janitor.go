package backend

import (
	"context"
	"errors"
	"os"
	"time"

	"go.uber.org/zap"
)

func (s *Service) sweepEvery(ctx context.Context, interval time.Duration) {
	defer close(s.janitor)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Logger.Error("sweep", zap.Error(err))
			}
		}
	}
}

// sweep removes inputs and results that have outlived their time. An input that a job needs stays until its end.
func (s *Service) sweep(ctx context.Context) error {
	now := s.now()
	files, err := s.store.oldFiles(ctx, now.Add(-s.cfg.InputTTL))
	if err != nil {
		return err
	}
	var faults []error
	for _, id := range files {
		released, err := s.store.releaseFile(ctx, id)
		if err == nil && released {
			err = removeFile(s.inputPath(id))
		}
		faults = append(faults, err)
	}
	jobs, err := s.store.oldJobs(ctx, now.Add(-s.cfg.ResultTTL))
	if err != nil {
		return errors.Join(append(faults, err)...)
	}
	for _, id := range jobs {
		faults = append(faults, s.store.deleteJob(ctx, id), os.RemoveAll(s.path(folderResults, id)))
	}
	old, err := s.store.oldGoals(ctx, now.Add(-s.cfg.ResultTTL))
	faults = append(faults, err)
	for _, id := range old {
		faults = append(faults, s.store.deleteGoal(ctx, id), os.RemoveAll(s.path(folderGoals, id)))
	}
	return errors.Join(append(faults, s.store.forget(ctx, now.Add(-s.cfg.ResultTTL-s.cfg.InputTTL)))...)
}
