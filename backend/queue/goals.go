package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
)

// Goals are the goal jobs: what people do to them, and the passes that are due.
type Goals struct {
	workers

	cfg     Config
	store   *store.Store
	catalog goals.Catalog
	changed []func(before, after store.Goal)
	steps   []func(jobID, step string, begun bool)
	mu      sync.Mutex
	running map[string]*pass
	alive   map[string]bool // jobs on which a pass works
}

// pass is one under way.
type pass struct {
	cancel context.CancelFunc
	ended  chan struct{} // closed when nothing of it runs, and nothing half-made of it is left
}

// beatEvery is how often a job that is alive shows it. Nothing is written for that.
const beatEvery = 10 * time.Second

// Alive is when a job last showed that it is alive: when it was written, and now and then while a pass works on it, or on
// others for which it waits.
func (q *Goals) Alive(job store.Goal) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	waits := job.Due && !job.Running && len(q.alive) > 0
	beat := q.cfg.Now().Truncate(beatEvery)
	if (waits || job.Running && q.alive[job.ID]) && beat.After(job.Updated) {
		return beat
	}
	return job.Updated
}

// live has a job show that it is alive, until still is called.
func (q *Goals) live(jobID string) (still func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.alive[jobID] = true
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.alive, jobID)
	}
}

// OnChange has f told of every change of a goal job, in the order of the changes. f must not wait, and must not change
// the job itself. To be called before Start.
func (q *Goals) OnChange(f func(before, after store.Goal)) { q.changed = append(q.changed, f) }

// OnStep has f told when a step of a pass begins, and when it ends. To be called before Start.
func (q *Goals) OnStep(f func(jobID, step string, begun bool)) { q.steps = append(q.steps, f) }

func (q *Goals) tellStep(jobID, step string, begun bool) {
	for _, tell := range q.steps {
		tell(jobID, step, begun)
	}
}

