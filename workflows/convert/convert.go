// Package convert is the workflow ConvertFile: one file through upload, create, await and download.
package convert

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// WorkflowType is the workflow's type.
const WorkflowType = "ConvertFile"

// Input is one file to convert. Formats are normalised tokens, checked by whoever starts the run.
type Input struct {
	Source       string                 `json:"source"` // URL
	Name         string                 `json:"name"`   // the file name that people see
	SHA256       string                 `json:"sha256,omitempty"`
	SourceFormat string                 `json:"source_format"`
	Quality      string                 `json:"quality,omitempty"`
	Pages        string                 `json:"pages,omitempty"`
	To           activities.Destination `json:"to"`
}

// Result is a finished conversion.
type Result struct {
	Outputs  []activities.Output `json:"outputs"`
	Warnings []string            `json:"warnings,omitempty"`
	FileID   string              `json:"file_id"`
	JobID    string              `json:"job_id"`
	// Attempts is the highest number of attempts that any one step took; 1 when all went well at once.
	Attempts int `json:"attempts"`
}

// Status answers QueryStatus.
type Status struct {
	State  string `json:"state"`
	Step   string `json:"step"` // the step that runs, or ran last
	Round  int    `json:"round"`
	FileID string `json:"file_id,omitempty"`
	JobID  string `json:"job_id,omitempty"`
}

// ConvertFile uploads a file, has it converted, and brings the results home.
func ConvertFile(ctx workflow.Context, input Input) (Result, error) {
	r := &convertFile{Pipeline{Input: input, Status: Status{State: run.StateRunning}}}
	r.Entered = r.show
	if err := workflow.SetQueryHandler(ctx, run.QueryStatus, func() (Status, error) { return r.Status, nil }); err != nil {
		return Result{}, fmt.Errorf("register the query %s: %w", run.QueryStatus, err)
	}
	err := r.Run(ctx)
	return r.Result, r.end(ctx, err)
}

type convertFile struct{ Pipeline }

// show tells whoever looks at the run in Temporal's page.
func (r *convertFile) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("**%s** to %s, step: %s", r.Input.Name, r.Input.To.Format, r.Status.Step))
}

// end leaves nothing behind and says how the run ended.
func (r *convertFile) end(ctx workflow.Context, err error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err != nil && r.Status.Step == activities.StepDownload {
		DiscardParts(ctx, activities.DiscardPartsInput{Folder: r.Input.To.Folder})
	}
	r.Status.State = run.EndState(err)
	details := fmt.Sprintf("**%s** to %s: %s", r.Input.Name, r.Input.To.Format, r.Status.State)
	workflow.SetCurrentDetails(ctx, details)
	if upsertErr := workflow.UpsertTypedSearchAttributes(ctx, run.KeyState.ValueSet(r.Status.State)); upsertErr != nil {
		workflow.GetLogger(ctx).Error("cannot record the state", "error", upsertErr)
	}
	return r.failure(err)
}

// failure names file, step, code and attempts in one line; the step's detail travels along.
func (r *convertFile) failure(err error) error {
	if err == nil || temporal.IsCanceledError(err) {
		return err
	}
	detail := r.Detail(err)
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("%s: %s: %s: %s (attempt %d)", r.Input.Name, detail.Step, detail.Code, detail.Message, detail.Attempts),
		detail.Code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{detail}})
}
