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

// end brings down what is under way, writes the report, and says how the batch ended.
func (b *batch) end(ctx workflow.Context, err error) (Result, error) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if landErr := b.landAll(ctx, err); landErr != nil {
		return Result{}, landErr
	}
	if reportErr := b.report(ctx); err == nil {
		err = reportErr
	}
	if drainErr := b.drain(ctx); drainErr != nil {
		workflow.GetLogger(ctx).Error("cannot hear the last signals", "error", drainErr)
	}
	b.state.Ledger.Close()
	b.stage = run.EndState(err)
	if err == nil && b.state.Stopped != "" {
		b.stage = run.StateFailed
	}
	b.show(ctx)
	result := b.result(ctx)
	return result, b.failure(err, result)
}

// landAll waits until nothing is under way any more.
func (b *batch) landAll(ctx workflow.Context, err error) error {
	b.leaving = false
	if err != nil { // nobody waits any more for what is parked
		b.state.GivenUp = true
		b.state.Ledger.Recall(questions.SlotTrouble)
		if b.state.Split {
			b.stop("it could not go on")
		}
	}
	return workflow.Await(ctx, func() bool {
		return len(b.flights)+len(b.shards) == 0 && !b.reading && !b.writing && !b.listing
	})
}

// report accounts for every file of the plan, however the batch ended.
func (b *batch) report(ctx workflow.Context) error {
	if b.state.Plan == nil {
		return nil
	}
	b.stage, b.fault = run.StateReporting, nil
	if err := b.writeAll(ctx); err != nil {
		return err
	}
	// Joins the parts of a million files.
	ctx = b.options(ctx, 6*time.Hour, "Write the whole report")
	return workflow.ExecuteActivity(ctx, steps.FinishReport, activities.FinishReportInput{Plan: *b.state.Plan, Name: b.input.Name}).Get(ctx, &b.summary)
}

func (b *batch) result(ctx workflow.Context) Result {
	r := Result{
		Status: ResultCompleted, Reason: b.state.Stopped, Summary: b.summary, Runs: b.state.Runs,
		LargestHistory: max(b.state.Largest, workflow.GetInfo(ctx).GetCurrentHistoryLength()),
	}
	switch {
	case b.state.Stopped != "":
		r.Status = ResultStopped
	case b.summary.Failed > 0:
		r.Status = ResultFailures
	}
	return r
}

// failure is a batch that could not go on, in a form that names it. A cancelled one takes its result along.
func (b *batch) failure(err error, result any) error {
	if err == nil {
		return nil
	}
	if temporal.IsCanceledError(err) {
		return temporal.NewCanceledError(result)
	}
	detail, ok := activities.FailureOf(err)
	if !ok {
		detail = activities.Failure{Step: b.stage, Kind: activities.FailureUnknown, Code: activities.CodeUnknown, Message: err.Error()}
	}
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("%s: %s: %s: %s", b.input.Name, detail.Step, detail.Code, detail.Message),
		detail.Code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{detail}})
}
