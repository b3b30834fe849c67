package activities

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
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
	if err := a.checkSpec(in.Spec, in.Name); err != nil {
		return BatchPlan{}, failed(work, StepPlan, err)
	}
	plan, err := a.plans().Make(work, in.Spec, manifest.NewFolder(a.state, in.Spec.Output, in.Name, a.now()), func(t manifest.Tally) {
		attempt.set(Progress{Step: StepPlan, Message: tallyText(t)})
	})
	if err != nil {
		return BatchPlan{}, failed(work, StepPlan, planError(attemptOf(work), err))
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
	if err := a.checkPlanFolder(filepath.Dir(in.Path)); err != nil {
		return ReadPlanResult{}, failed(ctx, StepPlan, err)
	}
	items, next, err := a.plans().ReadPage(in.Path, in.Offset, in.End, in.Limit)
	if err != nil {
		return ReadPlanResult{}, failed(ctx, StepPlan, planError(attemptOf(ctx), err))
	}
	return ReadPlanResult{Items: items, Next: next}, nil
}

// WriteReportPartInput is what became of some items.
type WriteReportPartInput struct {
	Folder  string       `json:"folder"`
	Part    string       `json:"part"`
	Entries []BatchEntry `json:"entries"`
}

// WriteReportPart writes a part of the report, complete or not at all. Repeating it writes the same part.
func (a *Activities) WriteReportPart(ctx context.Context, in WriteReportPartInput) error {
	err := a.checkPlanFolder(in.Folder)
	if err == nil && !oneName(in.Part) {
		err = inputError(CodeBadArgument, "the part %q of a report is no name of a file", in.Part)
	}
	if err != nil {
		return failed(ctx, StepReport, err)
	}
	if err := a.plans().WritePart(in.Folder, in.Part, in.Entries); err != nil {
		return failed(ctx, StepReport, reportError(attemptOf(ctx), err))
	}
	return nil
}

// ListFailedInput narrows the failures of a batch.
type ListFailedInput struct {
	Plan  BatchPlan `json:"plan"`
	Parts []string  `json:"parts,omitempty"` // prefixes of the report parts that are meant; all where empty
	Codes []string  `json:"codes,omitempty"` // all where empty
}

// ListFailed plans again what has failed so far. Repeating it makes another plan.
func (a *Activities) ListFailed(ctx context.Context, in ListFailedInput) (BatchPlan, error) {
	work, attempt := startAttempt(ctx, StepPlan)
	defer attempt.end()
	if err := a.checkPlan(in.Plan, "failed"); err != nil {
		return BatchPlan{}, failed(work, StepPlan, err)
	}
	plan, err := a.plans().PlanFailed(work, in.Plan, in.Parts, in.Codes)
	if err != nil {
		return BatchPlan{}, failed(work, StepPlan, planError(attemptOf(work), err))
	}
	return plan, nil
}

// FinishReportInput is a batch whose items have all ended, as far as they will.
type FinishReportInput struct {
	Plan BatchPlan `json:"plan"`
	Name string    `json:"name"`
}

// FinishReport joins the parts into the complete report. Repeating it writes the same report.
func (a *Activities) FinishReport(ctx context.Context, in FinishReportInput) (BatchSummary, error) {
	work, attempt := startAttempt(ctx, StepReport)
	defer attempt.end()
	if err := a.checkPlan(in.Plan, in.Name); err != nil {
		return BatchSummary{}, failed(work, StepReport, err)
	}
	summary, err := a.plans().Finish(work, in.Plan, in.Name)
	if err != nil {
		return BatchSummary{}, failed(work, StepReport, reportError(attemptOf(work), err))
	}
	return summary, nil
}

// SalvageReportInput is a batch whose plan is gone, and what its run remembers of its items.
type SalvageReportInput struct {
	Plan  BatchPlan    `json:"plan"`
	Name  string       `json:"name"`
	Since time.Time    `json:"since"` // when the batch began
	Known []BatchKnown `json:"known"`
}

// SalvageReport adds what the run remembers to the report of that name. Repeating it writes the same report.
func (a *Activities) SalvageReport(ctx context.Context, in SalvageReportInput) (BatchSummary, error) {
	work, attempt := startAttempt(ctx, StepReport)
	defer attempt.end()
	if err := a.checkPlan(in.Plan, in.Name); err != nil {
		return BatchSummary{}, failed(work, StepReport, err)
	}
	summary, err := a.plans().Salvage(work, in.Plan, in.Name, in.Since, in.Known)
	if err != nil {
		return BatchSummary{}, failed(work, StepReport, patient(err))
	}
	return summary, nil
}

