package activities

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// StepCreate names CreateConversion in failures and progress.
const StepCreate = "create"

// CreateConversionInput is the job to create. Formats are normalised tokens.
type CreateConversionInput struct {
	FileID       string        `json:"file_id"`
	SourceFormat string        `json:"source_format"`
	TargetFormat string        `json:"target_format"`
	Quality      string        `json:"quality,omitempty"`
	Pages        string        `json:"pages,omitempty"`
	Options      option.Values `json:"options,omitempty"`
	// Check is how outputs are compared with their sources where Options do not say, and the service offers it.
	Check string `json:"check,omitempty"`
	// LookFor is how long the new job is looked at, at the contract's cadence: a quick one needs no waiting of its own.
	LookFor time.Duration `json:"look_for,omitempty"`
	// Again reports whether this step has failed before; the job may exist all the same.
	Again bool `json:"again,omitempty"`
}

// CreateConversionResult is the job that now exists.
type CreateConversionResult struct {
	JobID    string `json:"job_id"`
	Finished bool   `json:"finished,omitempty"` // it has completed, and needs no waiting
	Adopted  bool   `json:"adopted,omitempty"`  // an earlier attempt had created it
	Attempts int    `json:"attempts"`
	Throttle
}

const (
	// createFor bounds all requests of one attempt together: one that Temporal has given up, and that runs on beside
	// its successor, sends nothing after that.
	createFor = 30 * time.Second
	// arriveFor is how long a request that we have given up may still be taken, on its way through proxies and queues,
	// or its job be missing from the list.
	arriveFor = 15 * time.Second
	// unheardFor is how long a request of an attempt that fell silent may still be taken, counted from the next attempt:
	// Temporal has waited for a heartbeat before that.
	unheardFor = createFor + arriveFor - HeartbeatTimeout
)

// CreateConversion creates the job for an uploaded file, once.
//
// The hosted service ignores the idempotency key, so the request is sent once an attempt, and every later
// attempt first looks for a job that already holds the file: the file belongs to this run alone. While an earlier request
// may still be taken, none is sent: the attempt that finds nothing leaves that to the next one, after the wait.
func (a *Activities) CreateConversion(ctx context.Context, in CreateConversionInput) (CreateConversionResult, error) {
	work, attempt := startAttempt(ctx, StepCreate)
	defer attempt.end()
	cadence := &client.Cadence{Interval: a.poll}
	job, adopted, err := a.createOrAdopt(work, in, attempt, min(cadence.Hold(), in.LookFor))
	if err != nil {
		return CreateConversionResult{}, attempt.failed(work, StepCreate, err)
	}
	job = a.lookAt(work, job, in.LookFor, cadence)
	return CreateConversionResult{
		JobID: job.JobID, Finished: job.Status == client.JobCompleted, Adopted: adopted, Attempts: attemptOf(ctx), Throttle: attempt.throttle,
	}, nil
}

// lookAt waits a little for a job that exists. Whatever goes wrong with that is for the step that waits for it.
func (a *Activities) lookAt(ctx context.Context, job *client.ConvertJob, lookFor time.Duration, cadence *client.Cadence) *client.ConvertJob {
	for !job.Status.Terminal() {
		begun, wait := a.now(), cadence.NextFor(job)
		if wait > lookFor || a.sleep(ctx, wait) != nil {
			return job
		}
		now, err := a.convert.Retrieve(ctx, job.JobID, client.WithWait(min(cadence.Hold(), lookFor)), client.WithoutRetries())
		if err != nil {
			return job
		}
		job = now
		lookFor -= max(wait, a.now().Sub(begun))
	}
	if job.Status == client.JobCompleted {
		a.fresh.put(job, a.now())
	}
	return job
}

func (a *Activities) createOrAdopt(ctx context.Context, in CreateConversionInput, attempt *attempt, hold time.Duration) (*client.ConvertJob, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, createFor)
	defer cancel()
	if attempt.number > 1 || in.Again {
		attempt.open = openFor(attempt.number, attempt.before)
		job, err := a.findJob(ctx, in, activity.GetInfo(ctx).ScheduledTime)
		if err != nil {
			return nil, false, err
		}
		if job != nil {
			activity.GetLogger(ctx).Info("adopted the job of an earlier attempt", "job_id", job.JobID)
			return job, true, nil
		}
		if attempt.open > 0 {
			return nil, false, attempt.waitOut()
		}
	}
	options, err := a.withPasswords(a.offered.withCheck(ctx, in))
	if err != nil {
		return nil, false, err
	}
	job, err := a.convert.Create(ctx, client.CreateParams{
		FileID: in.FileID, SourceFormat: in.SourceFormat, TargetFormat: in.TargetFormat,
		Quality: in.Quality, PageRange: in.Pages, Options: options,
	}, client.WithIdempotencyKey(idempotencyKey(ctx, StepCreate)), client.WithoutRetries(), client.WithWait(hold))
	if mayHaveStarted(err) {
		attempt.open = arriveFor
	}
	return job, false, err
}

// openFor is how long a request of an earlier attempt may still be taken.
func openFor(attempt int, before Progress) time.Duration {
	switch {
	case attempt == 1: // of a step that has failed before, with a known end
		return arriveFor
	case before.Ended != attempt-1:
		return unheardFor
	default:
		return before.Open
	}
}

