package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"syscall"
	"time"

	"modernc.org/sqlite" // also the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/convilyn/convilyn-temporal/internal/private"
)

// Store is the records and the files of a data folder. Its methods may be called at the same time by several.
type Store struct {
	Folder

	db    *sql.DB // one connection: enough for a service of this size, and every write waits its turn
	locks keyedLocks
	held  *os.File // the lock on the folder
	now   func() time.Time
}

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
	created INTEGER NOT NULL, updated INTEGER NOT NULL, started INTEGER, completed INTEGER,
	request TEXT NOT NULL DEFAULT '', checked TEXT, secrets BLOB
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

// openDatabase opens the records, and brings those of earlier versions up to date.
func openDatabase(ctx context.Context, path string) (*sql.DB, error) {
	// SQLite gives what it adds beside it the same mode.
	if err := private.Create(path); err != nil {
		return nil, err
	}
	// FULL: these records are all that the service knows, and a sync costs less than any conversion.
	query := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)", "foreign_keys(ON)"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, fmt.Errorf("open the records: %w", err)
	}
	db.SetMaxOpenConns(1)

	_, err = db.ExecContext(ctx, schema)
	if err == nil {
		err = addColumns(ctx, db)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the records in %s: %w", path, err), db.Close())
	}
	return db, nil
}

// addColumns adds the columns that jobs of earlier versions had not.
func addColumns(ctx context.Context, db *sql.DB) error {
	for _, column := range []struct{ name, kind string }{{"request", "TEXT NOT NULL DEFAULT ''"}, {"checked", "TEXT"}, {"secrets", "BLOB"}} {
		var there int
		err := db.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info('jobs') WHERE name = ?`, column.name).Scan(&there)
		if err != nil {
			return err
		}
		if there > 0 {
			continue
		}
		if _, err := db.ExecContext(ctx, `ALTER TABLE jobs ADD COLUMN `+column.name+` `+column.kind); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) exec(ctx context.Context, query string, args ...any) (int64, error) {
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

func (s *Store) ids(ctx context.Context, query string, args ...any) ([]string, error) {
	return queryAll(ctx, s.db, "the records", func(scan func(...any) error) (id string, err error) {
		return id, scan(&id)
	}, query, args...)
}

// transact runs f in a transaction, and rolls it back where f fails.
func (s *Store) transact(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write the records: %w", err)
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write the records: %w", err)
	}
	return nil
}

// queryAll reads every row of a query. what names them in errors.
func queryAll[T any](ctx context.Context, db *sql.DB, what string, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err

	var out []T
	for rows.Next() {
		row, err := scan(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", what, err)
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return out, nil
}

// Full reports whether a failure goes away when somebody makes space.
func Full(err error) bool {
	var records *sqlite.Error
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		errors.As(err, &records) && records.Code()&0xff == sqlite3.SQLITE_FULL
}

func hashText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// LockKey serialises requests under one idempotency key.
func (s *Store) LockKey(scope string) (unlock func()) { return s.locks.lock("key " + scope) }

// LockUpload keeps two uploads of one file apart, while their bytes come.
func (s *Store) LockUpload(id string) (unlock func()) { return s.locks.lock("upload " + id) }

// LockFile keeps an upload that has arrived, a confirmation and a deletion of a file apart.
func (s *Store) LockFile(id string) (unlock func()) { return s.locks.lock("file " + id) }

// LockGoal keeps changes of a goal job apart, so that events come in their order. It gives up when ctx ends.
func (s *Store) LockGoal(ctx context.Context, id string) (unlock func(), err error) {
	return s.locks.lockUntil(ctx, "goal "+id)
}

// keyedLocks is a lock a name, for as long as somebody holds or awaits it.
type keyedLocks struct {
	mu    sync.Mutex
	locks map[string]*keyedLock
}

type keyedLock struct {
	held  chan struct{} // has room for one holder
	users int
}

func (k *keyedLocks) lock(name string) (unlock func()) {
	unlock, _ = k.lockUntil(context.Background(), name) // which does not end
	return unlock
}

func (k *keyedLocks) lockUntil(ctx context.Context, name string) (unlock func(), err error) {
	l := k.join(name)
	select {
	case l.held <- struct{}{}:
		return func() {
			<-l.held
			k.leave(name, l)
		}, nil
	case <-ctx.Done():
		k.leave(name, l)
		return nil, ctx.Err()
	}
}

func (k *keyedLocks) join(name string) *keyedLock {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locks == nil {
		k.locks = map[string]*keyedLock{}
	}
	l := k.locks[name]
	if l == nil {
		l = &keyedLock{held: make(chan struct{}, 1)}
		k.locks[name] = l
	}
	l.users++
	return l
}

func (k *keyedLocks) leave(name string, l *keyedLock) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(k.locks, name)
	}
}