// planPatience is how many attempts find a plan missing before it is gone for good: one of another machine may be a moment late
// to show.
const planPatience = 5

// planMissing is what the loss of a plan means; nil where err is another.
func planMissing(attempt int, err error) error {
	if !errors.Is(err, manifest.ErrPlanMissing) {
		return nil
	}
	return &localError{
		kind: FailureInput, code: CodePlanMissing, retry: attempt < planPatience,
		text: err.Error() + "; the same command makes another and goes on from what is there",
	}
}

// reportError has a report wait for what somebody has to fix, but not for a plan that is gone.
func reportError(attempt int, err error) error {
	if missing := planMissing(attempt, err); missing != nil {
		return missing
	}
	return patient(err)
}

// planError separates what somebody has to fix from what may pass.
func planError(attempt int, err error) error {
	var faults *manifest.Faults
	if missing := planMissing(attempt, err); missing != nil {
		return missing
	}
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

// StepFiles names AwaitFiles in failures and progress.
const StepFiles = "wait_for_files"

// AwaitFilesInput is a folder to watch.
type AwaitFilesInput struct {
	Spec     BatchSpec     `json:"spec"`
	Name     string        `json:"name"`           // of the batches that come of it
	Mark     string        `json:"mark,omitempty"` // of the files that were planned already
	Interval time.Duration `json:"interval"`       // between two looks at least
	Longest  time.Duration `json:"longest"`        // ends the wait without a plan
}

// AwaitFilesResult is what there is to do.
type AwaitFilesResult struct {
	Plan *BatchPlan `json:"plan,omitempty"` // nil where nothing came
	Mark string     `json:"mark,omitempty"` // for the next wait
}

// AwaitFiles looks at a folder now and then until there are files to convert that have stopped growing, and plans them.
// A folder that is not there is waited for. Repeating it makes another plan in another folder.
func (a *Activities) AwaitFiles(ctx context.Context, in AwaitFilesInput) (AwaitFilesResult, error) {
	work, attempt := startAttempt(ctx, StepFiles)
	defer attempt.end()
	if err := a.checkSpec(in.Spec, in.Name); err != nil {
		return AwaitFilesResult{}, failed(work, StepFiles, err)
	}
	result, err := a.awaitFiles(work, in, attempt)
	if err != nil {
		return AwaitFilesResult{}, failed(work, StepFiles, patient(err))
	}
	return result, nil
}

// lookShare bounds what looking may take of the time: a look at very many files is a rare one.
const lookShare = 20

func (a *Activities) awaitFiles(ctx context.Context, in AwaitFilesInput, attempt *attempt) (AwaitFilesResult, error) {
	watch := a.plans().NewWatch(in.Spec, a.state, in.Name, in.Mark, a.now)
	begun := a.now()
	for {
		looked := a.now()
		plan, sight, err := watch.Look(ctx, func(t manifest.Tally) {
			attempt.set(Progress{Step: StepFiles, Message: "planning: " + tallyText(t)})
		})
		var faults *manifest.Faults
		switch {
		case errors.As(err, &faults):
			attempt.set(Progress{Step: StepFiles, Message: "waiting for the folder: " + faults.Error()})
		case err != nil:
			return AwaitFilesResult{}, err
		case plan != nil:
			return AwaitFilesResult{Plan: plan, Mark: watch.Mark()}, nil
		default:
			attempt.set(Progress{Step: StepFiles, Message: sightText(sight)})
		}
		if a.now().Sub(begun) >= in.Longest {
			return AwaitFilesResult{Mark: watch.Mark()}, nil
		}
		if err := a.sleep(ctx, max(in.Interval, lookShare*a.now().Sub(looked))); err != nil {
			return AwaitFilesResult{}, err
		}
	}
}

func sightText(s manifest.Sight) string {
	text := fmt.Sprintf("%d files seen, nothing new", s.Files)
	if s.Growing > 0 {
		text = fmt.Sprintf("%d files seen, %d changed just now", s.Files, s.Growing)
	}
	return text
}