// waitOut leaves it to the next attempt to look and send, when no earlier request can be taken any more.
func (a *attempt) waitOut() error {
	wait := a.open
	a.open = 0 // by then
	return &localError{
		kind: FailureUnavailable, code: CodeUnavailable, retry: true, wait: wait,
		text: fmt.Sprintf("it is not known whether an earlier request made the job; it is looked for again in %s, and then sent again", wait),
	}
}

// findJob looks through the account's jobs for one that converts this file to this target; of several it is the oldest.
// Listing may take several pages, whose order and size are not documented. Where they come newest first, those from long
// before the step was scheduled, at since, are not read.
func (a *Activities) findJob(ctx context.Context, in CreateConversionInput, since time.Time) (*client.ConvertJob, error) {
	const pageSize, maxPages, skew = 100, 20, time.Hour
	var found []client.ConvertJob
	seen := map[string]bool{}
	for page := 1; page <= maxPages; page++ {
		list, err := a.convert.List(ctx, client.ListParams{FileID: in.FileID, Page: page, Limit: pageSize})
		if err != nil {
			return nil, err
		}
		before := len(seen)
		for _, job := range list.Jobs {
			if !seen[job.JobID] && job.ConvertsFile(in.FileID, in.TargetFormat) {
				found = append(found, job)
			}
			seen[job.JobID] = true
		}
		if len(seen) == before || list.Page > 0 && len(seen) >= list.Total || allBefore(list.Jobs, since.Add(-skew)) {
			break
		}
	}
	return oldest(ctx, found), nil
}

// allBefore reports whether jobs come newest first, and that what follows them is older than t.
func allBefore(jobs []client.ConvertJob, t time.Time) bool {
	last := jobs[len(jobs)-1].CreatedAt
	return jobs[0].CreatedAt.After(last) && !last.IsZero() && last.Before(t)
}

// oldest is the one job of several that everybody adopts.
func oldest(ctx context.Context, jobs []client.ConvertJob) *client.ConvertJob {
	if len(jobs) == 0 {
		return nil
	}
	first := slices.MinFunc(jobs, func(a, b client.ConvertJob) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.JobID, b.JobID))
	})
	for _, job := range jobs {
		if job.JobID != first.JobID {
			activity.GetLogger(ctx).Warn("the file has another job, which nobody waits for; the oldest counts", "job_id", first.JobID, "other_job_id", job.JobID)
		}
	}
	return &first
}

// StepAwait names AwaitConversion in failures and progress.
const StepAwait = "convert"

// AwaitConversionInput is the job to wait for.
type AwaitConversionInput struct {
	JobID string `json:"job_id"`
}

// AwaitConversionResult is how the wait went; the job has completed.
type AwaitConversionResult struct {
	Attempts int `json:"attempts"`
	Throttle
}

// AwaitConversion polls until the job ends, at the contract's cadence. It only reads, so a retry just goes
// on with the same job. Progress travels in heartbeats and adds nothing to history.
func (a *Activities) AwaitConversion(ctx context.Context, in AwaitConversionInput) (AwaitConversionResult, error) {
	work, attempt := startAttempt(ctx, StepAwait)
	defer attempt.end()
	if err := a.await(work, in.JobID, attempt); err != nil {
		return AwaitConversionResult{}, attempt.failed(work, StepAwait, err)
	}
	return AwaitConversionResult{Attempts: attemptOf(ctx), Throttle: attempt.throttle}, nil
}

func (a *Activities) await(ctx context.Context, jobID string, attempt *attempt) error {
	cadence := client.Cadence{Interval: a.poll}
	var seen jobSight
	still := attempt.before.Still // a new attempt at the wait is no move of the job
	for {
		job, err := a.convert.Retrieve(ctx, jobID, client.WithWait(cadence.Hold()))
		switch {
		case cadence.Cut(err) && ctx.Err() == nil:
			continue
		case client.IsNotFound(err) && attemptOf(ctx) > patience:
			return resultsGone(jobID)
		case client.IsNotFound(err):
			return &localError{
				kind: FailureUnavailable, code: CodeJobUnknown, retry: true,
				text: "the service does not know job " + jobID + " (yet)",
			}
		case err != nil:
			return err
		}
		if job.Status == client.JobCompleted {
			a.fresh.put(job, a.now())
			return nil
		}
		if job.Status == client.JobFailed {
			return jobFailed(job)
		}
		now := sightOf(job)
		if still == nil || seen != (jobSight{}) && now != seen || seen == (jobSight{}) && job.UpdatedAt.After(*still) {
			at := a.now().UTC()
			still = &at
		}
		seen = now
		attempt.set(Progress{Step: StepAwait, Percent: job.Percent(), Message: job.ProgressMessage, Still: still})
		if err := a.sleep(ctx, cadence.NextFor(job)); err != nil {
			return err
		}
	}
}

// jobSight is what moves while a service works on a job.
type jobSight struct {
	status  client.JobStatus
	percent int
	message string
	updated time.Time
}

func sightOf(job *client.ConvertJob) jobSight {
	return jobSight{job.Status, job.Percent(), job.ProgressMessage, job.UpdatedAt.UTC()}
}

func jobFailed(job *client.ConvertJob) error {
	if job.Error == nil {
		return &jobFailedError{code: CodeUnknown, message: "the job failed and the service gave no reason"}
	}
	failure := &jobFailedError{code: job.Error.Code, message: job.Error.Message}
	if job.Error.Detail != nil {
		failure.reason, failure.faithfulTargets = job.Error.Detail.Reason, job.Error.Detail.FaithfulTargets
	}
	return failure
}
