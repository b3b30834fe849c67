package cli

import (
	"context"
	"fmt"
	"time"
)

// ended is a run that closed, by its place among those that are followed.
type ended struct {
	index int
	result
	lost error // Temporal did not say how it ended
}

// follow waits for all runs, shows how they go, and prints each as it ends. Where runs stop at questions, stops says
// what to do; nil is for runs that ask nothing.
func (e *Env) follow(ctx context.Context, s *Session, runs []*watched, asJSON bool, stops *stops) ([]result, error) {
	if len(runs) == 0 {
		return nil, nil
	}
	ends := make(chan ended)
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	for i, w := range runs {
		go func() {
			r, lost := w.await(waiting, w.run, w.runID)
			select {
			case ends <- ended{index: i, result: r, lost: lost}:
			case <-waiting.Done():
			}
		}()
	}
	view := newScreen(e, s, runs, asJSON)
	defer view.clear()
	ticker := time.NewTicker(view.interval())
	defer ticker.Stop()
	var all []result
	for len(all) < len(runs) {
		select {
		case end := <-ends:
			if ctx.Err() != nil {
				continue
			}
			if end.lost != nil {
				view.clear()
				return all, e.lost(s, openRuns(runs, len(all)), end.lost)
			}
			all = append(all, end.result)
			view.done(end.index, end.result)
			view.clear()
			if err := e.print(end.result, asJSON); err != nil {
				return all, err
			}
			view.draw()
		case now := <-stops.next():
			view.clear()
			if err := stops.at(now); err != nil {
				return all, err
			}
			view.draw()
		case <-ticker.C:
			view.refresh(waiting)
			view.draw()
		case <-ctx.Done():
			view.clear()
			err := e.interrupted(s, runs, len(runs)-len(all))
			if e.mayCancel(s, runs) {
				return all, e.secondInterrupt(ctx, s, runs[0], asJSON)
			}
			return all, err
		}
	}
	return all, nil
}

// lost tells that the view is gone, not the work.
func (e *Env) lost(s *Session, left string, err error) error {
	return APIError(fmt.Errorf("lost Temporal at %s with %s open, which goes on when it is back; the same command comes back to it: %w",
		s.Address, left, err))
}

func openRuns(runs []*watched, done int) string {
	one, many := nouns(runs)
	return plural(len(runs)-done, one, many)
}

// interrupted tells what becomes of the runs, and how to come back.
func (e *Env) interrupted(s *Session, runs []*watched, left int) error {
	one, many := nouns(runs)
	if s.Stays {
		again := ""
		if e.mayCancel(s, runs) {
			again = fmt.Sprintf(" Ctrl-C again within %d s cancels it.", int(cancelWithin.Seconds()))
		}
		them, id := "them", ""
		if len(runs) == 1 {
			them, id = "it", " "+runs[0].id()
		}
		e.say("left; %s on in Temporal. Come back with the same command or '%s runs watch%s', end %s with '%s runs cancel%s'.%s",
			plural(left, one+" goes", many+" go"), e.Program, id, them, e.Program, id, again)
	} else {
		e.say("paused with %s open. The same command, or '%s up', goes on where it stopped.",
			plural(left, one, many), e.Program)
	}
	return &Failure{Code: ExitInterrupted}
}
