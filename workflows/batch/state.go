package batch

import (
	"cmp"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// steps are the activities; only their names are used here.
var steps *activities.Activities

// batchRun is a run of ConvertBatch or ConvertShard.
type batchRun struct {
	questions.Handler
	input   Input
	state   State
	summary activities.BatchSummary
	stage   string  // planning, reporting, or how it ended; empty while it converts
	files   []*file // under way, oldest first
	reviews []*file // converted, and waiting for somebody's word
	fault   error   // the batch cannot go on

	published run.Publisher

	shards         []*shardRun // of a split batch, under way, oldest first
	startedShards  int
	finishedShards []int // numbers

	// remembered is what became of the latest files of this history; the report is made of it where the plan is gone.
	remembered []activities.BatchKnown
	cancelled  bool // nobody waits for the report for ever

	ending     bool // nobody is asked any more
	dueAt      bool // somebody watches the deadlines of questions
	leaving    bool // files end at their next step, to be carried over
	leaveAfter int  // events before leaving is tried again

	// Its own steps that run at the moment.
	reading bool
	writing bool
	listing bool
}

// file is one file under way.
type file struct {
	item     item
	pipeline convert.Pipeline
	parked   bool // between two steps, until the batch goes on
}

// shardRun is a part of a split batch that runs.
type shardRun struct {
	id      string // workflow id
	number  int
	items   int
	again   bool // items that have failed before
	control shardControl
	failed  int // as it has reported
}

// current is the state of the batch in one word.
func (b *batchRun) current() string {
	switch {
	case b.stage != "":
		return b.stage
	case b.troubled():
		return run.StateWaiting
	case b.state.Paused != "":
		return run.StatePaused
	case b.onlyReviews():
		return run.StateWaiting
	}
	return run.StateRunning
}

// reason is why the batch is paused, waits, or was stopped; empty where it is none of these.
func (b *batchRun) reason() string {
	if b.troubled() {
		return b.state.Ledger.Find(questions.SlotTrouble).Text
	}
	if b.current() == run.StateWaiting {
		return ReviewReason
	}
	return cmp.Or(b.state.Stopped, b.state.Paused)
}

// troubled reports whether something waits to be fixed by people.
func (b *batchRun) troubled() bool { return b.state.Ledger.Find(questions.SlotTrouble) != nil }

// held reports whether no step may begin: somebody has paused the batch, something has to be fixed, or it is about to
// continue as new.
func (b *batchRun) held() bool { return b.state.Paused != "" || b.troubled() || b.leaving }

// stop begins nothing any more. The first reason counts.
func (b *batchRun) stop(reason string) { b.state.Stopped = cmp.Or(b.state.Stopped, reason) }

// stopAtFailures stops the batch when more files have failed than may.
func (b *batchRun) stopAtFailures() {
	failed := b.state.Tally.Failed
	for _, s := range b.shards {
		failed += s.failed
	}
	if most := b.input.MaxFailures; most > 0 && failed > most {
		b.stop(fmt.Sprintf("more than %d files failed", most))
	}
}

// giveUp ends files that have no job yet where they are.
func (b *batchRun) giveUp() {
	b.state.GivenUp = true
	b.state.Ledger.Recall(questions.SlotTrouble)
}

// trouble asks people to fix what stops every file.
func (b *batchRun) trouble(ctx workflow.Context, failure activities.Failure) {
	question := questions.Question{Credits: failure.Credits, Slot: slot.Slot{
		SlotID: questions.SlotTrouble, Type: slot.Choice, Required: true,
		Text: fmt.Sprintf("The batch %s waits: the service refuses its files with %s: %s", b.input.Name, failure.Code, failure.Message),
		Options: []activities.Option{
			{Value: questions.TroubleRetry, Label: "Fixed: go on"},
			{Value: questions.TroubleGiveUp, Label: "Give up: the batch ends, and its report says what was done"},
		},
	}}
	question.Key = question.KeyFor(failure.Code)
	if !b.troubled() {
		b.report(ctx, shardReport{Trouble: &failure})
	}
	b.state.Ledger.Ask(question, workflow.Now(ctx))
}

// report reports to the batch whose part this shard is. A batch that is not there any more is about to cancel the shard.
func (b *batchRun) report(ctx workflow.Context, report shardReport) {
	parent := workflow.GetInfo(ctx).ParentWorkflowExecution
	if b.input.Shard == nil || parent == nil {
		return
	}
	report.Number, report.Fixed, report.Failed = b.input.Shard.Number, b.state.Fixed, b.state.Tally.Failed
	b.state.Reported = report.Failed
	sent := workflow.SignalExternalWorkflow(ctx, parent.ID, "", signalShardReport, report)
	workflow.Go(ctx, func(ctx workflow.Context) {
		if err := sent.Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Warn("cannot report to the batch", "error", err)
		}
	})
}

// reportFailures keeps the batch informed, where it is to stop after so many.
func (b *batchRun) reportFailures(ctx workflow.Context) {
	brief := b.input.Shard
	if brief != nil && brief.ReportFailures > 0 && b.state.Tally.Failed-b.state.Reported >= brief.ReportFailures {
		b.report(ctx, shardReport{})
	}
}

// apply goes on as the batch says whose part this shard is.
func (b *batchRun) apply(control shardControl) {
	b.state.Paused = control.Paused
	b.state.Pace.bound(control.Concurrency)
	if control.Stopped != "" {
		b.stop(control.Stopped)
	}
	if control.GivenUp {
		b.giveUp()
	} else if control.Fixed > b.state.Fixed {
		b.state.Ledger.Recall(questions.SlotTrouble)
	}
	b.state.Fixed = control.Fixed
}

// partPrefix is what the names of a shard's report parts begin with. Those of later shards sort after it.
func partPrefix(number int) string { return fmt.Sprintf("s%05d-", number) }

// partName is the name of the next part of the report.
func (b *batchRun) partName() string {
	prefix := "s000-" // of a batch that is not split
	if b.input.Shard != nil {
		prefix = partPrefix(b.input.Shard.Number)
	}
	return fmt.Sprintf("%s%06d", prefix, b.state.Parts)
}

// attemptsAtEnd take two minutes where each fails at once: a batch that somebody cancels ends, also on a disk that is full.
const attemptsAtEnd = 10

// options are those of the batch's own steps. All attempts have no limit: a disk that is full on Friday has room on Monday.
func (b *batchRun) options(ctx workflow.Context, attempt time.Duration, summary string) workflow.Context {
	step := run.Step{Summary: summary, Attempt: attempt, Priority: b.priority(ctx)}
	if b.cancelled {
		step.Attempts = attemptsAtEnd
	}
	return run.Options(ctx, step)
}

// id is the workflow id of the whole batch.
func (b *batchRun) id(ctx workflow.Context) string {
	info := workflow.GetInfo(ctx)
	if b.input.Shard != nil && info.ParentWorkflowExecution != nil {
		return info.ParentWorkflowExecution.ID
	}
	return info.WorkflowExecution.ID
}

// priority lets small batches and single files go before large ones. Among equals the server takes turns, where it can.
func (b *batchRun) priority(ctx workflow.Context) temporal.Priority {
	const small, smallFirst, largeLater = 200, 3, 4
	p := temporal.Priority{PriorityKey: smallFirst, FairnessKey: run.Cut(b.id(ctx), 60)}
	if b.input.Shard != nil || b.state.Plan != nil && b.state.Plan.Items > small {
		p.PriorityKey = largeLater
	}
	return p
}
