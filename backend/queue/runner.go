package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
)

// SlotGoal is the slot by which the service asks which goal a text means.
const SlotGoal = "goal"

// NewGoals starts nothing yet. catalog are the goals that are offered.
func NewGoals(cfg Config, catalog goals.Catalog) *Goals {
	return &Goals{
		workers: newWorkers(max(2, cfg.Workers), cfg.Logger), cfg: cfg, store: cfg.Store, catalog: catalog,
		running: map[string]*pass{}, alive: map[string]bool{},
	}
}

// Start runs what is due of goal jobs, until ctx ends: some jobs at once, and one pass of a job at a time.
func (q *Goals) Start(ctx context.Context) {
	r := &goalRunner{Goals: q}
	q.start(ctx, r.take)
}

// goalRunner runs the passes that are due.
type goalRunner struct{ *Goals }

func (r *goalRunner) take(ctx context.Context) (func(context.Context), error) {
	id, err := r.store.DueGoal(ctx)
	if err != nil || id == "" {
		return nil, err
	}

	var p *pass
	var passCtx context.Context
	job, err := r.change(ctx, id, func(g *store.Goal) error {
		if !g.Due || g.Running {
			return store.ErrUnchanged // somebody else was faster
		}
		passCtx, p = r.enter(ctx, id)
		g.Due, g.Running = false, true
		g.Status = client.GoalAnalyzing
		if g.Confirmed {
			g.Status = client.GoalExecuting
			if g.Started == nil {
				now := r.cfg.Now()
				g.Started = &now
			}
		}
		return nil
	})
	switch {
	case err != nil && p != nil:
		r.leave(id, p)
		return nil, err
	case err != nil:
		return nil, err
	case p == nil:
		return func(context.Context) {}, nil
	}
	return func(life context.Context) {
		defer r.leave(id, p)
		r.pass(life, passCtx, job, p)
	}, nil
}

// pass runs a goal once from its beginning and records what came of it. ctx ends before life does when it is broken off.
func (r *goalRunner) pass(life, ctx context.Context, job store.Goal, p *pass) {
	task, err := r.run(ctx, job)
	brokenOff := ctx.Err() != nil && life.Err() == nil
	if brokenOff {
		// Programs that were killed have not tidied up, and a cancelled job has no next pass that would.
		if err := goals.ClearHalfMade(r.store.StepsPath(job.ID)); err != nil {
			r.cfg.Logger.Warn("clear what a pass has left", zap.String("job_id", job.ID), zap.Error(err))
		}
	}
	close(p.ended)

	switch {
	case brokenOff, life.Err() != nil && err != nil && !isPause(err):
		r.settle(life, job, resume) // which a cancelled job is not
	default:
		r.settle(life, job, r.cameTo(ctx, job, task, err))
	}
}

// settle records what came of a pass. Until there is space for that the job counts as under way. The next start of the
// service takes up what is not recorded when this one stops.
func (r *goalRunner) settle(life context.Context, job store.Goal, change func(*store.Goal) error) {
	record := context.WithoutCancel(life)
	for {
		err := r.conclude(record, job, change)
		if err != nil && !store.Full(err) {
			r.cfg.Logger.Error("record a pass of a goal", zap.String("job_id", job.ID), zap.Error(err))
			// For example, a file that answers a slot may have gone at the last moment: the next pass sees that.
			err = r.conclude(record, job, runAgain)
		}
		if err == nil {
			return
		}
		r.cfg.Logger.Error("record the end of a pass of a goal", zap.String("job_id", job.ID), zap.Error(err))
		if life.Err() != nil || !store.Full(err) {
			return
		}
		r.rest(life)
	}
}

func isPause(err error) bool {
	return errors.Is(err, goals.ErrWaiting) || errors.Is(err, goals.ErrReady) || errors.Is(err, goals.ErrAgain)
}

// conclude changes a job at the end of a pass of it, unless it was cancelled meanwhile.
func (r *goalRunner) conclude(ctx context.Context, job store.Goal, f func(*store.Goal) error) error {
	_, err := r.change(ctx, job.ID, func(g *store.Goal) error {
		if !g.Running || g.Attempt != job.Attempt {
			return store.ErrUnchanged
		}
		g.Running = false
		return f(g)
	})
	return err
}

func (r *goalRunner) run(ctx context.Context, job store.Goal) (*goals.Task, error) {
	progress := &reporter{goals: r.Goals, job: job}
	defer progress.end()
	task, err := r.task(ctx, job, progress)
	if err != nil {
		return task, err
	}
	goal, err := r.chosen(job, task)
	if err != nil {
		return task, err
	}
	task.Still = r.live(job.ID)
	defer task.Still()
	if err := runSafely(ctx, goal, task); err != nil {
		return task, err
	}
	if len(task.Files) == 0 {
		return task, fmt.Errorf("goal %s has ended without a file", goal.ID)
	}
	return task, nil
}

// runSafely keeps a goal's panic to its job.
func runSafely(ctx context.Context, goal goals.Goal, task *goals.Task) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("goal %s panicked: %v\n%s", goal.ID, cause, debug.Stack())
		}
	}()
	return goals.Named(goal.Run(ctx, task))
}

