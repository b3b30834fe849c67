package batch

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
)

// The batch's own steps run beside its files, one of each kind at a time.

func (b *batch) wantsPage() bool {
	return !b.reading && !b.leaving && !b.state.Split && b.state.Stopped == "" && len(b.state.Queue) > 0 && len(b.state.Page) < b.state.Pace.window()
}

// read fetches the next page of the plan.
func (b *batch) read(ctx workflow.Context) {
	if !b.wantsPage() {
		return
	}
	b.reading = true
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { b.reading = false }()
		from := b.state.Queue[0]
		var page activities.ReadPlanResult
		ctx = b.options(ctx, time.Minute, "Read the next files of the plan")
		err := workflow.ExecuteActivity(ctx, steps.ReadPlan, activities.ReadPlanInput{
			Path: from.Path, Offset: from.Offset, End: from.End, Limit: pageItems,
		}).Get(ctx, &page)
		if err != nil {
			b.fault = err
			return
		}
		for _, item := range page.Items {
			b.state.Page = append(b.state.Page, batchItem{Item: item, Again: from.Again})
		}
		b.state.Queue[0].Offset = page.Next
		if page.Next >= from.End || len(page.Items) == 0 {
			b.state.Queue = b.state.Queue[1:]
		}
	})
}

func (b *batch) wantsPart(atLeast int) bool { return !b.writing && len(b.state.Entries) >= atLeast }

// write puts what has ended into a part of the report, when there is enough of it.
func (b *batch) write(ctx workflow.Context, atLeast int) {
	if !b.wantsPart(atLeast) {
		return
	}
	b.writing = true
	entries := slices.Clone(b.state.Entries)
	b.state.Parts++
	part := b.partName()
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { b.writing = false }()
		ctx = b.options(ctx, time.Minute, fmt.Sprintf("Write %d files into the report", len(entries)))
		err := workflow.ExecuteActivity(ctx, steps.WriteReportPart, activities.WriteReportPartInput{
			Folder: b.state.Plan.Folder, Part: part, Entries: entries,
		}).Get(ctx, nil)
		if err != nil {
			b.fault = err
			return
		}
		b.state.Entries = b.state.Entries[len(entries):]
	})
}

// writeAll waits until everything that has ended is in the report.
func (b *batch) writeAll(ctx workflow.Context) error {
	for {
		if err := workflow.Await(ctx, func() bool { return !b.writing }); err != nil {
			return err
		}
		if b.fault != nil || len(b.state.Entries) == 0 {
			return b.fault
		}
		b.write(ctx, 1)
	}
}

// wantsRetry says that a retry may begin: the one before has ended, so that no file is tried by both.
func (b *batch) wantsRetry() bool {
	again := func(item batchItem) bool { return item.Again }
	return len(b.state.Retries) > 0 && !b.listing && !b.reading && !b.leaving && b.state.Stopped == "" &&
		(!b.state.Split || len(b.readyShards()) > 0) && !slices.ContainsFunc(b.shards, func(s *shard) bool { return s.again }) &&
		!slices.ContainsFunc(b.state.Queue, func(c planCursor) bool { return c.Again }) &&
		!slices.ContainsFunc(b.state.Page, again) && !slices.ContainsFunc(b.flights, func(f *flight) bool { return f.again })
}

// retry puts what has failed so far in front of what is still to come.
func (b *batch) retry(ctx workflow.Context) {
	if !b.wantsRetry() {
		return
	}
	if b.state.Split {
		b.retryShards(ctx)
		return
	}
	b.listing = true
	codes := b.state.Retries[0].Codes
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { b.listing = false }()
		if err := b.writeAll(ctx); err != nil {
			b.fault = err
			return
		}
		failed, err := b.listFailed(ctx, activities.ListFailedInput{Plan: *b.state.Plan, Codes: codes})
		if err != nil {
			b.fault = err
			return
		}
		b.state.Retries = b.state.Retries[1:]
		if failed.Items > 0 {
			b.state.Queue = slices.Insert(b.state.Queue, 0, planCursor{Path: failed.Path(), End: failed.End, Again: true})
		}
	})
}
