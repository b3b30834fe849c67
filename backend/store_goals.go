package backend

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
)

// goalRow is a goal job. What is looked for has columns; goalRecord is kept as JSON.
type goalRow struct {
	id, account      string
	status           client.GoalStatus
	due              bool // a pass is to be run
	running          bool // one is being run
	created, updated time.Time
	completed        *time.Time
	goalRecord

	hold []string // files that the job is to hold from this write on
}

type goalRecord struct {
	Goal      string                     `json:"goal"`    // empty until one of Choices is chosen
	Choices   []string                   `json:"choices"` // goals that the text may mean
	Text      string                     `json:"text"`
	Files     []string                   `json:"files"`
	Version   int                        `json:"version"`
	Attempt   int                        `json:"attempt"`
	Progress  int                        `json:"progress"`
	Confirmed bool                       `json:"confirmed"`
	Seeds     map[string]json.RawMessage `json:"seeds"` // answers given before their slots were asked
	Answers   map[string]json.RawMessage `json:"answers"`
	Pending   []goals.Slot               `json:"pending"`
	Approve   []approval                 `json:"approve"`
	Artifacts []artifactRow              `json:"artifacts"`
	Notes     []string                   `json:"notes"` // what was refused of the seeds
	Closing   []string                   `json:"closing"`
	Failure   *goalFailure               `json:"failure"`
	Started   *time.Time                 `json:"started"`
	Restarts  int                        `json:"restarts"` // times that the service died during this pass
	Laps      int                        `json:"laps"`     // passes since anybody said anything
}

// approval is something that can be looked at while the job waits; SlotID is empty for the preview of the job.
type approval struct {
	SlotID string      `json:"slotId"`
	File   artifactRow `json:"file"`
}

// artifactRow is a file of a goal job; Stored is below the job's folder.
type artifactRow struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Mime        string `json:"mime"`
	Type        string `json:"type"`
	Description string `json:"description"`
	Primary     bool   `json:"primary"`
	Size        int64  `json:"size"`
	SHA256      string `json:"sha256"`
	Stored      string `json:"stored"`
}

type goalFailure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Action  string `json:"action"`
}

const goalColumns = `id, account, status, due, running, created, updated, completed, record`

func scanGoal(scan func(...any) error) (goalRow, error) {
	var g goalRow
	var created, updated int64
	var completed sql.NullInt64
	var record string
	if err := scan(&g.id, &g.account, &g.status, &g.due, &g.running, &created, &updated, &completed, &record); err != nil {
		return g, err
	}
	g.created, g.updated, g.completed = fromMillis(created), fromMillis(updated), timeOrNil(completed)
	return g, json.Unmarshal([]byte(record), &g.goalRecord)
}

func optionalGoal(g goalRow, err error) (goalRow, bool, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return g, false, nil
	}
	if err != nil {
		return g, false, fmt.Errorf("read a goal job: %w", err)
	}
	return g, true, nil
}

// goal finds a goal job, of whatever account.
func (s *store) goal(ctx context.Context, id string) (goalRow, bool, error) {
	return optionalGoal(scanGoal(s.db.QueryRowContext(ctx, `SELECT `+goalColumns+` FROM goal_jobs WHERE id = ?`, id).Scan))
}

