package testkit

import (
	"context"
	"testing"
	"time"
)

// timeoutMargin is what a test has to end in by itself, before the tests' -timeout ends all of them without their names.
const timeoutMargin = 30 * time.Second

// UntilTimeout is ctx for what may take as long as a busy machine needs: it ends a little before the tests' -timeout.
func UntilTimeout(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	end, limited := t.Deadline()
	if !limited {
		return ctx
	}
	ctx, cancel := context.WithDeadline(ctx, end.Add(-timeoutMargin))
	t.Cleanup(cancel)
	return ctx
}
