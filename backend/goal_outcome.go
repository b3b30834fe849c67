package backend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
)

const (
	codeInternal  = "INTERNAL"
	codePartial   = "PARTIAL_RESULT"
	codeCancelled = "CANCELLED"
)

// fail ends a job.
func (g *goalRow) fail(failure goalFailure) {
	g.status, g.Failure = client.GoalFailed, &failure
	g.due, g.Pending, g.Approve = false, nil, nil
}

// cameTo is what a pass came to, to be written in one transaction. A pass that found no space waits for some, until
// ctx ends, and is due again.
func (p *passes) cameTo(ctx context.Context, job goalRow, task *goals.Task, outcome error) func(*goalRow) error {
	change, err := p.outcome(context.WithoutCancel(ctx), job, task, outcome)
	if diskFull(err) {
		p.s.cfg.Logger.Warn("no space for a goal; it is tried again", zap.String("job_id", job.id), zap.Error(err))
		p.rest(ctx)
		return (*goalRow).resume
	}
	if err != nil {
		change = p.failed(job, err)
	}
	return func(g *goalRow) error {
		g.Restarts, g.Pending, g.Approve = 0, nil, nil
		return change(g)
	}
}

func (p *passes) outcome(ctx context.Context, job goalRow, task *goals.Task, outcome error) (func(*goalRow) error, error) {
	switch {
	case outcome == nil:
		artifacts, err := p.s.keepArtifacts(job.id, task.Files)
		return func(g *goalRow) error { return g.complete(task, artifacts) }, err
	case errors.Is(outcome, goals.ErrWaiting):
		return p.waiting(ctx, job, task)
	case errors.Is(outcome, goals.ErrReady):
		shown, err := p.s.describeApprovals(job.id, task.Approve)
		return func(g *goalRow) error {
			g.Laps, g.Approve, g.status = 0, shown, client.GoalReady
			if task.Preview {
				g.status = client.GoalReadyWithPreview
			}
			return nil
		}, err
	case errors.Is(outcome, goals.ErrAgain):
		return func(g *goalRow) error {
			for _, id := range task.Retract {
				delete(g.Answers, id)
			}
			return g.again()
		}, nil
	}
	return nil, outcome
}

// again makes another pass due, but not for ever.
func (g *goalRow) again() error {
	g.due = true
	if g.Laps++; g.Laps >= maxLaps {
		g.fail(goalFailure{Code: codeInternal, Message: fmt.Sprintf("The goal went round %d times without getting on.", maxLaps), Action: client.ActionRetry})
	}
	return nil
}

// failed tells what the owner can act on, and hides the rest.
func (p *passes) failed(job goalRow, err error) func(*goalRow) error {
	p.s.cfg.Logger.Info("goal failed", zap.String("job_id", job.id), zap.String("goal", job.Goal), zap.Error(err))
	failure := goalFailure{Code: codeInternal, Message: "The job failed; the service's log says why.", Action: client.ActionRetry}
	var known *goals.Failure
	if errors.As(err, &known) {
		failure = goalFailure{Code: known.Code, Message: known.Message, Reason: known.Reason, Action: known.Action}
		if failure.Action == "" {
			failure.Action = "none"
		}
	}
	return func(g *goalRow) error {
		g.fail(failure)
		return nil
	}
}

// waiting asks what was not answered beforehand. An answer that was given beforehand and is none is named, and
// its slot asked as any other.
func (p *passes) waiting(ctx context.Context, job goalRow, task *goals.Task) (func(*goalRow) error, error) {
	if len(task.Pending) == 0 {
		return nil, errors.New("a goal waits for answers to nothing")
	}
	shown, err := p.s.describeApprovals(job.id, task.Approve)
	if err != nil {
		return nil, err
	}
	var open []goals.Slot
	var notes, hold []string
	taken := map[string]json.RawMessage{}
	for _, slot := range task.Pending {
		seed, given := job.Seeds[slot.SlotID]
		if !given {
			open = append(open, slot)
			continue
		}
		ids, err := p.s.checkAnswer(ctx, job.account, slot, seed)
		var refused *refusal
		switch {
		case err == nil:
			taken[slot.SlotID], hold = seed, append(hold, ids...)
		case errors.As(err, &refused):
			notes, open = append(notes, fmt.Sprintf("The answer given for %q was refused: %s", slot.SlotID, refused.reason())), append(open, slot)
		default:
			return nil, err
		}
	}
	return func(g *goalRow) error {
		for _, slot := range task.Pending {
			delete(g.Seeds, slot.SlotID)
		}
		for id, value := range taken {
			g.Answers[id] = value
		}
		g.Notes, g.hold = append(g.Notes, notes...), hold
		if len(taken) > 0 && !slotsRequired(open) {
			return g.again()
		}
		g.Laps, g.Pending, g.Approve, g.status = 0, open, shown, client.GoalSlotsPending
		return nil
	}, nil
}

