package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
)

const (
	codeInternal = "INTERNAL"
	codePartial  = "PARTIAL_RESULT"
)

// maxLaps bounds passes that follow one another without an answer from anybody.
const maxLaps = 100

// cameTo is what a pass came to, to be written in one transaction. A pass that found no space waits for some, until
// ctx ends, and is due again.
func (q *Goals) cameTo(ctx context.Context, job store.Goal, task *goals.Task, outcome error) func(*store.Goal) error {
	change, err := q.outcome(context.WithoutCancel(ctx), job, task, outcome)
	if store.Full(err) {
		q.cfg.Logger.Warn("no space for a goal; it is tried again", zap.String("job_id", job.ID), zap.Error(err))
		q.rest(ctx)
		return resume
	}
	if err != nil {
		change = q.failed(job, err)
	}
	return func(g *store.Goal) error {
		g.Restarts, g.Pending, g.Approve = 0, nil, nil
		return change(g)
	}
}

func (q *Goals) outcome(ctx context.Context, job store.Goal, task *goals.Task, outcome error) (func(*store.Goal) error, error) {
	switch {
	case outcome == nil:
		artifacts, err := q.store.KeepArtifacts(job.ID, task.Files)
		return func(g *store.Goal) error { return complete(g, task, artifacts) }, err
	case errors.Is(outcome, goals.ErrWaiting):
		return q.waiting(ctx, job, task)
	case errors.Is(outcome, goals.ErrReady):
		shown, err := q.approvals(job.ID, task.Approve)
		return func(g *store.Goal) error {
			g.Laps, g.Approve, g.Status = 0, shown, client.GoalReady
			if task.Preview {
				g.Status = client.GoalReadyWithPreview
			}
			return nil
		}, err
	case errors.Is(outcome, goals.ErrAgain):
		return func(g *store.Goal) error {
			for _, id := range task.Retract {
				delete(g.Answers, id)
			}
			return runAgain(g)
		}, nil
	}
	return nil, outcome
}

// runAgain makes another pass due, but not for ever.
func runAgain(g *store.Goal) error {
	g.Due = true
	if g.Laps++; g.Laps >= maxLaps {
		g.Fail(store.GoalFailure{Code: codeInternal, Message: fmt.Sprintf("The goal made %d passes without progress.", maxLaps), Action: client.ActionRetry})
	}
	return nil
}

// failed names what the owner can act on, and hides the rest.
func (q *Goals) failed(job store.Goal, err error) func(*store.Goal) error {
	q.cfg.Logger.Info("goal failed", zap.String("job_id", job.ID), zap.String("goal", job.Goal), zap.Error(err))
	failure := store.GoalFailure{Code: codeInternal, Message: "The job failed; the service's log says why.", Action: client.ActionRetry}
	var known *goals.Failure
	if errors.As(err, &known) {
		failure = store.GoalFailure{Code: known.Code, Message: known.Message, Reason: known.Reason, Action: known.Action}
		if failure.Action == "" {
			failure.Action = "none"
		}
	}
	return func(g *store.Goal) error {
		g.Fail(failure)
		return nil
	}
}

// waiting asks what was not answered beforehand. An answer that was given beforehand and is not valid is named, and
// its slot is asked as any other.
func (q *Goals) waiting(ctx context.Context, job store.Goal, task *goals.Task) (func(*store.Goal) error, error) {
	if len(task.Pending) == 0 {
		return nil, errors.New("a goal waits for answers to nothing")
	}
	shown, err := q.approvals(job.ID, task.Approve)
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
		ids, err := q.checkAnswer(ctx, job.Account, slot, seed)
		var refused *Refusal
		switch {
		case err == nil:
			taken[slot.SlotID], hold = seed, append(hold, ids...)
		case errors.As(err, &refused):
			notes, open = append(notes, fmt.Sprintf("The answer given for %q was refused: %s", slot.SlotID, refused.reason())), append(open, slot)
		default:
			return nil, err
		}
	}

	return func(g *store.Goal) error {
		for _, slot := range task.Pending {
			delete(g.Seeds, slot.SlotID)
		}
		for id, value := range taken {
			g.Answers[id] = value
		}
		g.Notes, g.Hold = append(g.Notes, notes...), hold
		if len(taken) > 0 && !slotsRequired(open) {
			return runAgain(g)
		}
		g.Laps, g.Pending, g.Approve, g.Status = 0, open, shown, client.GoalSlotsPending
		return nil
	}, nil
}

func complete(g *store.Goal, task *goals.Task, artifacts []store.Artifact) error {
	g.Status, g.Artifacts, g.Progress = client.GoalCompleted, artifacts, 100
	g.Closing = nil
	if task.Closing != "" {
		g.Closing = append(g.Closing, task.Closing)
	}
	g.Closing = append(g.Closing, task.Warnings...)
	if len(task.Missing) > 0 {
		g.Status, g.Progress = client.GoalPartial, max(g.Progress, 99)
		g.Failure = &store.GoalFailure{Code: codePartial, Message: strings.Join(task.Missing, "; "), Action: "none"}
	}
	return nil
}

// approvals describes what is shown while a job waits. It stays among the steps.
func (q *Goals) approvals(jobID string, all []goals.Approval) ([]store.Approval, error) {
	var out []store.Approval
	for i, a := range all {
		file, err := q.store.DescribeArtifact(jobID, a.File, i)
		if err != nil {
			return nil, err
		}
		out = append(out, store.Approval{SlotID: a.SlotID, File: file})
	}
	return out, nil
}

// resume makes another pass due as if this one had not been.
func resume(g *store.Goal) error {
	g.Due = true
	return nil
}
