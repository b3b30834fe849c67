package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// batchItem is one batch to run.
type batchItem struct {
	workflowID string
	source     string // as typed
	input      batch.Input
}

func (b batchItem) kind() *runs.Kind { return runs.Batch }

func (b batchItem) id() string { return b.workflowID }

func (b batchItem) title() string { return b.source }

func (b batchItem) label() string { return cmp.Or(b.input.Name, b.workflowID) }

func (b batchItem) spec() runs.Spec {
	spec := b.input.Spec
	memo := batch.Memo{Name: b.input.Name, Source: spec.Source, Output: spec.Output, To: spec.To}
	if plan := b.input.Plan; plan != nil {
		memo.Files = plan.Items + plan.Current + plan.Skipped + plan.Faulty + plan.Kept
	}
	return runs.Spec{
		Kind: runs.Batch, ID: b.workflowID, Input: b.input, Memo: map[string]any{batch.MemoKey: memo},
		Summary: term.Cut(b.label(), 100),
		Details: fmt.Sprintf("Converts %s of `%s` into `%s`.", term.Plural(memo.Files, "file", "files"), term.Cut(spec.Source, 200), term.Cut(spec.Output, 200)),
	}
}

// batchOf is a batch that was started elsewhere, as far as its memo knows.
func batchOf(r runs.Run) work {
	b := batchItem{workflowID: r.ID, source: r.Source, input: batch.Input{Name: r.Name}}
	b.input.Spec.Source, b.input.Spec.Output, b.input.Spec.To = r.Source, r.Output, r.Target
	return b
}

func (b batchItem) begun(runID string) result {
	o := b.outcome(runID)
	o.Status = workflows.StateRunning
	return o
}

func (b batchItem) ended(runID string, end runs.End) result {
	o := b.outcome(runID)
	if done := end.Batch; done != nil {
		o.Status, o.Reason, o.Summary, o.Runs, o.LargestHistory = done.Status, done.Reason, &done.Summary, done.Runs, done.LargestHistory
	}
	if fault := end.Fault; fault != nil {
		o.Status, o.Error, o.kind = fault.State, errorOf(fault), fault.Detail.Kind
	}
	return o
}

func (b batchItem) outcome(runID string) batchOutcome {
	spec := b.input.Spec
	return batchOutcome{WorkflowID: b.workflowID, RunID: runID, Name: b.input.Name, Source: spec.Source, Output: spec.Output, To: spec.To}
}

// batchOutcome is what --json prints for a batch.
type batchOutcome struct {
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id"`
	Name       string `json:"name"`
	Source     string `json:"source"`
	Output     string `json:"output"`
	To         string `json:"to"`
	Status     string `json:"status"` // completed, partial, stopped, cancelled, failed, running
	Reason     string `json:"reason"`
	// Summary counts the report's lines; null while the batch runs and where it failed itself.
	Summary *activities.BatchSummary `json:"summary"`
	Runs    int                      `json:"runs"`
	// LargestHistory is the most events that a run of it had, 0 while it is not known.
	LargestHistory int           `json:"largest_history"`
	Error          *outcomeError `json:"error"`

	kind string // of the failure
}

// state takes files that failed, and a stop, for a failed run.
func (o batchOutcome) state() string {
	switch o.Status {
	case workflows.StatePartial, batch.ResultStopped:
		return workflows.StateFailed
	}
	return o.Status
}

func (o batchOutcome) failedAs() string { return o.kind }

// inPlace leaves it to the plan of the next run to find what is there.
func (o batchOutcome) inPlace() bool { return false }

func (o batchOutcome) render(e *Env) error {
	if o.Error != nil && o.Summary == nil {
		e.printState(o.Status, "%s: %s: %s: %s", o.Name, o.Status, o.Error.Code, o.Error.Message)
		return nil
	}
	if o.Summary == nil {
		e.printState(o.Status, "%s: %s", o.Name, o.Status)
		return nil
	}
	if o.Status != workflows.StateCompleted || o.Summary.Warnings > 0 || !e.looks.quiet {
		e.printState(o.Status, "%s", o.headline())
	}
	for _, line := range failureHints(e.Program, o.WorkflowID, o.Summary.Codes) {
		e.printf("%s", line)
	}
	if o.Summary.Report == "" {
		return nil
	}
	_, err := fmt.Fprintln(e.Stdout, term.OneLine(shortPath(o.Summary.Report)))
	return err
}

func (o batchOutcome) renderDetail(e *Env) {
	e.row("output", o.Output)
	if o.Error != nil {
		e.row("error", o.Error.Code+": "+o.Error.Message)
	}
	if o.Summary == nil {
		return
	}
	e.row("result", o.headline())
	e.row("report", o.Summary.Report)
	for _, line := range failureHints(e.Program, o.WorkflowID, o.Summary.Codes) {
		e.row("failed", line)
	}
}

// headline is how the batch ended, in one line.
func (o batchOutcome) headline() string {
	sum := o.Summary
	text := o.Name + ": " + o.Status
	if o.Reason != "" {
		text += " (" + o.Reason + ")"
	}
	text += fmt.Sprintf(": %d of %s converted", sum.Completed, term.Plural(sum.Files, "file", "files"))
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
		{sum.Lossy, "with a measured loss"},
	} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	if sum.Checked+sum.NotChecked > 0 {
		text += fmt.Sprintf("; %d compared with their sources, %d not", sum.Checked, sum.NotChecked)
	}
	return text + fmt.Sprintf("; %s in, %s out", term.Bytes(sum.BytesIn), term.Bytes(sum.BytesOut))
}

// failureHints groups failures by code, the most frequent first, with the command that tries each again.
func failureHints(program, id string, codes map[string]int) []string {
	order := slices.SortedFunc(maps.Keys(codes), func(a, b string) int {
		return cmp.Or(cmp.Compare(codes[b], codes[a]), strings.Compare(a, b))
	})
	lines := make([]string, 0, len(order))
	for _, code := range order {
		if code == manifest.CodeInputName {
			lines = append(lines, fmt.Sprintf("  %d × %s  rename these files", codes[code], code))
			continue
		}
		lines = append(lines, fmt.Sprintf("  %d × %s  %s runs retry %s --code %s", codes[code], code, program, id, code))
	}
	return lines
}

// batchNow is where a batch stands that has not ended.
type batchNow struct {
	Progress *batch.Progress `json:"progress"`          // null where no worker could be asked
	Trouble  string          `json:"trouble,omitempty"` // why the run could not be asked
}

func batchNowOf(ctx context.Context, s *Session, id string, troubles []runs.Trouble) *batchNow {
	progress, trouble := askNow(ctx, id, s.runs().Progress)
	if progress != nil {
		*progress = runs.Foreseen(*progress, troubles, time.Now())
	}
	return &batchNow{Progress: progress, Trouble: trouble}
}

func (now *batchNow) renderDetail(e *Env, id string) error {
	e.row("trouble", now.Trouble)
	p := now.Progress
	if p == nil {
		return nil
	}
	e.row("output", p.Output)
	for _, line := range append([]string{batchLine(*p)}, batchDetails(*p, e.Program, id)...) {
		if _, err := fmt.Fprintln(e.Stdout, term.Printable(line)); err != nil {
			return err
		}
	}
	return nil
}
