package inbox

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
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// desk is what the inbox needs of Temporal.
type desk interface {
	Waiting(ctx context.Context, limit int) ([]answering.Run, error)
	Questions(ctx context.Context, workflowID string) ([]workflows.Question, error)
	Answers(ctx context.Context, workflowID string) ([]workflows.Receipt, error)
	Status(ctx context.Context, workflowID string) (workflows.RunGoalStatus, error)
	Answer(ctx context.Context, workflowID string, answer workflows.Answer) (workflows.Receipt, error)
	// Runs lists open runs or those that ended, newest first.
	Runs(ctx context.Context, ended bool, limit int) ([]run, error)
	// Look describes one run and the step that it is at.
	Look(ctx context.Context, workflowID string) (run, error)
	// Result is how an ended run ended; a failed one has its reason in Failure.
	Result(ctx context.Context, workflowID string) (result, error)
}

// run is a goal or a conversion, as lists show it.
type run struct {
	ID, RunID string
	Goal      bool
	Name      string
	State     string
	Step      string
	Percent   int // 0-100, of the step
	Message   string
	Trouble   string // why the last attempt of the step failed
	StartedAt time.Time
	ClosedAt  *time.Time
	Memo      workflows.GoalMemo
}

// result is how a run ended.
type result struct {
	Status   string              `json:"status"`
	Outputs  []activities.Output `json:"outputs"`
	Missing  []string            `json:"missing"`
	Message  string              `json:"message"`
	Warnings []string            `json:"warnings"`
	Answers  []workflows.Receipt `json:"answers"`
	Failure  string              `json:"-"`
}

// temporalDesk answers from a Temporal client.
type temporalDesk struct{ answering.Desk }

func (d *temporalDesk) Runs(ctx context.Context, ended bool, limit int) ([]run, error) {
	state := "ExecutionStatus = 'Running'"
	if ended {
		state = "ExecutionStatus != 'Running' AND ExecutionStatus != 'ContinuedAsNew'"
	}
	query := fmt.Sprintf("(WorkflowType = '%s' OR %s = '%s') AND %s", workflows.ConvertFileName, workflows.SearchAttributeLane, workflows.LaneGoal, state)
	reply, err := d.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: d.Namespace, Query: query, PageSize: int32(min(limit, 500)), //nolint:gosec // at most 500
	})
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", err)
	}
	runs := make([]run, 0, len(reply.GetExecutions()))
	for _, info := range reply.GetExecutions() {
		runs = append(runs, runOf(info))
	}
	return runs, nil
}

func (d *temporalDesk) Look(ctx context.Context, workflowID string) (run, error) {
	description, err := d.Temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return run{}, fmt.Errorf("%s: %w", workflowID, answering.ErrNoSuchRun)
	}
	if err != nil {
		return run{}, fmt.Errorf("look at %s: %w", workflowID, err)
	}
	out := runOf(description.GetWorkflowExecutionInfo())
	now := answering.StepOf(description)
	out.Step, out.Percent, out.Message = now.Step, min(max(now.Percent, 0), 100), now.Message
	if now.Attempt > 1 {
		out.Trouble = now.Failure
	}
	return out, nil
}

func (d *temporalDesk) Result(ctx context.Context, workflowID string) (result, error) {
	var out result
	err := d.Temporal.GetWorkflow(ctx, workflowID, "").Get(ctx, &out)
	var failed *temporal.WorkflowExecutionError
	if errors.As(err, &failed) {
		out.Failure = reason(failed)
		return out, nil
	}
	return out, err
}

// noWorker says that a query found nobody to answer it in time.
func noWorker(err error) bool {
	var late *serviceerror.DeadlineExceeded
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late)
}

// reason is the innermost thing that an error says: the outer ones name ids of steps.
func reason(err error) string {
	var said *temporal.ApplicationError
	if errors.As(err, &said) {
		return said.Message()
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}

func runOf(info *workflow.WorkflowExecutionInfo) run {
	out := run{
		ID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(), State: stateOf(info),
		Goal: info.GetType().GetName() != workflows.ConvertFileName, StartedAt: info.GetStartTime().AsTime(), Memo: answering.MemoOf(info.GetMemo()),
	}
	if closed := info.GetCloseTime(); closed != nil {
		at := closed.AsTime()
		out.ClosedAt = &at
	}
	out.Name = out.Memo.Name
	if !out.Goal {
		if source, target := memoText(info.GetMemo(), "source"), memoText(info.GetMemo(), "target"); source != "" {
			out.Name = source + " → " + target
		}
	}
	return out
}

func stateOf(info *workflow.WorkflowExecutionInfo) string {
	switch state := strings.ToLower(info.GetStatus().String()); state {
	case "canceled":
		return workflows.StateCancelled
	case workflows.StateRunning:
		if len(answering.MemoOf(info.GetMemo()).Questions) > 0 {
			return workflows.StateWaiting
		}
		return state
	default:
		return state
	}
}

func memoText(memo *common.Memo, key string) string {
	var text string
	if payload := memo.GetFields()[key]; payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &text) // a memo of another shape shows nothing
	}
	return text
}
