package cli

import (
	"context"
	"errors"

	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// work is something to run: a conversion or a goal.
type work interface {
	id() string    // of the workflow
	title() string // what it was called by
	label() string // for the screen
	noun() (one, many string)
	// call is the workflow, its input, and the options by which its kind differs.
	call() (name string, input any, options temporalclient.StartWorkflowOptions)
	// await waits for the run's end. Its error is that Temporal could not be asked, which says nothing of the run.
	await(ctx context.Context, run temporalclient.WorkflowRun, runID string) (result, error)
	// begun is what is said of a run that goes on.
	begun(runID string) result
}

// result is what became of a run; it is the JSON object of its line.
type result interface {
	state() string
	failedAs() string // the kind of a failure, empty where there is none
	// inPlace says that the work is done and that its outputs are as they were left.
	inPlace() bool
	// show tells people: paths on stdout, everything else on stderr.
	show(e *Env) error
}

// watched is a run that this command follows.
type watched struct {
	work
	runID string
	run   temporalclient.WorkflowRun
}

// closed takes what Temporal says of a run's end: fault where it closed without a result, lost where nobody knows.
func closed(err error) (fault, lost error) {
	var closed *temporal.WorkflowExecutionError
	if err == nil || errors.As(err, &closed) {
		return err, nil
	}
	return nil, err
}

// ending reads why a run closed without a result.
func ending(err error) (status string, said outcomeError, detail activities.Failure) {
	var terminated *temporal.TerminatedError
	var timeout *temporal.TimeoutError
	detail, known := activities.FailureOf(err)
	switch {
	case temporal.IsCanceledError(err):
		return workflows.StateCancelled, outcomeError{Code: "CANCELLED", Message: "the run was cancelled"}, activities.Failure{}
	case known:
		said = outcomeError{Code: detail.Code, Message: detail.Message}
	case errors.As(err, &terminated):
		said = outcomeError{Code: "TERMINATED", Message: "somebody terminated the run"}
	case errors.As(err, &timeout):
		said = outcomeError{Code: "TIMED_OUT", Message: "the run took longer than it may"}
	default:
		said = outcomeError{Code: activities.CodeUnknown, Message: err.Error()}
	}
	return workflows.StateFailed, said, detail
}

// nouns is what to call these runs.
func nouns(runs []*watched) (one, many string) {
	for i, w := range runs {
		o, m := w.noun()
		if i > 0 && o != one {
			return "run", "runs"
		}
		one, many = o, m
	}
	return one, many
}
