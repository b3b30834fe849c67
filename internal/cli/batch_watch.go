package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.temporal.io/api/workflow/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// watchItem is one folder to watch.
type watchItem struct {
	workflowID string
	source     string // as typed
	input      watch.Input
	fresh      bool // started by this command, which tells of every wave; others tell of those that end from now on
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

func isWatch(info *workflow.WorkflowExecutionInfo) bool {
	return info.GetType().GetName() == watch.WorkflowType
}

// watchOf is a watch that was started elsewhere, as far as its memo tells.
func watchOf(info *workflow.WorkflowExecutionInfo) watchItem {
	memo := answering.WatchMemoOf(info.GetMemo())
	w := watchItem{workflowID: info.GetExecution().GetWorkflowId(), source: memo.Source, input: watch.Input{Name: memo.Name}}
	w.input.Spec.Source, w.input.Spec.Output, w.input.Spec.To = memo.Source, memo.Output, memo.To
	return w
}

// watchReport is the path of a watch's report, which is there.
func watchReport(info *workflow.WorkflowExecutionInfo) (string, error) {
	w := watchOf(info)
	path := manifest.ReportPath(w.input.Spec.Output, w.input.Name)
	_, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", Usagef("%s has no report yet, it is written with the first wave; 'runs show %s' tells where it stands", w.id(), w.id())
	case err != nil:
		return "", Usagef("the report cannot be read: %w", err)
	}
	return path, nil
}

func (w watchItem) id() string               { return w.workflowID }
func (w watchItem) title() string            { return w.source }
func (w watchItem) label() string            { return cmp.Or(w.input.Name, w.workflowID) }
func (w watchItem) noun() (one, many string) { return "watch", "watches" }

func (w watchItem) begun(runID string) result {
	o := w.outcome(runID)
	o.Status = workflows.StateRunning
	return o
}

func (w watchItem) outcome(runID string) watchOutcome {
	spec := w.input.Spec
	return watchOutcome{WorkflowID: w.workflowID, RunID: runID, Name: w.input.Name, Source: spec.Source, Output: spec.Output, To: spec.To}
}

func (w watchItem) call() (name string, input any, options temporalclient.StartWorkflowOptions) {
	spec := w.input.Spec
	return watch.WorkflowType, w.input, temporalclient.StartWorkflowOptions{
		Memo: map[string]any{watch.MemoKey: watch.Memo{Name: w.input.Name, Source: spec.Source, Output: spec.Output, To: spec.To}},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.KeyState.ValueSet(workflows.StateWatching), workflows.KeyLane.ValueSet(workflows.LaneWatch)),
		StaticSummary: shorten(w.label(), 100),
		StaticDetails: fmt.Sprintf("Converts what comes into `%s`, into `%s`.", shorten(spec.Source, 200), shorten(spec.Output, 200)),
	}
}

// await waits for the watch's end; that it was cancelled is how it ends.
func (w watchItem) await(ctx context.Context, run temporalclient.WorkflowRun, runID string) (result, error) {
	fault, lost := closed(run.Get(ctx, nil))
	if lost != nil {
		return nil, lost
	}
	o := w.outcome(cmp.Or(runID, run.GetRunID()))
	var cancelled *temporal.CanceledError
	var end watch.Result
	switch {
	case errors.As(fault, &cancelled):
		o.Status = workflows.StateCancelled
		if cancelled.HasDetails() && cancelled.Details(&end) == nil {
			o.Waves, o.Converted, o.Files, o.Failed, o.Report = end.Waves, end.Converted, end.Files, end.Failed, end.Report
		}
	case fault != nil:
		status, said, detail := ending(fault)
		o.Status, o.Error, o.kind = status, &said, detail.Kind
	}
	return o, nil
}

// state takes a watch that was cancelled for one that is done: there is no other end.
func (o watchOutcome) state() string {
	if o.Status == workflows.StateCancelled {
		return workflows.StateCompleted
	}
	return o.Status
}

func (o watchOutcome) failedAs() string { return o.kind }
func (o watchOutcome) inPlace() bool    { return false }

func (o watchOutcome) show(e *Env) error {
	e.say("%s", o.headline())
	if o.Report == "" {
		return nil
	}
	_, err := fmt.Fprintln(e.Stdout, oneLine(shortPath(o.Report)))
	return err
}

