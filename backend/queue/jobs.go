package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// Jobs are the conversions, which run so many at once.
type Jobs struct {
	workers

	cfg     Config
	mu      sync.Mutex
	running map[string]jobProgress
	waiting map[string]*ending // by job, where somebody waits
}

// ending is the end of a job, for those who wait for it.
type ending struct {
	ended   chan struct{}
	waiters int
}

type jobProgress struct {
	percent int
	message string
}

// NewJobs starts nothing yet.
func NewJobs(cfg Config) *Jobs {
	return &Jobs{workers: newWorkers(cfg.Workers, cfg.Logger), cfg: cfg, running: map[string]jobProgress{}, waiting: map[string]*ending{}}
}

// Start converts what is queued, until ctx ends.
func (j *Jobs) Start(ctx context.Context) error {
	if err := j.parseOld(ctx); err != nil {
		return err
	}
	j.start(ctx, j.take)
	return nil
}

// parseOld gives the jobs their requests that an earlier version has queued without.
func (j *Jobs) parseOld(ctx context.Context) error {
	old, err := j.cfg.Store.JobsWithoutRequest(ctx)
	if err != nil {
		return err
	}
	for _, job := range old {
		name := ""
		if file, found, err := j.cfg.Store.File(ctx, job.Account, job.FileID); err == nil && found {
			name = file.Name
		}
		if err := parse(&job, job.Request.Source, job.Request.Target, name); err != nil {
			return fmt.Errorf("read job %s of an earlier version: %w", job.ID, err)
		}
		if err := j.cfg.Store.SetRequest(ctx, job.ID, job.Request); err != nil {
			return err
		}
	}
	return nil
}

// Submit queues a conversion of a file, which is of the family that was asked for. It is refused where no engine here
// can do it.
func (j *Jobs) Submit(ctx context.Context, job store.Job, file store.File, family client.Family) (store.Job, error) {
	source, target := job.Params.SourceFormat, job.Params.TargetFormat
	if family != client.FamilyDocument {
		source, _ = client.FormatOf(file.Name)
		target = job.Params.OutputFormat
	}
	if found, err := client.FamilyFor(source, target); err != nil {
		return job, refuse(CodeUnsupported, "%s.", err.Error())
	} else if found != family && (family != client.FamilyImage || source != "pdf") {
		return job, refuse(CodeUnsupported, "%s to %s is a conversion of the %s family.", source, target, found)
	}
	if err := parse(&job, source, target, file.Name); err != nil {
		return job, refuse(CodeInvalidParameters, "%s.", err.Error())
	}
	if err := j.takeOptions(&job); err != nil {
		return job, err
	}

	engine, _, err := j.cfg.Engines.Find(source, target, job.Request.Asked()...)
	if known, ok := engines.AsError(err); ok {
		return job, refuse(known.Code, "%s.", known.Message)
	} else if err != nil {
		return job, err
	}
	var engineSecrets option.Values
	job.Request.Options, engineSecrets = job.Request.Options.Split()
	for name, value := range engineSecrets {
		if job.Secrets == nil {
			job.Secrets = option.Values{}
		}
		job.Secrets[name] = value
	}
	job.Params.Options, _ = job.Params.Options.Split()
	if engine.Admit != nil {
		done, err := engine.Admit(ctx)
		defer done()
		if err != nil {
			return job, err
		}
	}

	if err := j.cfg.Store.InsertJob(ctx, job); err != nil {
		return job, err
	}
	j.Wake()
	queued, found, err := j.cfg.Store.Job(ctx, job.Account, job.ID)
	if err == nil && !found {
		err = Expired(file)
	}
	return queued, err
}

// parse reads a job's parameters into its request. Its errors are for the caller's eyes.
func parse(job *store.Job, source, target, name string) error {
	in := engines.Request{Source: source, Target: target, Stem: store.Stem(name)}
	var err error
	if in.Pages, err = engines.ParsePageRange(job.Params.PageRange); err != nil {
		return err
	}
	quality := job.Params.Quality
	switch {
	case len(quality) == 0 || string(quality) == "null":
	case job.Processor == client.ProcessorImage:
		in.ImageQuality, err = strconv.Atoi(string(quality))
		if err != nil || in.ImageQuality < 1 || in.ImageQuality > 100 {
			return errors.New("quality of an image must be a number from 1 to 100")
		}
	default:
		if json.Unmarshal(quality, &in.Preset) != nil || in.Preset != "standard" && in.Preset != "high" {
			return errors.New("quality must be \"standard\" or \"high\"")
		}
	}
	job.Request = in
	return nil
}

