package cli

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
)

// played is a run that ends as told.
type played struct {
	temporalclient.WorkflowRun
	result *convert.Result
	err    error
	wait   bool // until the context ends
}

func (p played) Get(ctx context.Context, into any) error {
	if p.wait {
		<-ctx.Done()
		return ctx.Err()
	}
	if p.err == nil {
		*into.(*convert.Result) = *p.result
	}
	return p.err
}

func followed(ctx context.Context, t *testing.T, stays bool, runs ...played) (stdout, stderr string, all []result, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	e := &Env{Program: "starter", Stdout: &out, Stderr: &errs}
	var items []*watched
	for _, run := range runs {
		items = append(items, &watched{work: item{source: "a.md", workflowID: "convert-a"}, runID: "r", run: run})
	}
	all, err = e.follow(ctx, &Session{Address: "temporal:7233", Stays: stays}, items, false, nil)
	return out.String(), errs.String(), all, err
}

func TestFollowToTheEnd(t *testing.T) {
	done := played{result: &convert.Result{Outputs: []activities.Output{{Path: "/o/a.pdf", Size: 1500}}, Warnings: []string{"best_effort: \x1b[2J"}}}
	stdout, stderr, all, err := followed(t.Context(), t, true, done, done)
	require.NoError(t, err)
	assert.Len(t, all, 2)
	assert.Contains(t, stdout, "a.md → /o/a.pdf  (1.5 kB)")
	assert.NotContains(t, stderr, "\x1b", "what the service says is no order to the terminal")
}

// A Temporal that is gone says nothing of the work: that is no failed conversion.
func TestALostTemporalIsNoFailedConversion(t *testing.T) {
	_, _, all, err := followed(t.Context(), t, true, played{err: errors.New("connection refused")})
	assert.Empty(t, all)
	var failure *Failure
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, ExitAPI, failure.Code)
	assert.Contains(t, err.Error(), "lost Temporal at temporal:7233 with 1 conversion open, which goes on when it is back; the same command comes back to it: connection refused")
}

func TestLeaving(t *testing.T) {
	for stays, says := range map[bool]string{
		true:  "left; 2 conversions go on in Temporal. Come back with the same command or 'starter runs watch', end them with 'starter runs cancel'.",
		false: "paused with 2 conversions open. The same command, or 'starter up', goes on where it stopped.",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, stderr, _, err := followed(ctx, t, stays, played{wait: true}, played{wait: true})
		var failure *Failure
		require.ErrorAs(t, err, &failure)
		assert.Equal(t, ExitInterrupted, failure.Code)
		assert.Contains(t, stderr, says)
	}
}

func TestExitCodes(t *testing.T) {
	failed := func(kind string) result { return outcome{Status: workflows.StateFailed, kind: kind} }
	for want, outcomes := range map[int][][]result{
		ExitOK:        {{}, {outcome{Status: workflows.StateCompleted}}, {outcome{Status: statusSkipped}, outcome{Status: workflows.StateRunning}}},
		ExitAPI:       {{failed(activities.FailureAuth)}, {failed(activities.FailurePlan), outcome{Status: workflows.StateCompleted}}, {failed(activities.FailureUnavailable)}},
		ExitJobFailed: {{failed(activities.FailureConversion)}, {failed(activities.FailureAuth), failed(activities.FailureInput)}, {outcome{Status: workflows.StateCancelled}}},
	} {
		for _, set := range outcomes {
			assert.Equal(t, want, exitCode(set), "%+v", set)
		}
	}
}