// task is what a pass starts from. Files that answered slots are in Answered, apart from the inputs.
func (r *goalRunner) task(ctx context.Context, job store.Goal, progress *reporter) (*goals.Task, error) {
	dir := r.store.StepsPath(job.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a job's folder: %w", err)
	}
	err := goals.ClearHalfMade(dir)
	task := &goals.Task{
		Text: job.Text, Dir: dir, Answers: store.CloneAnswers(job.Answers), Confirmed: job.Confirmed, Convert: r.converter(job.Account),
		Report: func(percent int, message string) { progress.report(ctx, percent, message) },
	}
	delete(task.Answers, SlotGoal)
	files, listErr := r.store.GoalFiles(ctx, job.ID)
	if err := errors.Join(err, listErr); err != nil {
		return task, err
	}
	for _, id := range job.Files {
		in, ok := r.input(files, id)
		if !ok {
			return task, goals.Unusable("The input %s is gone; upload it again and start another job.", id)
		}
		task.Inputs = append(task.Inputs, in)
	}
	for _, id := range slices.Sorted(maps.Keys(files)) {
		if in, ok := r.input(files, id); ok && !slices.Contains(job.Files, id) {
			task.Answered = append(task.Answered, in)
		}
	}
	return task, nil
}

func (r *goalRunner) input(files map[string]store.File, id string) (goals.Input, bool) {
	file, ok := files[id]
	if !ok || file.State != store.FileConfirmed {
		return goals.Input{}, false
	}
	format, _ := client.FormatOf(file.Name)
	return goals.Input{FileID: id, Name: file.Name, Format: format, Path: r.store.InputPath(id), Size: file.Size}, true
}

// converter converts an owner's files for goals.
func (r *goalRunner) converter(owner string) func(ctx context.Context, in goals.Input, target, dir string) ([]goals.File, []string, error) {
	return func(ctx context.Context, in goals.Input, target, dir string) ([]goals.File, []string, error) {
		return r.convert(ctx, in, engines.Request{
			Source: in.Format, Target: target, InputPath: in.Path, OutDir: dir, Stem: store.Stem(in.Name), Owner: owner,
			Progress: func(int, string) {},
		})
	}
}

// convert makes a folder for what comes of it. What an engine refuses with becomes a failure that the job may end with.
func (r *goalRunner) convert(ctx context.Context, in goals.Input, request engines.Request) ([]goals.File, []string, error) {
	if err := os.MkdirAll(request.OutDir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make a folder for a conversion: %w", err)
	}
	result, err := convert(ctx, r.cfg, request)
	if err == nil && len(result.Files) == 0 {
		err = engines.Errorf(engines.CodeConversionFailed, "the engine made no output")
	}
	if err != nil {
		return nil, nil, engineFailure(in, err)
	}

	files := make([]goals.File, len(result.Files))
	for i, f := range result.Files {
		files[i] = goals.File{Path: f.Path, Name: f.Filename, Mime: f.Mimetype}
	}
	return files, result.Warnings, nil
}

func engineFailure(in goals.Input, err error) error {
	known, ok := engines.AsError(err)
	if !ok {
		return err
	}
	failure := &goals.Failure{Code: known.Code, Message: in.Name + ": " + known.Message, Reason: known.Reason, Action: "none"}
	if known.Code == engines.CodeConversionFailed {
		failure.Action = client.ActionRetry
	}
	return fmt.Errorf("%w (%w)", failure, err) // goals that go on without this file look for the engine's error
}

// chosen is the goal of a job. Where a text may mean several, it is asked for first.
func (r *goalRunner) chosen(job store.Goal, task *goals.Task) (goals.Goal, error) {
	id := job.Goal
	if id == "" {
		if json.Unmarshal(job.Answers[SlotGoal], &id) != nil || id == "" {
			return goals.Goal{}, task.Ask(r.whichGoal(job))
		}
	}
	goal, ok := r.catalog.Find(id)
	if !ok {
		return goal, &goals.Failure{Code: "WORKFLOW_NOT_FOUND", Message: "The workflow " + id + " is not offered any more.", Action: "none"}
	}
	return goal, nil
}

func (r *goalRunner) whichGoal(job store.Goal) goals.Slot {
	var options []client.SlotOption
	for _, id := range job.Choices {
		goal, _ := r.catalog.Find(id)
		options = append(options, client.SlotOption{Value: id, Label: goal.Name})
	}
	slot := goals.Choice(SlotGoal, "Which of these is meant?", options...)
	slot.IsDisambiguation = true
	return slot
}

// reporter takes the reports of a pass, and tells which step has begun and which has ended. Progress is recorded when
// it grows, so that it never falls within an attempt, whatever happens to the service.
type reporter struct {
	goals *Goals
	job   store.Goal
	mu    sync.Mutex
	step  string
}

func (r *reporter) report(ctx context.Context, percent int, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	if message != "" && message != r.step {
		r.next(message)
	}

	unlock, err := r.goals.store.LockGoal(ctx, r.job.ID)
	if err != nil {
		return // broken off, by somebody who holds it until this pass has ended
	}
	defer unlock()

	percent = min(percent, 99)
	_, err = r.goals.changeLocked(context.WithoutCancel(ctx), r.job.ID, func(g *store.Goal) error {
		if !g.Running || g.Attempt != r.job.Attempt || percent <= g.Progress {
			return store.ErrUnchanged
		}
		g.Progress = percent
		return nil
	})
	if err != nil {
		r.goals.cfg.Logger.Warn("record progress", zap.String("job_id", r.job.ID), zap.Error(err))
	}
}

// next ends the step at hand and begins another, none where it has no name.
func (r *reporter) next(name string) {
	if r.step != "" {
		r.goals.tellStep(r.job.ID, r.step, false)
	}
	if r.step = name; name != "" {
		r.goals.tellStep(r.job.ID, name, true)
	}
}

func (r *reporter) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next("")
}