func slotsRequired(slots []goals.Slot) bool {
	for _, slot := range slots {
		if slot.Required {
			return true
		}
	}
	return false
}

func (g *goalRow) complete(task *goals.Task, artifacts []artifactRow) error {
	g.status, g.Artifacts, g.Progress = client.GoalCompleted, artifacts, 100
	g.Closing = nil
	if task.Closing != "" {
		g.Closing = append(g.Closing, task.Closing)
	}
	g.Closing = append(g.Closing, task.Warnings...)
	if len(task.Missing) > 0 {
		g.status, g.Progress = client.GoalPartial, max(g.Progress, 99)
		g.Failure = &goalFailure{Code: codePartial, Message: strings.Join(task.Missing, "; "), Action: "none"}
	}
	return nil
}

// describeApprovals describes what is shown while a job waits; it stays among the steps.
func (s *Service) describeApprovals(jobID string, all []goals.Approval) ([]approval, error) {
	var out []approval
	for i, a := range all {
		row, err := s.describe(jobID, a.File, i)
		if err != nil {
			return nil, err
		}
		out = append(out, approval{SlotID: a.SlotID, File: row})
	}
	return out, nil
}

// describe seals a file of a job's steps. Its id changes with its content, so that no old link shows a new file.
func (s *Service) describe(jobID string, f goals.File, position int) (artifactRow, error) {
	stored, err := filepath.Rel(s.path(folderGoals, jobID), f.Path)
	if err != nil || !filepath.IsLocal(stored) {
		return artifactRow{}, fmt.Errorf("the file %s lies outside the job's folder", f.Name)
	}
	info, err := os.Lstat(f.Path)
	if err != nil || !info.Mode().IsRegular() {
		return artifactRow{}, errors.Join(fmt.Errorf("%s is not a file", f.Name), err)
	}
	size, sum, err := seal(f.Path)
	if err != nil {
		return artifactRow{}, err
	}
	id := sha256.Sum256([]byte(jobID + " " + strconv.Itoa(position) + " " + f.Name + " " + sum))
	return artifactRow{
		ID: "art_" + hex.EncodeToString(id[:12]), Name: safeName(f.Name), Mime: f.Mime, Type: f.Type, Description: f.Description,
		Primary: f.Primary, Size: size, SHA256: sum, Stored: stored,
	}, nil
}

// keepArtifacts puts the files of the end into the job's artifacts folder, whole or not at all.
func (s *Service) keepArtifacts(jobID string, files []goals.File) ([]artifactRow, error) {
	root := s.path(folderGoals, jobID)
	work, err := os.MkdirTemp(root, "."+folderArtifacts+"-*")
	if err != nil {
		return nil, fmt.Errorf("keep the artifacts: %w", err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // gone when it is renamed
	rows := make([]artifactRow, len(files))
	for i, f := range files {
		if rows[i], err = s.describe(jobID, f, i); err != nil {
			return nil, err
		}
		name := strconv.Itoa(i)
		if err := linkOrCopy(f.Path, filepath.Join(work, name)); err != nil {
			return nil, fmt.Errorf("keep the artifacts: %w", err)
		}
		rows[i].Stored = filepath.Join(folderArtifacts, name)
	}
	final := filepath.Join(root, folderArtifacts)
	if err := errors.Join(syncFolder(work), os.RemoveAll(final), os.Rename(work, final), syncFolder(root), syncFolder(s.path(folderGoals))); err != nil {
		return nil, fmt.Errorf("keep the artifacts: %w", err)
	}
	return rows, nil
}

// linkOrCopy leaves the original, which a repeated pass would want; not every file system has links.
func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from) //nolint:gosec // inside the job's folder
	if err != nil {
		return err
	}
	defer in.Close()                                                      //nolint:errcheck // read only
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // inside the job's folder
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
