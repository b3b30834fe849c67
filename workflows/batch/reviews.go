package batch

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

const (
	// maxReviews begins no file while so many outputs wait for somebody's word: all of them travel along when the batch continues
	// as new.
	maxReviews = 100
	// maxHeldFiles does the same for the files that these outputs consist of: a document may have a picture for each page.
	maxHeldFiles = 1000
	// shownReviews is how many open questions lists know of.
	shownReviews = 10

	// ReviewReason is why a batch waits that can do nothing more before somebody decides about outputs.
	ReviewReason = "outputs that lack something of their sources wait for an answer"
)

// lossSlot is the slot of a file's question.
func lossSlot(index int) string { return fmt.Sprintf("%s.%d", questions.SlotLoss, index) }

func (f *file) slot() string { return lossSlot(f.item.Item.Index) }

// review takes a file out of those under way until somebody has decided about its output, and then it waits. It fails where
// nobody can any more.
func (b *batchRun) review(ctx workflow.Context, f *file) (waits bool, err error) {
	f.pipeline.Step = activities.StepReview
	if workflow.GetVersion(ctx, "ask-about-losses", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return false, f.pipeline.Settle(ctx, questions.LossVerdict{Choice: questions.LossKeep})
	}
	if b.ending || b.state.GivenUp {
		return false, errStopped
	}
	b.files = slices.DeleteFunc(b.files, func(other *file) bool { return other == f })
	b.reviews = append(b.reviews, f)
	if b.state.Verdict != nil {
		return true, nil // settled with the next ones
	}
	b.state.Ledger.AskLoss(f.pipeline.Question(f.slot(),
		activities.Option{Value: questions.LossKeepAll, Label: "Keep it, and all others of this batch that lack something"},
		activities.Option{Value: questions.LossRefuseAll, Label: "Refuse it, and all others of this batch that lack something"},
	), b.input.Policy, workflow.Now(ctx))
	b.watchDeadlines(ctx)
	return true, nil
}

// watchDeadlines answers by the policy what nobody has answered in time. The questions have their deadlines in the order in which
// they were asked, so that one timer at a time is enough.
func (b *batchRun) watchDeadlines(ctx workflow.Context) {
	if b.dueAt || b.input.Policy.Deadline <= 0 {
		return
	}
	b.dueAt = true
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { b.dueAt = false }()
		for {
			at := slices.IndexFunc(b.state.Ledger.Open, func(q questions.OpenQuestion) bool { return !q.Answered && q.Deadline != nil })
			if at < 0 {
				return
			}
			left := b.state.Ledger.Open[at].Deadline.Sub(workflow.Now(ctx))
			if left > 0 && workflow.Sleep(ctx, left) != nil {
				return
			}
			b.state.Ledger.AnswerOverdue(b.input.Policy, workflow.Now(ctx))
		}
	})
}

// verdict is what has been decided about a file's output; false while nothing has. An answer about the file itself goes before
// one for all.
func (b *batchRun) verdict(f *file) (questions.LossVerdict, bool) {
	if own, decided := b.state.Ledger.LossVerdict(f.slot()); decided {
		return own, true
	}
	if b.state.Verdict != nil {
		return *b.state.Verdict, true
	}
	return questions.LossVerdict{}, false
}

// roomForReview reports whether one more file may come to wait for somebody's word.
func (b *batchRun) roomForReview() bool {
	held := 0
	for _, f := range b.reviews {
		held += len(f.pipeline.Held.Files)
	}
	return len(b.reviews)+len(b.files) < maxReviews && held < maxHeldFiles
}

// decidedReview reports whether settleReviews has something to do.
func (b *batchRun) decidedReview() bool {
	if len(b.reviews) == 0 || b.leaving {
		return false
	}
	return b.state.GivenUp || slices.ContainsFunc(b.reviews, func(f *file) bool {
		_, decided := b.verdict(f)
		return decided
	})
}

// settleReviews does what people have decided.
func (b *batchRun) settleReviews(ctx workflow.Context) {
	if b.leaving {
		return
	}
	if b.state.GivenUp {
		b.dropReviews(ctx)
		return
	}
	if verdict, decided := b.state.Ledger.LossVerdictForAll(); decided && b.state.Verdict == nil {
		b.state.Verdict = &verdict
	}
	for _, f := range slices.Clone(b.reviews) {
		if verdict, decided := b.verdict(f); decided {
			if b.state.Ledger.Decision(f.slot()) != "" {
				b.state.Ledger.Deliver(f.slot(), workflow.Now(ctx))
			}
			b.settle(ctx, f, func(ctx workflow.Context) error { return f.pipeline.Settle(ctx, verdict) })
		}
	}
}

// settle ends a file that waited.
func (b *batchRun) settle(ctx workflow.Context, f *file, do func(workflow.Context) error) {
	slot := f.slot()
	b.state.Ledger.Recall(slot) // where something else has settled it
	b.state.Ledger.Forget(slot)
	b.reviews = slices.DeleteFunc(b.reviews, func(other *file) bool { return other == f })
	b.files = append(b.files, f)
	workflow.Go(ctx, func(ctx workflow.Context) { b.finish(ctx, f, do(ctx)) })
}

// dropReviews ends all that wait without a word.
func (b *batchRun) dropReviews(ctx workflow.Context) {
	b.ending = true
	for _, f := range slices.Clone(b.reviews) {
		b.settle(ctx, f, func(workflow.Context) error { return errStopped })
	}
}

// carryReviews keeps what waits for the next run.
func (b *batchRun) carryReviews() {
	for _, f := range b.reviews {
		b.state.Reviews = append(b.state.Reviews, review{item: f.item, Held: *f.pipeline.Held, Warnings: f.pipeline.Warnings, Check: f.pipeline.Check})
	}
}

// resumeReviews goes on with what the run before has kept.
func (b *batchRun) resumeReviews(ctx workflow.Context) {
	for _, carried := range b.state.Reviews {
		f := b.newFile(ctx, carried.item)
		f.pipeline.Step, f.pipeline.Held = activities.StepReview, &carried.Held
		f.pipeline.Warnings, f.pipeline.Check = carried.Warnings, carried.Check
		b.reviews = append(b.reviews, f)
	}
	if len(b.state.Reviews) > 0 {
		b.watchDeadlines(ctx)
	}
	b.state.Reviews = nil
}

// onlyReviews reports whether nothing goes on before somebody answers.
func (b *batchRun) onlyReviews() bool {
	if len(b.reviews) == 0 || len(b.files) > 0 || b.reading {
		return false
	}
	return !b.roomForReview() || b.state.Stopped != "" || len(b.state.Queue)+len(b.state.Page) == 0
}

// asking is the questions about losses that lists show.
func (b *batchRun) asking() string {
	var shown []string
	for i := range b.state.Ledger.Open {
		q := &b.state.Ledger.Open[i]
		if questions.IsLoss(q.SlotID) && !q.Answered && len(shown) < shownReviews {
			shown = append(shown, q.SlotID)
		}
	}
	return strings.Join(shown, " ")
}

// listed is the state that lists show: something waits for people, also while the rest goes on or is paused, since deadlines
// pass all the same.
func (b *batchRun) listed() string {
	if b.stage == "" && b.asking() != "" {
		return run.StateWaiting
	}
	return b.current()
}
