package batch

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
)

// The batch's own steps run beside its files, one of each kind at a time.

const (
	// pageItems is how many items are read at once: a few ten kilobytes of history.
	pageItems = 200
	// partItems is how many items a part of the report holds.
	partItems = 100
)

func (b *batchRun) wantsPage() bool {
	return !b.reading && !b.leaving && !b.state.Split && b.state.Stopped == "" &&
		len(b.state.Queue) > 0 && len(b.state.Page) < b.state.Pace.window()
}

// read reads the next page of the plan.
func (b *batchRun) read(ctx workflow.Context) {
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
		for _, line := range page.Items {
			b.state.Page = append(b.state.Page, item{Item: line, Again: from.Again})
		}
		b.state.Queue[0].Offset = page.Next
		if page.Next >= from.End || len(page.Items) == 0 {
			b.state.Queue = b.state.Queue[1:]
		}
	})
}

func (b *batchRun) wantsPart(atLeast int) bool { return !b.writing && len(b.state.Entries) >= atLeast }

// write writes what has ended into a part of the report, when there is enough of it.
func (b *batchRun) write(ctx workflow.Context, atLeast int) {
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
func (b *batchRun) writeAll(ctx workflow.Context) error {
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

// requestRetry notes a wish to try again what has failed.
func (b *batchRun) requestRetry(s Steering) {
	request := retryRequest{Steering: s}
	if b.state.Split {
		for number := 1; number <= b.startedShards; number++ {
			request.Shards = append(request.Shards, number)
		}
		if len(request.Shards) == 0 {
			return // nothing can have failed yet
		}
	}
	b.state.Retries = append(b.state.Retries, request)
}

// wantsRetry reports whether a retry may begin: the one before has ended, so that no file is tried by both.
func (b *batchRun) wantsRetry() bool {
	if len(b.state.Retries) == 0 || b.listing || b.reading || b.leaving || b.state.Stopped != "" {
		return false
	}
	if b.state.Split && len(b.shardsToRetry()) == 0 {
		return false
	}
	return !slices.ContainsFunc(b.shards, func(s *shardRun) bool { return s.again }) &&
		!slices.ContainsFunc(b.state.Queue, func(c planCursor) bool { return c.Again }) &&
		!slices.ContainsFunc(b.state.Page, func(i item) bool { return i.Again }) &&
		!slices.ContainsFunc(b.files, func(f *file) bool { return f.item.Again }) &&
		!slices.ContainsFunc(b.reviews, func(f *file) bool { return f.item.Again })
}

// retry puts what has failed so far in front of what is still to come.
func (b *batchRun) retry(ctx workflow.Context) {
	if !b.wantsRetry() {
		return
	}
	b.listing = true
	list := b.listFailed
	if b.state.Split {
		list = b.listFailedOfShards
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { b.listing = false }()
		failed, err := list(ctx)
		if err != nil {
			b.fault = err
			return
		}
		if failed.Items > 0 {
			b.state.Queue = slices.Insert(b.state.Queue, 0, failed)
		}
	})
}

// listFailed lists what has failed in a batch that is not split.
func (b *batchRun) listFailed(ctx workflow.Context) (planCursor, error) {
	codes := b.state.Retries[0].Codes
	if err := b.writeAll(ctx); err != nil {
		return planCursor{}, err
	}
	failed, err := b.planFailed(ctx, activities.ListFailedInput{Codes: codes})
	if err != nil {
		return planCursor{}, err
	}
	b.state.Retries = b.state.Retries[1:]
	return planCursor{Path: failed.Path(), End: failed.End, Again: true, Items: failed.Items}, nil
}

// listFailedOfShards lists what has failed in the shards that have ended. The rest of the request waits for the others.
func (b *batchRun) listFailedOfShards(ctx workflow.Context) (planCursor, error) {
	ready, codes := b.shardsToRetry(), b.state.Retries[0].Codes
	input := activities.ListFailedInput{Codes: codes}
	for _, number := range ready {
		input.Parts = append(input.Parts, partPrefix(number))
	}
	failed, err := b.planFailed(ctx, input)
	if err != nil {
		return planCursor{}, err
	}
	request := &b.state.Retries[0]
	request.Shards = slices.DeleteFunc(request.Shards, func(number int) bool { return slices.Contains(ready, number) })
	if len(request.Shards) == 0 {
		b.state.Retries = b.state.Retries[1:]
	}
	if failed.Items > 0 {
		b.state.Tally.forget(codes)
	}
	return planCursor{Path: failed.Path(), End: failed.End, Again: true, Items: failed.Items}, nil
}

// shardsToRetry are those of the oldest request that have ended.
func (b *batchRun) shardsToRetry() []int {
	var ready []int
	for _, number := range b.state.Retries[0].Shards {
		if slices.Contains(b.finishedShards, number) {
			ready = append(ready, number)
		}
	}
	return ready
}

// planFailed plans again what has failed. It reads the whole plan and all parts of the report so far.
func (b *batchRun) planFailed(ctx workflow.Context, input activities.ListFailedInput) (activities.BatchPlan, error) {
	input.Plan = *b.state.Plan
	var failed activities.BatchPlan
	ctx = b.options(ctx, time.Hour, "List what has failed")
	err := workflow.ExecuteActivity(ctx, steps.ListFailed, input).Get(ctx, &failed)
	return failed, err
}