// takeOptions puts a job's options into its request, as the engines of the pair understand them.
func (j *Jobs) takeOptions(job *store.Job) error {
	in := &job.Request
	given := maps.Clone(job.Params.Options)
	if len(in.Pages) > 0 {
		if given == nil {
			given = option.Values{}
		}
		if again, twice := given[option.NamePages]; twice && again != job.Params.PageRange {
			return refuse(CodeInvalidParameters, "page_range and the option pages are not the same.")
		}
		given[option.NamePages] = job.Params.PageRange
	}
	if _, _, err := j.cfg.Engines.Find(in.Source, in.Target); err != nil {
		return nil //nolint:nilerr // that the pair is not possible says more, and is refused next
	}

	options, err := option.Check(given, option.Union(j.cfg.Engines.Options(in.Source, in.Target), Options(in.Source, in.Target)), in.Source+" to "+in.Target)
	if err == nil {
		in.Pages, err = engines.ParsePageRange(options[option.NamePages])
	}
	if err != nil {
		return refuse(CodeInvalidParameters, "%s.", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if quality := options[option.NameQuality]; quality != "" {
		if in.ImageQuality, err = strconv.Atoi(quality); err != nil {
			return refuse(CodeInvalidParameters, "%s.", err.Error())
		}
	}
	in.Options = options
	if job.Secrets, err = takeLocks(in); err != nil {
		return err
	}
	delete(options, option.NameCheck)       // no engine's business
	if options[option.NameOCR] == "false" { // as without
		delete(options, option.NameOCR)
	}
	delete(options, option.NamePages)
	delete(options, option.NameQuality)
	in.Options = options
	return nil
}

func (j *Jobs) take(ctx context.Context) (func(context.Context), error) {
	job, found, err := j.cfg.Store.Claim(ctx)
	if err != nil || !found {
		return nil, err
	}
	return func(ctx context.Context) { j.convert(ctx, job) }, nil
}

// Progress is how far a running job is, in percent, and what is done at the moment; nil where that is not known.
func (j *Jobs) Progress(jobID string) (int, *string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now, ok := j.running[jobID]
	if !ok || now.message == "" {
		return now.percent, nil
	}
	return now.percent, &now.message
}

// report keeps progress from going backwards, or to 100 before the end.
func (j *Jobs) report(jobID string, percent int, message string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	before := j.running[jobID]
	j.running[jobID] = jobProgress{percent: max(before.percent, min(percent, 99)), message: message}
}

func (j *Jobs) forget(jobID string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.running, jobID)
}

// Ended is closed when the job comes to an end, from now on. leave has to be called.
func (j *Jobs) Ended(jobID string) (ended <-chan struct{}, leave func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.waiting[jobID]
	if e == nil {
		e = &ending{ended: make(chan struct{})}
		j.waiting[jobID] = e
	}
	e.waiters++

	return e.ended, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		if e.waiters--; e.waiters == 0 && j.waiting[jobID] == e {
			delete(j.waiting, jobID)
		}
	}
}

func (j *Jobs) tellEnded(jobID string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.waiting[jobID]; e != nil {
		close(e.ended)
		delete(j.waiting, jobID)
	}
}

func (j *Jobs) convert(ctx context.Context, job store.Job) {
	defer j.forget(job.ID)
	record := context.WithoutCancel(ctx)
	err := j.run(ctx, record, job)
	switch {
	case err == nil:
		j.tellEnded(job.ID)
	case ctx.Err() != nil:
		j.settle(ctx, job.ID, func() error { return j.cfg.Store.Requeue(record, job.ID) })
	case store.Full(err):
		j.cfg.Logger.Warn("no space for a conversion; it is tried again", zap.String("job_id", job.ID), zap.Error(err))
		j.rest(ctx)
		j.settle(ctx, job.ID, func() error { return j.cfg.Store.Requeue(record, job.ID) })
	default:
		j.cfg.Logger.Info("conversion failed", zap.String("job_id", job.ID), zap.String("source", job.Request.Source), zap.String("target", job.Request.Target), zap.Error(err))
		j.settle(ctx, job.ID, func() error { return j.cfg.Store.FailJob(record, job.ID, jobError(err)) })
		j.tellEnded(job.ID)
	}
}

// settle records the end of a job. Until there is space for that the job counts as under way. The next start of the
// service takes up what is not recorded when this one stops.
func (j *Jobs) settle(ctx context.Context, jobID string, record func() error) {
	for {
		err := record()
		if err == nil {
			return
		}
		j.cfg.Logger.Error("record the end of a job", zap.String("job_id", jobID), zap.Error(err))
		if ctx.Err() != nil || !store.Full(err) {
			return
		}
		j.rest(ctx)
	}
}

// run converts into a work folder, and has the result kept.
func (j *Jobs) run(ctx, record context.Context, job store.Job) error {
	folder, err := os.MkdirTemp(j.cfg.Store.Work(), job.ID+"-*")
	if err != nil {
		return fmt.Errorf("make a work folder: %w", err)
	}
	defer os.RemoveAll(folder) //nolint:errcheck // the next start clears the rest

	in := job.Request
	in.Owner = job.Account
	in.InputPath, in.OutDir = j.cfg.Store.InputPath(job.FileID), folder
	in.Progress = func(percent int, message string) { j.report(job.ID, percent, message) }
	passwords, err := j.withSecrets(ctx, job, &in)
	if err != nil {
		return err
	}
	if err := j.open(ctx, &in, passwords[option.NamePassword]); err != nil {
		return err
	}
	defer j.removeOpened(in)
	result, err := convert(ctx, j.cfg, in)
	if err != nil {
		return err
	}
	checked, err := j.check(ctx, job, in, &result)
	if err != nil {
		return err
	}
	if err := j.lock(ctx, in, passwords, result); err != nil {
		return err
	}
	return j.cfg.Store.CompleteJob(record, job.ID, folder, result, checked)
}

// jobError tells what the user can act on, and hides the rest.
func jobError(err error) client.WireJobError {
	known, ok := engines.AsError(err)
	if !ok {
		return client.WireJobError{Code: engines.CodeConversionFailed, Message: "The conversion failed; the service's log says why."}
	}
	out := client.WireJobError{Code: known.Code, Message: known.Message}
	if known.Reason != "" {
		out.Detail = &client.WireErrorDetail{Reason: known.Reason, FaithfulTargets: known.FaithfulTargets}
		if known.SheetCount > 0 {
			out.Detail.SheetCount = &known.SheetCount
		}
	}
	return out
}
