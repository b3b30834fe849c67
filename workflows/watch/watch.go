// Package watch is the workflow WatchFolder: what comes into a folder is converted, wave by wave.
package watch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// steps are the activities; only their names are used here.
var steps *activities.Activities

// WorkflowType is the workflow's type.
const WorkflowType = "WatchFolder"

const (
	watchInterval = 2 * time.Second
	// watchLongest is how long one activity looks: a quiet hour is six events.
	watchLongest   = time.Hour
	maxWatchEvents = 2_000
	wavesShown     = 5
)

// WatchFolder converts what comes into a folder, wave by wave, until it is cancelled; the details of that are a
// Result.
func WatchFolder(ctx workflow.Context, input Input) error { //nolint:revive // named as the registered type, for those who search for it
	w := newWatch(ctx, input)
	if err := w.listen(ctx); err != nil {
		return err
	}
	err := w.run(ctx)
	if workflow.IsContinueAsNewError(err) {
		return err
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	w.ended = run.EndState(err)
	w.publish(ctx)
	run.CountRun(ctx, run.LaneWatch, w.ended)
	if temporal.IsCanceledError(err) {
		s := w.state
		return temporal.NewCanceledError(Result{Waves: s.Waves, Converted: s.Converted, Files: s.Files, Failed: s.Failed, Report: s.Report, Runs: s.Runs})
	}
	return err
}

type watch struct {
	input Input
	state State
	wave  string // that is under way
	ended string // how; empty while it watches

	published run.Publisher
}

func newWatch(ctx workflow.Context, input Input) *watch {
	w := &watch{input: input, state: State{StartedAt: workflow.Now(ctx)}}
	if input.Resume != nil {
		w.state, w.input.Resume = *input.Resume, nil
	}
	w.state.Runs++
	return w
}

// run is the story: wait for files, convert them, and again.
func (w *watch) run(ctx workflow.Context) error {
	for {
		if w.long(ctx) {
			return w.continueAsNew(ctx)
		}
		if err := w.hold(ctx); err != nil {
			return err
		}
		plan, err := w.await(ctx)
		if err != nil {
			return err
		}
		if plan == nil {
			continue
		}
		if err := w.hold(ctx); err != nil { // it may have been paused as they came
			return err
		}
		if err := w.convert(ctx, *plan); err != nil {
			return err
		}
	}
}

// hold waits while the watch is paused.
func (w *watch) hold(ctx workflow.Context) error {
	w.publish(ctx)
	if err := workflow.Await(ctx, func() bool { return w.state.Paused == "" }); err != nil {
		return err
	}
	w.publish(ctx)
	return nil
}

// await waits until there are files; nil where none came within the hour, and where the watch was paused.
func (w *watch) await(ctx workflow.Context) (*activities.BatchPlan, error) {
	looking, stop := workflow.WithCancel(ctx)
	defer stop()
	looking = run.Options(looking, run.Step{
		Summary: "Wait for files in " + run.Cut(w.input.Spec.Source, 100),
		Attempt: watchLongest + 6*time.Hour, // it may come to plan a million files in the end
	})
	found := workflow.ExecuteActivity(looking, steps.AwaitFiles, activities.AwaitFilesInput{
		Spec: w.input.Spec, Name: w.input.Name, Mark: w.state.Mark,
		Interval: cmp.Or(time.Duration(w.input.Interval), watchInterval), Longest: watchLongest,
	})
	err := workflow.Await(ctx, func() bool { return found.IsReady() || w.state.Paused != "" })
	stop()
	var result activities.AwaitFilesResult
	foundErr := found.Get(ctx, &result)
	switch {
	case err != nil:
		return nil, err
	case foundErr == nil:
		w.state.Mark = result.Mark
		return result.Plan, nil
	case w.state.Paused != "" && temporal.IsCanceledError(foundErr) && ctx.Err() == nil:
		return nil, nil //nolint:nilnil // nobody looks while it is paused
	}
	return nil, run.Cancelled(ctx, foundErr)
}

// convert has a wave converted by a batch of its own.
func (w *watch) convert(ctx workflow.Context, plan activities.BatchPlan) error {
	info := workflow.GetInfo(ctx)
	w.state.Waves++
	// The chain's own id keeps the waves apart from those of an earlier watch of this name.
	id := fmt.Sprintf("%s-%.8s-%d", info.WorkflowExecution.ID, info.FirstRunID, w.state.Waves)
	w.wave = id
	spec := w.input.Spec
	memo := batch.Memo{Name: w.input.Name, Source: spec.Source, Output: spec.Output, To: spec.To, Files: plan.Items + plan.Current + plan.Skipped + plan.Faulty}
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: id,
		// Whoever ends the watch, in whichever way, finds a report of what was under way.
		ParentClosePolicy: enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL, WaitForCancellation: true,
		Memo:                  map[string]any{batch.MemoKey: memo},
		TypedSearchAttributes: temporal.NewSearchAttributes(run.KeyState.ValueSet(run.StateRunning), run.KeyLane.ValueSet(run.LaneBatch)),
		StaticSummary:         run.Cut(fmt.Sprintf("%s, wave %d", w.input.Name, w.state.Waves), 100),
	})
	wave := workflow.ExecuteChildWorkflow(child, batch.WorkflowType, batch.Input{
		Name: w.input.Name, Spec: spec, Plan: &plan, Concurrency: w.input.Concurrency, MaxFailures: w.input.MaxFailures,
	})
	var cancelled error
	for !wave.IsReady() && cancelled == nil {
		w.publish(ctx)
		cancelled = workflow.Await(ctx, func() bool { return wave.IsReady() || w.published.Changed(w.standing()) })
	}
	var result batch.Result
	err := wave.Get(ctx, &result) // of a cancelled batch too: it writes its report
	w.wave = ""
	w.note(WaveEnd{Number: w.state.Waves, WorkflowID: id, Status: result.Status, Reason: result.Reason, Summary: result.Summary, EndedAt: workflow.Now(ctx)}, err)
	return ctx.Err()
}

