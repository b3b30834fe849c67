package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/term"
)

// closing is a run that closed, by its place among those that are followed.
type closing struct {
	index int
	result
	lost error // Temporal did not say how it ended
}

// follow waits for all runs, shows how they go, and prints each as it ends. Where runs wait for answers, asked says
// what to do; nil is for runs that ask nothing.
func (e *Env) follow(ctx context.Context, s *Session, all []*watched, asJSON bool, asked *pendingQuestions) ([]result, error) {
	if len(all) == 0 {
		return nil, nil
	}
	ends := make(chan closing)
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	for i, w := range all {
		go func() {
			r, lost := s.await(waiting, w)
			select {
			case ends <- closing{index: i, result: r, lost: lost}:
			case <-waiting.Done():
			}
		}()
	}
	e.introduce(s, all)
	view := newScreen(e, s, all, asJSON)
	defer view.clear()
	ticker := time.NewTicker(view.interval())
	defer ticker.Stop()
	var closed []result
	for len(closed) < len(all) {
		select {
		case end := <-ends:
			if ctx.Err() != nil {
				continue
			}
			if end.lost != nil {
				view.clear()
				return closed, e.lost(s, openRuns(all, len(closed)), end.lost)
			}
			closed = append(closed, end.result)
			view.done(end.index, end.result)
			view.clear()
			if err := e.print(end.result, asJSON); err != nil {
				return closed, err
			}
			view.draw()
		case now := <-asked.next():
			view.clear()
			if err := asked.at(now); err != nil {
				return closed, err
			}
			view.draw()
		case <-ticker.C:
			view.refresh(waiting)
			view.draw()
		case <-ctx.Done():
			view.clear()
			err := e.interrupted(s, all, len(all)-len(closed))
			if e.mayCancel(s, all) {
				return closed, e.secondInterrupt(ctx, s, all[0], asJSON)
			}
			return closed, err
		}
	}
	return closed, nil
}

// lost tells that the view is gone, not the work.
func (e *Env) lost(s *Session, left string, err error) error {
	return APIError(fmt.Errorf("lost Temporal at %s with %s open, which continues when Temporal is back; run the same command to attach to it: %w",
		s.Address, left, err))
}

func openRuns(all []*watched, done int) string {
	one, many := nouns(all)
	return term.Plural(len(all)-done, one, many)
}

// interrupted tells what becomes of the runs, and how to come back.
func (e *Env) interrupted(s *Session, all []*watched, left int) error {
	one, many := nouns(all)
	if s.Stays {
		again := ""
		if e.mayCancel(s, all) {
			again = fmt.Sprintf(" Ctrl-C again within %d s cancels it.", int(cancelWithin.Seconds()))
		}
		them, id := "them", ""
		if len(all) == 1 {
			them, id = "it", " "+all[0].id()
		}
		e.printf("left; %s on in Temporal. Come back with the same command or '%s runs watch%s', end %s with '%s runs cancel%s'.%s",
			term.Plural(left, one+" goes", many+" go"), e.Program, id, them, e.Program, id, again)
	} else {
		e.printf("paused with %s open. The same command, or '%s up', goes on where it stopped.",
			term.Plural(left, one, many), e.Program)
	}
	return &Failure{Code: ExitInterrupted}
}
