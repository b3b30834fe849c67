package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/renameio/v2"
)

// States of a file.
const (
	FileGranted   = "granted"   // a grant is out
	FileConfirmed = "confirmed" // usable
	FileGone      = "gone"      // deleted or expired; the row tells this from a file that never was
)

// File is an upload.
type File struct {
	ID, Account, Name, Mime, S3Key, State string
	Size                                  int64
	Created                               time.Time
}

// ErrFileGone is in the chain where a file was deleted or has expired since somebody looked.
var ErrFileGone = errors.New("a file is gone")

// InsertFile records a file. An id that exists already is left as it is.
func (s *Store) InsertFile(ctx context.Context, f File) error {
	_, err := s.exec(ctx, `INSERT INTO files (id, account, name, size, mime, s3key, state, created) VALUES (?,?,?,?,?,?,?,?)
		ON CONFLICT (id) DO NOTHING`, f.ID, f.Account, f.Name, f.Size, f.Mime, f.S3Key, f.State, millis(f.Created))
	return err
}

// File finds a file of an account; false where there is none.
func (s *Store) File(ctx context.Context, account, id string) (File, bool, error) {
	f := File{ID: id, Account: account}
	var created int64
	err := s.db.QueryRowContext(ctx, `SELECT name, size, mime, s3key, state, created FROM files WHERE id = ? AND account = ?`, id, account).
		Scan(&f.Name, &f.Size, &f.Mime, &f.S3Key, &f.State, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return f, false, nil
	}
	if err != nil {
		return f, false, fmt.Errorf("read a file's record: %w", err)
	}
	f.Created = fromMillis(created)
	return f, true, nil
}

// ConfirmFile makes an upload usable.
func (s *Store) ConfirmFile(ctx context.Context, id string) error {
	_, err := s.exec(ctx, `UPDATE files SET state = ? WHERE id = ? AND state = ?`, FileConfirmed, id, FileGranted)
	return err
}

// RemoveFile deletes a file and its content, unless a job that has not ended needs it: false then.
func (s *Store) RemoveFile(ctx context.Context, id string) (bool, error) {
	n, err := s.exec(ctx, `UPDATE files SET state = ? WHERE id = ? AND state <> ? AND NOT EXISTS (
		SELECT 1 FROM jobs WHERE file_id = files.id AND status IN ('queued', 'processing')) AND NOT EXISTS (
		SELECT 1 FROM goal_files JOIN goal_jobs ON goal_jobs.id = job_id
		WHERE file_id = files.id AND goal_jobs.status NOT IN ('completed', 'partial', 'failed', 'cancelled'))`, FileGone, id, FileGone)
	if err != nil || n == 0 {
		return false, err
	}
	return true, removeFile(s.InputPath(id))
}

// Usage is what an account's files take, in bytes.
func (s *Store) Usage(ctx context.Context, account string) (int64, error) {
	var used sql.NullInt64
	err := s.db.QueryRowContext(ctx, `SELECT sum(size) FROM files WHERE account = ? AND state = ?`, account, FileConfirmed).Scan(&used)
	if err != nil {
		return 0, fmt.Errorf("add up the files: %w", err)
	}
	return used.Int64, nil
}

func (s *Store) oldFiles(ctx context.Context, before time.Time) ([]string, error) {
	return s.ids(ctx, `SELECT id FROM files WHERE state <> ? AND created < ?`, FileGone, millis(before))
}

func (s *Store) forgetFiles(ctx context.Context, before time.Time) error {
	_, err := s.exec(ctx, `DELETE FROM files WHERE state = ? AND created < ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE file_id = files.id)
		AND NOT EXISTS (SELECT 1 FROM goal_files WHERE file_id = files.id)`, FileGone, millis(before))
	return err
}

// AwaitsContent reports whether a file's content may still be written: what has been confirmed must not change any more.
// The error is ErrFileGone where there is no such file any more.
func (s *Store) AwaitsContent(ctx context.Context, id string) (bool, error) {
	var state string
	err := s.db.QueryRowContext(ctx, `SELECT state FROM files WHERE id = ?`, id).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) || err == nil && state == FileGone {
		return false, ErrFileGone
	}
	if err != nil {
		return false, fmt.Errorf("read a file's record: %w", err)
	}
	return state != FileConfirmed, nil
}

// Upload is the content of a file on its way. One of Keep and Discard ends it; Discard after Keep does nothing.
type Upload struct {
	*renameio.PendingFile

	store *Store
	id    string
}

// NewUpload begins to take the content of a file.
func (s *Store) NewUpload(id string) (*Upload, error) {
	pending, err := renameio.NewPendingFile(s.InputPath(id), renameio.WithTempDir(s.Work()), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return nil, fmt.Errorf("store an upload: %w", err)
	}
	return &Upload{PendingFile: pending, store: s, id: id}, nil
}

// Keep makes the content that of the file, unless another was confirmed meanwhile.
func (u *Upload) Keep(ctx context.Context) error {
	if err := u.Sync(); err != nil { // before the lock, as it takes its time
		return fmt.Errorf("store an upload: %w", err)
	}
	unlock := u.store.LockFile(u.id)
	defer unlock()

	if open, err := u.store.AwaitsContent(ctx, u.id); err != nil || !open {
		return err
	}
	if err := u.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("store an upload: %w", err)
	}
	return syncFolder(u.store.path(folderInputs))
}

// Discard removes what was not kept.
func (u *Upload) Discard() error {
	if err := u.Cleanup(); err != nil {
		return fmt.Errorf("remove an upload: %w", err)
	}
	return nil
}
