package bench

import (
	"context"
	"fmt"
	"net/url"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// Task queues of the contestants that the product's own worker does not serve.
const (
	queueChild    = "bench-child"    // the real steps
	queueCanned   = "bench-canned"   // the steps that call the API do nothing
	queueDefaults = "bench-defaults" // likewise, and the worker has the SDK's own options
)

type workers []worker.Worker

func startWorkers(cfg Config, api *client.Client) (workers, error) {
	steps := activities.New(activities.API{Files: api.Files, Convert: api.Convert, Goals: api.Goals, Support: api}, cfg.Poll, nil)
	child := worker.New(cfg.Temporal, queueChild, cfg.Worker)
	registerChild(child)
	child.RegisterActivity(steps)
	empty := worker.New(cfg.Temporal, queueCanned, cfg.Worker)
	workflows.Register(empty)
	defaults := worker.New(cfg.Temporal, queueDefaults, worker.Options{})
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
