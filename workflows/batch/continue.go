package batch

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
)

const (
	// A history is ended before Temporal advises to, so that what is under way has room to come to its next step.
	maxBatchEvents = 3_600
	maxBatchBytes  = 1_800_000
	// leavePatience is how long all files may take to come to their next step before the batch goes on and tries again
	// after leaveEvents more: half a gigabyte over a thin line must not hold up the others.
	leavePatience = 15 * time.Second
	leaveEvents   = 500
)

// long says that the history should end and the batch go on in a new one.
func (b *batch) long(ctx workflow.Context) bool {
	if b.state.Split { // shards belong to a run, not to the next one
		return false
	}
	info := workflow.GetInfo(ctx)
	events := info.GetCurrentHistoryLength()
	if events < b.leaveAfter {
		return false
	}
	most := maxBatchEvents
	if b.input.MaxEvents > 0 {
		most = b.input.MaxEvents
	}
	return info.GetContinueAsNewSuggested() || events >= most || info.GetCurrentHistorySize() >= maxBatchBytes
}

// continueAsNew brings every file to the end of its step and goes on in a new history. A file whose job is waited for
// takes the job along: looking at it again does nothing twice. It returns without an error where a step takes long.
func (b *batch) continueAsNew(ctx workflow.Context) error {
	b.leaving = true
	ready, err := workflow.AwaitWithTimeout(ctx, leavePatience, b.atRest)
	if err == nil && !ready && b.lastChance(ctx) {
		err = workflow.Await(ctx, b.atRest)
		ready = err == nil
	}
	if err != nil {
		return err
	}
	if !ready {
		b.leaving = false
		b.leaveAfter = workflow.GetInfo(ctx).GetCurrentHistoryLength() + leaveEvents
		return nil
	}
	if err := b.writeAll(ctx); err != nil {
		return err
	}
	if err := b.drain(ctx); err != nil {
		return err
	}
	for _, f := range b.flights {
		b.state.Flights = append(b.state.Flights, f.carried())
	}
	b.state.Runs++
	b.state.Largest = max(b.state.Largest, workflow.GetInfo(ctx).GetCurrentHistoryLength())
	next := b.input
	next.Resume = &b.state
	return workflow.NewContinueAsNewError(ctx, workflow.GetInfo(ctx).WorkflowType.Name, next)
}

// lastChance says that the history must not grow much further.
func (b *batch) lastChance(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetCurrentHistoryLength() >= 2*maxBatchEvents || info.GetCurrentHistorySize() >= 2*maxBatchBytes
}

// atRest says that no step runs but waits for jobs.
func (b *batch) atRest() bool {
	if b.reading || b.writing || b.listing {
		return false
	}
	for _, f := range b.flights {
		if !f.parked && f.Status.Step != activities.StepAwait {
			return false
		}
	}
	return true
}
