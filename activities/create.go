package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/convilyn/convilyn-temporal/client"
)

// StepCreate names CreateConversion in failures and progress.
const StepCreate = "create"

// CreateConversionInput is the job to create. Formats are normalised tokens.
type CreateConversionInput struct {
	FileID       string `json:"file_id"`
	SourceFormat string `json:"source_format"`
	TargetFormat string `json:"target_format"`
	Quality      string `json:"quality,omitempty"`
	Pages        string `json:"pages,omitempty"`
	// LookFor is how long the new job is looked at, at the contract's cadence: a quick one needs no waiting of its own.
	LookFor time.Duration `json:"look_for,omitempty"`
}

// CreateConversionResult is the job that now exists.
type CreateConversionResult struct {
	JobID    string `json:"job_id"`
	Finished bool   `json:"finished,omitempty"` // it has completed, and needs no waiting
	Adopted  bool   `json:"adopted,omitempty"`  // an earlier attempt had created it
	Attempts int    `json:"attempts"`
	Refused  int    `json:"refused,omitempty"` // times it was told to slow down
}

// CreateConversion creates the job for an uploaded file, once.
//
// The hosted service ignores the idempotency key, so the request is sent once an attempt, and every later
// attempt first looks for a job that already holds the file: the file belongs to this run alone.
func (a *Activities) CreateConversion(ctx context.Context, in CreateConversionInput) (CreateConversionResult, error) {
	work, pulse := startPulse(ctx, StepCreate)
	defer pulse.end()
	job, adopted, err := a.createOrAdopt(work, in)
	if err != nil {
		return CreateConversionResult{}, pulse.failed(work, StepCreate, err)
	}
	job = a.lookAt(work, job, in.LookFor)
	return CreateConversionResult{
		JobID: job.JobID, Finished: job.Status == client.JobCompleted, Adopted: adopted, Attempts: attemptOf(ctx), Refused: pulse.refused,
	}, nil
}

// lookAt waits a little for a job that exists. Whatever goes wrong with that is for the step that waits for it.
func (a *Activities) lookAt(ctx context.Context, job *client.ConvertJob, lookFor time.Duration) *client.ConvertJob {
	cadence := client.Cadence{Interval: a.poll}
	for !job.Status.Terminal() {
		wait := cadence.Next(jobPercent(job))
		if lookFor -= wait; lookFor < 0 || a.sleep(ctx, wait) != nil {
			return job
		}
		now, err := a.convert.Retrieve(ctx, job.JobID, client.WithoutRetries())
		if err != nil {
			return job
		}
		if job = now; job.Status == client.JobCompleted {
			a.fresh.put(job, a.now())
		}
	}
	return job
}

func (a *Activities) createOrAdopt(ctx context.Context, in CreateConversionInput) (*client.ConvertJob, bool, error) {
	if attemptOf(ctx) > 1 {
		job, err := a.findJob(ctx, in)
		if err != nil {
			return nil, false, err
		}
		if job != nil {
			activity.GetLogger(ctx).Info("adopted the job of an earlier attempt", "job_id", job.JobID)
			return job, true, nil
		}
	}
	job, err := a.convert.Create(ctx, client.CreateParams{
		FileID: in.FileID, SourceFormat: in.SourceFormat, TargetFormat: in.TargetFormat,
		Quality: in.Quality, PageRange: in.Pages,
	}, client.WithIdempotencyKey(idempotencyKey(ctx, StepCreate)), client.WithoutRetries())
	return job, false, err
}

// findJob looks through the account's jobs for one that converts this file to this target. Listing may take
// several pages; jobs come newest first where the order is known, so the first pages decide.
func (a *Activities) findJob(ctx context.Context, in CreateConversionInput) (*client.ConvertJob, error) {
	const pageSize, maxPages = 100, 20
	for page := 1; page <= maxPages; page++ {
		list, err := a.convert.List(ctx, client.ListParams{FileID: in.FileID, Page: page, Limit: pageSize})
		if err != nil {
			return nil, err
		}
		for i := range list.Jobs {
			if list.Jobs[i].ConvertsFile(in.FileID, in.TargetFormat) {
				return &list.Jobs[i], nil
			}
		}
		if len(list.Jobs) < pageSize {
			return nil, nil
		}
	}
	return nil, nil
}
