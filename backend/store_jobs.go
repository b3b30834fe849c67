package backend

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/client"
)

// maxRestarts is how often a job may take the service down with it before it is given up.
const maxRestarts = 5

type jobRow struct {
	id, account, fileID, processor, source, target string
	params                                         client.WireJobParams
	status                                         client.JobStatus
	warnings                                       []string
	failure                                        *client.WireJobError
	retries                                        int
	created, updated                               time.Time
	started, completed                             *time.Time
}

type resultRow struct {
	filename, mimetype, sha256, stored string
	size                               int64
}

const jobColumns = `id, account, file_id, processor, source, target, params, status, warnings, error, retries, created, updated, started, completed`

func scanJob(scan func(...any) error) (jobRow, error) {
	var j jobRow
	var params, warnings string
	var failure sql.NullString
	var created, updated int64
	var started, completed sql.NullInt64
	err := scan(&j.id, &j.account, &j.fileID, &j.processor, &j.source, &j.target, &params, &j.status, &warnings, &failure,
		&j.retries, &created, &updated, &started, &completed)
	if err != nil {
		return j, err
	}
	j.created, j.updated, j.started, j.completed = fromMillis(created), fromMillis(updated), timeOrNil(started), timeOrNil(completed)
	err = errors.Join(json.Unmarshal([]byte(params), &j.params), json.Unmarshal([]byte(warnings), &j.warnings))
	if failure.Valid {
		err = errors.Join(err, json.Unmarshal([]byte(failure.String), &j.failure))
	}
	return j, err
}

// insertJob queues a job. An id that exists already is left as it is, and nothing is queued for a file that
// has gone since somebody looked.
func (s *store) insertJob(ctx context.Context, j jobRow) error {
	params, err := json.Marshal(j.params)
	if err != nil {
		return fmt.Errorf("encode a job: %w", err)
	}
	_, err = s.exec(ctx, `INSERT INTO jobs (id, account, file_id, processor, source, target, params, status, created, updated)
		SELECT ?,?,?,?,?,?,?,?,?,? FROM files WHERE id = ? AND state = ? ON CONFLICT (id) DO NOTHING`,
		j.id, j.account, j.fileID, j.processor, j.source, j.target, string(params), client.JobQueued, millis(j.created), millis(j.created),
		j.fileID, fileConfirmed)
	return err
}

