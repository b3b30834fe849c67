package workflows

import (
	"fmt"

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

// ConvertFile uploads a file, has it converted, and brings the results home.
func ConvertFile(ctx workflow.Context, input ConvertFileInput) (ConvertFileResult, error) {
	run := &convertFile{pipeline{input: input, status: ConvertFileStatus{State: StateRunning}}}
	run.entered = run.show
	if err := workflow.SetQueryHandler(ctx, QueryStatus, func() (ConvertFileStatus, error) { return run.status, nil }); err != nil {
		return ConvertFileResult{}, fmt.Errorf("register the query %s: %w", QueryStatus, err)
	}
	err := run.run(ctx)
	return run.result, run.end(ctx, err)
}

type convertFile struct{ pipeline }

// show tells whoever looks at the run in Temporal's page.
func (r *convertFile) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("**%s** to %s, step: %s", r.input.Name, r.input.To.Format, r.status.Step))
}

// end leaves nothing behind and says how the run ended.
func (r *convertFile) end(ctx workflow.Context, err error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err != nil && r.status.Step == activities.StepDownload {
		discardParts(ctx, activities.DiscardPartsInput{Folder: r.input.To.Folder})
	}
	r.status.State = endState(err)
	details := fmt.Sprintf("**%s** to %s: %s", r.input.Name, r.input.To.Format, r.status.State)
	workflow.SetCurrentDetails(ctx, details)
	if upsertErr := workflow.UpsertTypedSearchAttributes(ctx, KeyState.ValueSet(r.status.State)); upsertErr != nil {
		workflow.GetLogger(ctx).Error("cannot record the state", "error", upsertErr)
	}
	return r.failure(err)
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
	detail := r.detail(err)
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("%s: %s: %s: %s (attempt %d)", r.input.Name, detail.Step, detail.Code, detail.Message, detail.Attempts),
		detail.Code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{detail}})
}
