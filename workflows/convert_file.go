package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
)

// ConvertFileName is the workflow's type.
const ConvertFileName = "ConvertFile"

// ConvertFileInput is one file to convert. Formats are normalised tokens, checked by whoever starts the run.
type ConvertFileInput struct {
	Source       string                 `json:"source"` // URL
	Name         string                 `json:"name"`   // the file name that people see
	SHA256       string                 `json:"sha256,omitempty"`
	SourceFormat string                 `json:"source_format"`
	Quality      string                 `json:"quality,omitempty"`
	Pages        string                 `json:"pages,omitempty"`
	To           activities.Destination `json:"to"`
}

// ConvertFileResult is a finished conversion.
type ConvertFileResult struct {
	Outputs  []activities.Output `json:"outputs"`
	Warnings []string            `json:"warnings,omitempty"`
	FileID   string              `json:"file_id"`
	JobID    string              `json:"job_id"`
	// Attempts is the highest number of attempts that any one step took; 1 when all went well at once.
	Attempts int `json:"attempts"`
}

// ConvertFileStatus answers QueryStatus.
type ConvertFileStatus struct {
	State  string `json:"state"`
	Step   string `json:"step"` // the step that runs, or ran last
	Round  int    `json:"round"`
	FileID string `json:"file_id,omitempty"`
	JobID  string `json:"job_id,omitempty"`
}

// maxRounds bounds how often a run starts over because the service has forgotten its input or its results.
const maxRounds = 3

// ConvertFile uploads a file, has it converted, and brings the results home.
func ConvertFile(ctx workflow.Context, input ConvertFileInput) (ConvertFileResult, error) {
	run := &convertFile{input: input, status: ConvertFileStatus{State: StateRunning}}
	if err := workflow.SetQueryHandler(ctx, QueryStatus, func() (ConvertFileStatus, error) { return run.status, nil }); err != nil {
		return ConvertFileResult{}, fmt.Errorf("register the query %s: %w", QueryStatus, err)
	}
	err := run.run(ctx)
	return run.result, run.end(ctx, err)
}

type convertFile struct {
	input  ConvertFileInput
	status ConvertFileStatus
	result ConvertFileResult
}

func (r *convertFile) run(ctx workflow.Context) error {
	for r.status.Round = 1; ; r.status.Round++ {
		err := r.convertOnce(ctx)
		if err == nil || r.status.Round == maxRounds || !startsOver(err) {
			return err
		}
		workflow.GetLogger(ctx).Info("the service has forgotten the file; converting it again", "round", r.status.Round)
	}
}

func (r *convertFile) convertOnce(ctx workflow.Context) error {
	if err := r.upload(ctx); err != nil {
		return err
	}
	finished, err := r.create(ctx)
	if err != nil {
		return err
	}
	if !finished {
		if err := r.await(ctx); err != nil {
			return err
		}
	}
	return r.download(ctx)
}

// startsOver says that the service no longer holds something that it held: an input lives for about an hour.
func startsOver(err error) bool {
	var failure *temporal.ApplicationError
	return errors.As(err, &failure) &&
		(failure.Type() == activities.FailureInputExpired || failure.Type() == activities.FailureResultsGone)
}

func (r *convertFile) upload(ctx workflow.Context) error {
	// Half a gigabyte over a thin line takes its time; heartbeats find the dead earlier.
	ctx = r.step(ctx, activities.StepUpload, time.Hour, "Upload "+r.input.Name)
	var steps *activities.Activities
	var out activities.UploadFileResult
	err := workflow.ExecuteActivity(ctx, steps.UploadFile, activities.UploadFileInput{
		Source: r.input.Source, Name: r.input.Name, SHA256: r.input.SHA256,
		SourceFormat: r.input.SourceFormat, TargetFormat: r.input.To.Format,
	}).Get(ctx, &out)
	if err != nil {
		return err
	}
	r.status.FileID, r.result.FileID = out.FileID, out.FileID
	r.count(out.Attempts)
	return nil
}

