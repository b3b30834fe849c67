// Package batch is the workflow ConvertBatch and, for its parts, ConvertShard: everything in a plan, many files at once.
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

// WorkflowType is the workflow's type.
const WorkflowType = "ConvertBatch"

const concurrencyDefault = 50

const (
	// A history is ended before Temporal advises to, so that what is under way has room to come to its next step.
	maxBatchEvents = 3_600
	maxBatchBytes  = 1_800_000
	// leavePatience is how long all files may take to come to their next step before the batch goes on and tries again
	// after leaveEvents more: 500 MB over a slow line must not hold up the others.
	leavePatience = 15 * time.Second
	leaveEvents   = 500
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

// ConvertShard converts a part of a large batch's plan. It answers QueryProgress for its part, is steered by the batch, and
// reports to it what people have to fix.
func ConvertShard(ctx workflow.Context, input Input) (ShardResult, error) {
	b := newBatch(ctx, input)
	if err := b.listen(ctx); err != nil {
		return ShardResult{}, err
	}
	err := b.run(ctx)
	if workflow.IsContinueAsNewError(err) {
		return ShardResult{}, err
	}
	return b.endShard(ctx, err)
}

func newBatch(ctx workflow.Context, input Input) *batchRun {
	if input.Concurrency <= 0 {
		input.Concurrency = concurrencyDefault
	}
	b := &batchRun{input: input}
	b.Handler = questions.Handler{Ledger: &b.state.Ledger, Signals: []questions.Signal{{Name: questions.SignalFillSlot}}}
	if input.Resume != nil {
		b.state, b.input.Resume = *input.Resume, nil
		return b
	}
	b.state = State{Pace: newPace(min(input.Concurrency, MaxConcurrency)), StartedAt: workflow.Now(ctx), Runs: 1}
	if input.Shard != nil {
		b.apply(input.Shard.Control)
	}
	return b
}

// run is the story: plan, then convert.
func (b *batchRun) run(ctx workflow.Context) error {
	if err := b.plan(ctx); err != nil {
		return err
	}
	b.timeOut(ctx)
	return b.convertAll(ctx)
}

func (b *batchRun) plan(ctx workflow.Context) error {
	if b.state.Plan != nil {
		return nil
	}
	if b.input.Plan == nil {
		b.stage = run.StatePlanning
		b.publish(ctx)
		// Listing a million files, and reading those that have changed.
		ctx := b.options(ctx, 6*time.Hour, "List what there is to convert")
		b.input.Plan = &activities.BatchPlan{}
		err := workflow.ExecuteActivity(ctx, steps.PlanBatch, activities.PlanBatchInput{Spec: b.input.Spec, Name: b.input.Name}).Get(ctx, b.input.Plan)
		if err != nil {
			return run.Cancelled(ctx, err)
		}
		b.stage = ""
	}

	b.state.Plan, b.input.Plan = b.input.Plan, nil
	if b.state.Plan.Items > 0 && !b.split(ctx) {
		all := planCursor{Path: b.state.Plan.Path(), End: b.state.Plan.End}
		if shard := b.input.Shard; shard != nil {
			all.Offset, all.Again = shard.Offset, shard.Again
		}
		b.state.Queue = []planCursor{all}
	}
	return nil
}

// timeOut stops the batch at its time limit.
func (b *batchRun) timeOut(ctx workflow.Context) {
	if b.input.MaxDuration <= 0 {
		return
	}
	left := b.state.StartedAt.Add(time.Duration(b.input.MaxDuration)).Sub(workflow.Now(ctx))
	workflow.Go(ctx, func(ctx workflow.Context) {
		if left <= 0 || workflow.Sleep(ctx, left) == nil {
			b.stop(fmt.Sprintf("it has reached its time limit of %s", time.Duration(b.input.MaxDuration)))
			if b.troubled() { // nobody has fixed it in time
				b.giveUp()
			}
		}
	})
}

// convertAll keeps as many files under way as the pace allows until there is none left.
func (b *batchRun) convertAll(ctx workflow.Context) error {
	for _, carried := range b.state.UnderWay {
		b.begin(ctx, carried)
	}
	b.state.UnderWay = nil
	b.resumeReviews(ctx)

	for !b.over() {
		b.decide(ctx)
		b.settleReviews(ctx)
		for b.room() {
			b.begin(ctx, b.next(ctx))
		}
		for b.roomForShard() {
			b.beginShard(ctx)
		}
		b.read(ctx)
		b.write(ctx, partItems)
		b.retry(ctx)
		b.publish(ctx)

		if b.long(ctx) {
			if err := b.continueAsNew(ctx); err != nil {
				return err
			}
		}
		if err := workflow.Await(ctx, func() bool { return b.hasWork(ctx) }); err != nil {
			return err
		}
		if b.fault != nil {
			return b.fault
		}
	}
	return nil
}

// over reports whether nothing is left to do, or nothing may be begun and all that was has ended.
func (b *batchRun) over() bool {
	if len(b.files)+len(b.reviews)+len(b.shards) > 0 || b.reading || b.listing {
		return false
	}
	return b.state.Stopped != "" || len(b.state.Queue)+len(b.state.Page)+len(b.state.Retries) == 0
}

// hasWork reports whether convertAll has something to do.
func (b *batchRun) hasWork(ctx workflow.Context) bool {
	return b.fault != nil || b.over() || b.room() || b.roomForShard() || b.wantsPage() || b.wantsPart(partItems) || b.wantsRetry() ||
		b.decision() != "" || b.decidedReview() || b.long(ctx) || b.unpublished()
}

// long reports whether the history should end and the batch go on in a new one.
func (b *batchRun) long(ctx workflow.Context) bool {
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
func (b *batchRun) continueAsNew(ctx workflow.Context) error {
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
	for _, f := range b.files {
		b.state.UnderWay = append(b.state.UnderWay, f.item)
	}
	b.carryReviews()
	b.state.Runs++
	b.state.Largest = max(b.state.Largest, workflow.GetInfo(ctx).GetCurrentHistoryLength())
	next := b.input
	next.Resume = &b.state
	return workflow.NewContinueAsNewError(ctx, workflow.GetInfo(ctx).WorkflowType.Name, next)
}

// lastChance reports whether the history must not grow much further.
func (b *batchRun) lastChance(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetCurrentHistoryLength() >= 2*maxBatchEvents || info.GetCurrentHistorySize() >= 2*maxBatchBytes
}

// atRest reports whether no step runs but waits for jobs.
func (b *batchRun) atRest() bool {
	if b.reading || b.writing || b.listing {
		return false
	}
	for _, f := range b.files {
		if !f.parked && f.pipeline.Step != activities.StepAwait {
			return false
		}
	}
	return true
}

// end finishes what is under way, writes the report, and returns how the batch ended.
func (b *batchRun) end(ctx workflow.Context, err error) (Result, error) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	b.cancelled = temporal.IsCanceledError(err)
	if awaitErr := b.awaitUnderWay(ctx, err); awaitErr != nil {
		return Result{}, awaitErr
	}
	reportErr := b.finishReport(ctx, err)
	if err == nil {
		err = reportErr
	}
	if drainErr := b.drain(ctx); drainErr != nil {
		workflow.GetLogger(ctx).Error("cannot handle the last signals", "error", drainErr)
	}
	b.state.Ledger.Close()

	b.stage = b.endState(ctx, err)
	b.publish(ctx)
	result := b.result(ctx)
	if b.cancelled { // by somebody, who knows why
		result.Reason = ""
	}
	if b.cancelled && reportErr != nil {
		result.Reason = run.Cut(b.faultText(reportErr), 500)
	}
	outcome := b.stage
	if err == nil {
		outcome = StateOf(result.Status)
	}
	run.CountRun(ctx, run.LaneBatch, outcome)
	return result, b.failure(err, result)
}

func (b *batchRun) endState(ctx workflow.Context, err error) string {
	switch {
	case err != nil:
		return run.EndState(err)
	case b.state.Stopped != "":
		return run.StateFailed
	case b.summary.Failed > 0 && workflow.GetVersion(ctx, "partial-state", workflow.DefaultVersion, 1) != workflow.DefaultVersion:
		return run.StatePartial
	}
	return run.StateCompleted
}

// endShard is end for a shard, whose batch writes the report.
func (b *batchRun) endShard(ctx workflow.Context, err error) (ShardResult, error) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	b.cancelled = temporal.IsCanceledError(err)
	if awaitErr := b.awaitUnderWay(ctx, err); awaitErr != nil {
		return ShardResult{}, awaitErr
	}
	b.fault = nil
	writeErr := err
	if !planMissing(err) {
		writeErr = b.writeAll(ctx)
	}
	if err == nil {
		err = writeErr
	}
	result := ShardResult{
		Tally: b.state.Tally, Rejected: b.state.Pace.Rejected, Series: b.state.Series, Runs: b.state.Runs, Largest: b.largest(ctx),
	}
	if planMissing(writeErr) {
		result.Known = b.known()
	}
	return result, b.failure(err, result)
}

