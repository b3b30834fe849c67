package convert

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// steps are the activities; only their names are used here.
var steps *activities.Activities

// Pipeline is one file on its way through the steps: the whole of a ConvertFile, or one of many in a ConvertBatch.
// It goes on from what its result and finished say is done.
type Pipeline struct {
	Input    Input
	Status   Status
	Result   Result
	Finished bool // the job has ended well and needs no waiting
	Done     bool // the outputs are in place
	Source   activities.UploadFileResult

	Entered  func(workflow.Context) // at each step; may be nil
	Leave    func() bool            // asked between steps: end here, the rest is for later; nil for never
	Priority temporal.Priority
	LookFor  time.Duration // at a new job before another step waits for it
	Part     string        // tells its half-fetched files from those of other pipelines of the run
	Refused  int           // requests
	Asked    int           // those of them that asked to slow down
	Unsure   bool          // whether the file has a job: creating it has failed, and not at once
}

// Run converts the file. It ends without an error before the end where leave says so; done tells.
func (p *Pipeline) Run(ctx workflow.Context) error {
	for p.Status.Round = max(p.Status.Round, 1); ; p.Status.Round++ {
		err := p.convertOnce(ctx)
		if err == nil || p.Status.Round == run.MaxRounds || !startsOver(err) {
			return err
		}
		p.Result.FileID, p.Result.JobID, p.Finished, p.Unsure = "", "", false, false
		workflow.GetLogger(ctx).Info("the service has forgotten the file; converting it again", "round", p.Status.Round)
	}
}

// convertOnce does what is left to do.
func (p *Pipeline) convertOnce(ctx workflow.Context) error {
	for _, step := range []struct {
		do      func(workflow.Context) error
		skipped func() bool
	}{
		{p.upload, func() bool { return p.Result.FileID != "" }},
		{p.create, func() bool { return p.Result.JobID != "" }},
		{p.await, func() bool { return p.Finished }},
		{p.download, func() bool { return p.Done }},
	} {
		if step.skipped() {
			continue
		}
		if p.Leave != nil && p.Leave() {
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

func (p *Pipeline) upload(ctx workflow.Context) error {
	// Half a gigabyte over a thin line takes its time; heartbeats find the dead earlier.
	ctx = p.step(ctx, activities.StepUpload, time.Hour, "Upload "+p.Input.Name)
	var out activities.UploadFileResult
	err := workflow.ExecuteActivity(ctx, steps.UploadFile, activities.UploadFileInput{
		Source: p.Input.Source, Name: p.Input.Name, SHA256: p.Input.SHA256,
		SourceFormat: p.Input.SourceFormat, TargetFormat: p.Input.To.Format,
	}).Get(ctx, &out)
	if err != nil {
		return err
	}
	p.Status.FileID, p.Result.FileID, p.Source = out.FileID, out.FileID, out
	p.count(out.Attempts, out.Refused, out.Asked)
	return nil
}

func (p *Pipeline) create(ctx workflow.Context) error {
	// A few requests, each with a timeout of its own.
	ctx = p.step(ctx, activities.StepCreate, 2*time.Minute, fmt.Sprintf("Create the job: %s to %s", p.Input.SourceFormat, p.Input.To.Format))
	var out activities.CreateConversionResult
	err := workflow.ExecuteActivity(ctx, steps.CreateConversion, activities.CreateConversionInput{
		FileID: p.Result.FileID, SourceFormat: p.Input.SourceFormat, TargetFormat: p.Input.To.Format,
		Quality: p.Input.Quality, Pages: p.Input.Pages, LookFor: p.LookFor, Again: p.Unsure,
	}).Get(ctx, &out)
	if err != nil {
		p.Unsure = p.Unsure || p.Detail(err).Attempts > 1
		return err
	}
	p.Status.JobID, p.Result.JobID, p.Finished = out.JobID, out.JobID, out.Finished
	p.count(out.Attempts, out.Refused, out.Asked)
	return nil
}

func (p *Pipeline) await(ctx workflow.Context) error {
	// The wait is one long poll that carries on with the same job after each hour.
	ctx = p.step(ctx, activities.StepAwait, time.Hour, "Wait for job "+p.Result.JobID)
	var out activities.AwaitConversionResult
	err := workflow.ExecuteActivity(ctx, steps.AwaitConversion, activities.AwaitConversionInput{JobID: p.Result.JobID}).Get(ctx, &out)
	p.count(out.Attempts, out.Refused, out.Asked)
	p.Finished = err == nil
	return err
}

func (p *Pipeline) download(ctx workflow.Context) error {
	// Two gigabytes, the most a result may have, over a thin line.
	ctx = p.step(ctx, activities.StepDownload, 2*time.Hour, "Download the results of job "+p.Result.JobID)
	var out activities.DownloadResultsResult
	err := workflow.ExecuteActivity(ctx, steps.DownloadResults, activities.DownloadResultsInput{
		JobID: p.Result.JobID, To: p.Input.To, Part: p.Part,
	}).Get(ctx, &out)
	if err != nil {
		return err
	}
	p.Result.Outputs, p.Result.Warnings, p.Done = out.Outputs, out.Warnings, true
	p.count(out.Attempts, out.Refused, out.Asked)
	return nil
}

func (p *Pipeline) count(attempts, refused, asked int) {
	p.Result.Attempts = max(p.Result.Attempts, attempts)
	p.Refused += refused
	p.Asked += asked
}

// step enters a step: it notes it for watchers and sets the limits of its activity.
func (p *Pipeline) step(ctx workflow.Context, name string, attempt time.Duration, summary string) workflow.Context {
	p.Status.Step = name
	if p.Entered != nil {
		p.Entered(ctx)
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
		Priority: p.Priority,
	})
}

// Detail is what there is to know about a failed step.
func (p *Pipeline) Detail(err error) activities.Failure {
	detail, ok := activities.FailureOf(err)
	if !ok {
		detail = activities.Failure{Step: p.Status.Step, Kind: activities.FailureUnknown, Code: activities.CodeUnknown, Message: err.Error(), Attempts: p.Result.Attempts}
	}
	detail.FileID, detail.JobID = p.Status.FileID, p.Status.JobID
	return detail
}

// DiscardParts removes what a run has fetched into a folder and not put in place.
func DiscardParts(ctx workflow.Context, in activities.DiscardPartsInput) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, // removes a few files
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 5},
		Summary:             "Remove half-fetched files",
	})
	err := workflow.ExecuteActivity(ctx, steps.DiscardParts, in).Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Error("cannot remove half-fetched files", "folder", in.Folder, "error", err)
	}
}
