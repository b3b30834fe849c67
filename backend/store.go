package backend

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// store keeps the records. One connection does for a service of this size and makes every write wait its turn.
type store struct{ db *sql.DB }

const schema = `
CREATE TABLE IF NOT EXISTS files (
	id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, mime TEXT NOT NULL,
	s3key TEXT NOT NULL, state TEXT NOT NULL, created INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS files_by_age ON files (state, created);
CREATE TABLE IF NOT EXISTS jobs (
	seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, account TEXT NOT NULL, file_id TEXT NOT NULL,
	processor TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL, params TEXT NOT NULL,
	status TEXT NOT NULL, warnings TEXT NOT NULL DEFAULT '[]', error TEXT, retries INTEGER NOT NULL DEFAULT 0,
	created INTEGER NOT NULL, updated INTEGER NOT NULL, started INTEGER, completed INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_by_status ON jobs (status, seq);
CREATE INDEX IF NOT EXISTS jobs_by_file ON jobs (file_id);
CREATE INDEX IF NOT EXISTS jobs_by_account ON jobs (account, seq);
CREATE TABLE IF NOT EXISTS results (
	job_id TEXT NOT NULL, position INTEGER NOT NULL, filename TEXT NOT NULL, size INTEGER NOT NULL,
	mimetype TEXT NOT NULL, sha256 TEXT NOT NULL, stored TEXT NOT NULL, PRIMARY KEY (job_id, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS goal_jobs (
	seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, account TEXT NOT NULL, status TEXT NOT NULL,
	due INTEGER NOT NULL, running INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, completed INTEGER,
	record TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS goal_jobs_due ON goal_jobs (due, running, updated);
CREATE TABLE IF NOT EXISTS goal_files (
	job_id TEXT NOT NULL, file_id TEXT NOT NULL, PRIMARY KEY (job_id, file_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS goal_files_by_file ON goal_files (file_id);
CREATE TABLE IF NOT EXISTS idempotency (
	scope TEXT PRIMARY KEY, body TEXT NOT NULL, status INTEGER NOT NULL, created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`

func openStore(ctx context.Context, path string) (*store, error) {
	// FULL: these records are all that the service knows, and a sync costs less than any conversion.
	query := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)", "foreign_keys(ON)"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, fmt.Errorf("open the records: %w", err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the records in %s: %w", path, err), db.Close())
	}
	return &store{db: db}, nil
}

func (s *store) close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the records: %w", err)
	}
	return nil
}

func (s *store) exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("write the records: %w", err)
	}
	return result.RowsAffected()
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func timeOrNil(ms sql.NullInt64) *time.Time {
	if !ms.Valid {
		return nil
	}
	at := fromMillis(ms.Int64)
	return &at
}

// States of a file.
const (
	fileGranted   = "granted"   // a grant is out
	fileConfirmed = "confirmed" // usable
	fileGone      = "gone"      // deleted or expired; the row tells the two from never having been
)

type fileRow struct {
	id, account, name, mime, s3key, state string
	size                                  int64
	created                               time.Time
}

func (s *store) insertFile(ctx context.Context, f fileRow) error {
	_, err := s.exec(ctx, `INSERT INTO files (id, account, name, size, mime, s3key, state, created) VALUES (?,?,?,?,?,?,?,?)
		ON CONFLICT (id) DO NOTHING`, f.id, f.account, f.name, f.size, f.mime, f.s3key, f.state, millis(f.created))
	return err
}

// file finds a file of an account; false where there is none.
func (s *store) file(ctx context.Context, account, id string) (fileRow, bool, error) {
	f := fileRow{id: id, account: account}
	var created int64
	err := s.db.QueryRowContext(ctx, `SELECT name, size, mime, s3key, state, created FROM files WHERE id = ? AND account = ?`, id, account).
		Scan(&f.name, &f.size, &f.mime, &f.s3key, &f.state, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return f, false, nil
	}
	if err != nil {
		return f, false, fmt.Errorf("read a file's record: %w", err)
	}
	f.created = fromMillis(created)
	return f, true, nil
}

func (s *store) setFileState(ctx context.Context, id, state string) error {
	_, err := s.exec(ctx, `UPDATE files SET state = ? WHERE id = ?`, state, id)
	return err
}

// releaseFile marks a file as gone unless a job that has not ended holds it.
func (s *store) releaseFile(ctx context.Context, id string) (bool, error) {
	n, err := s.exec(ctx, `UPDATE files SET state = ? WHERE id = ? AND state <> ? AND NOT EXISTS (
		SELECT 1 FROM jobs WHERE file_id = files.id AND status IN ('queued', 'processing')) AND NOT EXISTS (
		SELECT 1 FROM goal_files JOIN goal_jobs ON goal_jobs.id = job_id
		WHERE file_id = files.id AND goal_jobs.status NOT IN ('completed', 'partial', 'failed', 'cancelled'))`, fileGone, id, fileGone)
	return n > 0, err
}

func (s *store) oldFiles(ctx context.Context, before time.Time) ([]string, error) {
	return s.ids(ctx, `SELECT id FROM files WHERE state <> ? AND created < ?`, fileGone, millis(before))
}

func (s *store) oldJobs(ctx context.Context, before time.Time) ([]string, error) {
	return s.ids(ctx, `SELECT id FROM jobs WHERE completed < ? AND status IN ('completed', 'failed')`, millis(before))
}

func (s *store) ids(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the records: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read the records: %w", err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the records: %w", err)
	}
	return ids, nil
}

// usage is what an account's files take, in bytes.
func (s *store) usage(ctx context.Context, account string) (int64, error) {
	var used sql.NullInt64
	err := s.db.QueryRowContext(ctx, `SELECT sum(size) FROM files WHERE account = ? AND state = ?`, account, fileConfirmed).Scan(&used)
	if err != nil {
		return 0, fmt.Errorf("add up the files: %w", err)
	}
	return used.Int64, nil
}

// idempotent finds what a key was used for; an empty body says that it is new.
func (s *store) idempotent(ctx context.Context, scope string) (body string, status int, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT body, status FROM idempotency WHERE scope = ?`, hashText(scope)).Scan(&body, &status)
	if errors.Is(err, sql.ErrNoRows) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("read a key's record: %w", err)
	}
	return body, status, nil
}

func (s *store) rememberKey(ctx context.Context, scope, body string, status int, now time.Time) error {
	_, err := s.exec(ctx, `INSERT INTO idempotency (scope, body, status, created) VALUES (?,?,?,?) ON CONFLICT (scope) DO NOTHING`,
		hashText(scope), body, status, millis(now))
	return err
}

// forget drops everything that nobody can ask for any more.
func (s *store) forget(ctx context.Context, before time.Time) error {
	_, keyErr := s.exec(ctx, `DELETE FROM idempotency WHERE created < ?`, millis(before))
	_, fileErr := s.exec(ctx, `DELETE FROM files WHERE state = ? AND created < ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE file_id = files.id)
		AND NOT EXISTS (SELECT 1 FROM goal_files WHERE file_id = files.id)`,
		fileGone, millis(before))
	return errors.Join(keyErr, fileErr)
}
