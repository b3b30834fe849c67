package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// slowestShown is how many of the files under way are told by name.
const slowestShown = 5

func (b *batch) progress(now time.Time) BatchProgress {
	t := b.state.Tally
	p := BatchProgress{
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
			p.LeftFor = Duration(time.Duration(float64(left) / p.Rate * float64(time.Second)).Round(time.Second))
		}
	}
	for _, f := range b.flights {
		if p.InFlight == nil {
			p.InFlight = map[string]int{}
		}
		p.InFlight[f.status.Step]++
		if len(p.Slowest) < slowestShown {
			p.Slowest = append(p.Slowest, ItemNow{Name: f.item.Source, Step: f.status.Step, JobID: f.status.JobID, Since: f.startedAt})
		}
	}
	return p
}

// is the state of the batch in one word.
func (b *batch) is() string {
	switch {
	case b.stage != "":
		return b.stage
	case b.troubled():
		return StateWaiting
	case b.state.Paused != "":
		return StatePaused
	}
	return StateRunning
}

func (b *batch) reason() string {
	switch {
	case b.troubled():
		return b.state.Ledger.question(QuestionTrouble).Text
	case b.state.Stopped != "":
		return b.state.Stopped
	}
	return b.state.Paused
}

// unshown says that the lists do not know yet how the batch stands.
func (b *batch) unshown() bool { return b.is()+b.reason() != b.shown }

// show tells the lists where the batch stands, where that has changed. It leaves one event or two each time, so
// counts are told at the end alone; QueryProgress has them at any time.
func (b *batch) show(ctx workflow.Context) {
	if !b.unshown() {
		return
	}
	b.shown = b.is() + b.reason()
	memo := GoalMemo{Name: cutText(b.input.Name, 200)}
	slots := KeyPendingSlots.ValueUnset()
	for _, question := range b.state.Ledger.questions() {
		if !question.Answered {
			memo.add(question)
			slots = KeyPendingSlots.ValueSet([]string{question.SlotID})
		}
	}
	err := workflow.UpsertTypedSearchAttributes(ctx, KeyState.ValueSet(b.is()), KeyLane.ValueSet(LaneBatch), slots)
	if err == nil {
		err = workflow.UpsertMemo(ctx, map[string]any{MemoGoal: memo, MemoBatch: b.memo()})
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

func (b *batch) memo() BatchMemo {
	m := BatchMemo{Name: cutText(b.input.Name, 200), Source: b.input.Spec.Source, Output: b.input.Spec.Output, To: b.input.Spec.To}
	if plan := b.state.Plan; plan != nil {
		m.Files = plan.Items + plan.Current + plan.Skipped + plan.Faulty + plan.Kept
		m.Failed = b.state.Tally.Failed + plan.Faulty
	}
	return m
}
