package answering

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// Listed is a run of either lane in a list.
type Listed struct {
	WorkflowID string
	RunID      string
	Lane       string // workflows.LaneTurbo or LaneGoal
	State      string // running, waiting, completed, failed, cancelled, terminated, timedout
	Title      string // for people
	Memo       workflows.GoalMemo
	StartedAt  time.Time
	ClosedAt   time.Time // zero while it is open
}

// Open says that the run has not ended.
func (l Listed) Open() bool { return l.ClosedAt.IsZero() }

// Recent lists runs of both lanes: those that are open and do not wait, or those that ended last.
func (d *Desk) Recent(ctx context.Context, open bool, limit int) ([]Listed, error) {
	query := fmt.Sprintf("WorkflowType IN ('%s', '%s') AND ", workflows.ConvertFileName, workflows.RunGoalName)
	if open {
		query += fmt.Sprintf("ExecutionStatus = 'Running' AND (%s != '%s' OR %s IS NULL)", workflows.SearchAttributeState, workflows.StateWaiting, workflows.SearchAttributeState)
	} else {
		query += "ExecutionStatus NOT IN ('Running', 'ContinuedAsNew')"
	}
	reply, err := d.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: d.Namespace, Query: query, PageSize: int32(limit), //nolint:gosec // a page
	})
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", err)
	}
	out := make([]Listed, 0, len(reply.GetExecutions()))
	for _, info := range reply.GetExecutions() {
		out = append(out, listedOf(info))
	}
	return out, nil
}

func listedOf(info *workflow.WorkflowExecutionInfo) Listed {
	l := Listed{
		WorkflowID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(), Lane: workflows.LaneTurbo,
		State: strings.ToLower(info.GetStatus().String()), Memo: MemoOf(info.GetMemo()), StartedAt: info.GetStartTime().AsTime(),
	}
	if l.State == "canceled" {
		l.State = workflows.StateCancelled
	}
	if closed := info.GetCloseTime(); closed != nil {
		l.ClosedAt = closed.AsTime()
	}
	l.Title = memoText(info.GetMemo(), "source")
	if target := memoText(info.GetMemo(), "target"); target != "" {
		l.Title += " → " + target
	}
	if info.GetType().GetName() == workflows.RunGoalName {
		l.Lane, l.Title = workflows.LaneGoal, l.Memo.Name
		if state := keyword(info, workflows.SearchAttributeState); state == workflows.StateWaiting && l.Open() {
			l.State = state
		}
		if l.Title == "" {
			l.Title = l.Memo.Goal
		}
	}
	if l.Title == "" {
		l.Title = l.WorkflowID
	}
	return l
}

func memoText(memo *common.Memo, key string) string {
	var text string
	if payload := memo.GetFields()[key]; payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &text) // a memo of another shape shows nothing
	}
	return text
}

func keyword(info *workflow.WorkflowExecutionInfo, name string) string {
	var text string
	if payload := info.GetSearchAttributes().GetIndexedFields()[name]; payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &text) // likewise
	}
	return text
}

// Find looks a run up by its workflow id: the latest one of that name.
func (d *Desk) Find(ctx context.Context, workflowID string) (Listed, error) {
	description, err := d.Temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	var missing *serviceerror.NotFound
	switch {
	case errors.As(err, &missing):
		return Listed{}, fmt.Errorf("%s: %w", workflowID, ErrNoSuchRun)
	case err != nil:
		return Listed{}, fmt.Errorf("look at %s: %w", workflowID, err)
	}
	return listedOf(description.GetWorkflowExecutionInfo()), nil
}

// Step is what the running step of a run says of itself.
type Step struct {
	activities.Progress
	Attempt int
	Failure string // of the attempt before
}

// Progress reads the running step of a run; the zero Step where none runs right now.
func (d *Desk) Progress(ctx context.Context, run Listed) (Step, error) {
	description, err := d.Temporal.DescribeWorkflowExecution(ctx, run.WorkflowID, run.RunID)
	if err != nil {
		return Step{}, fmt.Errorf("look at %s: %w", run.WorkflowID, err)
	}
	for _, pending := range description.GetPendingActivities() {
		if pending.GetActivityType().GetName() == "LookGoal" {
			continue // it rests
		}
		step := Step{Attempt: int(pending.GetAttempt()), Failure: pending.GetLastFailure().GetMessage()}
		if payloads := pending.GetHeartbeatDetails(); payloads != nil {
			_ = converter.GetDefaultDataConverter().FromPayloads(payloads, &step.Progress) // a courtesy
		}
		if step.Step == "" {
			step.Step = pending.GetActivityType().GetName()
		}
		return step, nil
	}
	return Step{}, nil
}

// Outcome is how a run ended.
type Outcome struct {
	Outputs []activities.Output
	Missing []string
	Notes   []string
	Message string
	Failure string
}

// Outcome reads how a closed run ended.
func (d *Desk) Outcome(ctx context.Context, run Listed) (Outcome, error) {
	var goal workflows.RunGoalResult
	var file workflows.ConvertFileResult
	into := any(&goal)
	if run.Lane == workflows.LaneTurbo {
		into = &file
	}
	err := d.Temporal.GetWorkflow(ctx, run.WorkflowID, run.RunID).Get(ctx, into)
	if ctx.Err() != nil {
		return Outcome{}, ctx.Err()
	}
	if err != nil {
		out := Outcome{Failure: err.Error()}
		if detail, known := activities.FailureOf(err); known {
			out.Failure = detail.Code + ": " + detail.Message
		}
		return out, nil
	}
	return Outcome{Outputs: append(goal.Outputs, file.Outputs...), Missing: goal.Missing, Notes: file.Warnings, Message: goal.Message}, nil
}
