package bench

import (
	"path/filepath"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
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
