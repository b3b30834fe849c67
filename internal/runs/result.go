package runs

import (
	"context"
	"errors"

	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// Codes of runs that Temporal ended.
const (
	CodeCancelled  = "CANCELLED"
	CodeTerminated = "TERMINATED"
	CodeTimedOut   = "TIMED_OUT"
)

// Fault is why a run came to no result.
type Fault struct {
	State   string // failed or cancelled
	Code    string // for programs
	Message string // for people
	// Detail is what the step that failed knew; zero where it was no step.
	Detail activities.Failure
	// Cause is the innermost thing that the error says.
	Cause string
}

// End is how a run ended: with a result of its kind, a fault, or, for batches and watches that were cancelled, both.
type End struct {
	RunID      string // of the last Temporal run
	Fault      *Fault // nil for a run that came to its result
	Conversion *convert.Result
	Goal       *goal.Result
	Batch      *batch.Result
	Watch      *watch.Result
}

// Result waits for the end of a run. Its error is that Temporal could not be asked, which says nothing of the run.
func (c *Client) Result(ctx context.Context, kind *Kind, id, runID string) (End, error) {
	if kind.Endless {
		runID = "" // it goes on in many runs
	}
	var end End
	into := kind.result(&end)
	run := c.Temporal.GetWorkflow(ctx, id, runID)
	err := run.Get(ctx, into)
	if err == nil {
		end.RunID = run.GetRunID()
		return end, nil
	}

	var closed *temporal.WorkflowExecutionError
	if !errors.As(err, &closed) {
		return End{}, err
	}
	end = End{RunID: run.GetRunID(), Fault: FaultOf(err)}
	var cancelled *temporal.CanceledError
	if errors.As(err, &cancelled) && cancelled.HasDetails() && cancelled.Details(kind.result(&end)) != nil {
		end = End{RunID: end.RunID, Fault: end.Fault} // of another shape
	}
	return end, nil
}

// FaultOf reads why a workflow closed without a result.
func FaultOf(err error) *Fault {
	var terminated *temporal.TerminatedError
	var timeout *temporal.TimeoutError
	f := &Fault{State: workflows.StateFailed, Cause: innermost(err)}
	detail, known := activities.FailureOf(err)
	switch {
	case temporal.IsCanceledError(err):
		f.State, f.Code, f.Message = workflows.StateCancelled, CodeCancelled, "the run was cancelled"
		f.Cause = f.Message
		return f
	case known:
		f.Code, f.Message = detail.Code, detail.Message
	case errors.As(err, &terminated):
		f.Code, f.Message = CodeTerminated, "somebody terminated the run"
	case errors.As(err, &timeout):
		f.Code, f.Message = CodeTimedOut, "the run took longer than it may"
	default:
		f.Code, f.Message = activities.CodeUnknown, err.Error()
	}
	f.Detail = detail
	return f
}

// innermost leaves out what names ids of steps.
func innermost(err error) string {
	var said *temporal.ApplicationError
	if errors.As(err, &said) {
		return said.Message()
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}
