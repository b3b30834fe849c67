package batch

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// slowestShown is how many of the files under way are told by name.
const slowestShown = 5

func (b *batch) progress(now time.Time) Progress {
	t := b.state.Tally
	p := Progress{
		Name: b.input.Name, State: b.is(), Reason: b.reason(), Source: b.input.Spec.Source, Output: b.input.Spec.Output, To: b.input.Spec.To,
		Completed: t.Completed, Failed: t.Failed, Cancelled: t.Cancelled, Warnings: t.Warnings, BytesIn: t.BytesIn, BytesOut: t.BytesOut,
		Window: b.state.Pace.window(), Concurrency: b.state.Pace.Limit, Throttled: b.state.Pace.Refused,
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
	for _, f := range b.flights {
		if p.InFlight == nil {
			p.InFlight = map[string]int{}
		}
		p.InFlight[f.Status.Step]++
		if len(p.Slowest) < slowestShown {
			p.Slowest = append(p.Slowest, ItemNow{Name: f.item.Source, Step: f.Status.Step, JobID: f.Status.JobID, Since: f.startedAt})
		}
	}
	for _, s := range b.shards {
		p.Shards = append(p.Shards, ShardNow{WorkflowID: s.id, Items: s.items})
	}
	if b.state.Split {
		p.Rate, p.Window, p.LeftFor = 0, 0, 0 // the shards' own
	}
	return p
}

func timeFor(files int, rate float64) run.Duration {
	return run.Duration(time.Duration(float64(files) / rate * float64(time.Second)).Round(time.Second))
}

// Sum adds what the shards of a split batch answer themselves.
func (p Progress) Sum(shards []Progress) Progress {
	tally := batchTally{Groups: slices.Clone(p.Failures)}
	samples := [][]Sample{p.Throughput}
	for _, s := range shards {
		p.Completed += s.Completed
		p.Failed += s.Failed
		p.Cancelled += s.Cancelled
		p.Warnings += s.Warnings
		p.BytesIn += s.BytesIn
		p.BytesOut += s.BytesOut
		p.Window += s.Window
		p.Throttled += s.Throttled
		p.Rate += s.Rate
		p.Runs += s.Runs
		p.Slowest = append(p.Slowest, s.Slowest...)
		samples = append(samples, s.Throughput)
		tally.add(batchTally{Groups: s.Failures})
		for step, n := range s.InFlight {
			if p.InFlight == nil {
				p.InFlight = map[string]int{}
			}
			p.InFlight[step] += n
		}
	}
	series := joined(samples...)
	p.Throughput, p.Failures = series.samples(), tally.Groups
	slices.SortStableFunc(p.Slowest, func(a, b ItemNow) int { return a.Since.Compare(b.Since) })
	p.Slowest = p.Slowest[:min(len(p.Slowest), slowestShown)]
	left := p.Total - p.Completed - p.Failed - p.Cancelled - p.Current - p.Skipped - p.Kept
	if p.Rate > 0 && left > 0 {
		p.LeftFor = timeFor(left, p.Rate)
	}
	return p
}

// JoinFailures joins the failures of a split batch and its shards, the latest first.
func JoinFailures(lists ...[]FailedItem) []FailedItem {
	var all []FailedItem
	for _, list := range lists {
		all = latest(all, list)
	}
	return all
}

// is the state of the batch in one word.
func (b *batch) is() string {
	switch {
	case b.stage != "":
		return b.stage
	case b.troubled():
		return run.StateWaiting
	case b.state.Paused != "":
		return run.StatePaused
	}
	return run.StateRunning
}

func (b *batch) reason() string {
	switch {
	case b.troubled():
		return b.state.Ledger.Find(questions.SlotTrouble).Text
	case b.state.Stopped != "":
		return b.state.Stopped
	}
	return b.state.Paused
}

// unshown says that the lists do not know yet how the batch stands.
func (b *batch) unshown() bool { return b.input.Shard == nil && b.is()+b.reason() != b.shown }

// show tells the lists where the batch stands, where that has changed. It leaves one event or two each time, so
// counts are told at the end alone; QueryProgress has them at any time.
func (b *batch) show(ctx workflow.Context) {
	if !b.unshown() {
		return
	}
	b.shown = b.is() + b.reason()
	memo := questions.Memo{Name: run.Cut(b.input.Name, 200)}
	slots := run.KeyPendingSlots.ValueUnset()
	for _, question := range b.state.Ledger.Questions() {
		if !question.Answered {
			memo.Add(question)
			slots = run.KeyPendingSlots.ValueSet([]string{question.SlotID})
		}
	}
	err := workflow.UpsertTypedSearchAttributes(ctx, run.KeyState.ValueSet(b.is()), run.KeyLane.ValueSet(run.LaneBatch), slots)
	if err == nil {
		err = workflow.UpsertMemo(ctx, map[string]any{questions.MemoKey: memo, MemoKey: b.memo()})
	}
	if err != nil {
		workflow.GetLogger(ctx).Error("cannot record the state", "error", err)
	}
	details := "**" + b.input.Name + "**: " + b.is()
	if reason := b.reason(); reason != "" {
		details += "\n\n" + reason
	}
	workflow.SetCurrentDetails(ctx, details)
}

func (b *batch) memo() Memo {
	m := Memo{Name: run.Cut(b.input.Name, 200), Source: b.input.Spec.Source, Output: b.input.Spec.Output, To: b.input.Spec.To}
	if plan := b.state.Plan; plan != nil {
		m.Files = plan.Items + plan.Current + plan.Skipped + plan.Faulty + plan.Kept
		m.Failed = b.state.Tally.Failed + plan.Faulty
	}
	if b.summary.Files > 0 { // a shard that was cancelled could not say
		m.Failed = b.summary.Failed
	}
	return m
}
