package runs

import (
	"context"
	"errors"

	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// Codes of runs that Temporal ended.
const (
	CodeCancelled  = "CANCELLED"
	CodeTerminated = "TERMINATED"
	CodeTimedOut   = "TIMED_OUT"
)

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
		end.sayPartial()
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
	end.sayPartial()
	return end, nil
}

func (e *End) sayPartial() {
	if e.Batch != nil {
		e.Batch.Status = batch.StateOf(e.Batch.Status)
	}
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