// note accounts for how a wave ended. One that did not get through its plan pauses the watch: the next one would
// run into the same.
func (w *watch) note(end WaveEnd, err error) {
	if err != nil {
		end.Status, end.Reason = run.EndState(err), run.Cut(waveFault(err), 500)
	}
	switch end.Status {
	case batch.ResultCompleted, batch.ResultFailures:
	default:
		w.state.Mark = "" // what was left is planned again
		w.pause(run.Cut(fmt.Sprintf("wave %d was %s: %s", end.Number, end.Status, cmp.Or(end.Reason, "somebody ended it")), 500))
	}
	w.state.Recent = append(w.state.Recent, end)
	w.state.Recent = w.state.Recent[max(0, len(w.state.Recent)-wavesShown):]
	if err == nil {
		sum := end.Summary
		w.state.Converted += sum.Completed
		w.state.Files, w.state.Failed, w.state.Report = sum.Files, sum.Failed, sum.Report
	}
}

func waveFault(err error) string {
	if failure, known := activities.FailureOf(err); known {
		return failure.Code + ": " + failure.Message
	}
	if temporal.IsCanceledError(err) {
		return ""
	}
	return err.Error()
}

// long reports whether the history should end and the watch go on in a new one.
func (w *watch) long(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() >= cmp.Or(w.input.MaxEvents, maxWatchEvents)
}

// continueAsNew goes on between two waves, when nothing is under way.
func (w *watch) continueAsNew(ctx workflow.Context) error {
	if err := w.drain(ctx); err != nil {
		return err
	}
	next := w.input
	next.Resume = &w.state
	return workflow.NewContinueAsNewError(ctx, WorkflowType, next)
}

var watchSignals = []string{batch.SignalPause, batch.SignalResume}

