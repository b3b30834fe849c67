package batch

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
)

const (
	// maxRemembered bounds what a run remembers of files that have ended. A history has less, a batch with shards may have more.
	maxRemembered = 2_000
	// salvagedAtOnce keeps the input of a step far below what Temporal takes.
	salvagedAtOnce = 250
)

// remember keeps what became of a file.
func (b *batchRun) remember(it activities.BatchItem, entry activities.BatchEntry) {
	b.rememberAll([]activities.BatchKnown{{Item: it, Entry: &entry}})
}

func (b *batchRun) rememberAll(known []activities.BatchKnown) {
	b.remembered = append(b.remembered, known...)
	b.remembered = b.remembered[max(0, len(b.remembered)-maxRemembered):]
}

// known is all that the run can account for without its plan: files that have ended, and those that were read and did not begin.
func (b *batchRun) known() []activities.BatchKnown {
	all := append([]activities.BatchKnown{}, b.remembered...)
	for _, next := range b.state.Page {
		all = append(all, activities.BatchKnown{Item: next.Item})
	}
	return all
}

// planMissing reports whether a step has failed for good because the batch's plan is gone.
func planMissing(err error) bool {
	failure, known := activities.FailureOf(err)
	return known && failure.Code == activities.CodePlanMissing
}

// salvages reports whether the run is of a version that writes a report without its plan.
func (b *batchRun) salvages(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, "salvage-report", workflow.DefaultVersion, 1) != workflow.DefaultVersion
}

// salvage writes the report from what the run knows.
func (b *batchRun) salvage(ctx workflow.Context) error {
	known := b.known()
	ctx = b.options(ctx, time.Hour, "Write the report of what is known")
	for first := true; first || len(known) > 0; first = false {
		some := known[:min(salvagedAtOnce, len(known))]
		known = known[len(some):]
		err := workflow.ExecuteActivity(ctx, steps.SalvageReport, activities.SalvageReportInput{
			Plan: b.planOnly(), Name: b.input.Name, Since: b.state.StartedAt, Known: some,
		}).Get(ctx, &b.summary)
		if err != nil {
			return err
		}
	}
	return nil
}

// planOnly is the plan without what only a plan on disk needs.
func (b *batchRun) planOnly() activities.BatchPlan {
	plan := *b.state.Plan
	plan.Marks = nil
	return plan
}

// account tells how much of the batch is in its report, where the plan is gone.
func (b *batchRun) account() string {
	ended := b.state.Tally.Completed + b.state.Tally.Failed + b.state.Tally.Cancelled
	entered := map[int]bool{}
	for _, known := range b.remembered {
		entered[known.Item.Index] = true
	}
	missing := max(0, ended-len(entered))
	text := fmt.Sprintf("; %d of %d files had been converted", b.state.Tally.Completed, b.state.Plan.Items)
	switch {
	case b.summary.Report == "":
		return text + ", and there is no report"
	case missing > 0:
		return text + fmt.Sprintf(", and %s lacks %d that had ended, since nothing else knew of them", b.summary.Report, missing)
	}
	return text + fmt.Sprintf(", and %s has all that had ended", b.summary.Report)
}

// knownToShard is what a shard hands over with a failure.
func knownToShard(err error) (result ShardResult, found bool) {
	var app *temporal.ApplicationError
	var failure activities.Failure
	if !planMissing(err) || !errors.As(err, &app) || app.Details(&failure, &result) != nil {
		return ShardResult{}, false
	}
	return result, true
}

// faultText tells why there is no complete report.
func (b *batchRun) faultText(err error) string {
	failure, known := activities.FailureOf(err)
	switch {
	case !known:
		return err.Error()
	case planMissing(err):
		failure.Message += b.account()
	}
	return failure.Code + ": " + failure.Message
}
