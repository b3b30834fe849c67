package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// watchItem is one folder to watch.
type watchItem struct {
	workflowID string
	source     string // as typed
	input      watch.Input
}

// watchID is the id of the watch that would write the report of a batch.
func watchID(name string) string { return "watch-" + name }

func (w watchItem) kind() *runs.Kind { return runs.Watch }

func (w watchItem) id() string { return w.workflowID }

func (w watchItem) title() string { return w.source }

func (w watchItem) label() string { return cmp.Or(w.input.Name, w.workflowID) }

func (w watchItem) spec() runs.Spec {
	spec := w.input.Spec
	return runs.Spec{
		Kind: runs.Watch, ID: w.workflowID, Input: w.input, State: workflows.StateWatching,
		Memo:    map[string]any{watch.MemoKey: watch.Memo{Name: w.input.Name, Source: spec.Source, Output: spec.Output, To: spec.To}},
		Summary: term.Cut(w.label(), 100),
		Details: fmt.Sprintf("Converts what comes into `%s`, into `%s`.", term.Cut(spec.Source, 200), term.Cut(spec.Output, 200)),
	}
}

// watchOf is a watch that was started elsewhere, as far as its memo knows.
func watchOf(r runs.Run) work {
	w := watchItem{workflowID: r.ID, source: r.Source, input: watch.Input{Name: r.Name}}
	w.input.Spec.Source, w.input.Spec.Output, w.input.Spec.To = r.Source, r.Output, r.Target
	return w
}

func (w watchItem) begun(runID string) result {
	o := w.outcome(runID)
	o.Status = workflows.StateRunning
	return o
}

// ended takes a cancellation for what it is: how a watch ends.
func (w watchItem) ended(runID string, end runs.End) result {
	o := w.outcome(runID)
	if fault := end.Fault; fault != nil {
		o.Status = fault.State
		if fault.State != workflows.StateCancelled {
			o.Error, o.kind = errorOf(fault), fault.Detail.Kind
		}
	}
	if last := end.Watch; last != nil {
		o.Waves, o.Converted, o.Files, o.Failed, o.Report = last.Waves, last.Converted, last.Files, last.Failed, last.Report
	}
	return o
}

func (w watchItem) outcome(runID string) watchOutcome {
	spec := w.input.Spec
	return watchOutcome{WorkflowID: w.workflowID, RunID: runID, Name: w.input.Name, Source: spec.Source, Output: spec.Output, To: spec.To}
}

// watchOutcome is what --json prints for a watch at its end.
type watchOutcome struct {
	WorkflowID string        `json:"workflow_id"`
	RunID      string        `json:"run_id"`
	Name       string        `json:"name"`
	Source     string        `json:"source"`
	Output     string        `json:"output"`
	To         string        `json:"to"`
	Status     string        `json:"status"` // running, cancelled, failed
	Waves      int           `json:"waves"`
	Converted  int           `json:"converted"` // files, in all waves together
	Files      int           `json:"files"`     // that the report accounts for
	Failed     int           `json:"failed"`    // of these
	Report     string        `json:"report,omitempty"`
	Error      *outcomeError `json:"error"`

	kind string // of the failure
}

// state takes a watch that was cancelled for one that is done: there is no other end.
func (o watchOutcome) state() string {
	if o.Status == workflows.StateCancelled {
		return workflows.StateCompleted
	}
	return o.Status
}

func (o watchOutcome) failedAs() string { return o.kind }

func (o watchOutcome) inPlace() bool { return false }

func (o watchOutcome) render(e *Env) error {
	e.printf("%s", o.headline())
	if o.Report == "" {
		return nil
	}
	_, err := fmt.Fprintln(e.Stdout, term.OneLine(shortPath(o.Report)))
	return err
}

func (o watchOutcome) headline() string {
	if o.Error != nil {
		return fmt.Sprintf("%s: %s: %s: %s", o.Name, o.Status, o.Error.Code, o.Error.Message)
	}
	text := fmt.Sprintf("%s: watched no longer: %s, %s converted", o.Name, term.Plural(o.Waves, "wave", "waves"), term.Plural(o.Converted, "file", "files"))
	if o.Failed > 0 {
		text += fmt.Sprintf(", %d failed", o.Failed)
	}
	return text
}

func (o watchOutcome) renderDetail(e *Env) {
	e.row("output", o.Output)
	e.row("result", o.headline())
	e.row("report", o.Report)
}

// watchNow is where a watch stands that goes on.
type watchNow struct {
	Progress *watch.Progress `json:"progress"`          // null where no worker could be asked
	Trouble  string          `json:"trouble,omitempty"` // why the run could not be asked
}

func watchNowOf(ctx context.Context, s *Session, id string) *watchNow {
	progress, trouble := askNow(ctx, id, s.runs().WatchProgress)
	return &watchNow{Progress: progress, Trouble: trouble}
}

func (now *watchNow) renderDetail(e *Env, id string) {
	e.row("trouble", now.Trouble)
	p := now.Progress
	if p == nil {
		return
	}
	e.row("output", p.Output)
	e.row("waits", "for "+p.WaitsFor)
	e.row("paused", pausedText(*p, e.Program, id))
	e.row("so far", watchLine(*p))
	e.row("report", p.Report)
	for _, end := range p.Recent {
		e.row("wave", waveLine(end)+"  "+end.WorkflowID)
	}
}