// listen takes signals and queries from now on.
func (w *watch) listen(ctx workflow.Context) error {
	for _, name := range watchSignals {
		run.OnSignal(ctx, name, func(ctx workflow.Context, raw json.RawMessage) { w.steer(ctx, name, raw) })
	}
	progress := func() (Progress, error) { return w.progress(), nil }
	return run.AnswerQueries(ctx, run.Query{Name: batch.QueryProgress, Handler: progress}, run.Query{Name: run.QueryStatus, Handler: progress})
}

// drain handles what has arrived and was not handled yet.
func (w *watch) drain(ctx workflow.Context) error {
	if err := run.AwaitListeners(ctx); err != nil {
		return err
	}
	for _, name := range watchSignals {
		run.DrainSignal(ctx, name, func(ctx workflow.Context, raw json.RawMessage) { w.steer(ctx, name, raw) })
	}
	return nil
}

func (w *watch) steer(ctx workflow.Context, signal string, raw json.RawMessage) {
	s, ok := run.Payload[batch.Steering](ctx, signal, raw)
	if !ok {
		return
	}
	if signal == batch.SignalPause {
		w.pause(batch.PausedBy(s))
		return
	}
	w.state.Paused = ""
}

// pause begins no wave any more. The first reason counts.
func (w *watch) pause(reason string) {
	w.state.Paused = cmp.Or(w.state.Paused, reason)
}

func (w *watch) progress() Progress {
	spec := w.input.Spec
	return Progress{
		Name: w.input.Name, State: w.current(), Reason: w.state.Paused, WaitsFor: w.waitsFor(), Wave: w.wave,
		Source: spec.Source, Output: spec.Output, To: spec.To, Waves: w.state.Waves, Converted: w.state.Converted,
		Files: w.state.Files, Failed: w.state.Failed, Report: w.state.Report, Recent: append([]WaveEnd{}, w.state.Recent...),
		StartedAt: w.state.StartedAt, Runs: w.state.Runs,
	}
}

// current is the state of the watch in one word.
func (w *watch) current() string {
	switch {
	case w.ended != "":
		return w.ended
	case w.state.Paused != "":
		return run.StatePaused
	case w.wave != "":
		return run.StateRunning
	}
	return run.StateWatching
}

func (w *watch) waitsFor() string {
	switch {
	case w.ended != "":
		return ""
	case w.wave != "":
		return "the end of its wave " + w.wave
	case w.state.Paused != "":
		return "somebody to resume it"
	}
	return fmt.Sprintf("files in %s that have not changed for %s", w.input.Spec.Source, w.input.Spec.Settle)
}

// listed is the state for lists, where a wave under way has a row of its own.
func (w *watch) listed() string {
	if state := w.current(); state != run.StateRunning {
		return state
	}
	return run.StateWatching
}

// standing is what must be published at once when it changes: an event or two for each wave.
func (w *watch) standing() string {
	waves := 0 // that have ended
	if n := len(w.state.Recent); n > 0 {
		waves = w.state.Recent[n-1].Number
	}
	return fmt.Sprint(waves, w.listed(), w.state.Paused)
}

// Memo is what a watch's memo MemoKey holds, for lists.
type Memo struct {
	Name      string `json:"name"`
	Source    string `json:"source"`
	Output    string `json:"output"`
	To        string `json:"to,omitempty"`
	Waves     int    `json:"waves"`
	Converted int    `json:"converted"`
	Failed    int    `json:"failed"`
}

// MemoKey is the memo key of Memo.
const MemoKey = "watch"

// publish tells lists where the watch stands, when that has changed.
func (w *watch) publish(ctx workflow.Context) {
	w.published.Publish(ctx, w.standing(), func() run.Position {
		spec := w.input.Spec
		details := "**" + w.input.Name + "**: " + w.listed()
		if w.state.Paused != "" {
			details += "\n\n" + w.state.Paused
		}
		return run.Position{
			State: w.listed(), Lane: run.LaneWatch, Details: details,
			Memo: map[string]any{MemoKey: Memo{
				Name: run.Cut(w.input.Name, 200), Source: spec.Source, Output: spec.Output, To: spec.To,
				Waves: w.state.Waves, Converted: w.state.Converted, Failed: w.state.Failed,
			}},
		}
	})
}
