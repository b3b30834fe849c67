package batch

import (
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

const (
	// shardItems is how many files a shard has, at least; a plan of more than twice as many is split.
	shardItems = 10_000
	// maxShards keeps the history of a batch short that only looks after its shards: each costs 14 to 25 events.
	maxShards = 100
	// shardsAtOnce overlap where one of them is about to continue as new and lets its files land.
	shardsAtOnce = 4
	// tellShare is what part of the failures that a batch bears a shard may keep to itself.
	tellShare = 50
)

// shard is a part of the batch that runs.
type shard struct {
	id     string // workflow id
	number int
	items  int
	again  bool
	told   shardOrders
	failed int // as it has told
}

// split cuts a large plan into shards, along its marks.
func (b *batch) split(ctx workflow.Context) bool {
	plan, least := b.state.Plan, shardItems
	if b.input.ShardItems > 0 {
		least = b.input.ShardItems
	}
	every := plan.MarkEvery()
	if b.input.Shard != nil || plan.Items <= 2*least || len(plan.Marks) < (plan.Items+every-1)/every ||
		workflow.GetVersion(ctx, "split-large-plans", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return false
	}
	marks := (max(least, plan.Items/maxShards) + every - 1) / every // of one shard
	for at := 0; at < len(plan.Marks); at += marks {
		cursor := planCursor{Path: plan.Path(), Offset: plan.Marks[at], End: plan.End, Items: min(marks*every, plan.Items-at*every)}
		if at+marks < len(plan.Marks) {
			cursor.End = plan.Marks[at+marks]
		}
		b.state.Queue = append(b.state.Queue, cursor)
	}
	b.state.Split = true
	// A retry that was asked for while it was planned names no shards, and would wait for them for ever.
	if len(b.state.Retries) > 0 && workflow.GetVersion(ctx, "drop-early-retries", workflow.DefaultVersion, 1) != workflow.DefaultVersion {
		b.state.Retries = nil // nothing can have failed yet
	}
	return true
}

func (b *batch) roomForShard() bool {
	return b.state.Split && len(b.state.Queue) > 0 && len(b.shards) < min(shardsAtOnce, b.state.Pace.Limit) && !b.held() && b.state.Stopped == ""
}

// beginShard has the next part of the plan converted by a child.
func (b *batch) beginShard(ctx workflow.Context) {
	part := b.state.Queue[0]
	b.state.Queue = b.state.Queue[1:]
	b.begun++
	s := &shard{number: b.begun, items: part.Items, again: part.Again}
	s.id = fmt.Sprintf("%s-shard-%05d", workflow.GetInfo(ctx).WorkflowExecution.ID, s.number)
	b.shards = append(b.shards, s)
	s.told = b.orders(s)
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: s.id,
		// Nobody looks after a shard whose batch was terminated; it brings down what flies and ends.
		ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL, WaitForCancellation: true,
		Priority:      b.priority(ctx),
		StaticSummary: fmt.Sprintf("Part %d of %s: %d files", s.number, run.Cut(b.input.Name, 100), s.items),
	}), ShardWorkflowType, b.inputOf(s, part))
	workflow.Go(ctx, func(ctx workflow.Context) {
		if child.GetChildWorkflowExecution().Get(ctx, nil) == nil {
			b.command(ctx, s)
		}
	})
	workflow.Go(ctx, func(ctx workflow.Context) {
		var result ShardResult
		err := child.Get(ctx, &result)
		b.landShard(s, result, err)
	})
}

// inputOf is the batch's own input, narrowed to a part of the plan.
func (b *batch) inputOf(s *shard, part planCursor) Input {
	plan := *b.state.Plan
	plan.Items, plan.Bytes, plan.Marks, plan.End = part.Items, 0, nil, part.End
	plan.Current, plan.Skipped, plan.Faulty, plan.Kept = 0, 0, 0, 0
	plan.PlanName = part.Path[len(plan.Folder)+1:]
	input := b.input
	input.Plan, input.MaxFailures, input.MaxDuration, input.Concurrency = &plan, 0, 0, s.told.Concurrency
	input.Shard = &shardBrief{Number: s.number, Offset: part.Offset, Again: part.Again, Orders: s.told}
	if most := b.input.MaxFailures; most > 0 {
		input.Shard.TellFailures = max(1, most/tellShare)
	}
	return input
}

// command tells a shard how to go on whenever that changes. One message is out at a time, so that none overtakes another.
func (b *batch) command(ctx workflow.Context, s *shard) {
	for {
		err := workflow.Await(ctx, func() bool { return !b.flies(s) || b.orders(s) != s.told })
		if err != nil || !b.flies(s) {
			return
		}
		orders := b.orders(s)
		if err := workflow.SignalExternalWorkflow(ctx, s.id, "", signalShardOrders, orders).Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Info("a shard has ended before it heard", "shard", s.number, "error", err)
			return
		}
		s.told = orders
	}
}

