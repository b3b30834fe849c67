package watch

import (
	"cmp"
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

var watchSignals = []string{batch.SignalPause, batch.SignalResume}

// listen takes signals and questions from now on.
func (w *watch) listen(ctx workflow.Context) error {
	for _, name := range watchSignals {
		run.OnSignal(ctx, name, func(ctx workflow.Context, raw json.RawMessage) { w.steer(ctx, name, raw) })
	}
	progress := func() (Progress, error) { return w.progress(), nil }
	return run.AnswerQueries(ctx, run.Query{Name: batch.QueryProgress, Handler: progress}, run.Query{Name: run.QueryStatus, Handler: progress})
}

// drain hears what has arrived and was not heard yet.
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
		Name: w.input.Name, State: w.is(), Reason: w.state.Paused, WaitsFor: w.waitsFor(), Wave: w.wave,
		Source: spec.Source, Output: spec.Output, To: spec.To, Waves: w.state.Waves, Converted: w.state.Converted,
		Files: w.state.Files, Failed: w.state.Failed, Report: w.state.Report, Recent: append([]WaveEnd{}, w.state.Recent...),
		StartedAt: w.state.StartedAt, Runs: w.state.Runs,
	}
}

// is the state of the watch in one word.
func (w *watch) is() string {
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
	if state := w.is(); state != run.StateRunning {
		return state
	}
	return run.StateWatching
}

// unshown says that the lists do not know yet how the watch stands.
func (w *watch) unshown() bool { return w.standing() != w.shown }

func (w *watch) standing() string {
	waves := 0 // that have ended
	if n := len(w.state.Recent); n > 0 {
		waves = w.state.Recent[n-1].Number
	}
	return fmt.Sprint(waves, w.listed(), w.state.Paused)
}

// show tells the lists where the watch stands, where that has changed: an event or two for each wave.
func (w *watch) show(ctx workflow.Context) {
	if !w.unshown() {
		return
	}
	w.shown = w.standing()
	state := w.listed()
	err := workflow.UpsertTypedSearchAttributes(ctx, run.KeyState.ValueSet(state), run.KeyLane.ValueSet(run.LaneWatch))
	if err == nil {
		spec := w.input.Spec
		err = workflow.UpsertMemo(ctx, map[string]any{MemoKey: Memo{
			Name: run.Cut(w.input.Name, 200), Source: spec.Source, Output: spec.Output, To: spec.To,
			Waves: w.state.Waves, Converted: w.state.Converted, Failed: w.state.Failed,
		}})
	}
	if err != nil {
		workflow.GetLogger(ctx).Error("cannot record the state", "error", err)
	}
	details := "**" + w.input.Name + "**: " + state
	if w.state.Paused != "" {
		details += "\n\n" + w.state.Paused
	}
	workflow.SetCurrentDetails(ctx, details)
}