// Watch runs f between two changes of a job of the account.
func (q *Goals) Watch(ctx context.Context, account, id string, f func(job store.Goal)) error {
	unlock, err := q.store.LockGoal(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()

	job, err := q.Find(ctx, account, id)
	if err != nil {
		return err
	}
	f(job)
	return nil
}

// Find is a goal job of an account.
func (q *Goals) Find(ctx context.Context, account, id string) (store.Goal, error) {
	job, found, err := q.store.Goal(ctx, id)
	if err == nil && (!found || job.Account != account) {
		err = NoGoal(id)
	}
	return job, err
}

// Submit queues a job. One that exists already is left as it is.
func (q *Goals) Submit(ctx context.Context, job store.Goal) error {
	err := q.store.InsertGoal(ctx, job)
	if errors.Is(err, store.ErrFileGone) {
		return expiredMeanwhile()
	}
	if err == nil {
		q.Wake()
	}
	return err
}

// change changes a job and tells whom it concerns. f must not use the records.
func (q *Goals) change(ctx context.Context, id string, f func(*store.Goal) error) (store.Goal, error) {
	unlock, err := q.store.LockGoal(ctx, id)
	if err != nil {
		return store.Goal{}, err
	}
	defer unlock()
	return q.changeLocked(ctx, id, f)
}

// changeLocked is change for those who hold the job's lock.
func (q *Goals) changeLocked(ctx context.Context, id string, f func(*store.Goal) error) (store.Goal, error) {
	before, after, err := q.store.ChangeGoal(ctx, id, f)
	switch {
	case errors.Is(err, store.ErrFileGone):
		return after, expiredMeanwhile()
	case errors.Is(err, store.ErrNoGoal):
		return after, NoGoal(id)
	case err != nil:
		return after, err
	}

	for _, tell := range q.changed {
		tell(before, after)
	}
	if after.Status == client.GoalCancelled {
		q.breakOff(id)
	}
	if after.Due && !after.Running {
		q.Wake()
	}
	return after, nil
}

// breakOff ends the pass of a job that is under way, and gives it; nil where there is none. The job's lock is held, so none
// begins meanwhile.
func (q *Goals) breakOff(jobID string) *pass {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := q.running[jobID]
	if p != nil {
		p.cancel()
	}
	return p
}

// enter makes a pass known to breakOff, until it leaves. The job's lock is held.
func (q *Goals) enter(ctx context.Context, jobID string) (context.Context, *pass) {
	ctx, cancel := context.WithCancel(ctx)
	p := &pass{cancel: cancel, ended: make(chan struct{})}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running[jobID] = p
	return ctx, p
}

// leave forgets a pass, unless the next one of its job has begun.
func (q *Goals) leave(jobID string, p *pass) {
	p.cancel()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running[jobID] == p {
		delete(q.running, jobID)
	}
}

func checkVersion(job *store.Goal, expected *int) error {
	if expected != nil && *expected != job.Version {
		return refuse(CodeVersionConflict, "The job is at version %d, not %d; read it again.", job.Version, *expected)
	}
	return nil
}

// Answer checks answers and writes them, provided that nothing was written in between. All of them count, or none.
func (q *Goals) Answer(ctx context.Context, job store.Goal, answers []client.WireSlotAnswer, expected *int) (store.Goal, error) {
	switch {
	case len(answers) == 0:
		return job, refuse(CodeInvalidParameters, "At least one answer is needed.")
	case job.Status != client.GoalSlotsPending:
		return job, refuse(CodeConflict, "The job is %s and asks nothing.", job.Status)
	}
	if err := checkVersion(&job, expected); err != nil {
		return job, err
	}

	hold, err := q.checkAnswers(ctx, job, answers)
	if err != nil {
		return job, err
	}
	return q.change(ctx, job.ID, func(g *store.Goal) error {
		if err := checkVersion(g, &job.Version); err != nil {
			return err
		}
		g.Hold = hold
		for _, given := range answers {
			g.Answers[given.SlotID] = given.Value
			g.Pending = slices.DeleteFunc(g.Pending, func(slot goals.Slot) bool { return slot.SlotID == given.SlotID })
		}
		if slotsRequired(g.Pending) {
			return nil
		}
		g.Pending, g.Approve, g.Due, g.Laps, g.Status = nil, nil, true, 0, client.GoalAnalyzing
		if g.Confirmed {
			g.Status = client.GoalExecuting
		}
		return nil
	})
}

// AnswerSlot answers one question, whatever else happens to the job meanwhile.
func (q *Goals) AnswerSlot(ctx context.Context, jobID, slotID string, value json.RawMessage) error {
	for range store.MaxRestarts {
		job, found, err := q.store.Goal(ctx, jobID)
		if err != nil || !found {
			return errors.Join(err, NoGoal(jobID))
		}
		_, err = q.Answer(ctx, job, []client.WireSlotAnswer{{SlotID: slotID, Value: value}}, nil)
		var refused *Refusal
		if !errors.As(err, &refused) || refused.Code != CodeVersionConflict {
			return err
		}
	}
	return refuse(CodeConflict, "The job changes all the time.")
}

// checkAnswers refuses what is not an answer to a slot that the job asks; otherwise it gives the files that are named.
func (q *Goals) checkAnswers(ctx context.Context, job store.Goal, answers []client.WireSlotAnswer) (files []string, err error) {
	for i, given := range answers {
		unknown := goals.Slot{WirePendingSlot: client.WirePendingSlot{SlotID: given.SlotID}}
		if slices.ContainsFunc(answers[:i], func(a client.WireSlotAnswer) bool { return a.SlotID == given.SlotID }) {
			return nil, refuseAnswer(unknown, "it is answered twice")
		}
		at := slices.IndexFunc(job.Pending, func(slot goals.Slot) bool { return slot.SlotID == given.SlotID })
		if at < 0 {
			return nil, refuseAnswer(unknown, "the job does not ask this")
		}
		named, err := q.checkAnswer(ctx, job.Account, job.Pending[at], given.Value)
		if err != nil {
			return nil, err
		}
		files = append(files, named...)
	}
	return files, nil
}

func (q *Goals) checkAnswer(ctx context.Context, account string, asked goals.Slot, value json.RawMessage) ([]string, error) {
	if err := asked.Validate(value); err != nil {
		return nil, refuseAnswer(asked, err.Error())
	}
	if asked.SlotType != slot.File {
		return nil, nil
	}

	var ids []string
	if json.Unmarshal(value, &ids) != nil {
		var id string
		if err := json.Unmarshal(value, &id); err != nil {
			return nil, refuseAnswer(asked, "it is neither a file id nor a list of them")
		}
		ids = []string{id}
	}
	for i, id := range ids {
		file, found, err := q.store.File(ctx, account, id)
		switch {
		case err != nil:
			return nil, err
		case !found, file.State == store.FileGranted:
			return nil, &Refusal{
				Code: CodeForbiddenFile, Message: fmt.Sprintf("File %.80q for slot %s is not yours.", id, asked.SlotID),
				Details: map[string]any{"slotId": asked.SlotID, "reason": "not your file"},
			}
		case file.State == store.FileGone:
			return nil, Expired(file)
		case slices.Contains(ids[:i], id):
			return nil, refuseAnswer(asked, "file "+id+" is given twice")
		}
	}
	return ids, nil
}

func slotsRequired(slots []goals.Slot) bool {
	return slices.ContainsFunc(slots, func(slot goals.Slot) bool { return slot.Required })
}

// Confirm lets a ready job run.
func (q *Goals) Confirm(ctx context.Context, id string, expected *int) (store.Goal, error) {
	return q.change(ctx, id, func(g *store.Goal) error {
		if g.Status != client.GoalReady && g.Status != client.GoalReadyWithPreview {
			return refuse(CodeConflict, "The job is %s; only one that is ready can be confirmed.", g.Status)
		}
		if err := checkVersion(g, expected); err != nil {
			return err
		}
		g.Confirmed, g.Due, g.Laps, g.Approve, g.Status = true, true, 0, nil, client.GoalQueued
		return nil
	})
}

// Cancel ends a job. Where there is no space to record that, the pass under way may be what has taken it: it is broken off
// first, and goes on another time where that has not helped.
func (q *Goals) Cancel(ctx context.Context, id string) (store.Goal, error) {
	unlock, err := q.store.LockGoal(ctx, id)
	if err != nil {
		return store.Goal{}, err
	}
	defer unlock()

	job, err := q.changeLocked(ctx, id, cancelGoal)
	if !store.Full(err) {
		return job, err
	}
	if p := q.breakOff(id); p != nil {
		select {
		case <-p.ended:
		case <-ctx.Done():
			return job, err
		}
	}
	return q.changeLocked(ctx, id, cancelGoal)
}

func cancelGoal(g *store.Goal) error {
	if g.Status.Terminal() {
		return refuse(CodeConflict, "The job is %s already.", g.Status)
	}
	g.Status, g.Pending, g.Approve = client.GoalCancelled, nil, nil
	return nil
}

// Retry runs a failed job again; fresh forgets its answers and what its steps have made.
func (q *Goals) Retry(ctx context.Context, id string, fresh bool) (store.Goal, error) {
	files, err := q.store.GoalFiles(ctx, id)
	if err != nil {
		return store.Goal{}, err
	}
	return q.change(ctx, id, func(g *store.Goal) error {
		if g.Status != client.GoalFailed {
			return refuse(CodeConflict, "The job is %s; only a failed one can be retried.", g.Status)
		}
		// Files may have gone since the job ended. What answered slots is needed where the answers stay.
		g.Hold = slices.Collect(maps.Keys(files))
		if fresh {
			if err := q.store.DropSteps(g.ID); err != nil {
				return err
			}
			g.Answers, g.Notes, g.Confirmed = map[string]json.RawMessage{}, nil, false
			g.Hold = g.Files
		}

		g.Attempt++
		g.Progress, g.Restarts, g.Laps, g.Started, g.Failure = 0, 0, 0, nil, nil
		g.Due, g.Status = true, client.GoalQueued
		return nil
	})
}
