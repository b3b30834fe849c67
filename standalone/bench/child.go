package bench

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// The usual pattern: a parent that keeps a window of children, each of which takes one file through four activities
// with default options. The activities are ours, so that only the shape differs.
const (
	convertEachName = "BenchConvertEach"
	convertOneName  = "BenchConvertOne"
)

// convertEachInput is a folder of files to convert, the first so many by their names.
type convertEachInput struct {
	In          string `json:"in"`  // folder
	Out         string `json:"out"` // likewise
	Source      string `json:"source"`
	Target      string `json:"target"`
	First       int    `json:"first"` // where this run begins
	Files       int    `json:"files"`
	Concurrency int    `json:"concurrency"`
}

// convertEach converts every file by a child of its own and returns how many were converted, those of earlier runs too.
func convertEach(ctx workflow.Context, in convertEachInput) (int, error) {
	window := workflow.NewSemaphore(ctx, int64(in.Concurrency))
	var failed error
	for i := in.First; i < in.Files; i++ {
		if err := window.Acquire(ctx, 1); err != nil {
			return 0, err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			window.Release(1)
			if err := window.Acquire(ctx, int64(in.Concurrency)); err != nil {
				return 0, err
			}
			in.First = i
			return 0, firstOf(failed, workflow.NewContinueAsNewError(ctx, convertEachName, in))
		}
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer window.Release(1)
			failed = firstOf(failed, workflow.ExecuteChildWorkflow(ctx, convertOneName, in.file(i)).Get(ctx, nil))
		})
	}
	if err := window.Acquire(ctx, int64(in.Concurrency)); err != nil {
		return 0, err
	}
	return in.Files, failed
}

func firstOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// convertOneInput is one file to convert.
type convertOneInput struct {
	Path   string `json:"path"`
	Source string `json:"source"`
	Out    string `json:"out"` // folder
	Stem   string `json:"stem"`
	Target string `json:"target"`
}

func (in convertEachInput) file(i int) convertOneInput {
	name := fileName(i, in.Source)
	return convertOneInput{
		Path: filepath.Join(in.In, name), Source: in.Source, Out: in.Out, Stem: name[:len(name)-len(in.Source)-1], Target: in.Target,
	}
}

// convertOne is the sample that everybody writes first.
func convertOne(ctx workflow.Context, in convertOneInput) ([]activities.Output, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Minute})
	var steps *activities.Activities
	var file activities.UploadFileResult
	err := workflow.ExecuteActivity(ctx, steps.UploadFile, activities.UploadFileInput{
		Source: fileURL(in.Path), Name: filepath.Base(in.Path), SourceFormat: in.Source, TargetFormat: in.Target,
	}).Get(ctx, &file)
	if err != nil {
		return nil, err
	}
	var job activities.CreateConversionResult
	err = workflow.ExecuteActivity(ctx, steps.CreateConversion, activities.CreateConversionInput{
		FileID: file.FileID, SourceFormat: in.Source, TargetFormat: in.Target,
	}).Get(ctx, &job)
	if err != nil {
		return nil, err
	}
	err = workflow.ExecuteActivity(ctx, steps.AwaitConversion, activities.AwaitConversionInput{JobID: job.JobID}).Get(ctx, nil)
	if err != nil {
		return nil, err
	}
	var results activities.DownloadResultsResult
	err = workflow.ExecuteActivity(ctx, steps.DownloadResults, activities.DownloadResultsInput{
		JobID: job.JobID, To: activities.Destination{Folder: fileURL(in.Out), Stem: in.Stem, Format: in.Target},
	}).Get(ctx, &results)
	return results.Outputs, err
}

// Task queues of the contestants that the product's own worker does not serve.
const (
	queueChild    = "bench-child"    // the real steps
	queueCanned   = "bench-canned"   // the steps that call the API do nothing
	queueDefaults = "bench-defaults" // likewise, and the worker has the SDK's own options
)

type workers []worker.Worker

func startWorkers(temporal temporalclient.Client, options worker.Options, poll time.Duration, api *client.Client) (workers, error) {
	steps := activities.New(activities.API{Files: api.Files, Convert: api.Convert, Goals: api.Goals, Support: api}, poll, nil)
	child := worker.New(temporal, queueChild, options)
	registerChild(child)
	child.RegisterActivity(steps)
	empty := worker.New(temporal, queueCanned, options)
	workflows.Register(empty)
	defaults := worker.New(temporal, queueDefaults, worker.Options{})
	for _, w := range []worker.Worker{empty, defaults} {
		registerChild(w)
		w.RegisterActivity(&canned{steps})
	}
	var started workers
	for _, w := range []worker.Worker{child, empty, defaults} {
		if err := w.Start(); err != nil {
			started.stop()
			return nil, fmt.Errorf("start a worker: %w", err)
		}
		started = append(started, w)
	}
	return started, nil
}

func (w workers) stop() {
	for _, one := range w {
		one.Stop()
	}
}

func registerChild(r workflows.Registry) {
	r.RegisterWorkflowWithOptions(convertEach, workflow.RegisterOptions{Name: convertEachName})
	r.RegisterWorkflowWithOptions(convertOne, workflow.RegisterOptions{Name: convertOneName})
}

func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

// canned steps call no API and return at once what a quick job would come to. Those of the plan and of the report are
// the real ones.
type canned struct{ *activities.Activities }

const cannedSum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// UploadFile stands in for the real one.
func (*canned) UploadFile(_ context.Context, in activities.UploadFileInput) (activities.UploadFileResult, error) {
	return activities.UploadFileResult{FileID: "file_" + in.Name, Size: 1200, SHA256: cannedSum, Attempts: 1}, nil
}

// CreateConversion stands in for the real one.
func (*canned) CreateConversion(_ context.Context, in activities.CreateConversionInput) (activities.CreateConversionResult, error) {
	return activities.CreateConversionResult{JobID: "job_" + in.FileID, Finished: in.LookFor > 0, Attempts: 1}, nil
}

// AwaitConversion stands in for the real one.
func (*canned) AwaitConversion(context.Context, activities.AwaitConversionInput) (activities.AwaitConversionResult, error) {
	return activities.AwaitConversionResult{Attempts: 1}, nil
}

// DownloadResults stands in for the real one.
func (*canned) DownloadResults(_ context.Context, in activities.DownloadResultsInput) (activities.DownloadResultsResult, error) {
	return activities.DownloadResultsResult{
		Outputs:  []activities.Output{{Path: in.To.Folder + "/" + in.To.Stem + "." + in.To.Format, Size: 2400, SHA256: cannedSum, Mimetype: client.ContentType(in.To.Format)}},
		Attempts: 1,
	}, nil
}
