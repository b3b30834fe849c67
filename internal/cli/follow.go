package cli

import (
	"context"
	"time"

	"github.com/convilyn/convilyn-temporal/workflows"
)

// ended is a run that closed, by its place among those that are followed.
type ended struct {
	index int
	outcome
}

// follow waits for all runs, shows how they go, and prints each as it ends.
func (e *Env) follow(ctx context.Context, s *Session, runs []*watched, asJSON bool) ([]outcome, error) {
	if len(runs) == 0 {
		return nil, nil
	}
	ends := make(chan ended)
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	for i, w := range runs {
		go func() {
			o, ok := await(waiting, w)
			if !ok {
				return
			}
			select {
			case ends <- ended{index: i, outcome: o}:
			case <-waiting.Done():
			}
		}()
	}
	view := newView(e, s, runs)
	defer view.clear()
	ticker := time.NewTicker(view.interval())
	defer ticker.Stop()
	var all []outcome
	for len(all) < len(runs) {
		select {
		case end := <-ends:
			all = append(all, end.outcome)
			view.done(end.index, end.outcome)
			view.clear()
			if err := e.print(end.outcome, asJSON); err != nil {
				return all, err
			}
			view.draw()
		case <-ticker.C:
			view.refresh(waiting)
			view.draw()
		case <-ctx.Done():
			view.clear()
			return all, e.interrupted(s, len(runs)-len(all))
		}
	}
	return all, nil
}

func await(ctx context.Context, w *watched) (outcome, bool) {
	var result workflows.ConvertFileResult
	err := w.run.Get(ctx, &result)
	if ctx.Err() != nil {
		return outcome{}, false
	}
	o := newOutcome(w.item, w.runID)
	if err != nil {
		return o.ended(err), true
	}
	return o.completed(result), true
}

// interrupted tells what becomes of the runs, and how to come back.
func (e *Env) interrupted(s *Session, left int) error {
	if s.Stays {
		e.say("left; %s on in Temporal. Come back with the same command or '%s runs watch', end them with '%s runs cancel'.",
			plural(left, "conversion goes", "conversions go"), e.Program, e.Program)
	} else {
		e.say("paused with %s open. The same command, or '%s up', goes on where it stopped.",
			plural(left, "conversion", "conversions"), e.Program)
	}
	return &Failure{Code: ExitInterrupted}
}