// awaitUnderWay waits until nothing is under way any more.
func (b *batchRun) awaitUnderWay(ctx workflow.Context, err error) error {
	b.leaving = false
	if err != nil { // nobody waits any more for what is parked
		b.giveUp()
		b.dropReviews(ctx)
		if b.state.Split {
			b.stop("it could not go on")
		}
	}
	return workflow.Await(ctx, func() bool {
		return len(b.files)+len(b.reviews)+len(b.shards) == 0 && !b.reading && !b.writing && !b.listing
	})
}

// finishReport accounts for every file of the plan, however the batch ended with err.
func (b *batchRun) finishReport(ctx workflow.Context, err error) error {
	if b.state.Plan == nil {
		return nil
	}
	b.stage, b.fault = run.StateReporting, nil
	if !planMissing(err) || !b.salvages(ctx) {
		err = b.writeReport(ctx)
	}
	if planMissing(err) && b.salvages(ctx) {
		if salvageErr := b.salvage(ctx); salvageErr != nil {
			return salvageErr
		}
	}
	return err
}

func (b *batchRun) writeReport(ctx workflow.Context) error {
	if err := b.writeAll(ctx); err != nil {
		return err
	}
	// Joins the parts of a million files.
	ctx = b.options(ctx, 6*time.Hour, "Write the complete report")
	return workflow.ExecuteActivity(ctx, steps.FinishReport, activities.FinishReportInput{Plan: *b.state.Plan, Name: b.input.Name}).Get(ctx, &b.summary)
}

