package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Open takes up a data folder, which must exist. What was half done when the last process ended is due again. now is
// the clock of all records.
func Open(ctx context.Context, dir string, now func() time.Time) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the data folder: %w", err)
	}
	s := &Store{Folder: Folder(dir), now: now}
	if s.held, err = s.lock(); err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, s.held.Close())
	}

	if s.db, err = openDatabase(ctx, s.path("backend.db")); err != nil {
		return nil, errors.Join(err, s.held.Close())
	}
	died := s.died()
	if err := errors.Join(s.recoverJobs(ctx, died), s.RecoverGoals(ctx, died), s.mark(thisBoot())); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close lets go of the folder.
func (s *Store) Close() error {
	err := s.db.Close()
	if err != nil {
		err = fmt.Errorf("close the records: %w", err)
	}
	return errors.Join(err, s.held.Close())
}

// Sweep removes uploads and results that have outlived their time. An upload that a job needs stays until its end.
func (s *Store) Sweep(ctx context.Context, inputs, results time.Duration) error {
	now := s.now()
	files, err := s.oldFiles(ctx, now.Add(-inputs))
	if err != nil {
		return err
	}
	var failures []error
	for _, id := range files {
		_, err := s.RemoveFile(ctx, id)
		failures = append(failures, err)
	}

	jobs, err := s.oldJobs(ctx, now.Add(-results))
	failures = append(failures, err)
	for _, id := range jobs {
		failures = append(failures, s.deleteJob(ctx, id), os.RemoveAll(s.path(folderResults, id)))
	}
	goals, err := s.oldGoals(ctx, now.Add(-results))
	failures = append(failures, err)
	for _, id := range goals {
		failures = append(failures, s.deleteGoal(ctx, id), os.RemoveAll(s.path(folderGoals, id)))
	}

	before := now.Add(-results - inputs)
	return errors.Join(append(failures, s.forgetKeys(ctx, before), s.forgetFiles(ctx, before))...)
}