func (s *store) job(ctx context.Context, account, id string) (jobRow, bool, error) {
	row := s.db.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM jobs WHERE id = ? AND account = ?`, id, account)
	return optional(scanJob(row.Scan))
}

func optional(j jobRow, err error) (jobRow, bool, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return j, false, nil
	}
	if err != nil {
		return j, false, fmt.Errorf("read a job: %w", err)
	}
	return j, true, nil
}

// claim takes the oldest queued job for conversion.
func (s *store) claim(ctx context.Context, now time.Time) (jobRow, bool, error) {
	row := s.db.QueryRowContext(ctx, `UPDATE jobs SET status = 'processing', started = coalesce(started, ?), updated = ?
		WHERE seq = (SELECT seq FROM jobs WHERE status = 'queued' ORDER BY seq LIMIT 1) RETURNING `+jobColumns, millis(now), millis(now))
	return optional(scanJob(row.Scan))
}

// requeue gives a job back that was broken off by an orderly stop.
func (s *store) requeue(ctx context.Context, id string, now time.Time) error {
	_, err := s.exec(ctx, `UPDATE jobs SET status = 'queued', updated = ? WHERE id = ? AND status = 'processing'`, millis(now), id)
	return err
}

// recover queues what was half done when the last process died, and gives up what keeps killing it.
func (s *store) recover(ctx context.Context, now time.Time) error {
	failure, err := json.Marshal(client.WireJobError{
		Code:    "CONVERSION_FAILED",
		Message: fmt.Sprintf("The service died %d times while it converted this file.", maxRestarts),
	})
	if err != nil {
		return fmt.Errorf("encode a failure: %w", err)
	}
	_, giveUp := s.exec(ctx, `UPDATE jobs SET status = 'failed', error = ?, updated = ?, completed = ?, retries = retries + 1
		WHERE status = 'processing' AND retries + 1 >= ?`, string(failure), millis(now), millis(now), maxRestarts)
	_, again := s.exec(ctx, `UPDATE jobs SET status = 'queued', retries = retries + 1, updated = ? WHERE status = 'processing'`, millis(now))
	return errors.Join(giveUp, again)
}

// complete records the results and the end of a job in one transaction.
func (s *store) complete(ctx context.Context, id string, results []resultRow, warnings []string, now time.Time) (err error) {
	if warnings == nil {
		warnings = []string{}
	}
	text, err := json.Marshal(warnings)
	if err != nil {
		return fmt.Errorf("encode warnings: %w", err)
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write the records: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	for i, r := range results {
		_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO results (job_id, position, filename, size, mimetype, sha256, stored) VALUES (?,?,?,?,?,?,?)`,
			id, i, r.filename, r.size, r.mimetype, r.sha256, r.stored)
		if err != nil {
			return fmt.Errorf("write a result: %w", err)
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE jobs SET status = 'completed', warnings = ?, updated = ?, completed = ? WHERE id = ? AND status = 'processing'`,
		string(text), millis(now), millis(now), id)
	if err != nil {
		return fmt.Errorf("complete a job: %w", err)
	}
	if err = tx.Commit(); err != nil {
		return fmt.Errorf("complete a job: %w", err)
	}
	return nil
}

func (s *store) failJob(ctx context.Context, id string, failure client.WireJobError, now time.Time) error {
	text, err := json.Marshal(failure)
	if err != nil {
		return fmt.Errorf("encode a failure: %w", err)
	}
	_, err = s.exec(ctx, `UPDATE jobs SET status = 'failed', error = ?, updated = ?, completed = ? WHERE id = ? AND status = 'processing'`,
		string(text), millis(now), millis(now), id)
	return err
}

func (s *store) results(ctx context.Context, jobID string) ([]resultRow, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT filename, size, mimetype, sha256, stored FROM results WHERE job_id = ? ORDER BY position`, jobID)
	if err != nil {
		return nil, fmt.Errorf("read the results: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err
	var out []resultRow
	for rows.Next() {
		var r resultRow
		if err := rows.Scan(&r.filename, &r.size, &r.mimetype, &r.sha256, &r.stored); err != nil {
			return nil, fmt.Errorf("read the results: %w", err)
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the results: %w", err)
	}
	return out, nil
}

// jobFilter narrows a list; empty members do not.
type jobFilter struct {
	status, processor, fileID string
	page, limit               int
}

// list gives one page of an account's jobs, newest first, and how many there are in all.
func (s *store) list(ctx context.Context, account string, f jobFilter) (jobs []jobRow, total int, err error) {
	where, args := []string{"account = ?"}, []any{account}
	for _, c := range []struct{ column, value string }{{"status", f.status}, {"processor", f.processor}, {"file_id", f.fileID}} {
		if c.value != "" {
			where, args = append(where, c.column+" = ?"), append(args, c.value)
		}
	}
	condition := strings.Join(where, " AND ")
	if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM jobs WHERE `+condition, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count the jobs: %w", err)
	}
	query := `SELECT ` + jobColumns + ` FROM jobs WHERE ` + condition + ` ORDER BY seq DESC LIMIT ? OFFSET ?` //nolint:gosec // the columns are literals
	rows, err := s.db.QueryContext(ctx, query, append(args, f.limit, (f.page-1)*f.limit)...)
	if err != nil {
		return nil, 0, fmt.Errorf("list the jobs: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err
	for rows.Next() {
		j, err := scanJob(rows.Scan)
		if err != nil {
			return nil, 0, fmt.Errorf("list the jobs: %w", err)
		}
		jobs = append(jobs, j)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("list the jobs: %w", err)
	}
	return jobs, total, nil
}

// unfinishedPair is how many jobs of a pair of formats are queued or under way.
type unfinishedPair struct {
	source, target string
	jobs           int
}

func (s *store) unfinished(ctx context.Context) ([]unfinishedPair, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT source, target, count(*) FROM jobs WHERE status IN (?, ?) GROUP BY source, target`,
		client.JobQueued, client.JobProcessing)
	if err != nil {
		return nil, fmt.Errorf("count the jobs: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err
	var out []unfinishedPair
	for rows.Next() {
		var pair unfinishedPair
		if err := rows.Scan(&pair.source, &pair.target, &pair.jobs); err != nil {
			return nil, fmt.Errorf("count the jobs: %w", err)
		}
		out = append(out, pair)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count the jobs: %w", err)
	}
	return out, nil
}

func (s *store) deleteJob(ctx context.Context, id string) error {
	_, results := s.exec(ctx, `DELETE FROM results WHERE job_id = ?`, id)
	_, job := s.exec(ctx, `DELETE FROM jobs WHERE id = ?`, id)
	return errors.Join(results, job)
}

func hashText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
