package batch

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// steps are the activities; only their names are used here.
var steps *activities.Activities

const (
	concurrencyDefault = 50
	// pageItems is how many items are read at once: a few ten kilobytes of history.
	pageItems = 200
	// partItems is how many items a part of the report holds.
	partItems = 100
)

// ConvertBatch converts everything in a plan, many files at once, and accounts for each in a report.
func ConvertBatch(ctx workflow.Context, input Input) (Result, error) {
	b := newBatch(ctx, input)
	if err := b.listen(ctx); err != nil {
		return Result{}, err
	}
	err := b.run(ctx)
	if workflow.IsContinueAsNewError(err) {
		return Result{}, err
	}
	return b.end(ctx, err)
}

type batch struct {
	questions.Handler
	input   Input
	state   State
	summary activities.BatchSummary
	stage   string    // planning, reporting, or how it ended; empty while it converts
	flights []*flight // oldest first
	shown   string    // what the lists were told last
	fault   error     // the batch cannot go on

	shards []*shard // of a split batch; oldest first
	begun  int      // shards, ever
	landed []int    // numbers of the shards that have ended

	leaving    bool // flights end at their next step, to be carried over
	leaveAfter int  // events before leaving is tried again
	reading    bool
	writing    bool
	listing    bool
}

func newBatch(ctx workflow.Context, input Input) *batch {
	if input.Concurrency <= 0 {
		input.Concurrency = concurrencyDefault
	}
	b := &batch{input: input}
	b.Handler = questions.Handler{Ledger: &b.state.Ledger, Signals: []questions.Signal{{Name: questions.SignalFillSlot}}}
	if input.Resume != nil {
		b.state, b.input.Resume = *input.Resume, nil
		return b
	}
	b.state = State{Pace: newPace(min(input.Concurrency, MaxConcurrency)), StartedAt: workflow.Now(ctx), Runs: 1}
	if input.Shard != nil {
		b.obey(input.Shard.Orders)
	}
	return b
}

// run is the story: plan, convert, report.
func (b *batch) run(ctx workflow.Context) error {
	if err := b.plan(ctx); err != nil {
		return err
	}
	b.timeOut(ctx)
	return b.convert(ctx)
}

func (b *batch) plan(ctx workflow.Context) error {
	if b.state.Plan != nil {
		return nil
	}
	if b.input.Plan == nil {
		b.stage = run.StatePlanning
		b.show(ctx)
		// Listing a million files, and reading those that have changed.
		ctx := b.options(ctx, 6*time.Hour, "List what there is to convert")
		b.input.Plan = &activities.BatchPlan{}
		err := workflow.ExecuteActivity(ctx, steps.PlanBatch, activities.PlanBatchInput{Spec: b.input.Spec, Name: b.input.Name}).Get(ctx, b.input.Plan)
		if err != nil {
			return err
		}
		b.stage = ""
	}
	b.state.Plan, b.input.Plan = b.input.Plan, nil
	if b.state.Plan.Items > 0 && !b.split(ctx) {
		whole := planCursor{Path: b.state.Plan.Path(), End: b.state.Plan.End}
		if shard := b.input.Shard; shard != nil {
			whole.Offset, whole.Again = shard.Offset, shard.Again
		}
		b.state.Queue = []planCursor{whole}
	}
	return nil
}

// convert keeps as many files under way as the pace allows until there is none left.
func (b *batch) convert(ctx workflow.Context) error {
	for _, item := range b.state.Flights {
		b.begin(ctx, item)
	}
	b.state.Flights = nil
	for !b.over() {
		b.decide(ctx)
		for b.room() {
			b.begin(ctx, b.next(ctx))
		}
		for b.roomForShard() {
			b.beginShard(ctx)
		}
		b.read(ctx)
		b.write(ctx, partItems)
		b.retry(ctx)
		b.show(ctx)
		if b.long(ctx) {
			if err := b.continueAsNew(ctx); err != nil {
				return err
			}
		}
		if err := workflow.Await(ctx, func() bool { return b.awake(ctx) }); err != nil {
			return err
		}
		if b.fault != nil {
			return b.fault
		}
	}
	return nil
}

// over says that nothing is left to do, or that nothing may be begun and all has landed.
func (b *batch) over() bool {
	if len(b.flights)+len(b.shards) > 0 || b.reading || b.listing {
		return false
	}
	return b.state.Stopped != "" || len(b.state.Queue)+len(b.state.Page)+len(b.state.Retries) == 0
}

func (b *batch) awake(ctx workflow.Context) bool {
	return b.fault != nil || b.over() || b.room() || b.roomForShard() || b.wantsPage() || b.wantsPart(partItems) || b.wantsRetry() ||
		b.decided() != "" || b.long(ctx) || b.unshown()
}

// timeOut stops the batch when it has taken as long as it may.
func (b *batch) timeOut(ctx workflow.Context) {
	if b.input.MaxDuration <= 0 {
		return
	}
	left := b.state.StartedAt.Add(time.Duration(b.input.MaxDuration)).Sub(workflow.Now(ctx))
	workflow.Go(ctx, func(ctx workflow.Context) {
		if left <= 0 || workflow.Sleep(ctx, left) == nil {
			b.stop(fmt.Sprintf("it has taken %s, as long as it may", time.Duration(b.input.MaxDuration)))
			if b.troubled() { // nobody has mended it in time
				b.state.GivenUp = true
				b.state.Ledger.Recall(questions.SlotTrouble)
			}
		}
	})
}

// stop begins nothing any more. The first reason counts.
func (b *batch) stop(reason string) {
	if b.state.Stopped == "" {
		b.state.Stopped = reason
	}
}

// options are the limits that the batch's own steps share.
func (b *batch) options(ctx workflow.Context, attempt time.Duration, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: attempt,
		// No end for all attempts: a disk that is full on Friday has room on Monday.
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 500 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second,
		},
		Summary: summary, Priority: b.priority(ctx),
	})
}

// id is the workflow id of the whole batch.
func (b *batch) id(ctx workflow.Context) string {
	info := workflow.GetInfo(ctx)
	if b.input.Shard != nil && info.ParentWorkflowExecution != nil {
		return info.ParentWorkflowExecution.ID
	}
	return info.WorkflowExecution.ID
}

// priority lets small batches and single files go before large ones; among equals the server takes turns where it
// knows how to.
func (b *batch) priority(ctx workflow.Context) temporal.Priority {
	const small, smallFirst, largeLater = 200, 3, 4
	p := temporal.Priority{PriorityKey: smallFirst, FairnessKey: run.Cut(b.id(ctx), 60)}
	if b.input.Shard != nil || b.state.Plan != nil && b.state.Plan.Items > small {
		p.PriorityKey = largeLater
	}
	return p
}