func (r *convertFile) create(ctx workflow.Context) (finished bool, err error) {
	// A few requests, each with a timeout of its own.
	ctx = r.step(ctx, activities.StepCreate, 2*time.Minute, fmt.Sprintf("Create the job: %s to %s", r.input.SourceFormat, r.input.To.Format))
	var steps *activities.Activities
	var out activities.CreateConversionResult
	err = workflow.ExecuteActivity(ctx, steps.CreateConversion, activities.CreateConversionInput{
		FileID: r.result.FileID, SourceFormat: r.input.SourceFormat, TargetFormat: r.input.To.Format,
		Quality: r.input.Quality, Pages: r.input.Pages,
	}).Get(ctx, &out)
	if err != nil {
		return false, err
	}
	r.status.JobID, r.result.JobID = out.JobID, out.JobID
	r.count(out.Attempts)
	return out.Finished, nil
}

func (r *convertFile) await(ctx workflow.Context) error {
	// The wait is one long poll that carries on with the same job after each hour.
	ctx = r.step(ctx, activities.StepAwait, time.Hour, "Wait for job "+r.result.JobID)
	var steps *activities.Activities
	var out activities.AwaitConversionResult
	err := workflow.ExecuteActivity(ctx, steps.AwaitConversion, activities.AwaitConversionInput{JobID: r.result.JobID}).Get(ctx, &out)
	r.count(out.Attempts)
	return err
}

func (r *convertFile) download(ctx workflow.Context) error {
	// Two gigabytes, the most a result may have, over a thin line.
	ctx = r.step(ctx, activities.StepDownload, 2*time.Hour, "Download the results of job "+r.result.JobID)
	var steps *activities.Activities
	var out activities.DownloadResultsResult
	err := workflow.ExecuteActivity(ctx, steps.DownloadResults, activities.DownloadResultsInput{
		JobID: r.result.JobID, To: r.input.To,
	}).Get(ctx, &out)
	if err != nil {
		return err
	}
	r.result.Outputs, r.result.Warnings = out.Outputs, out.Warnings
	r.count(out.Attempts)
	return nil
}

func (r *convertFile) count(attempts int) { r.result.Attempts = max(r.result.Attempts, attempts) }

// step enters a step: it notes it for watchers and sets the limits of its activity.
func (r *convertFile) step(ctx workflow.Context, name string, attempt time.Duration, summary string) workflow.Context {
	r.status.Step = name
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("**%s** to %s, step: %s", r.input.Name, r.input.To.Format, name))
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
		Summary: summary,
	})
}

// end leaves nothing behind and says how the run ended.
func (r *convertFile) end(ctx workflow.Context, err error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err != nil && r.status.Step == activities.StepDownload {
		discardParts(ctx, r.input.To.Folder)
	}
	r.status.State = endState(err)
	details := fmt.Sprintf("**%s** to %s: %s", r.input.Name, r.input.To.Format, r.status.State)
	workflow.SetCurrentDetails(ctx, details)
	if upsertErr := workflow.UpsertTypedSearchAttributes(ctx, KeyState.ValueSet(r.status.State)); upsertErr != nil {
		workflow.GetLogger(ctx).Error("cannot record the state", "error", upsertErr)
	}
	return r.failure(err)
}

// discardParts removes what a run has fetched into a folder and not put in place.
func discardParts(ctx workflow.Context, folder string) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, // removes a few files
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 5},
		Summary:             "Remove half-fetched files",
	})
	var steps *activities.Activities
	err := workflow.ExecuteActivity(ctx, steps.DiscardParts, activities.DiscardPartsInput{Folder: folder}).Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Error("cannot remove half-fetched files", "folder", folder, "error", err)
	}
}

func endState(err error) string {
	switch {
	case err == nil:
		return StateCompleted
	case temporal.IsCanceledError(err):
		return StateCancelled
	default:
		return StateFailed
	}
}

// failure names file, step, code and attempts in one line; the step's detail travels along.
func (r *convertFile) failure(err error) error {
	if err == nil || temporal.IsCanceledError(err) {
		return err
	}
	detail, ok := activities.FailureOf(err)
	if !ok {
		detail = activities.Failure{Step: r.status.Step, Kind: activities.FailureUnknown, Code: activities.CodeUnknown, Message: err.Error(), Attempts: r.result.Attempts}
	}
	detail.FileID, detail.JobID = r.status.FileID, r.status.JobID
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("%s: %s: %s: %s (attempt %d)", r.input.Name, detail.Step, detail.Code, detail.Message, detail.Attempts),
		detail.Code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{detail}})
}