func (o watchOutcome) headline() string {
	if o.Error != nil {
		return fmt.Sprintf("%s: %s: %s: %s", o.Name, o.Status, o.Error.Code, o.Error.Message)
	}
	text := fmt.Sprintf("%s: watched no longer: %s, %s converted", o.Name, plural(o.Waves, "wave", "waves"), plural(o.Converted, "file", "files"))
	if o.Failed > 0 {
		text += fmt.Sprintf(", %d failed", o.Failed)
	}
	return text
}

// watch starts the watch, or comes back to the one that goes on.
func (b *batchStart) watch(ctx context.Context, env *Env, item batchItem) error {
	w := watchItem{workflowID: watchID(item), source: item.source, input: watch.Input{
		Name: item.input.Name, Spec: item.input.Spec, Concurrency: item.input.Concurrency, MaxFailures: item.input.MaxFailures,
	}}
	s, err := env.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	run, err := env.watching(ctx, s, w)
	if err != nil {
		return APIError(err)
	}
	if run == nil {
		w.fresh = true
		if run, err = startOne(ctx, s, w); err != nil {
			return APIError(fmt.Errorf("start the watch: %w", err))
		}
		run.run = s.Temporal.GetWorkflow(ctx, w.id(), "") // it goes on in many runs
	}
	if b.detach {
		return detached(env, s, []*watched{run}, b.asJSON)
	}
	ended, err := env.follow(ctx, s, []*watched{run}, b.asJSON, nil)
	if err != nil {
		return err
	}
	if code := exitCode(ended); code != ExitOK {
		return &Failure{Code: code}
	}
	return nil
}

func watchID(b batchItem) string { return "watch-" + b.input.Name }

// unwatched refuses a batch that a watch would share its report with.
func (e *Env) unwatched(ctx context.Context, s *Session, b batchItem) error {
	id := watchID(b)
	found, err := exists(ctx, s, id)
	if err != nil || !found {
		return err
	}
	description, err := describe(ctx, s, id)
	if err != nil {
		return err
	}
	info := description.GetWorkflowExecutionInfo()
	if stateOf(info) != workflows.StateRunning || answering.WatchMemoOf(info.GetMemo()).Output != b.input.Spec.Output {
		return nil
	}
	return Usagef("%s watches for files and writes the report of that name into %s; give this batch another --name, or end the watch with '%s runs cancel %s'",
		id, shortPath(b.input.Spec.Output), e.Program, id)
}

// watching is the watch of this name that goes on, if it is of the same files; nil where there is none.
func (e *Env) watching(ctx context.Context, s *Session, w watchItem) (*watched, error) {
	found, err := exists(ctx, s, w.id())
	if err != nil || !found {
		return nil, err
	}
	description, err := describe(ctx, s, w.id())
	if err != nil {
		return nil, err
	}
	info := description.GetWorkflowExecutionInfo()
	if stateOf(info) != workflows.StateRunning {
		return nil, nil //nolint:nilnil // one that has ended is none that goes on
	}
	var input watch.Input
	if err := inputInto(ctx, s, info, &input); err != nil {
		return nil, err
	}
	input.Resume = nil
	if !sameJSON(input, w.input) {
		return nil, Usagef("a watch of %s is called %s already and has other settings; give this one another --name, or end that one with '%s runs cancel %s'",
			shortPath(input.Spec.Source), input.Name, e.Program, w.id())
	}
	e.say("%s goes on already; this comes back to it", w.id())
	return attach(ctx, s, w, ""), nil
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// watchNow is where a watch stands that goes on.
type watchNow struct {
	Progress *watch.Progress `json:"progress"`          // null where no worker could be asked
	Trouble  string          `json:"trouble,omitempty"` // why the run could not be asked
}

func watchStands(ctx context.Context, s *Session, id string) *watchNow {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	progress, err := s.desk().WatchProgress(ctx, id)
	if err != nil {
		return &watchNow{Trouble: err.Error()}
	}
	return &watchNow{Progress: &progress}
}

func (e *Env) showWatchNow(d runDetail) error {
	e.row("trouble", d.Watch.Trouble)
	p := d.Watch.Progress
	if p == nil {
		return nil
	}
	e.row("output", p.Output)
	e.row("waits", "for "+p.WaitsFor)
	e.row("paused", pausedText(*p, e.Program, d.WorkflowID))
	e.row("so far", watchLine(*p))
	e.row("report", p.Report)
	for _, end := range p.Recent {
		e.row("wave", waveLine(end)+"  "+end.WorkflowID)
	}
	return nil
}

func (e *Env) showWatchOutcome(o watchOutcome) {
	e.row("output", o.Output)
	e.row("result", o.headline())
	e.row("report", o.Report)
}
