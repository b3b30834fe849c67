package goal

import (
	"fmt"
	"reflect"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
)

// act does one thing to the job and sees what it is then.
func (r *goalRun) act(ctx workflow.Context, step, summary string, activity, input any) error {
	var job activities.GoalSnapshot
	err := r.try(ctx, step, func(ctx workflow.Context) error {
		// A few requests, each with a timeout of its own.
		ctx = r.options(ctx, 2*time.Minute, summary)
		return workflow.ExecuteActivity(ctx, activity, input).Get(ctx, &job)
	})
	if err != nil {
		return err
	}
	if alike(r.state.Job, job) && waitsUntilShown(ctx) {
		r.state.Unshown, r.state.Confirmed = job.Status, false
	}
	r.see(ctx, job)
	return nil
}

// submit confirms the job, once.
func (r *goalRun) submit(ctx workflow.Context) error {
	return r.act(ctx, activities.StepConfirm, "Confirm job "+r.state.Job.JobSpecID, steps.ConfirmGoal, activities.GoalInput{JobSpecID: r.state.Job.JobSpecID})
}

// cancelJob cancels the job. Where it does not show that soon, the run ends all the same.
func (r *goalRun) cancelJob(ctx workflow.Context) error {
	err := r.act(ctx, activities.StepCancel, "Cancel job "+r.state.Job.JobSpecID, steps.CancelGoal, activities.GoalInput{JobSpecID: r.state.Job.JobSpecID})
	if err != nil || ended(r.state.Job.Status) || !waitsUntilShown(ctx) {
		return err
	}
	if err := r.lookAgain(ctx, shownSoon, func() bool { return ended(r.state.Job.Status) }); err != nil || ended(r.state.Job.Status) {
		return err
	}
	r.cancelUnshown()
	return nil
}

func (r *goalRun) cancelUnshown() {
	r.result.Status = ResultCancelled
	r.result.Message = fmt.Sprintf("the service was told to cancel the job, and shows it as %s all the same", r.state.Job.Status)
}

const (
	shownFirst = time.Second     // the first look at a job that does not show yet what was done to it; then rarer and rarer
	shownSoon  = 2 * time.Minute // for how long a cancellation or a retry is given time to show
)

// waitsUntilShown reports whether a job that does not show what was done to it is looked at again. Before, it was done again.
func waitsUntilShown(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, "wait-until-shown", workflow.DefaultVersion, 1) != workflow.DefaultVersion
}

// alike reports whether a job waits for the same as before. A job that is ready again, after other answers or in another
// attempt, does not; nor does one that has failed again.
func alike(before, now activities.GoalSnapshot) bool {
	return now.Status == before.Status && now.AttemptID == before.AttemptID && len(now.Slots) == len(before.Slots) &&
		reflect.DeepEqual(now.Filled, before.Filled) &&
		(now.Status != jobFailed || now.Version == before.Version && now.UpdatedAt.Equal(before.UpdatedAt))
}

func ended(status string) bool {
	switch status {
	case jobCompleted, jobPartial, jobFailed, jobCancelled:
		return true
	}
	return false
}

// awaitShown waits until the job shows what was done to it. It is not done again: that could be charged again. People are
// asked about a job that does not show it for as long as makes one stuck.
func (r *goalRun) awaitShown(ctx workflow.Context) error {
	if r.state.Ledger.Find(SlotStuck) != nil {
		return r.decideStuck(ctx)
	}
	patience := r.patience()
	if r.state.Unshown == jobFailed {
		patience = shownSoon
	}
	enough := func() bool { return r.state.Unshown == "" || r.long(ctx) }
	if err := r.lookAgain(ctx, patience, enough); err != nil || enough() {
		return err
	}
	if r.state.Unshown == jobFailed {
		r.state.Unshown = "" // a retry is free, and is not done while another attempt is known
		return nil
	}
	r.ask(ctx, stuckQuestion(sight{r.state.Job, patience}, r.spends(), r.confirmAgain(ctx)...))
	return r.decideStuck(ctx)
}

// lookAgain looks at the job, rarer and rarer, until it was enough or patience is over.
func (r *goalRun) lookAgain(ctx workflow.Context, patience time.Duration, enough func() bool) error {
	r.publish(ctx)
	rarest := max(lookEvery, patience/stuckLooks)
	for pause := shownFirst; patience > 0 && !enough(); pause = min(2*pause, rarest) {
		pause = min(pause, patience)
		if err := workflow.Sleep(ctx, pause); err != nil {
			return err
		}
		patience -= pause
		var job activities.GoalSnapshot
		err := r.try(ctx, activities.StepWatch, func(ctx workflow.Context) error { return r.lookNow(ctx).Get(ctx, &job) })
		if err != nil {
			return err
		}
		r.see(ctx, job)
	}
	return nil
}
