package bench

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
)

func newChildRun() *testsuite.TestWorkflowEnvironment {
	env := workflowtest.NewEnvironment()
	registerChild(env)
	env.RegisterActivity(&canned{activities.New(activities.API{}, 0, nil)})
	return env
}

var someFiles = convertEachInput{In: "/in", Out: "/out", Source: "md", Target: "html", Files: 20, Concurrency: 4}

func TestEveryFileHasItsChildAndTheWindowHolds(t *testing.T) {
	env := newChildRun()
	var now, most int32
	seen := map[string]bool{}
	env.OnWorkflow(convertOneName, mock.Anything, mock.Anything).Return(func(ctx workflow.Context, in convertOneInput) ([]activities.Output, error) {
		now++
		most = max(most, now)
		defer func() { now-- }()
		seen[in.Path+" "+in.Stem] = true
		return nil, workflow.Sleep(ctx, time.Second)
	})
	env.ExecuteWorkflow(convertEachName, someFiles)
	require.NoError(t, env.GetWorkflowError())
	var done int
	require.NoError(t, env.GetWorkflowResult(&done))
	assert.Equal(t, 20, done)
	assert.Len(t, seen, 20)
	assert.Contains(t, seen, "/in/file-000019.md file-000019")
	assert.Equal(t, int32(4), most)
}

func TestAChildThatFailsFailsTheContestant(t *testing.T) {
	env := newChildRun()
	env.OnWorkflow(convertOneName, mock.Anything, mock.Anything).Return(func(_ workflow.Context, in convertOneInput) ([]activities.Output, error) {
		if in.Stem == "file-000007" {
			return nil, temporal.NewApplicationError("no", "Refused")
		}
		return nil, nil
	})
	env.ExecuteWorkflow(convertEachName, someFiles)
	assert.ErrorContains(t, env.GetWorkflowError(), "no")
}

func TestTheParentContinuesAsNewWhereItIsTold(t *testing.T) {
	env := newChildRun()
	env.SetContinueAsNewSuggested(true)
	in := someFiles
	in.First = 5
	env.ExecuteWorkflow(convertEachName, in)
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, env.GetWorkflowError(), &next)
	assert.Equal(t, convertEachName, next.WorkflowType.Name)
}

func TestAChildTakesTheFourSteps(t *testing.T) {
	env := newChildRun()
	var steps atomic.Int32
	env.SetOnActivityStartedListener(func(*activity.Info, context.Context, converter.EncodedValues) { steps.Add(1) })
	env.ExecuteWorkflow(convertOneName, someFiles.file(3))
	require.NoError(t, env.GetWorkflowError())
	var outputs []activities.Output
	require.NoError(t, env.GetWorkflowResult(&outputs))
	require.Len(t, outputs, 1)
	assert.Equal(t, "file:///out/file-000003.html", outputs[0].Path)
	assert.Equal(t, int32(4), steps.Load())
}
