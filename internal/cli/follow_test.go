package cli

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
)

// followed follows n conversions.
func followed(ctx context.Context, t *testing.T, temporal temporalclient.Client, n int) (stdout, stderr string, all []result, err error) {
	t.Helper()
	return followedOn(ctx, t, temporal, n, true)
}

func followedOn(ctx context.Context, t *testing.T, temporal temporalclient.Client, n int, stays bool) (stdout, stderr string, all []result, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	e := &Env{Program: "starter", Stdout: &out, Stderr: &errs}
	var items []*watched
	for range n {
		items = append(items, &watched{work: item{source: "a.md", workflowID: "convert-a"}, runID: "r"})
	}
	all, err = e.follow(ctx, &Session{Temporal: temporal, Address: "temporal:7233", Stays: stays}, items, false, nil)
	return out.String(), errs.String(), all, err
}

// lostTemporal is one that goes away while runs are followed.
type lostTemporal struct{ temporalclient.Client }

func (lostTemporal) GetWorkflow(context.Context, string, string) temporalclient.WorkflowRun {
	return lostRun{}
}

type lostRun struct{ temporalclient.WorkflowRun }

func (lostRun) Get(context.Context, any) error { return errDown }

func conversionOn(r *runstest.Run) *runstest.Temporal {
	r.Kind, r.ID = runs.Conversion, "convert-a"
	f := runstest.New()
	f.Add(r)
	return f
}

func TestFollowToTheEnd(t *testing.T) {
	done := new(runstest.Run).End(convert.Result{Outputs: []activities.Output{{Path: "/o/a.pdf", Size: 1500}}, Warnings: []string{"best_effort: \x1b[2J"}})
	stdout, stderr, all, err := followed(t.Context(), t, conversionOn(done), 2)
	require.NoError(t, err)
	assert.Len(t, all, 2)
	assert.Contains(t, stdout, "a.md → /o/a.pdf  (1.5 kB)")
	assert.NotContains(t, stderr, "\x1b", "what the service says is no order to the terminal")
}

// A Temporal that is gone says nothing of the work: that is no failed conversion.
func TestALostTemporalIsNoFailedConversion(t *testing.T) {
	_, _, all, err := followed(t.Context(), t, lostTemporal{}, 1)
	assert.Empty(t, all)
	var failure *Failure
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, ExitAPI, failure.Code)
	assert.Contains(t, err.Error(), "lost Temporal at temporal:7233 with 1 conversion open, which continues when Temporal is back; run the same command to attach to it: connection refused")
}

func TestLeaving(t *testing.T) {
	for stays, says := range map[bool]string{
		true:  "left; 2 conversions go on in Temporal. Come back with the same command or 'starter runs watch', end them with 'starter runs cancel'.",
		false: "paused with 2 conversions open. The same command, or 'starter up', goes on where it stopped.",
	} {
		t.Run(fmt.Sprintf("stays %v", stays), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, stderr, _, err := followedOn(ctx, t, conversionOn(&runstest.Run{}), 2, stays)
			var failure *Failure
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, ExitInterrupted, failure.Code)
			assert.Contains(t, stderr, says)
		})
	}
}

func TestExitCodes(t *testing.T) {
	failed := func(kind string) result { return outcome{Status: workflows.StateFailed, kind: kind} }
	for want, outcomes := range map[int][][]result{
		ExitOK:        {{}, {outcome{Status: workflows.StateCompleted}}, {outcome{Status: statusSkipped}, outcome{Status: workflows.StateRunning}}},
		ExitAPI:       {{failed(activities.FailureAuth)}, {failed(activities.FailurePlan), outcome{Status: workflows.StateCompleted}}, {failed(activities.FailureUnavailable)}},
		ExitJobFailed: {{failed(activities.FailureConversion)}, {failed(activities.FailureAuth), failed(activities.FailureInput)}, {outcome{Status: workflows.StateCancelled}}},
	} {
		t.Run(fmt.Sprintf("want %v", want), func(t *testing.T) {
			for _, set := range outcomes {
				assert.Equal(t, want, exitCode(set), "%+v", set)
			}
		})
	}
}
