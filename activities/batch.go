package activities

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/manifest"
)

// Names of a batch's own steps in failures and progress.
const (
	StepPlan   = "plan"
	StepReport = "report"
)

// PlanBatchInput is a batch to plan.
type PlanBatchInput struct {
	Spec BatchSpec `json:"spec"`
	Name string    `json:"name"` // of the batch, for its folder
}

// PlanBatch lists what a batch has to do and writes it down. Repeating it makes another plan in another folder.
func (a *Activities) PlanBatch(ctx context.Context, in PlanBatchInput) (BatchPlan, error) {
	work, attempt := startAttempt(ctx, StepPlan)
	defer attempt.end()
	plan, err := manifest.Make(work, in.Spec, manifest.NewFolder(in.Spec.Output, in.Name, time.Now()), func(t manifest.Tally) {
		attempt.set(Progress{Step: StepPlan, Message: tallyText(t)})
	})
	if err != nil {
		return BatchPlan{}, failed(work, StepPlan, planError(err))
	}
	return plan, nil
}

// ReadPlanInput is a page of a plan.
type ReadPlanInput struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset"`
	End    int64  `json:"end"` // of the part of the plan that is meant
	Limit  int    `json:"limit"`
}

// ReadPlanResult is the page and where the next one begins.
type ReadPlanResult struct {
	Items []BatchItem `json:"items"`
	Next  int64       `json:"next"`
}

// ReadPlan reads a page of a plan. It only reads.
func (a *Activities) ReadPlan(ctx context.Context, in ReadPlanInput) (ReadPlanResult, error) {
	items, next, err := manifest.ReadPage(in.Path, in.Offset, in.End, in.Limit)
	if err != nil {
		return ReadPlanResult{}, failed(ctx, StepPlan, planError(err))
	}
	return ReadPlanResult{Items: items, Next: next}, nil
}

// WriteReportPartInput is what became of some items.
type WriteReportPartInput struct {
	Folder  string       `json:"folder"`
	Part    string       `json:"part"`
	Entries []BatchEntry `json:"entries"`
}

// WriteReportPart writes a part of the report, whole. Repeating it writes the same part.
func (a *Activities) WriteReportPart(ctx context.Context, in WriteReportPartInput) error {
	if err := manifest.WritePart(in.Folder, in.Part, in.Entries); err != nil {
		return failed(ctx, StepReport, patient(err))
	}
	return nil
}

// ListFailedInput narrows the failures of a batch.
type ListFailedInput struct {
	Plan  BatchPlan `json:"plan"`
	Parts []string  `json:"parts,omitempty"` // prefixes of the report parts that are meant; all where empty
	Codes []string  `json:"codes,omitempty"` // all where empty
}

// ListFailed plans anew what has failed so far. Repeating it makes another plan.
func (a *Activities) ListFailed(ctx context.Context, in ListFailedInput) (BatchPlan, error) {
	work, attempt := startAttempt(ctx, StepPlan)
	defer attempt.end()
	plan, err := manifest.PlanFailed(work, in.Plan, in.Parts, in.Codes)
	if err != nil {
		return BatchPlan{}, failed(work, StepPlan, planError(err))
	}
	return plan, nil
}

// FinishReportInput is a batch whose items have all ended, as far as they will.
type FinishReportInput struct {
	Plan BatchPlan `json:"plan"`
	Name string    `json:"name"`
}

// FinishReport joins the parts into the whole report. Repeating it writes the same report.
func (a *Activities) FinishReport(ctx context.Context, in FinishReportInput) (BatchSummary, error) {
	work, attempt := startAttempt(ctx, StepReport)
	defer attempt.end()
	summary, err := manifest.Finish(work, in.Plan, in.Name)
	if err != nil {
		return BatchSummary{}, failed(work, StepReport, patient(err))
	}
	return summary, nil
}

// planError tells what somebody has to mend from what comes right by itself.
func planError(err error) error {
	var faults *manifest.Faults
	switch {
	case errors.As(err, &faults):
		return inputError(CodeBadArgument, "%s", strings.ReplaceAll(faults.Error(), "\n", "; "))
	case errors.Is(err, fs.ErrNotExist):
		return inputError(CodeInputMissing, "%v", err)
	case errors.Is(err, fs.ErrPermission):
		return inputError(CodeInputUnreadable, "%v", err)
	}
	return err
}

func tallyText(t manifest.Tally) string {
	text := fmt.Sprintf("%d files listed", t.Listed)
	if t.Faulty > 0 {
		text += fmt.Sprintf(", %d unusable", t.Faulty)
	}
	return text
}
