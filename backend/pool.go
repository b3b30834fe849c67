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
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
)

// pool converts queued jobs, so many at once.
type pool struct {
	crew
	s       *Service
	mu      sync.Mutex
	running map[string]progress
}

type progress struct {
	percent int
	message string
}

func newPool(s *Service) *pool {
	return &pool{crew: newCrew(s.cfg.Workers, s.cfg.Logger), s: s, running: map[string]progress{}}
}

func (p *pool) take(ctx context.Context) (func(context.Context), error) {
	job, found, err := p.s.store.claim(ctx, p.s.now())
	if err != nil || !found {
		return nil, err
	}
	return func(ctx context.Context) { p.convert(ctx, job) }, nil
}

// progress is where a running job stands.
func (p *pool) progress(jobID string) (int, *string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, ok := p.running[jobID]
	if !ok || now.message == "" {
		return now.percent, nil
	}
	return now.percent, &now.message
}

// report keeps progress from going backwards, or to 100 before the end.
func (p *pool) report(jobID string, percent int, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.running[jobID]
	p.running[jobID] = progress{percent: max(before.percent, min(percent, 99)), message: message}
}

func (p *pool) forget(jobID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, jobID)
}

func (p *pool) convert(ctx context.Context, job jobRow) {
	defer p.forget(job.id)
	record := context.WithoutCancel(ctx)
	err := p.run(ctx, record, job)
	switch {
	case err == nil:
		return
	case ctx.Err() != nil:
		p.settle(ctx, job.id, func() error { return p.s.store.requeue(record, job.id, p.s.now()) })
	case diskFull(err):
		p.s.cfg.Logger.Warn("no space for a conversion; it is tried again", zap.String("job_id", job.id), zap.Error(err))
		p.rest(ctx)
		p.settle(ctx, job.id, func() error { return p.s.store.requeue(record, job.id, p.s.now()) })
	default:
		p.s.cfg.Logger.Info("conversion failed", zap.String("job_id", job.id), zap.String("source", job.source), zap.String("target", job.target), zap.Error(err))
		p.settle(ctx, job.id, func() error { return p.s.store.failJob(record, job.id, jobError(err), p.s.now()) })
	}
}

// settle records the end of a job. Until there is space for that the job stands as under way; the next start of the
// service takes up what is not recorded when this one stops.
func (p *pool) settle(ctx context.Context, jobID string, record func() error) {
	for {
		err := record()
		if err == nil {
			return
		}
		p.s.cfg.Logger.Error("record the end of a job", zap.String("job_id", jobID), zap.Error(err))
		if ctx.Err() != nil || !diskFull(err) {
			return
		}
		p.rest(ctx)
	}
}

// run converts into a work folder, moves it in place whole, and records that.
func (p *pool) run(ctx, record context.Context, job jobRow) error {
	in, err := request(job)
	if err != nil {
		return err
	}
	engine, _, err := p.s.cfg.Registry.Find(job.source, job.target)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp(p.s.path(folderWork), job.id+"-*")
	if err != nil {
		return fmt.Errorf("make a work folder: %w", err)
	}
	defer os.RemoveAll(folder) //nolint:errcheck // the next start clears the rest
	in.InputPath, in.OutDir = p.s.inputPath(job.fileID), folder
	if file, found, err := p.s.store.file(ctx, job.account, job.fileID); err == nil && found {
		in.Stem = stem(file.name)
	}
	in.Progress = func(percent int, message string) { p.report(job.id, percent, message) }
	limited, cancel := context.WithTimeout(ctx, p.s.cfg.ConvertTimeout)
	defer cancel()
	var result engines.Result
	announce, err := p.s.faultOf(limited, in, job)
	if err == nil {
		result, err = safely(limited, engine, in)
	}
	if err != nil {
		if limited.Err() != nil && ctx.Err() == nil {
			return engines.Errorf(engines.CodeConversionFailed, "the conversion took longer than %s", p.s.cfg.ConvertTimeout)
		}
		return err
	}
	results, err := collect(folder, result.Files)
	if err != nil {
		return err
	}
	for i := range results {
		results[i].size += announce
	}
	final := p.s.path(folderResults, job.id)
	if err := errors.Join(os.RemoveAll(final), os.Rename(folder, final), syncFolder(p.s.path(folderResults))); err != nil {
		return fmt.Errorf("keep the results: %w", err)
	}
	return p.s.store.complete(record, job.id, results, result.Warnings, p.s.now())
}

// safely keeps an engine's panic to its job.
func safely(ctx context.Context, engine engines.Engine, in engines.Request) (result engines.Result, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("engine %s panicked: %v\n%s", engine.Name, cause, debug.Stack())
		}
	}()
	return engine.Convert(ctx, in)
}

// collect describes the outputs and makes them last.
func collect(folder string, files []engines.File) ([]resultRow, error) {
	if len(files) == 0 {
		return nil, engines.Errorf(engines.CodeConversionFailed, "the engine made no output")
	}
	rows := make([]resultRow, len(files))
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
		rows[i] = resultRow{filename: file.Filename, mimetype: file.Mimetype, size: size, sha256: sum, stored: filepath.Base(file.Path)}
	}
	return rows, nil
}

// seal reads a file of the work folder itself: a link would have us read for an engine what it may not, and a pipe would
// keep us for ever.
func seal(path string) (size int64, sum string, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0) //nolint:gosec // inside the work folder
	if err != nil {
		return 0, "", fmt.Errorf("read an output: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return 0, "", errors.Join(fmt.Errorf("output %s is no regular file", path), err)
	}
	hash := sha256.New()
	if size, err = io.Copy(hash, file); err != nil {
		return 0, "", fmt.Errorf("read an output: %w", err)
	}
	if err := file.Sync(); err != nil {
		return 0, "", fmt.Errorf("sync an output: %w", err)
	}
	return size, hex.EncodeToString(hash.Sum(nil)), nil
}

// request reads a job's parameters; its errors are for the caller's eyes.
func request(job jobRow) (engines.Request, error) {
	in := engines.Request{Source: job.source, Target: job.target, Stem: "result"}
	var err error
	if in.Pages, err = engines.ParsePageRange(job.params.PageRange); err != nil {
		return in, err
	}
	if len(job.params.Quality) == 0 || string(job.params.Quality) == "null" {
		return in, nil
	}
	if job.processor == client.ProcessorImage {
		n, err := strconv.Atoi(string(job.params.Quality))
		if err != nil || n < 1 || n > 100 {
			return in, errors.New("quality of an image must be a number from 1 to 100")
		}
		in.ImageQuality = n
		return in, nil
	}
	if json.Unmarshal(job.params.Quality, &in.Preset) != nil || in.Preset != "standard" && in.Preset != "high" {
		return in, errors.New("quality must be \"standard\" or \"high\"")
	}
	return in, nil
}

func stem(name string) string {
	base := filepath.Base(safeName(name))
	if s := strings.TrimSuffix(base, filepath.Ext(base)); s != "" && s != "." {
		return s
	}
	return "result"
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
