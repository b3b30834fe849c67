package batch

import (
	"encoding/json"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// signals are the names of those that steer it.
func (b *batchRun) signals() []string {
	if b.input.Shard != nil {
		return []string{signalShardControl}
	}
	return []string{SignalPause, SignalResume, SignalSetConcurrency, SignalRetryFailed, signalShardReport}
}

// listen takes signals, answers and queries from now on.
func (b *batchRun) listen(ctx workflow.Context) error {
	for _, name := range b.signals() {
		run.OnSignal(ctx, name, func(ctx workflow.Context, raw json.RawMessage) { b.onSignal(ctx, name, raw) })
	}
	if err := b.Listen(ctx); err != nil {
		return err
	}
	progress := func() (Progress, error) { return b.progress(workflow.Now(ctx)), nil }
	return run.AnswerQueries(ctx,
		run.Query{Name: QueryProgress, Handler: progress},
		run.Query{Name: run.QueryStatus, Handler: progress},
		run.Query{Name: QueryFailures, Handler: func() ([]FailedItem, error) { return append([]FailedItem{}, b.state.Tally.Recent...), nil }},
	)
}

// drain handles what has arrived and was not handled yet.
func (b *batchRun) drain(ctx workflow.Context) error {
	if err := b.Drain(ctx); err != nil {
		return err
	}
	for _, name := range b.signals() {
		run.DrainSignal(ctx, name, func(ctx workflow.Context, raw json.RawMessage) { b.onSignal(ctx, name, raw) })
	}
	return nil
}

func (b *batchRun) onSignal(ctx workflow.Context, signal string, raw json.RawMessage) {
	switch signal {
	case signalShardReport:
		if report, ok := run.Payload[shardReport](ctx, signal, raw); ok {
			b.onShardReport(ctx, report)
		}
	case signalShardControl:
		if control, ok := run.Payload[shardControl](ctx, signal, raw); ok {
			b.apply(control)
		}
	default:
		if steering, ok := run.Payload[Steering](ctx, signal, raw); ok {
			b.steer(ctx, signal, steering)
		}
	}
}

// steer does what somebody asks for.
func (b *batchRun) steer(ctx workflow.Context, signal string, s Steering) {
	switch signal {
	case SignalPause:
		if b.state.Paused == "" {
			b.state.Paused = PausedBy(s)
		}
	case SignalResume:
		b.state.Paused = ""
		if b.troubled() { // whoever resumes it has fixed that
			b.state.Ledger.Recall(questions.SlotTrouble)
			b.state.Fixed++
		}
	case SignalSetConcurrency:
		if s.Concurrency < 1 || s.Concurrency > MaxConcurrency {
			workflow.GetLogger(ctx).Warn("a concurrency is out of bounds", "concurrency", s.Concurrency)
			return
		}
		b.state.Pace.bound(s.Concurrency)
	case SignalRetryFailed:
		b.requestRetry(s)
	}
}

// decision is what people have answered to the question about trouble; empty while there is no answer.
func (b *batchRun) decision() string { return b.state.Ledger.Decision(questions.SlotTrouble) }

// decide does what people have answered.
func (b *batchRun) decide(ctx workflow.Context) {
	choice := b.decision()
	if choice == "" {
		return
	}
	if choice == questions.TroubleGiveUp {
		b.stop("given up: " + b.state.Ledger.Find(questions.SlotTrouble).Text)
		b.state.GivenUp = true
	} else {
		b.state.Fixed++
	}
	b.state.Ledger.Deliver(questions.SlotTrouble, workflow.Now(ctx))
}

func (b *batchRun) progress(now time.Time) Progress {
	t := b.state.Tally
	p := Progress{
		Name: b.input.Name, State: b.current(), Reason: b.reason(), Source: b.input.Spec.Source, Output: b.input.Spec.Output, To: b.input.Spec.To,
		Completed: t.Completed, Failed: t.Failed, Cancelled: t.Cancelled, Warnings: t.Warnings, BytesIn: t.BytesIn, BytesOut: t.BytesOut,
		Window: b.state.Pace.window(), Concurrency: b.state.Pace.Limit, Throttled: b.state.Pace.Rejected,
		StartedAt: b.state.StartedAt, Rate: b.state.Series.rate(now), Throughput: b.state.Series.samples(),
		Failures: append([]FailureGroup{}, t.Groups...), Runs: b.state.Runs, Report: b.summary.Report,
	}
	if plan := b.state.Plan; plan != nil {
		p.Total = plan.Items + plan.Current + plan.Skipped + plan.Faulty + plan.Kept
		p.Current, p.Skipped, p.Kept, p.TotalBytes = plan.Current, plan.Skipped, plan.Kept, plan.Bytes
		p.Failed += plan.Faulty
		if left := plan.Items - t.Completed - t.Failed - t.Cancelled; p.Rate > 0 && left > 0 {
			p.LeftFor = timeFor(left, p.Rate)
		}
	}
	for _, f := range b.files {
		if p.InFlight == nil {
			p.InFlight = map[string]int{}
		}
		p.InFlight[f.pipeline.Step]++
		if len(p.Slowest) < slowestShown {
			p.Slowest = append(p.Slowest, ItemNow{Name: f.item.Item.Source, Step: f.pipeline.Step, JobID: f.item.JobID, Since: f.item.StartedAt})
		}
	}
	if len(b.reviews) > 0 {
		if p.InFlight == nil {
			p.InFlight = map[string]int{}
		}
		p.InFlight[activities.StepReview] += len(b.reviews)
	}
	for _, s := range b.shards {
		p.Shards = append(p.Shards, ShardNow{WorkflowID: s.id, Items: s.items})
	}
	if b.state.Split {
		p.Rate, p.Window, p.LeftFor = 0, 0, 0 // the shards' own
	}
	return p
}

// standing is what must be published at once when it changes. Counts are published at the end alone; QueryProgress has
// them at any time.
func (b *batchRun) standing() string { return b.current() + b.reason() + b.asking() }

// unpublished reports whether lists do not know yet where the batch stands. Shards are in no lists.
func (b *batchRun) unpublished() bool {
	return b.input.Shard == nil && b.published.Changed(b.standing())
}

// publish tells lists where the batch stands, when that has changed.
func (b *batchRun) publish(ctx workflow.Context) {
	if b.input.Shard != nil {
		return
	}
	b.published.Publish(ctx, b.standing(), func() run.Position {
		memo, slots := b.state.Ledger.Summary(questions.Memo{Name: run.Cut(b.input.Name, 200)})
		details := "**" + b.input.Name + "**: " + b.current()
		if reason := b.reason(); reason != "" {
			details += "\n\n" + reason
		}
		return run.Position{
			State: b.listed(), Lane: run.LaneBatch, Slots: slots[:min(len(slots), shownReviews)], Details: details,
			Memo: map[string]any{questions.MemoKey: memo, MemoKey: b.memo()},
		}
	})
}

// Memo is what a batch's memo MemoKey holds, for lists. Its open questions are in questions.MemoKey.
type Memo struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Output string `json:"output"`
	To     string `json:"to,omitempty"`
	Files  int    `json:"files"`
	Failed int    `json:"failed"` // as it was published last; exact at the end
}

// MemoKey is the memo key of Memo.
const MemoKey = "batch"

func (b *batchRun) memo() Memo {
	m := Memo{Name: run.Cut(b.input.Name, 200), Source: b.input.Spec.Source, Output: b.input.Spec.Output, To: b.input.Spec.To}
	if plan := b.state.Plan; plan != nil {
		m.Files = plan.Items + plan.Current + plan.Skipped + plan.Faulty + plan.Kept
		m.Failed = b.state.Tally.Failed + plan.Faulty
	}
	if b.summary.Files > 0 { // the tally of a shard that was cancelled may be missing
		m.Failed = b.summary.Failed
	}
	return m
}
