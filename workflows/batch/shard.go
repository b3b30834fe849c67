package batch

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// shardBrief is what a batch tells the part of it that a ConvertShard does.
type shardBrief struct {
	Number int         `json:"number"`          // from 1: its name in the parts of the report
	Offset int64       `json:"offset"`          // in the plan's file, which it reads up to the plan's End
	Again  bool        `json:"again,omitempty"` // items that have failed before
	Orders shardOrders `json:"orders"`
	// TellFailures has it tell its batch of every so many failures; 0 for never.
	TellFailures int `json:"tell_failures,omitempty"`
}

// shardOrders is how a shard is to go on. They replace those before.
type shardOrders struct {
	Concurrency int    `json:"concurrency"` // may be 0
	Paused      string `json:"paused,omitempty"`
	Stopped     string `json:"stopped,omitempty"`
	GivenUp     bool   `json:"given_up,omitempty"`
	Mended      int    `json:"mended,omitempty"` // how often people have mended what stops every file
}

// shardNews is what a shard tells its batch before it ends.
type shardNews struct {
	Number  int                 `json:"number"`
	Trouble *activities.Failure `json:"trouble,omitempty"`
	Mended  int                 `json:"mended,omitempty"` // as far as it knew when the trouble came
	Failed  int                 `json:"failed,omitempty"` // files so far, less those that had failed before it began
}

// Signals between a batch and its shards.
const (
	signalShardOrders = "shard-orders"
	signalShardNews   = "shard-news"
)

// ShardResult is what became of a shard's files; the parts of the report say it one by one.
type ShardResult struct {
	Tally   batchTally `json:"tally"`
	Refused int        `json:"refused,omitempty"` // requests, for being too fast
	Series  series     `json:"series"`
	Runs    int        `json:"runs"`
	Largest int        `json:"largest"` // history, in events
}

// ConvertShard converts a part of a large batch's plan. It answers QueryProgress for its part, takes its orders from the
// batch, and tells it what people have to mend.
func ConvertShard(ctx workflow.Context, input Input) (ShardResult, error) {
	b := newBatch(ctx, input)
	if err := b.listen(ctx); err != nil {
		return ShardResult{}, err
	}
	err := b.run(ctx)
	if workflow.IsContinueAsNewError(err) {
		return ShardResult{}, err
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if landErr := b.landAll(ctx, err); landErr != nil {
		return ShardResult{}, landErr
	}
	b.fault = nil
	if writeErr := b.writeAll(ctx); err == nil {
		err = writeErr
	}
	result := ShardResult{
		Tally: b.state.Tally, Refused: b.state.Pace.Refused, Series: b.state.Series, Runs: b.state.Runs,
		Largest: max(b.state.Largest, workflow.GetInfo(ctx).GetCurrentHistoryLength()),
	}
	return result, b.failure(err, result)
}

// partPrefix is what the names of a shard's report parts begin with. Those of later shards sort after it.
func partPrefix(number int) string { return fmt.Sprintf("s%05d-", number) }

// partName is the name of the next part of the report.
func (b *batch) partName() string {
	prefix := "s000-" // of a batch that is not split
	if b.input.Shard != nil {
		prefix = partPrefix(b.input.Shard.Number)
	}
	return fmt.Sprintf("%s%06d", prefix, b.state.Parts)
}

// obey goes on as the batch says.
func (b *batch) obey(orders shardOrders) {
	b.state.Paused = orders.Paused
	b.state.Pace.bound(orders.Concurrency)
	if orders.Stopped != "" {
		b.stop(orders.Stopped)
	}
	b.state.GivenUp = b.state.GivenUp || orders.GivenUp
	if orders.GivenUp || orders.Mended > b.state.Mended {
		b.state.Ledger.Recall(questions.SlotTrouble)
	}
	b.state.Mended = orders.Mended
}

// tell sends news to the batch. Where nobody is there any more to hear them, the shard is about to be cancelled.
func (b *batch) tell(ctx workflow.Context, news shardNews) {
	parent := workflow.GetInfo(ctx).ParentWorkflowExecution
	if b.input.Shard == nil || parent == nil {
		return
	}
	news.Number, news.Mended = b.input.Shard.Number, b.state.Mended
	news.Failed = b.state.Tally.Failed
	b.state.Told = news.Failed
	sent := workflow.SignalExternalWorkflow(ctx, parent.ID, "", signalShardNews, news)
	workflow.Go(ctx, func(ctx workflow.Context) {
		if err := sent.Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Warn("the batch cannot be told", "error", err)
		}
	})
}

// tellFailures keeps the batch informed, where it is to stop after so many.
func (b *batch) tellFailures(ctx workflow.Context) {
	if brief := b.input.Shard; brief != nil && brief.TellFailures > 0 && b.state.Tally.Failed-b.state.Told >= brief.TellFailures {
		b.tell(ctx, shardNews{})
	}
}
