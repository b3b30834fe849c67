package cli

import (
	"context"
	"time"

	"github.com/convilyn/convilyn-temporal/workflows"
)

// cancelWithin is how long after the first interrupt a second one cancels a batch.
const cancelWithin = 3 * time.Second

// mayCancel says that a second interrupt cancels: what follows is one batch or watch, and it would go on without this command.
func (e *Env) mayCancel(s *Session, runs []*watched) bool {
	if len(runs) != 1 || !s.Stays || e.Interrupts == nil {
		return false
	}
	switch runs[0].work.(type) {
	case batchItem, watchItem:
		return true
	}
	return false
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
	if err := s.Temporal.CancelWorkflow(ending, run.id(), ""); err != nil {
		e.say("cannot cancel %s: %v", run.id(), err)
		return left
	}
	e.say("cancelling %s: what is under way is brought to an end, then the report is written", run.id())
	end, lost := run.await(ending, run.run, run.runID)
	if lost != nil {
		e.say("left; %s is being cancelled. See it with '%s runs show %s'.", run.id(), e.Program, run.id())
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
