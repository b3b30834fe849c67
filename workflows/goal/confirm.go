package goal

import (
	"cmp"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// confirm submits a job that has all it needs, where the policy is to ask only when somebody says so.
func (r *goalRun) confirm(ctx workflow.Context) error {
	asks, err := r.asksToConfirm(ctx)
	if err != nil {
		return err
	}
	if !asks || r.state.Confirmed {
		return r.submit(ctx)
	}

	if r.state.Ledger.Find(SlotConfirm) == nil {
		r.ask(ctx, confirmQuestion(r.goal(), r.knownCredits(ctx)))
	}
	decision := func() string { return r.state.Ledger.Decision(SlotConfirm) }
	if err := r.park(ctx, func() bool { return decision() == "" }); err != nil || r.state.Job.Status != jobReady || decision() == "" {
		return err
	}
	choice := decision()
	r.state.Ledger.Deliver(SlotConfirm, workflow.Now(ctx))
	if choice == ConfirmNo {
		return r.cancelJob(ctx)
	}
	r.state.Confirmed = true
	return r.submit(ctx)
}

// asksToConfirm reports whether the policy is to ask, or else the worker's default.
func (r *goalRun) asksToConfirm(ctx workflow.Context) (bool, error) {
	policy := cmp.Or(r.input.Policy.Confirm, r.state.Confirm)
	if policy == questions.ConfirmAuto || workflow.GetVersion(ctx, "ask-to-confirm", workflow.DefaultVersion, 2) == workflow.DefaultVersion {
		return false, nil
	}
	if policy != "" {
		return true, nil
	}
	// A worker of before has checked the goal, and did not say.
	var out activities.CheckGoalResult
	err := r.try(ctx, activities.StepCheck, func(ctx workflow.Context) error {
		ctx = r.options(ctx, 2*time.Minute, "Ask how goals are confirmed") // no request
		return workflow.ExecuteActivity(ctx, steps.CheckGoal, activities.CheckGoalInput{}).Get(ctx, &out)
	})
	r.state.Confirm = cmp.Or(out.Confirm, questions.ConfirmAsk)
	return r.state.Confirm != questions.ConfirmAuto, err
}

// knownCredits is what the account has, where the service says it soon.
func (r *goalRun) knownCredits(ctx workflow.Context) *activities.Credits {
	if workflow.GetVersion(ctx, "ask-to-confirm", workflow.DefaultVersion, 2) < 2 {
		return nil
	}
	var known activities.Credits
	step := run.Step{Summary: "Look what credits there are", Attempt: 30 * time.Second, Total: time.Minute, Attempts: 2} // one request
	if err := workflow.ExecuteActivity(run.Options(ctx, step), steps.KnownCredits).Get(ctx, &known); err != nil || known == (activities.Credits{}) {
		return nil
	}
	return &known
}

// decidePreview never confirms by itself what somebody has to see first.
func (r *goalRun) decidePreview(ctx workflow.Context) error {
	decision := func() string { return r.state.Ledger.Decision(SlotPreview) }
	if err := r.park(ctx, func() bool { return decision() == "" }); err != nil || r.state.Job.Status != jobReadyWithPreview {
		return err
	}
	choice := decision()
	if choice == "" && waitsUntilShown(ctx) {
		return nil // a look has changed what is asked
	}
	r.state.Ledger.Deliver(SlotPreview, workflow.Now(ctx))
	if choice == PreviewReject {
		return r.cancelJob(ctx)
	}
	return r.submit(ctx) // who has seen the preview has confirmed
}
