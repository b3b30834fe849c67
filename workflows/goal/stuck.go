package goal

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

const (
	stuckAfterDefault = 15 * time.Minute
	// stuckLooks is how many looks find out that a job does not move. From one to the next counts twice the time that was
	// planned at most: a machine that slept has seen nothing.
	stuckLooks = 3
)

// sight is a job as it was seen last.
type sight struct {
	job   activities.GoalSnapshot
	still time.Duration // for how long it has not moved; 0 where it has, or waits for its caller
}

// stuckQuestion has more options between waiting and cancelling.
func stuckQuestion(s sight, spends bool, more ...activities.Option) questions.Question {
	text := fmt.Sprintf("The job has not moved for %s: it is %s at %d %%", s.still.Round(time.Second), s.job.Status, s.job.Percent)
	if !s.job.UpdatedAt.IsZero() {
		text += s.job.UpdatedAt.UTC().Format(", and was last updated on 2006-01-02 at 15:04:05 UTC")
	}
	text += ". It may be slow, or may never end."
	if spends {
		text += " One that never ends keeps the credits that are reserved for it; whether those of a cancelled one come back is not known."
	}
	q := questions.Question{Slot: slot.Slot{
		SlotID: SlotStuck, Type: slot.Choice, Required: true, Text: text,
		Options: slices.Concat(
			[]activities.Option{{Value: StuckWait, Label: "Wait: ask again when it has not moved for as long again"}},
			more,
			[]activities.Option{{Value: StuckCancel, Label: "Cancel the job"}},
		),
	}}
	q.Key = q.KeyFor("")
	return q
}

// patience is how long a job may stay as it is before people are asked.
func (r *goalRun) patience() time.Duration {
	return cmp.Or(time.Duration(r.input.Policy.StuckAfter), stuckAfterDefault)
}

// awaitNews waits until the job ends, waits for its caller, or has not moved for too long.
func (r *goalRun) awaitNews(ctx workflow.Context, watching workflow.Future) (sight, error) {
	patience := r.patience()
	every := patience / stuckLooks
	seen := sight{job: r.state.Job}
	for seen.still < patience && !r.long(ctx) {
		begun := workflow.Now(ctx)
		ended, err := workflow.AwaitWithTimeout(ctx, every, watching.IsReady)
		if err != nil {
			return seen, err
		}
		if ended {
			return watched(ctx, watching)
		}

		look := r.lookNow(ctx)
		if err := workflow.Await(ctx, func() bool { return watching.IsReady() || look.IsReady() }); err != nil {
			return seen, err
		}
		if watching.IsReady() {
			return watched(ctx, watching)
		}
		now := sight{}
		if err := look.Get(ctx, &now.job); err != nil {
			return seen, err
		}
		if !working(now.job.Status) {
			return now, nil // the watch has not noticed yet
		}
		if now.job.Movement() == seen.job.Movement() {
			now.still = seen.still + min(workflow.Now(ctx).Sub(begun), 2*every)
		}
		seen, r.state.Job.Percent = now, now.job.Percent
	}
	if seen.still < patience {
		seen.still = 0 // the history is long; the watch goes on in the next one
	}
	return seen, nil
}

func watched(ctx workflow.Context, watching workflow.Future) (seen sight, err error) {
	err = watching.Get(ctx, &seen.job)
	return seen, err
}

func (r *goalRun) lookNow(ctx workflow.Context) workflow.Future {
	ctx = r.options(ctx, 2*time.Minute, "Look whether job "+r.state.Job.JobSpecID+" moves") // one request
	return workflow.ExecuteActivity(ctx, steps.RetrieveGoal, activities.GoalInput{JobSpecID: r.state.Job.JobSpecID})
}

// working reports whether the service works on a job in this state, as far as it says.
func working(status string) bool {
	switch status {
	case jobSlotsPending, jobReady, jobReadyWithPreview, jobCompleted, jobPartial, jobFailed, jobCancelled:
		return false
	}
	return true
}

// confirmAgain is on offer for a job that was confirmed, and waits for that all the same. Nobody but a person may know that the
// first one was not heard, or not taken.
func (r *goalRun) confirmAgain(ctx workflow.Context) []activities.Option {
	waits := r.state.Job.Status == jobReady || r.state.Job.Status == jobReadyWithPreview
	if !waits || workflow.GetVersion(ctx, "confirm-again", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return nil
	}
	label := "Confirm it again"
	if r.spends() {
		label += ": it spends credits, and could do so twice if the first one was heard after all"
	}
	return []activities.Option{{Value: StuckConfirm, Label: label}}
}

// decideStuck waits until somebody decides, or the job moves after all. Nothing is started again: that would cost again.
func (r *goalRun) decideStuck(ctx workflow.Context) error {
	decision := func() string { return r.state.Ledger.Decision(SlotStuck) }
	if err := r.park(ctx, func() bool { return decision() == "" && r.state.Ledger.Find(SlotStuck) != nil }); err != nil {
		return err
	}
	choice := decision()
	if choice == "" {
		return nil // it moves
	}
	r.state.Ledger.Deliver(SlotStuck, workflow.Now(ctx))
	switch choice {
	case StuckWait:
		return nil
	case StuckConfirm:
		return r.submit(ctx)
	}
	if err := r.cancelJob(ctx); err != nil {
		return err
	}
	if working(r.state.Job.Status) {
		r.cancelUnshown()
	}
	return nil
}
