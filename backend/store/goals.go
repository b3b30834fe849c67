package store

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

// Goal is a goal job. What is looked for has columns; GoalRecord is kept as JSON.
type Goal struct {
	ID, Account      string
	Status           client.GoalStatus
	Due              bool // a pass is to be run
	Running          bool // one is being run
	Created, Updated time.Time
	Completed        *time.Time
	GoalRecord

	Hold []string // files that the job is to hold from this write on
}

// GoalRecord is the part of a goal job that is kept as JSON.
type GoalRecord struct {
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
	Approve   []Approval                 `json:"approve"`
	Artifacts []Artifact                 `json:"artifacts"`
	Notes     []string                   `json:"notes"` // what was refused of the seeds
	Closing   []string                   `json:"closing"`
	Failure   *GoalFailure               `json:"failure"`
	Started   *time.Time                 `json:"started"`
	Restarts  int                        `json:"restarts"` // times that the service died during this pass
	Laps      int                        `json:"laps"`     // passes since anybody said anything
}

// Approval is something that can be looked at while the job waits; SlotID is empty for the preview of the job.
type Approval struct {
	SlotID string   `json:"slotId"`
	File   Artifact `json:"file"`
}

// GoalFailure is why a goal job has failed, or what a partial one lacks.
type GoalFailure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Action  string `json:"action"`
}

const goalColumns = `id, account, status, due, running, created, updated, completed, record`

func scanGoal(scan func(...any) error) (Goal, error) {
	var g Goal
	var created, updated int64
	var completed sql.NullInt64
	var record string
	if err := scan(&g.ID, &g.Account, &g.Status, &g.Due, &g.Running, &created, &updated, &completed, &record); err != nil {
		return g, err
	}
	g.Created, g.Updated, g.Completed = fromMillis(created), fromMillis(updated), timeOrNil(completed)
	return g, json.Unmarshal([]byte(record), &g.GoalRecord)
}

func optionalGoal(g Goal, err error) (Goal, bool, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return g, false, nil
	}
	if err != nil {
		return g, false, fmt.Errorf("read a goal job: %w", err)
	}
	return g, true, nil
}

// Goal finds a goal job, of whatever account.
func (s *Store) Goal(ctx context.Context, id string) (Goal, bool, error) {
	return optionalGoal(scanGoal(s.db.QueryRowContext(ctx, `SELECT `+goalColumns+` FROM goal_jobs WHERE id = ?`, id).Scan))
}

// Fail ends a job with a failure.
func (g *Goal) Fail(failure GoalFailure) {
	g.Status, g.Failure = client.GoalFailed, &failure
	g.Due, g.Pending, g.Approve = false, nil, nil
}

