package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/workflows"
)

// ended is a run that closed, by its place among those that are followed.
type ended struct {
	index int
	outcome
	lost error // Temporal did not say how it ended
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
			o, lost := await(waiting, w)
			select {
			case ends <- ended{index: i, outcome: o, lost: lost}:
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
			if ctx.Err() != nil {
				continue
			}
			if end.lost != nil {
				view.clear()
				return all, e.lost(s, len(runs)-len(all), end.lost)
			}
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

// await waits for a run's end. Its error is that Temporal could not be asked, which says nothing of the run.
func await(ctx context.Context, w *watched) (outcome, error) {
	var result workflows.ConvertFileResult
	err := w.run.Get(ctx, &result)
	o := newOutcome(w.item, w.runID)
	var closed *temporal.WorkflowExecutionError
	switch {
	case err == nil:
		return o.completed(result), nil
	case errors.As(err, &closed):
		return o.ended(err), nil
	default:
		return o, err
	}
}

// lost tells that the view is gone, not the work.
func (e *Env) lost(s *Session, left int, err error) error {
	return APIError(fmt.Errorf("lost Temporal at %s with %s open, which goes on when it is back; the same command comes back to it: %w",
		s.Address, plural(left, "conversion", "conversions"), err))
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
