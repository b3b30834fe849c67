package activities

import (
	"context"

	"go.temporal.io/sdk/activity"
)

// KnownCredits is what is known of the account before a job is confirmed: what is there, where the service says it. No price
// is known before a run. What cannot be read is left out: nobody waits for it.
func (a *Activities) KnownCredits(ctx context.Context) (Credits, error) {
	work, attempt := startAttempt(ctx, StepConfirm)
	defer attempt.end()
	if a.account == nil {
		return Credits{}, nil
	}
	balance, err := a.account.Balance(work)
	if err != nil {
		activity.GetLogger(ctx).Info("the balance is not known", "code", classify(err).code)
		return Credits{}, nil // then it is not shown
	}
	return Credits{Have: &balance.Credits}, nil
}
