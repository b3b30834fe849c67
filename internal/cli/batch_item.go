package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/api/workflow/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// batchItem is one batch to run.
type batchItem struct {
	workflowID string
	source     string // as typed
	input      batch.Input
}

// batchOutcome is what --json prints for a batch.
type batchOutcome struct {
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id"`
	Name       string `json:"name"`
	Source     string `json:"source"`
	Output     string `json:"output"`
	To         string `json:"to"`
	Status     string `json:"status"` // completed, failures, stopped, cancelled, failed, running
	Reason     string `json:"reason"`
	// Summary counts the report's lines; null while the batch runs and where it failed itself.
	Summary *activities.BatchSummary `json:"summary"`
	Runs    int                      `json:"runs"`
	// LargestHistory is the most events that a run of it had, 0 while it is not known.
	LargestHistory int           `json:"largest_history"`
	Error          *outcomeError `json:"error"`

	kind string // of the failure
}

func isBatch(info *workflow.WorkflowExecutionInfo) bool {
	return info.GetType().GetName() == batch.WorkflowType
}

// batchOf is a batch that was started elsewhere, as far as its memo tells.
func batchOf(info *workflow.WorkflowExecutionInfo) batchItem {
	memo := answering.BatchMemoOf(info.GetMemo())
	b := batchItem{workflowID: info.GetExecution().GetWorkflowId(), source: memo.Source, input: batch.Input{Name: memo.Name}}
	b.input.Spec.Source, b.input.Spec.Output, b.input.Spec.To = memo.Source, memo.Output, memo.To
	return b
}

func (b batchItem) id() string               { return b.workflowID }
func (b batchItem) title() string            { return b.source }
func (b batchItem) label() string            { return cmp.Or(b.input.Name, b.workflowID) }
func (b batchItem) noun() (one, many string) { return "batch", "batches" }

func (b batchItem) begun(runID string) result {
	o := b.outcome(runID)
	o.Status = workflows.StateRunning
	return o
}

func (b batchItem) outcome(runID string) batchOutcome {
	spec := b.input.Spec
	return batchOutcome{WorkflowID: b.workflowID, RunID: runID, Name: b.input.Name, Source: spec.Source, Output: spec.Output, To: spec.To}
}

func (b batchItem) call() (name string, input any, options temporalclient.StartWorkflowOptions) {
	spec := b.input.Spec
	memo := batch.Memo{Name: b.input.Name, Source: spec.Source, Output: spec.Output, To: spec.To}
	if plan := b.input.Plan; plan != nil {
		memo.Files = plan.Items + plan.Current + plan.Skipped + plan.Faulty + plan.Kept
	}
	return batch.WorkflowType, b.input, temporalclient.StartWorkflowOptions{
		Memo: map[string]any{batch.MemoKey: memo},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.KeyState.ValueSet(workflows.StateRunning), workflows.KeyLane.ValueSet(workflows.LaneBatch)),
		StaticSummary: shorten(b.label(), 100),
		StaticDetails: fmt.Sprintf("Converts %s of `%s` into `%s`.", plural(memo.Files, "file", "files"), shorten(spec.Source, 200), shorten(spec.Output, 200)),
	}
}

func (b batchItem) await(ctx context.Context, run temporalclient.WorkflowRun, runID string) (result, error) {
	var done batch.Result
	fault, lost := closed(run.Get(ctx, &done))
	o := b.outcome(runID)
	switch {
	case lost != nil:
		return nil, lost
	case fault != nil:
		status, said, detail := ending(fault)
		o.Status, o.Error, o.kind = status, &said, detail.Kind
		var cancelled *temporal.CanceledError
		if errors.As(fault, &cancelled) && cancelled.HasDetails() && cancelled.Details(&done) == nil {
			o.Summary, o.Runs, o.LargestHistory = &done.Summary, done.Runs, done.LargestHistory
		}
		return o, nil
	}
	o.Status, o.Reason, o.Summary, o.Runs, o.LargestHistory = done.Status, done.Reason, &done.Summary, done.Runs, done.LargestHistory
	return o, nil
}

// state takes files that failed, and a stop, for a failed run.
func (o batchOutcome) state() string {
	switch o.Status {
	case batch.ResultFailures, batch.ResultStopped:
		return workflows.StateFailed
	}
	return o.Status
}

func (o batchOutcome) failedAs() string { return o.kind }

// inPlace leaves it to the plan of the next run to find what is there.
func (o batchOutcome) inPlace() bool { return false }

func (o batchOutcome) show(e *Env) error {
	if o.Error != nil && o.Summary == nil {
		e.say("%s: %s: %s: %s", o.Name, o.Status, o.Error.Code, o.Error.Message)
		return nil
	}
	if o.Summary == nil {
		e.say("%s: %s", o.Name, o.Status)
		return nil
	}
	e.say("%s", o.headline())
	for _, line := range failureHints(e.Program, o.WorkflowID, o.Summary.Codes) {
		e.say("%s", line)
	}
	if o.Summary.Report == "" {
		return nil
	}
	_, err := fmt.Fprintln(e.Stdout, oneLine(shortPath(o.Summary.Report)))
	return err
}

// headline is how the batch ended, in one line.
func (o batchOutcome) headline() string {
	sum := o.Summary
	text := o.Name + ": " + o.Status
	if o.Reason != "" {
		text += " (" + o.Reason + ")"
	}
	text += fmt.Sprintf(": %d of %s converted", sum.Completed, plural(sum.Files, "file", "files"))
	for _, part := range []struct {
		n    int
		what string
	}{
		{sum.Current, "current"},
		{sum.Skipped, "skipped"},
		{sum.Failed, "failed"},
		{sum.Cancelled, "cancelled"},
		{sum.NotStarted, "not started"},
		{sum.Warnings, "with warnings"},
	} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	return text + fmt.Sprintf("; %s in, %s out", bytesText(sum.BytesIn), bytesText(sum.BytesOut))
}

// failureHints groups failures by code, the most frequent first, with the command that tries each again.
func failureHints(program, id string, codes map[string]int) []string {
	order := slices.SortedFunc(maps.Keys(codes), func(a, b string) int {
		return cmp.Or(cmp.Compare(codes[b], codes[a]), strings.Compare(a, b))
	})
	lines := make([]string, 0, len(order))
	for _, code := range order {
		lines = append(lines, fmt.Sprintf("  %d × %s  %s runs retry %s --code %s", codes[code], code, program, id, code))
	}
	return lines
}