// largest is the most events that any history of the batch has had.
func (b *batchRun) largest(ctx workflow.Context) int {
	return max(b.state.Largest, workflow.GetInfo(ctx).GetCurrentHistoryLength())
}

func (b *batchRun) result(ctx workflow.Context) Result {
	r := Result{Status: ResultCompleted, Reason: b.state.Stopped, Summary: b.summary, Runs: b.state.Runs, LargestHistory: b.largest(ctx)}
	switch {
	case b.state.Stopped != "":
		r.Status = ResultStopped
	case b.summary.Failed > 0:
		r.Status = ResultFailures
	}
	return r
}

// failure names the batch, the step and the code of an error in one line. A cancelled batch takes its result along, and so does one
// whose plan is gone.
func (b *batchRun) failure(err error, result any) error {
	if err == nil {
		return nil
	}
	if temporal.IsCanceledError(err) {
		return temporal.NewCanceledError(result)
	}
	failure, ok := activities.FailureOf(err)
	if planMissing(err) && b.input.Shard == nil {
		failure.Message += b.account()
	}
	if !ok {
		failure = activities.Failure{Step: b.stage, Kind: activities.FailureUnknown, Code: activities.CodeUnknown, Message: err.Error()}
	}
	details := []any{failure}
	if planMissing(err) {
		details = append(details, result)
	}
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("%s: %s: %s: %s", b.input.Name, failure.Step, failure.Code, failure.Message),
		failure.Code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: details})
}
