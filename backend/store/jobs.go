package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// MaxRestarts is how often a job may take the service down with it before it is given up.
const MaxRestarts = 5

// Job is a conversion.
type Job struct {
	ID, Account, FileID, Processor string
	Params                         client.WireJobParams // as they came
	Request                        engines.Request      // what they ask an engine for, without paths
	Status                         client.JobStatus
	Warnings                       []string
	Check                          *client.CheckResult // nil where nothing was to be compared
	Failure                        *client.WireJobError
	Retries                        int
	// Secrets are for InsertJob, which keeps them sealed until the job ends; Store.Secrets gives them.
	Secrets            option.Values
	Created, Updated   time.Time
	Started, Completed *time.Time
}

const jobColumns = `id, account, file_id, processor, source, target, params, status, warnings, error, retries, created, updated, started, completed, request, checked`

func scanJob(scan func(...any) error) (Job, error) {
	var j Job
	var source, target, params, warnings, request string
	var failure, checked sql.NullString
	var created, updated int64
	var started, completed sql.NullInt64
	err := scan(&j.ID, &j.Account, &j.FileID, &j.Processor, &source, &target, &params, &j.Status, &warnings, &failure,
		&j.Retries, &created, &updated, &started, &completed, &request, &checked)
	if err != nil {
		return j, err
	}
	j.Created, j.Updated, j.Started, j.Completed = fromMillis(created), fromMillis(updated), timeOrNil(started), timeOrNil(completed)

	err = errors.Join(json.Unmarshal([]byte(params), &j.Params), json.Unmarshal([]byte(warnings), &j.Warnings))
	if failure.Valid {
		err = errors.Join(err, json.Unmarshal([]byte(failure.String), &j.Failure))
	}
	if checked.Valid {
		err = errors.Join(err, json.Unmarshal([]byte(checked.String), &j.Check))
	}
	if request != "" {
		err = errors.Join(err, json.Unmarshal([]byte(request), &j.Request))
	}
	j.Request.Source, j.Request.Target = source, target
	return j, err
}

// InsertJob queues a job. An id that exists already is left as it is, and nothing is queued for a file that
// has gone since somebody looked.
func (s *Store) InsertJob(ctx context.Context, j Job) error {
	params, err := json.Marshal(j.Params)
	if err != nil {
		return fmt.Errorf("encode a job: %w", err)
	}
	request, err := json.Marshal(j.Request)
	if err != nil {
		return fmt.Errorf("encode a job: %w", err)
	}
	secrets, err := s.sealed(j.ID, j.Secrets)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, `INSERT INTO jobs (id, account, file_id, processor, source, target, params, status, created, updated, request, secrets)
		SELECT ?,?,?,?,?,?,?,?,?,?,?,? FROM files WHERE id = ? AND state = ? ON CONFLICT (id) DO NOTHING`,
		j.ID, j.Account, j.FileID, j.Processor, j.Request.Source, j.Request.Target, string(params), client.JobQueued,
		millis(j.Created), millis(j.Created), string(request), secrets, j.FileID, FileConfirmed)
	return err
}

// JobsWithoutRequest are those that an earlier version has queued, which wrote none down.
func (s *Store) JobsWithoutRequest(ctx context.Context) ([]Job, error) {
	return queryAll(ctx, s.db, "the jobs", scanJob, `SELECT `+jobColumns+` FROM jobs WHERE request = '' AND status = 'queued'`)
}

// SetRequest writes down what a job asks an engine for.
func (s *Store) SetRequest(ctx context.Context, id string, request engines.Request) error {
	text, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encode a job: %w", err)
	}
	_, err = s.exec(ctx, `UPDATE jobs SET request = ? WHERE id = ?`, string(text), id)
	return err
}

