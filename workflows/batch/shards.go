package batch

import (
	"errors"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

const (
	// shardItems is how many files a shard has, at least; a plan of more than twice as many is split.
	shardItems = 10_000
	// maxShards keeps the history of a batch short that only looks after its shards: each costs 14 to 25 events.
	maxShards = 100
	// shardsAtOnce overlap where one of them is about to continue as new and waits for its files.
	shardsAtOnce = 4
	// reportShare is what part of the failures that a batch allows a shard may keep to itself.
	reportShare = 50
)

// split cuts a large plan into shards, along its marks.
func (b *batchRun) split(ctx workflow.Context) bool {
	plan, least := b.state.Plan, shardItems
	if b.input.ShardItems > 0 {
		least = b.input.ShardItems
	}
	every := plan.MarkEvery()
	if b.input.Shard != nil || b.input.OnLoss == questions.OnLossAsk || plan.Items <= 2*least || len(plan.Marks) < (plan.Items+every-1)/every ||
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

func (b *batchRun) roomForShard() bool {
	return b.state.Split && len(b.state.Queue) > 0 && len(b.shards) < min(shardsAtOnce, b.state.Pace.Limit) && !b.held() && b.state.Stopped == ""
}

// beginShard has the next part of the plan converted by a child.
func (b *batchRun) beginShard(ctx workflow.Context) {
	part := b.state.Queue[0]
	b.state.Queue = b.state.Queue[1:]
	b.startedShards++
	s := &shardRun{number: b.startedShards, items: part.Items, again: part.Again}
	s.id = fmt.Sprintf("%s-shard-%05d", workflow.GetInfo(ctx).WorkflowExecution.ID, s.number)
	b.shards = append(b.shards, s)
	s.control = b.controlOf(s)
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: s.id,
		// Nobody looks after a shard whose batch was terminated; it finishes what is under way and ends.
		ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL, WaitForCancellation: true,
		Priority:      b.priority(ctx),
		StaticSummary: fmt.Sprintf("Part %d of %s: %d files", s.number, run.Cut(b.input.Name, 100), s.items),
	}), ShardWorkflowType, b.inputOf(s, part))
	workflow.Go(ctx, func(ctx workflow.Context) {
		if child.GetChildWorkflowExecution().Get(ctx, nil) == nil {
			b.steerShard(ctx, s)
		}
	})
	workflow.Go(ctx, func(ctx workflow.Context) {
		var result ShardResult
		err := child.Get(ctx, &result)
		b.finishShard(s, result, err)
	})
}

// inputOf is the batch's own input, narrowed to a part of the plan.
func (b *batchRun) inputOf(s *shardRun, part planCursor) Input {
	plan := *b.state.Plan
	plan.Items, plan.Bytes, plan.Marks, plan.End = part.Items, 0, nil, part.End
	plan.Current, plan.Skipped, plan.Faulty, plan.Kept = 0, 0, 0, 0
	plan.PlanName = part.Path[len(plan.Folder)+1:]
	input := b.input
	input.Plan, input.MaxFailures, input.MaxDuration, input.Concurrency = &plan, 0, 0, s.control.Concurrency
	input.Shard = &shardBrief{Number: s.number, Offset: part.Offset, Again: part.Again, Control: s.control}
	if most := b.input.MaxFailures; most > 0 {
		input.Shard.ReportFailures = max(1, most/reportShare)
	}
	return input
}

// steerShard tells a shard how to go on whenever that changes. One message is out at a time, so that none overtakes another.
func (b *batchRun) steerShard(ctx workflow.Context, s *shardRun) {
	running := func() bool { return slices.Contains(b.shards, s) }
	for {
		err := workflow.Await(ctx, func() bool { return !running() || b.controlOf(s) != s.control })
		if err != nil || !running() {
			return
		}
		control := b.controlOf(s)
		if err := workflow.SignalExternalWorkflow(ctx, s.id, "", signalShardControl, control).Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Info("a shard has ended before it could be steered", "shard", s.number, "error", err)
			return
		}
		s.control = control
	}
}

// controlOf is how a shard is to go on as the batch is now. The shards that there will be share the concurrency.
func (b *batchRun) controlOf(s *shardRun) shardControl {
	limit, sharers := b.state.Pace.Limit, len(b.shards)
	if b.state.Stopped == "" {
		sharers = max(sharers, min(shardsAtOnce, limit, len(b.shards)+len(b.state.Queue)))
	}
	share := limit / sharers
	if slices.Index(b.shards, s) < limit%sharers {
		share++
	}
	control := shardControl{
		Concurrency: share, Paused: b.state.Paused, Stopped: b.state.Stopped, GivenUp: b.state.GivenUp, Fixed: b.state.Fixed,
	}
	if b.troubled() {
		control.Paused = b.reason()
	}
	return control
}

// finishShard adds up what a shard has done.
func (b *batchRun) finishShard(s *shardRun, result ShardResult, err error) {
	var cancelled *temporal.CanceledError
	if errors.As(err, &cancelled) && cancelled.HasDetails() {
		_ = cancelled.Details(&result) // the report has it, too
	}
	if known, found := knownToShard(err); found {
		result = known
	}
	b.rememberAll(result.Known)
	b.shards = slices.DeleteFunc(b.shards, func(other *shardRun) bool { return other == s })
	b.finishedShards = append(b.finishedShards, s.number)

	b.state.Tally.add(result.Tally)
	b.state.Pace.Rejected += result.Rejected
	b.state.Series = joined(b.state.Series.samples(), result.Series.samples())
	b.state.Runs += result.Runs
	b.state.Largest = max(b.state.Largest, result.Largest)

	if err != nil && b.fault == nil {
		b.fault = err
	}
	b.stopAtFailures()
}

// onShardReport notes what a shard reports.
func (b *batchRun) onShardReport(ctx workflow.Context, report shardReport) {
	for _, s := range b.shards {
		if s.number == report.Number {
			s.failed = report.Failed
		}
	}
	b.stopAtFailures()
	if report.Trouble != nil && report.Fixed >= b.state.Fixed && !b.state.GivenUp {
		b.trouble(ctx, *report.Trouble)
	}
}
