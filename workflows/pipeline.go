package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
)

// pipeline is one file on its way through the steps: the whole of a ConvertFile, or one of many in a ConvertBatch.
// It goes on from what its result and finished say is done.
type pipeline struct {
	input    ConvertFileInput
	status   ConvertFileStatus
	result   ConvertFileResult
	finished bool // the job has ended well and needs no waiting
	done     bool // the outputs are in place
	source   activities.UploadFileResult

	entered  func(workflow.Context) // at each step; may be nil
	leave    func() bool            // asked between steps: end here, the rest is for later; nil for never
	priority temporal.Priority
	lookFor  time.Duration // at a new job before another step waits for it
	part     string        // tells its half-fetched files from those of other pipelines of the run
	refused  int           // requests
	asked    int           // those of them that asked to slow down
	unsure   bool          // whether the file has a job: creating it has failed, and not at once
}

// maxRounds bounds how often a run starts over because the service has forgotten its input or its results.
const maxRounds = 3

// run converts the file. It ends without an error before the end where leave says so; done tells.
func (p *pipeline) run(ctx workflow.Context) error {
	for p.status.Round = max(p.status.Round, 1); ; p.status.Round++ {
		err := p.convertOnce(ctx)
		if err == nil || p.status.Round == maxRounds || !startsOver(err) {
			return err
		}
		p.result.FileID, p.result.JobID, p.finished, p.unsure = "", "", false, false
		workflow.GetLogger(ctx).Info("the service has forgotten the file; converting it again", "round", p.status.Round)
	}
}

// convertOnce does what is left to do.
func (p *pipeline) convertOnce(ctx workflow.Context) error {
	for _, step := range []struct {
		do      func(workflow.Context) error
		skipped func() bool
	}{
		{p.upload, func() bool { return p.result.FileID != "" }},
		{p.create, func() bool { return p.result.JobID != "" }},
		{p.await, func() bool { return p.finished }},
		{p.download, func() bool { return p.done }},
	} {
		if step.skipped() {
			continue
		}
		if p.leave != nil && p.leave() {
			return nil
		}
		if err := step.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// startsOver says that the service no longer holds something that it held: an input lives for about an hour.
func startsOver(err error) bool {
	var failure *temporal.ApplicationError
	return errors.As(err, &failure) &&
		(failure.Type() == activities.FailureInputExpired || failure.Type() == activities.FailureResultsGone)
}

func (p *pipeline) upload(ctx workflow.Context) error {
	// Half a gigabyte over a thin line takes its time; heartbeats find the dead earlier.
	ctx = p.step(ctx, activities.StepUpload, time.Hour, "Upload "+p.input.Name)
	var steps *activities.Activities
	var out activities.UploadFileResult
	err := workflow.ExecuteActivity(ctx, steps.UploadFile, activities.UploadFileInput{
		Source: p.input.Source, Name: p.input.Name, SHA256: p.input.SHA256,
		SourceFormat: p.input.SourceFormat, TargetFormat: p.input.To.Format,
	}).Get(ctx, &out)
	if err != nil {
		return err
	}
	p.status.FileID, p.result.FileID, p.source = out.FileID, out.FileID, out
	p.count(out.Attempts, out.Refused, out.Asked)
	return nil
}

func (p *pipeline) create(ctx workflow.Context) error {
	// A few requests, each with a timeout of its own.
	ctx = p.step(ctx, activities.StepCreate, 2*time.Minute, fmt.Sprintf("Create the job: %s to %s", p.input.SourceFormat, p.input.To.Format))
	var steps *activities.Activities
	var out activities.CreateConversionResult
	err := workflow.ExecuteActivity(ctx, steps.CreateConversion, activities.CreateConversionInput{
		FileID: p.result.FileID, SourceFormat: p.input.SourceFormat, TargetFormat: p.input.To.Format,
		Quality: p.input.Quality, Pages: p.input.Pages, LookFor: p.lookFor, Again: p.unsure,
	}).Get(ctx, &out)
	if err != nil {
		p.unsure = p.unsure || p.detail(err).Attempts > 1
		return err
	}
	p.status.JobID, p.result.JobID, p.finished = out.JobID, out.JobID, out.Finished
	p.count(out.Attempts, out.Refused, out.Asked)
	return nil
}

func (p *pipeline) await(ctx workflow.Context) error {
	// The wait is one long poll that carries on with the same job after each hour.
	ctx = p.step(ctx, activities.StepAwait, time.Hour, "Wait for job "+p.result.JobID)
	var steps *activities.Activities
	var out activities.AwaitConversionResult
	err := workflow.ExecuteActivity(ctx, steps.AwaitConversion, activities.AwaitConversionInput{JobID: p.result.JobID}).Get(ctx, &out)
	p.count(out.Attempts, out.Refused, out.Asked)
	p.finished = err == nil
	return err
}

func (p *pipeline) download(ctx workflow.Context) error {
	// Two gigabytes, the most a result may have, over a thin line.
	ctx = p.step(ctx, activities.StepDownload, 2*time.Hour, "Download the results of job "+p.result.JobID)
	var steps *activities.Activities
	var out activities.DownloadResultsResult
	err := workflow.ExecuteActivity(ctx, steps.DownloadResults, activities.DownloadResultsInput{
		JobID: p.result.JobID, To: p.input.To, Part: p.part,
	}).Get(ctx, &out)
	if err != nil {
		return err
	}
	p.result.Outputs, p.result.Warnings, p.done = out.Outputs, out.Warnings, true
	p.count(out.Attempts, out.Refused, out.Asked)
	return nil
}

func (p *pipeline) count(attempts, refused, asked int) {
	p.result.Attempts = max(p.result.Attempts, attempts)
	p.refused += refused
	p.asked += asked
}

// step enters a step: it notes it for watchers and sets the limits of its activity.
func (p *pipeline) step(ctx workflow.Context, name string, attempt time.Duration, summary string) workflow.Context {
	p.status.Step = name
	if p.entered != nil {
		p.entered(ctx)
	}
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: attempt,
		// A network that is lost on Friday is back on Monday.
		ScheduleToCloseTimeout: 7 * 24 * time.Hour,
		HeartbeatTimeout:       activities.HeartbeatTimeout,
		// Cancelling is over when the step has cleaned up after itself.
		WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 500 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second,
		},
		Summary:  summary,
		Priority: p.priority,
	})
}

// detail is what there is to know about a failed step.
func (p *pipeline) detail(err error) activities.Failure {
	detail, ok := activities.FailureOf(err)
	if !ok {
		detail = activities.Failure{Step: p.status.Step, Kind: activities.FailureUnknown, Code: activities.CodeUnknown, Message: err.Error(), Attempts: p.result.Attempts}
	}
	detail.FileID, detail.JobID = p.status.FileID, p.status.JobID
	return detail
}

// discardParts removes what a run has fetched into a folder and not put in place.
func discardParts(ctx workflow.Context, in activities.DiscardPartsInput) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, // removes a few files
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 5},
		Summary:             "Remove half-fetched files",
	})
	var steps *activities.Activities
	err := workflow.ExecuteActivity(ctx, steps.DiscardParts, in).Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Error("cannot remove half-fetched files", "folder", in.Folder, "error", err)
	}
}
