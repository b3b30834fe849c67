package cli

import (
	"context"
	"time"

	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// cancelWithin is how long after the first interrupt a second one cancels a batch.
const cancelWithin = 3 * time.Second

// mayCancel reports whether a second interrupt cancels: what follows is one batch or watch, and it would go on without
// this command.
func (e *Env) mayCancel(s *Session, all []*watched) bool {
	return len(all) == 1 && s.Stays && e.Interrupts != nil && all[0].kind().Takes(batch.SignalPause)
}

// secondInterrupt waits for one, cancels the batch and stays until it has ended; a third one leaves for good.
func (e *Env) secondInterrupt(ctx context.Context, s *Session, run *watched, asJSON bool) error {
	left := &Failure{Code: ExitInterrupted}
	interrupts := e.Interrupts()
	timer := time.NewTimer(cancelWithin)
	defer timer.Stop()
	select {
	case <-timer.C:
		return left
	case <-interrupts:
	}
	ending, leave := context.WithCancel(context.WithoutCancel(ctx)) // the first interrupt has ended ctx
	defer leave()
	go func() {
		select {
		case <-interrupts:
			leave()
		case <-ending.Done():
		}
	}()
	if err := s.runs().RequestCancel(ending, run.id()); err != nil {
		e.printf("cannot %v", err)
		return left
	}
	e.printf("cancelling %s: what is under way is brought to an end, then the report is written", run.id())
	end, lost := s.await(ending, run)
	if lost != nil {
		e.printf("left; %s is being cancelled. See it with '%s runs show %s'.", run.id(), e.Program, run.id())
		return left
	}
	if err := e.print(end, asJSON); err != nil {
		return err
	}
	if end.state() == workflows.StateCompleted {
		return nil // it was through before the cancellation came
	}
	return left
}
