package convert

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// steps are the activities; only their names are used here.
var steps *activities.Activities

// Input is one file to convert. Formats are normalised tokens, checked by whoever starts the run.
type Input struct {
	Source       string                 `json:"source"` // URL
	Name         string                 `json:"name"`   // the file name that people see
	SHA256       string                 `json:"sha256,omitempty"`
	SourceFormat string                 `json:"source_format"`
	Quality      string                 `json:"quality,omitempty"`
	Pages        string                 `json:"pages,omitempty"`
	Options      option.Values          `json:"options,omitempty"`
	Check        string                 `json:"check,omitempty"` // as in activities.CreateConversionInput
	To           activities.Destination `json:"to"`
	OnLoss       string                 `json:"on_loss,omitempty"` // questions.OnLossKeep where empty
	Policy       questions.Policy       `json:"policy,omitzero"`   // of questions.SlotLoss
}

// Progress is how far a file has come. It is plain data: a run that continues as new carries it along, and a Pipeline goes on
// from it.
type Progress struct {
	FileID   string `json:"file_id,omitempty"` // empty until it is uploaded, and when the service has forgotten it
	JobID    string `json:"job_id,omitempty"`  // likewise
	Finished bool   `json:"finished,omitempty"`
	Round    int    `json:"round,omitempty"` // from 1; grows when it starts over
	// Attempts is the highest number of attempts that any one step took.
	Attempts int `json:"attempts,omitempty"`
	activities.Throttle
	Unsure bool   `json:"unsure,omitempty"` // whether there is a job: creating it has failed, and not at once
	Size   int64  `json:"size,omitempty"`   // of the source as it was uploaded, in bytes
	SHA256 string `json:"sha256,omitempty"`
}

// count adds what a step has cost.
func (p *Progress) count(attempts int, throttle activities.Throttle) {
	p.Attempts = max(p.Attempts, attempts)
	p.Add(throttle)
}

// startOver forgets what the service has forgotten.
func (p *Progress) startOver() {
	p.FileID, p.JobID, p.Finished, p.Unsure = "", "", false, false
	p.Round++
}

// Pipeline takes one file through the steps: all of a ConvertFile, or one of many in a ConvertBatch.
type Pipeline struct {
	Input    Input
	Progress *Progress // where it goes on from, and where it has come to

	// The rest is optional.

	Entered  func(workflow.Context) // called at each step
	Leave    func() bool            // asked between steps: end here, the rest is for later
	Priority temporal.Priority
	LookFor  time.Duration // how long a new job is looked at before another step waits for it
	Part     string        // distinguishes its partly downloaded files from those of other pipelines of the run

	// What it has come to.

	Step     string // the step that runs, or ran last
	Done     bool   // the outputs are in place
	Outputs  []activities.Output
	Warnings []string
	Check    *activities.CheckResult
	// Held is what waits for somebody's word, and then it is not Done; nil where nothing does.
	Held *activities.Held
}

// Run converts the file. It ends early, without an error and without Done, where Leave asks for it.
func (p *Pipeline) Run(ctx workflow.Context) error {
	p.Progress.Round = max(p.Progress.Round, 1)
	for {
		err := p.runRound(ctx)
		if err == nil || p.Progress.Round == run.MaxRounds || !isForgotten(err) {
			return run.Cancelled(ctx, err)
		}
		p.Progress.startOver()
		workflow.GetLogger(ctx).Info("the service has forgotten the file; converting it again", "round", p.Progress.Round)
	}
}