// transact runs f in a transaction, which it rolls back where f fails.
func (s *store) transact(ctx context.Context, f func(tx *sql.Tx) error) (err error) {
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

// errFileGone says that a file went between being looked at and being held.
var errFileGone = errors.New("a file is gone")

// insertGoal records a job that is due. An id that exists already is left as it is.
func (s *store) insertGoal(ctx context.Context, g goalRow) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		record, err := json.Marshal(g.goalRecord)
		if err != nil {
			return fmt.Errorf("encode a goal job: %w", err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO goal_jobs (id, account, status, due, running, created, updated, record)
			VALUES (?,?,?,1,0,?,?,?) ON CONFLICT (id) DO NOTHING`, g.id, g.account, g.status, millis(g.created), millis(g.updated), string(record))
		if err != nil {
			return fmt.Errorf("write a goal job: %w", err)
		}
		return holdFiles(ctx, tx, g)
	})
}

// holdFiles ties files to a job, all of which must still be there.
func holdFiles(ctx context.Context, tx *sql.Tx, g goalRow) error {
	for _, id := range g.hold {
		result, err := tx.ExecContext(ctx, `INSERT INTO goal_files (job_id, file_id) SELECT ?, id FROM files WHERE id = ? AND state = ?
			ON CONFLICT (job_id, file_id) DO UPDATE SET file_id = file_id`, g.id, id, fileConfirmed)
		if err != nil {
			return fmt.Errorf("hold a file: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(fmt.Errorf("%w: %s", errFileGone, id), err)
		}
	}
	return nil
}

// errUnchanged leaves a job as it is, without that being an error.
var errUnchanged = errors.New("nothing to change")

// changeGoal reads a job, lets f change it and writes it with the next version, in one transaction. f must not
// use the records. It gives the job before and after; they are the same where f says errUnchanged.
func (s *store) changeGoal(ctx context.Context, id string, now time.Time, f func(*goalRow) error) (before, after goalRow, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		var found bool
		before, found, err = optionalGoal(scanGoal(tx.QueryRowContext(ctx, `SELECT `+goalColumns+` FROM goal_jobs WHERE id = ?`, id).Scan))
		if err != nil {
			return err
		}
		if !found {
			return noGoal(id)
		}
		after = before
		after.Answers, after.Seeds = cloneAnswers(before.Answers), cloneAnswers(before.Seeds)
		after.Pending = slices.Clone(before.Pending)
		if err := f(&after); err != nil {
			return err
		}
		after.Version++
		after.updated = now
		after.completed = nil
		if after.status.Terminal() {
			after.completed, after.due, after.running = &now, false, false
		}
		if err := holdFiles(ctx, tx, after); err != nil {
			return err
		}
		return writeGoal(ctx, tx, after)
	})
	if errors.Is(err, errUnchanged) {
		return before, before, nil
	}
	return before, after, err
}

func cloneAnswers(in map[string]json.RawMessage) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(in))
	for id, value := range in {
		out[id] = value
	}
	return out
}

func writeGoal(ctx context.Context, tx *sql.Tx, g goalRow) error {
	record, err := json.Marshal(g.goalRecord)
	if err != nil {
		return fmt.Errorf("encode a goal job: %w", err)
	}
	var completed any
	if g.completed != nil {
		completed = millis(*g.completed)
	}
	_, err = tx.ExecContext(ctx, `UPDATE goal_jobs SET status = ?, due = ?, running = ?, updated = ?, completed = ?, record = ? WHERE id = ?`,
		g.status, g.due, g.running, millis(g.updated), completed, string(record), g.id)
	if err != nil {
		return fmt.Errorf("write a goal job: %w", err)
	}
	return nil
}

// dueGoal is the job whose pass has been due for longest; empty where there is none.
func (s *store) dueGoal(ctx context.Context) (string, error) {
	ids, err := s.ids(ctx, `SELECT id FROM goal_jobs WHERE due = 1 AND running = 0 ORDER BY updated, seq LIMIT 1`)
	return strings.Join(ids, ""), err
}

// recoverGoals makes passes due again that were under way when the last process died, and gives up what keeps killing it.
func (s *store) recoverGoals(ctx context.Context, now time.Time) error {
	ids, err := s.ids(ctx, `SELECT id FROM goal_jobs WHERE running = 1`)
	for _, id := range ids {
		_, _, changeErr := s.changeGoal(ctx, id, now, func(g *goalRow) error {
			g.running, g.due = false, true
			if g.Restarts++; g.Restarts >= maxRestarts {
				g.fail(goalFailure{Code: codeInternal, Message: fmt.Sprintf("The service died %d times while it ran this job.", maxRestarts), Action: client.ActionRetry})
			}
			return nil
		})
		err = errors.Join(err, changeErr)
	}
	return err
}

// goalsOf lists an account's goal jobs, newest first; a file narrows it to those that hold it.
func (s *store) goalsOf(ctx context.Context, account, fileID string, limit int) (found []goalRow, total int, err error) {
	const where = ` FROM goal_jobs WHERE account = ? AND (? = '' OR id IN (SELECT job_id FROM goal_files WHERE file_id = ?))`
	if err := s.db.QueryRowContext(ctx, `SELECT count(*)`+where, account, fileID, fileID).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count the goal jobs: %w", err)
	}
	rows, err := s.db.QueryContext(ctx, `SELECT `+goalColumns+where+` ORDER BY seq DESC LIMIT ?`, account, fileID, fileID, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("list the goal jobs: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err
	for rows.Next() {
		g, err := scanGoal(rows.Scan)
		if err != nil {
			return nil, 0, fmt.Errorf("list the goal jobs: %w", err)
		}
		found = append(found, g)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("list the goal jobs: %w", err)
	}
	return found, total, nil
}

// goalFiles are the files that a job holds, by id: its inputs and those that answered slots.
func (s *store) goalFiles(ctx context.Context, jobID string) (map[string]fileRow, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, name, size, state FROM goal_files JOIN files ON id = file_id WHERE job_id = ?`, jobID)
	if err != nil {
		return nil, fmt.Errorf("read a job's files: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err
	out := map[string]fileRow{}
	for rows.Next() {
		var f fileRow
		if err := rows.Scan(&f.id, &f.name, &f.size, &f.state); err != nil {
			return nil, fmt.Errorf("read a job's files: %w", err)
		}
		out[f.id] = f
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read a job's files: %w", err)
	}
	return out, nil
}

func (s *store) oldGoals(ctx context.Context, before time.Time) ([]string, error) {
	return s.ids(ctx, `SELECT id FROM goal_jobs WHERE completed < ?`, millis(before))
}

func (s *store) deleteGoal(ctx context.Context, id string) error {
	_, files := s.exec(ctx, `DELETE FROM goal_files WHERE job_id = ?`, id)
	_, job := s.exec(ctx, `DELETE FROM goal_jobs WHERE id = ?`, id)
	return errors.Join(files, job)
}