// InsertGoal records a job that is due. An id that exists already is left as it is.
func (s *Store) InsertGoal(ctx context.Context, g Goal) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		record, err := json.Marshal(g.GoalRecord)
		if err != nil {
			return fmt.Errorf("encode a goal job: %w", err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO goal_jobs (id, account, status, due, running, created, updated, record)
			VALUES (?,?,?,1,0,?,?,?) ON CONFLICT (id) DO NOTHING`, g.ID, g.Account, g.Status, millis(g.Created), millis(g.Updated), string(record))
		if err != nil {
			return fmt.Errorf("write a goal job: %w", err)
		}
		return holdFiles(ctx, tx, g)
	})
}

// holdFiles ties files to a job, all of which must still be there.
func holdFiles(ctx context.Context, tx *sql.Tx, g Goal) error {
	for _, id := range g.Hold {
		result, err := tx.ExecContext(ctx, `INSERT INTO goal_files (job_id, file_id) SELECT ?, id FROM files WHERE id = ? AND state = ?
			ON CONFLICT (job_id, file_id) DO UPDATE SET file_id = file_id`, g.ID, id, FileConfirmed)
		if err != nil {
			return fmt.Errorf("hold a file: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(fmt.Errorf("%w: %s", ErrFileGone, id), err)
		}
	}
	return nil
}

// ErrNoGoal is for an id that no goal job has.
var ErrNoGoal = errors.New("there is no such goal job")

// ErrUnchanged leaves a job as it is, without that being an error.
var ErrUnchanged = errors.New("nothing to change")

// ChangeGoal reads a job, lets f change it and writes it with the next version, in one transaction. f must not
// use the records. It gives the job before and after; they are the same where f says ErrUnchanged.
func (s *Store) ChangeGoal(ctx context.Context, id string, f func(*Goal) error) (before, after Goal, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		var found bool
		before, found, err = optionalGoal(scanGoal(tx.QueryRowContext(ctx, `SELECT `+goalColumns+` FROM goal_jobs WHERE id = ?`, id).Scan))
		if err != nil {
			return err
		}
		if !found {
			return ErrNoGoal
		}
		after = before
		after.Answers, after.Seeds = CloneAnswers(before.Answers), CloneAnswers(before.Seeds)
		after.Pending = slices.Clone(before.Pending)
		if err := f(&after); err != nil {
			return err
		}

		now := s.now()
		after.Version++
		after.Updated = now
		after.Completed = nil
		if after.Status.Terminal() {
			after.Completed, after.Due, after.Running = &now, false, false
		}
		if err := holdFiles(ctx, tx, after); err != nil {
			return err
		}
		return writeGoal(ctx, tx, after)
	})
	if errors.Is(err, ErrUnchanged) {
		return before, before, nil
	}
	return before, after, err
}

// CloneAnswers copies the map, never nil; values are not written to.
func CloneAnswers(in map[string]json.RawMessage) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(in))
	for id, value := range in {
		out[id] = value
	}
	return out
}

func writeGoal(ctx context.Context, tx *sql.Tx, g Goal) error {
	record, err := json.Marshal(g.GoalRecord)
	if err != nil {
		return fmt.Errorf("encode a goal job: %w", err)
	}
	var completed any
	if g.Completed != nil {
		completed = millis(*g.Completed)
	}
	_, err = tx.ExecContext(ctx, `UPDATE goal_jobs SET status = ?, due = ?, running = ?, updated = ?, completed = ?, record = ? WHERE id = ?`,
		g.Status, g.Due, g.Running, millis(g.Updated), completed, string(record), g.ID)
	if err != nil {
		return fmt.Errorf("write a goal job: %w", err)
	}
	return nil
}

// DueGoal is the job whose pass has been due for longest; empty where there is none.
func (s *Store) DueGoal(ctx context.Context) (string, error) {
	ids, err := s.ids(ctx, `SELECT id FROM goal_jobs WHERE due = 1 AND running = 0 ORDER BY updated, seq LIMIT 1`)
	return strings.Join(ids, ""), err
}

// RecoverGoals makes passes due again that were under way when the last process ended, and gives up what keeps killing it.
func (s *Store) RecoverGoals(ctx context.Context, died bool) error {
	ids, err := s.ids(ctx, `SELECT id FROM goal_jobs WHERE running = 1`)
	for _, id := range ids {
		_, _, changeErr := s.ChangeGoal(ctx, id, func(g *Goal) error {
			g.Running, g.Due = false, true
			if !died {
				return nil
			}
			if g.Restarts++; g.Restarts >= MaxRestarts {
				g.Fail(GoalFailure{Code: "INTERNAL", Message: fmt.Sprintf("The service died %d times while it ran this job.", MaxRestarts), Action: client.ActionRetry})
			}
			return nil
		})
		err = errors.Join(err, changeErr)
	}
	return err
}

// Goals lists an account's goal jobs, newest first; a file narrows it to those that hold it.
func (s *Store) Goals(ctx context.Context, account, fileID string, limit int) (found []Goal, total int, err error) {
	const where = ` FROM goal_jobs WHERE account = ? AND (? = '' OR id IN (SELECT job_id FROM goal_files WHERE file_id = ?))`
	if err := s.db.QueryRowContext(ctx, `SELECT count(*)`+where, account, fileID, fileID).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count the goal jobs: %w", err)
	}
	found, err = queryAll(ctx, s.db, "the goal jobs", scanGoal, `SELECT `+goalColumns+where+` ORDER BY seq DESC LIMIT ?`, account, fileID, fileID, limit)
	return found, total, err
}

// GoalFiles are the files that a job holds, by id: its inputs and those that answered slots.
func (s *Store) GoalFiles(ctx context.Context, jobID string) (map[string]File, error) {
	files, err := queryAll(ctx, s.db, "a job's files", func(scan func(...any) error) (f File, err error) {
		return f, scan(&f.ID, &f.Name, &f.Size, &f.State)
	}, `SELECT id, name, size, state FROM goal_files JOIN files ON id = file_id WHERE job_id = ?`, jobID)
	out := make(map[string]File, len(files))
	for _, f := range files {
		out[f.ID] = f
	}
	return out, err
}

func (s *Store) oldGoals(ctx context.Context, before time.Time) ([]string, error) {
	return s.ids(ctx, `SELECT id FROM goal_jobs WHERE completed < ?`, millis(before))
}

func (s *Store) deleteGoal(ctx context.Context, id string) error {
	_, files := s.exec(ctx, `DELETE FROM goal_files WHERE job_id = ?`, id)
	_, job := s.exec(ctx, `DELETE FROM goal_jobs WHERE id = ?`, id)
	return errors.Join(files, job)
}