func (b *batch) flies(s *shard) bool { return slices.Contains(b.shards, s) }

// orders are those of a shard as the batch is now. The concurrency is shared out among the shards that there will be.
func (b *batch) orders(s *shard) shardOrders {
	limit, sharers := b.state.Pace.Limit, len(b.shards)
	if b.state.Stopped == "" {
		sharers = max(sharers, min(shardsAtOnce, limit, len(b.shards)+len(b.state.Queue)))
	}
	share := limit / sharers
	if slices.Index(b.shards, s) < limit%sharers {
		share++
	}
	orders := shardOrders{
		Concurrency: share, Paused: b.state.Paused, Stopped: b.state.Stopped, GivenUp: b.state.GivenUp, Mended: b.state.Mended,
	}
	if b.troubled() {
		orders.Paused = b.reason()
	}
	return orders
}

// landShard adds up what a shard has done.
func (b *batch) landShard(s *shard, result ShardResult, err error) {
	var cancelled *temporal.CanceledError
	if errors.As(err, &cancelled) && cancelled.HasDetails() {
		_ = cancelled.Details(&result) // the report has it, too
	}
	b.shards = slices.DeleteFunc(b.shards, func(other *shard) bool { return other == s })
	b.landed = append(b.landed, s.number)
	b.state.Tally.add(result.Tally)
	b.state.Pace.Refused += result.Refused
	b.state.Series = joined(b.state.Series.samples(), result.Series.samples())
	b.state.Runs += result.Runs
	b.state.Largest = max(b.state.Largest, result.Largest)
	if err != nil && b.fault == nil {
		b.fault = err
	}
	b.stopAtFailures()
}

// hearShard takes note of what a shard tells.
func (b *batch) hearShard(ctx workflow.Context, news shardNews) {
	for _, s := range b.shards {
		if s.number == news.Number {
			s.failed = news.Failed
		}
	}
	b.stopAtFailures()
	if news.Trouble != nil && news.Mended >= b.state.Mended && !b.state.GivenUp {
		b.trouble(ctx, *news.Trouble)
	}
}

// stopAtFailures begins nothing any more when more files have failed than may.
func (b *batch) stopAtFailures() {
	failed := b.state.Tally.Failed
	for _, s := range b.shards {
		failed += s.failed
	}
	if most := b.input.MaxFailures; most > 0 && failed > most {
		b.stop(fmt.Sprintf("more than %d files failed", most))
	}
}

// retryAsked is a wish to try what has failed once more. In a split batch it reaches the files of a shard that runs when
// that has ended.
type retryAsked struct {
	Steering
	Shards []int `json:"shards,omitempty"` // begun before it, and not looked through yet
}

// askRetry takes the wish down.
func (b *batch) askRetry(s Steering) {
	asked := retryAsked{Steering: s}
	if b.state.Split {
		for number := 1; number <= b.begun; number++ {
			asked.Shards = append(asked.Shards, number)
		}
		if len(asked.Shards) == 0 {
			return // nothing can have failed yet
		}
	}
	b.state.Retries = append(b.state.Retries, asked)
}

// readyShards are those that a retry can look through.
func (b *batch) readyShards() []int {
	var ready []int
	for _, number := range b.state.Retries[0].Shards {
		if slices.Contains(b.landed, number) {
			ready = append(ready, number)
		}
	}
	return ready
}

// retryShards makes a shard of what has failed in those that have ended.
func (b *batch) retryShards(ctx workflow.Context) {
	b.listing = true
	ready, codes := b.readyShards(), b.state.Retries[0].Codes
	input := activities.ListFailedInput{Plan: *b.state.Plan, Codes: codes}
	for _, number := range ready {
		input.Parts = append(input.Parts, partPrefix(number))
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { b.listing = false }()
		failed, err := b.listFailed(ctx, input)
		if err != nil {
			b.fault = err
			return
		}
		asked := &b.state.Retries[0]
		asked.Shards = slices.DeleteFunc(asked.Shards, func(number int) bool { return slices.Contains(ready, number) })
		if len(asked.Shards) == 0 {
			b.state.Retries = b.state.Retries[1:]
		}
		if failed.Items > 0 {
			b.state.Tally.forget(codes)
			b.state.Queue = slices.Insert(b.state.Queue, 0, planCursor{Path: failed.Path(), End: failed.End, Items: failed.Items, Again: true})
		}
	})
}

// listFailed reads the whole plan and all parts so far.
func (b *batch) listFailed(ctx workflow.Context, input activities.ListFailedInput) (activities.BatchPlan, error) {
	var failed activities.BatchPlan
	ctx = b.options(ctx, time.Hour, "List what has failed")
	err := workflow.ExecuteActivity(ctx, steps.ListFailed, input).Get(ctx, &failed)
	return failed, err
}
