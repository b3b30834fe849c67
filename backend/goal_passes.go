package backend

import (
	"context"
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
	"github.com/convilyn/convilyn-temporal/client"
)

// Folders below a goal job's own.
const (
	folderSteps     = "steps"
	folderArtifacts = "artifacts"
)

// maxLaps bounds passes that follow one another without anybody having said anything.
const maxLaps = 100

// passes runs what is due of goal jobs, some jobs at once and one pass of a job at a time.
type passes struct {
	crew
	s          *Service
	background sync.WaitGroup // what goes on beside the passes until the service ends
	mu         sync.Mutex
	running    map[string]context.CancelFunc
}

func newPasses(s *Service) *passes {
	return &passes{crew: newCrew(max(2, s.cfg.Workers), s.cfg.Logger), s: s, running: map[string]context.CancelFunc{}}
}

func (p *passes) take(ctx context.Context) (func(context.Context), error) {
	id, err := p.s.store.dueGoal(ctx)
	if err != nil || id == "" {
		return nil, err
	}
	claimed := false
	job, err := p.s.changeGoal(ctx, id, func(g *goalRow) error {
		if !g.due || g.running {
			return errUnchanged // somebody else was faster
		}
		claimed = true
		g.due, g.running = false, true
		g.status = client.GoalAnalyzing
		if g.Confirmed {
			g.status = client.GoalExecuting
			if g.Started == nil {
				now := p.s.now()
				g.Started = &now
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !claimed {
		return func(context.Context) {}, nil
	}
	return func(ctx context.Context) { p.pass(ctx, job) }, nil
}

// breakOff ends a pass whose job was cancelled.
func (p *passes) breakOff(jobID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cancel := p.running[jobID]; cancel != nil {
		cancel()
	}
}

func (p *passes) enter(ctx context.Context, jobID string) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[jobID] = cancel
	return ctx, func() {
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.running, jobID)
	}
}

// pass runs a goal once from its beginning and records what came of it.
func (p *passes) pass(life context.Context, job goalRow) {
	ctx, leave := p.enter(life, job.id)
	defer leave()
	record := context.WithoutCancel(life)
	if now, found, err := p.s.store.goal(record, job.id); err == nil && (!found || !now.running) {
		return // cancelled before anybody could be told to stop
	}
	task, err := p.run(ctx, job)
	switch {
	case life.Err() != nil && err != nil && !isPause(err):
		p.settle(life, job, (*goalRow).resume)
	case ctx.Err() != nil && life.Err() == nil:
		return // cancelled: what came of it does not count
	default:
		p.settle(life, job, p.cameTo(ctx, job, task, err))
	}
}

// settle records what came of a pass. Until there is space for that the job stands as under way; the next start of the
// service takes up what is not recorded when this one stops.
func (p *passes) settle(life context.Context, job goalRow, change func(*goalRow) error) {
	record := context.WithoutCancel(life)
	for {
		err := p.conclude(record, job, change)
		if err != nil && !diskFull(err) {
			p.s.cfg.Logger.Error("record a pass of a goal", zap.String("job_id", job.id), zap.Error(err))
			// A file that answers a slot may have gone at the last moment, say: the next pass sees that.
			err = p.conclude(record, job, (*goalRow).again)
		}
		if err == nil {
			return
		}
		p.s.cfg.Logger.Error("record the end of a pass of a goal", zap.String("job_id", job.id), zap.Error(err))
		if life.Err() != nil || !diskFull(err) {
			return
		}
		p.rest(life)
	}
}

func isPause(err error) bool {
	return errors.Is(err, goals.ErrWaiting) || errors.Is(err, goals.ErrReady) || errors.Is(err, goals.ErrAgain)
}

// resume makes another pass due as if this one had not been.
func (g *goalRow) resume() error {
	g.due = true
	return nil
}

// conclude changes a job at the end of a pass of it, unless it was cancelled meanwhile.
func (p *passes) conclude(ctx context.Context, job goalRow, f func(*goalRow) error) error {
	_, err := p.s.changeGoal(ctx, job.id, func(g *goalRow) error {
		if !g.running || g.Attempt != job.Attempt {
			return errUnchanged
		}
		g.running = false
		return f(g)
	})
	return err
}

func (p *passes) run(ctx context.Context, job goalRow) (*goals.Task, error) {
	progress := &reporter{p: p, job: job}
	defer progress.end()
	task, err := p.task(ctx, job, progress)
	if err != nil {
		return task, err
	}
	goal, err := p.s.chosenGoal(job, task)
	if err != nil {
		return task, err
	}
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
func (p *passes) task(ctx context.Context, job goalRow, progress *reporter) (*goals.Task, error) {
	dir := p.s.path(folderGoals, job.id, folderSteps)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a job's folder: %w", err)
	}
	err := goals.ClearHalfMade(dir)
	task := &goals.Task{
		Text: job.Text, Dir: dir, Answers: cloneAnswers(job.Answers), Confirmed: job.Confirmed, Convert: p.converter,
		Report: func(percent int, message string) { progress.report(ctx, percent, message) },
	}
	delete(task.Answers, slotGoal)
	files, listErr := p.s.store.goalFiles(ctx, job.id)
	if err := errors.Join(err, listErr); err != nil {
		return task, err
	}
	for _, id := range job.Files {
		in, ok := p.s.goalInput(files, id)
		if !ok {
			return task, goals.Unusable("The input %s is gone; upload it again and start another job.", id)
		}
		task.Inputs = append(task.Inputs, in)
	}
	for _, id := range slices.Sorted(maps.Keys(files)) {
		if in, ok := p.s.goalInput(files, id); ok && !slices.Contains(job.Files, id) {
			task.Answered = append(task.Answered, in)
		}
	}
	return task, nil
}

func (s *Service) goalInput(files map[string]fileRow, id string) (goals.Input, bool) {
	file, ok := files[id]
	if !ok || file.state != fileConfirmed {
		return goals.Input{}, false
	}
	format, _ := client.FormatOf(file.name)
	return goals.Input{FileID: id, Name: file.name, Format: format, Path: s.inputPath(id), Size: file.size}, true
}

// converter is the engines for goals. What an engine refuses with becomes a failure that the job may end with.
func (p *passes) converter(ctx context.Context, in goals.Input, target, dir string) ([]goals.File, []string, error) {
	engine, _, err := p.s.cfg.Registry.Find(in.Format, target)
	if err != nil {
		return nil, nil, engineFailure(in, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make a folder for a conversion: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, p.s.cfg.ConvertTimeout)
	defer cancel()
	result, err := safely(limited, engine, engines.Request{
		Source: in.Format, Target: target, InputPath: in.Path, OutDir: dir, Stem: stem(in.Name), Progress: func(int, string) {},
	})
	switch {
	case err != nil && limited.Err() != nil && ctx.Err() == nil:
		err = engines.Errorf(engines.CodeConversionFailed, "the conversion took longer than %s", p.s.cfg.ConvertTimeout)
	case err == nil && len(result.Files) == 0:
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