// runRound does the steps that are left to do.
func (p *Pipeline) runRound(ctx workflow.Context) error {
	for _, step := range []struct {
		do   func(workflow.Context) error
		done func() bool
	}{
		{p.upload, func() bool { return p.Progress.FileID != "" }},
		{p.create, func() bool { return p.Progress.JobID != "" }},
		{p.await, func() bool { return p.Progress.Finished }},
		{p.download, func() bool { return p.Done || p.Held != nil }},
	} {
		if step.done() {
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

// isForgotten reports whether the service no longer holds something that it held: an input lives for about an hour.
func isForgotten(err error) bool {
	var failure *temporal.ApplicationError
	return errors.As(err, &failure) &&
		(failure.Type() == activities.FailureInputExpired || failure.Type() == activities.FailureResultsGone)
}

func (p *Pipeline) upload(ctx workflow.Context) error {
	// 500 MB over a slow line take their time.
	ctx = p.enter(ctx, activities.StepUpload, time.Hour, "Upload "+p.Input.Name)
	var out activities.UploadFileResult
	err := workflow.ExecuteActivity(ctx, steps.UploadFile, activities.UploadFileInput{
		Source: p.Input.Source, Name: p.Input.Name, SHA256: p.Input.SHA256,
		SourceFormat: p.Input.SourceFormat, TargetFormat: p.Input.To.Format, Pages: p.Input.Pages, Options: p.Input.Options,
	}).Get(ctx, &out)
	if err != nil {
		return err
	}
	p.Progress.FileID, p.Progress.Size, p.Progress.SHA256 = out.FileID, out.Size, out.SHA256
	p.Progress.count(out.Attempts, out.Throttle)
	return nil
}

func (p *Pipeline) create(ctx workflow.Context) error {
	// A few requests, each with a timeout of its own.
	ctx = p.enter(ctx, activities.StepCreate, 2*time.Minute, fmt.Sprintf("Create the job: %s to %s", p.Input.SourceFormat, p.Input.To.Format))
	var out activities.CreateConversionResult
	err := workflow.ExecuteActivity(ctx, steps.CreateConversion, activities.CreateConversionInput{
		FileID: p.Progress.FileID, SourceFormat: p.Input.SourceFormat, TargetFormat: p.Input.To.Format,
		Quality: p.Input.Quality, Pages: p.Input.Pages, Options: p.Input.Options, Check: p.Input.Check, LookFor: p.LookFor, Again: p.Progress.Unsure,
	}).Get(ctx, &out)
	if err != nil {
		p.Progress.Unsure = p.Progress.Unsure || p.Failure(err).Attempts > 1
		return err
	}
	p.Progress.JobID, p.Progress.Finished = out.JobID, out.Finished
	p.Progress.count(out.Attempts, out.Throttle)
	return nil
}

func (p *Pipeline) await(ctx workflow.Context) error {
	// The wait is one long poll that carries on with the same job after each hour.
	ctx = p.enter(ctx, activities.StepAwait, time.Hour, "Wait for job "+p.Progress.JobID)
	var out activities.AwaitConversionResult
	err := workflow.ExecuteActivity(ctx, steps.AwaitConversion, activities.AwaitConversionInput{JobID: p.Progress.JobID}).Get(ctx, &out)
	if err != nil {
		return err
	}
	p.Progress.Finished = true
	p.Progress.count(out.Attempts, out.Throttle)
	return nil
}

func (p *Pipeline) download(ctx workflow.Context) error {
	// 2 GB, the most that a result may have, over a slow line.
	ctx = p.enter(ctx, activities.StepDownload, 2*time.Hour, "Download the results of job "+p.Progress.JobID)
	var out activities.DownloadResultsResult
	err := workflow.ExecuteActivity(ctx, steps.DownloadResults, activities.DownloadResultsInput{
		JobID: p.Progress.JobID, To: p.Input.To, Part: p.Part, Hold: p.Input.OnLoss == questions.OnLossAsk,
	}).Get(ctx, &out)
	if err != nil {
		return err
	}
	p.Outputs, p.Warnings, p.Check, p.Held = out.Outputs, out.Warnings, out.Check, out.Held
	p.Done = p.Held == nil
	p.Progress.count(out.Attempts, out.Throttle)
	return nil
}

// enter notes the step that begins, and sets the options of its activity.
func (p *Pipeline) enter(ctx workflow.Context, step string, attempt time.Duration, summary string) workflow.Context {
	p.Step = step
	if p.Entered != nil {
		p.Entered(ctx)
	}
	return run.Options(ctx, run.Step{
		Summary: summary, Attempt: attempt, Priority: p.Priority,
		Total: 7 * 24 * time.Hour, // a network that is lost on Friday is back on Monday
	})
}

// Failure is what there is to know about a step that failed.
func (p *Pipeline) Failure(err error) activities.Failure {
	failure, ok := activities.FailureOf(err)
	if !ok {
		failure = activities.Failure{
			Step: p.Step, Kind: activities.FailureUnknown, Code: activities.CodeUnknown, Message: err.Error(), Attempts: p.Progress.Attempts,
		}
	}
	failure.FileID, failure.JobID = p.Progress.FileID, p.Progress.JobID
	return failure
}

// DiscardParts removes what a run has downloaded into a folder and not put in place.
func DiscardParts(ctx workflow.Context, in activities.DiscardPartsInput) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, // removes a few files
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 5},
		Summary:             "Remove partly downloaded files",
	})
	if err := workflow.ExecuteActivity(ctx, steps.DiscardParts, in).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("cannot remove partly downloaded files", "folder", in.Folder, "error", err)
	}
}