// Job finds a job of an account; false where there is none.
func (s *Store) Job(ctx context.Context, account, id string) (Job, bool, error) {
	row := s.db.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM jobs WHERE id = ? AND account = ?`, id, account)
	return optional(scanJob(row.Scan))
}

func optional(j Job, err error) (Job, bool, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return j, false, nil
	}
	if err != nil {
		return j, false, fmt.Errorf("read a job: %w", err)
	}
	return j, true, nil
}

// Claim takes the oldest queued job for conversion.
func (s *Store) Claim(ctx context.Context) (Job, bool, error) {
	now := s.now()
	row := s.db.QueryRowContext(ctx, `UPDATE jobs SET status = 'processing', started = coalesce(started, ?), updated = ?
		WHERE seq = (SELECT seq FROM jobs WHERE status = 'queued' ORDER BY seq LIMIT 1) RETURNING `+jobColumns, millis(now), millis(now))
	return optional(scanJob(row.Scan))
}

// Requeue gives back a job that was not converted to its end.
func (s *Store) Requeue(ctx context.Context, id string) error {
	_, err := s.exec(ctx, `UPDATE jobs SET status = 'queued', updated = ? WHERE id = ? AND status = 'processing'`, millis(s.now()), id)
	return err
}

// recoverJobs queues what was half done when the last process ended, and gives up what keeps killing it.
func (s *Store) recoverJobs(ctx context.Context, died bool) error {
	now := s.now()
	if !died {
		_, err := s.exec(ctx, `UPDATE jobs SET status = 'queued', updated = ? WHERE status = 'processing'`, millis(now))
		return err
	}
	failure, err := json.Marshal(client.WireJobError{
		Code:    "CONVERSION_FAILED",
		Message: fmt.Sprintf("The service died %d times while it converted this file.", MaxRestarts),
	})
	if err != nil {
		return fmt.Errorf("encode a failure: %w", err)
	}
	_, giveUp := s.exec(ctx, `UPDATE jobs SET status = 'failed', error = ?, updated = ?, completed = ?, secrets = NULL, retries = retries + 1
		WHERE status = 'processing' AND retries + 1 >= ?`, string(failure), millis(now), millis(now), MaxRestarts)
	_, again := s.exec(ctx, `UPDATE jobs SET status = 'queued', retries = retries + 1, updated = ? WHERE status = 'processing'`, millis(now))
	return errors.Join(giveUp, again)
}

// CompleteJob moves what an engine has made in folder to its place, and records it with the end of the job. The folder
// must lie in Work; files outside of it are refused. check is nil where nothing was compared.
func (s *Store) CompleteJob(ctx context.Context, id, folder string, made engines.Result, check *client.CheckResult) error {
	results, err := collect(folder, made.Files)
	if err != nil {
		return err
	}
	final := s.path(folderResults, id)
	if err := errors.Join(os.RemoveAll(final), os.Rename(folder, final), syncFolder(s.path(folderResults))); err != nil {
		return fmt.Errorf("keep the results: %w", err)
	}

	warnings, err := json.Marshal(append([]string{}, made.Warnings...))
	if err != nil {
		return fmt.Errorf("encode warnings: %w", err)
	}
	checked, err := checkColumn(check)
	if err != nil {
		return err
	}
	now := millis(s.now())
	return s.transact(ctx, func(tx *sql.Tx) error {
		for i, r := range results {
			_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO results (job_id, position, filename, size, mimetype, sha256, stored) VALUES (?,?,?,?,?,?,?)`,
				id, i, r.Filename, r.Size, r.Mimetype, r.SHA256, r.Stored)
			if err != nil {
				return fmt.Errorf("write a result: %w", err)
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE jobs SET status = 'completed', warnings = ?, checked = ?, updated = ?, completed = ?, secrets = NULL WHERE id = ? AND status = 'processing'`,
			string(warnings), checked, now, now, id)
		if err != nil {
			return fmt.Errorf("complete a job: %w", err)
		}
		return nil
	})
}

func checkColumn(check *client.CheckResult) (sql.NullString, error) {
	if check == nil {
		return sql.NullString{}, nil
	}
	text, err := json.Marshal(check)
	if err != nil {
		return sql.NullString{}, fmt.Errorf("encode a check: %w", err)
	}
	return sql.NullString{String: string(text), Valid: true}, nil
}

// collect describes the outputs, and syncs them.
func collect(folder string, files []engines.File) ([]Result, error) {
	if len(files) == 0 {
		return nil, engines.Errorf(engines.CodeConversionFailed, "the engine made no output")
	}
	results := make([]Result, len(files))
	for i, file := range files {
		if filepath.Dir(file.Path) != filepath.Clean(folder) {
			return nil, fmt.Errorf("output %s lies outside the work folder", file.Path)
		}
		size, sum, err := seal(file.Path)
		if err != nil {
			return nil, err
		}
		if size == 0 {
			return nil, engines.Errorf(engines.CodeConversionFailed, "the engine made an empty output")
		}
		if file.Size != 0 {
			size = file.Size
		}
		results[i] = Result{Filename: file.Filename, Mimetype: file.Mimetype, Size: size, SHA256: sum, Stored: filepath.Base(file.Path)}
	}
	return results, nil
}

// FailJob ends a job with an error.
func (s *Store) FailJob(ctx context.Context, id string, failure client.WireJobError) error {
	now := s.now()
	text, err := json.Marshal(failure)
	if err != nil {
		return fmt.Errorf("encode a failure: %w", err)
	}
	_, err = s.exec(ctx, `UPDATE jobs SET status = 'failed', error = ?, updated = ?, completed = ?, secrets = NULL WHERE id = ? AND status = 'processing'`,
		string(text), millis(now), millis(now), id)
	return err
}

// Results are the files of a job, in their order.
func (s *Store) Results(ctx context.Context, jobID string) ([]Result, error) {
	return queryAll(ctx, s.db, "the results", func(scan func(...any) error) (r Result, err error) {
		return r, scan(&r.Filename, &r.Size, &r.Mimetype, &r.SHA256, &r.Stored)
	}, `SELECT filename, size, mimetype, sha256, stored FROM results WHERE job_id = ? ORDER BY position`, jobID)
}

// JobFilter narrows a list; empty members do not. Pages count from 1.
type JobFilter struct {
	Status, Processor, FileID string
	Page, Limit               int
}

// Jobs gives one page of an account's jobs, newest first, and how many there are in all.
func (s *Store) Jobs(ctx context.Context, account string, f JobFilter) (jobs []Job, total int, err error) {
	where, args := []string{"account = ?"}, []any{account}
	for _, c := range []struct{ column, value string }{{"status", f.Status}, {"processor", f.Processor}, {"file_id", f.FileID}} {
		if c.value != "" {
			where, args = append(where, c.column+" = ?"), append(args, c.value)
		}
	}
	condition := strings.Join(where, " AND ")
	if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM jobs WHERE `+condition, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count the jobs: %w", err)
	}
	query := `SELECT ` + jobColumns + ` FROM jobs WHERE ` + condition + ` ORDER BY seq DESC LIMIT ? OFFSET ?`
	jobs, err = queryAll(ctx, s.db, "the jobs", scanJob, query, append(args, f.Limit, (f.Page-1)*f.Limit)...)
	return jobs, total, err
}

// Unfinished is how many jobs of a pair of formats are queued or under way.
type Unfinished struct {
	Source, Target string
	Jobs           int
}

// Unfinished counts the jobs that have not ended, by their pairs of formats.
func (s *Store) Unfinished(ctx context.Context) ([]Unfinished, error) {
	return queryAll(ctx, s.db, "the jobs", func(scan func(...any) error) (u Unfinished, err error) {
		return u, scan(&u.Source, &u.Target, &u.Jobs)
	}, `SELECT source, target, count(*) FROM jobs WHERE status IN (?, ?) GROUP BY source, target`, client.JobQueued, client.JobProcessing)
}

func (s *Store) oldJobs(ctx context.Context, before time.Time) ([]string, error) {
	return s.ids(ctx, `SELECT id FROM jobs WHERE completed < ? AND status IN ('completed', 'failed')`, millis(before))
}

func (s *Store) deleteJob(ctx context.Context, id string) error {
	_, results := s.exec(ctx, `DELETE FROM results WHERE job_id = ?`, id)
	_, job := s.exec(ctx, `DELETE FROM jobs WHERE id = ?`, id)
	return errors.Join(results, job)
}
