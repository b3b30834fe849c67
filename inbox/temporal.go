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
	"github.com/convilyn/convilyn-temporal/internal/sealing"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// desk is what the inbox needs of Temporal.
type desk interface {
	Waiting(ctx context.Context, limit int) ([]answering.Run, error)
	Questions(ctx context.Context, workflowID string) ([]questions.Question, error)
	Answers(ctx context.Context, workflowID string) ([]questions.Receipt, error)
	Status(ctx context.Context, workflowID string) (goal.Status, error)
	Answer(ctx context.Context, workflowID string, answer questions.Answer) (questions.Receipt, error)
	// Runs lists runs of one kind, newest first.
	Runs(ctx context.Context, which listing, limit int) ([]run, error)
	// Look describes one run and the step that it is at.
	Look(ctx context.Context, workflowID string) (run, error)
	// Result is how an ended run ended; a failed one has its reason in Failure.
	Result(ctx context.Context, workflowID string) (result, error)
	Progress(ctx context.Context, workflowID string) (batch.Progress, error)
	Failures(ctx context.Context, workflowID string) ([]batch.FailedItem, error)
	Steer(ctx context.Context, workflowID, signal string, steering batch.Steering) error
}

// listing is a kind of runs.
type listing int

const (
	listRunning listing = iota // goals and conversions that are open
	listBatches                // batches that are open
	listEnded                  // all that ended
)

// query finds what is listed. Shards of a batch have a type of their own and are in none.
func (l listing) query() string {
	single := fmt.Sprintf("WorkflowType = '%s' OR %s = '%s'", convert.WorkflowType, workflows.SearchAttributeLane, workflows.LaneGoal)
	batches := fmt.Sprintf("WorkflowType = '%s'", batch.WorkflowType)
	switch l {
	case listBatches:
		return batches + " AND ExecutionStatus = 'Running'"
	case listEnded:
		return "(" + single + " OR " + batches + ") AND ExecutionStatus != 'Running' AND ExecutionStatus != 'ContinuedAsNew'"
	default:
		return "(" + single + ") AND ExecutionStatus = 'Running'"
	}
}

// run is a goal, a conversion or a batch, as lists show it.
type run struct {
	ID, RunID string
	Goal      bool
	Batch     *batchSeen // nil for goals and conversions
	Name      string
	State     string
	Step      string
	Percent   int // 0-100, of the step
	Message   string
	Trouble   string // why the last attempt of the step failed
	StartedAt time.Time
	ClosedAt  *time.Time
	Memo      questions.Memo
}

// batchSeen is what lists show of a batch.
type batchSeen struct {
	batch.Memo
	Now *batch.Progress // nil where it was not asked or did not answer
}

// result is how a run ended. The last members are a batch's.
type result struct {
	Status   string              `json:"status"`
	Outputs  []activities.Output `json:"outputs"`
	Missing  []string            `json:"missing"`
	Message  string              `json:"message"`
	Warnings []string            `json:"warnings"`
	Answers  []questions.Receipt `json:"answers"`
	Failure  string              `json:"-"`

	Reason         string                   `json:"reason"`
	Summary        *activities.BatchSummary `json:"summary"`
	Runs           int                      `json:"runs"`
	LargestHistory int                      `json:"largest_history"`
}

// temporalDesk answers from a Temporal client.
type temporalDesk struct{ answering.Desk }

func (d *temporalDesk) Runs(ctx context.Context, which listing, limit int) ([]run, error) {
	reply, err := d.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: d.Namespace, Query: which.query(), PageSize: int32(min(limit, 500)), //nolint:gosec // at most 500
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
	if out.Batch != nil {
		return out, nil // it is at many steps at once
	}
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
	kind := info.GetType().GetName()
	out := run{
		ID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(), State: stateOf(info),
		StartedAt: info.GetStartTime().AsTime(), Memo: answering.MemoOf(info.GetMemo()),
	}
	if closed := info.GetCloseTime(); closed != nil {
		at := closed.AsTime()
		out.ClosedAt = &at
	}
	out.Name = out.Memo.Name
	switch kind {
	case batch.WorkflowType:
		out.Batch = &batchSeen{Memo: answering.BatchMemoOf(info.GetMemo())}
		out.Name, out.State = out.Batch.Name, batchState(out, info)
	case convert.WorkflowType:
		if source, target := memoText(info.GetMemo(), "source"), memoText(info.GetMemo(), "target"); source != "" {
			out.Name = source + " → " + target
		}
	default:
		out.Goal = true
	}
	if payload := sealing.SealedMemo(info.GetMemo()); payload != nil {
		out.Name = "sealed with key " + sealing.SealedWith(payload)
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

// batchState is more than Temporal's status: a batch can be paused, and completes with failures, too.
func batchState(b run, info *workflow.WorkflowExecutionInfo) string {
	told := decoded[string](info.GetSearchAttributes().GetIndexedFields()[workflows.SearchAttributeState])
	switch {
	case b.State == workflows.StateRunning && told != "":
		return told
	case b.State == workflows.StateCompleted && told == workflows.StateFailed:
		return batch.ResultStopped
	case b.State == workflows.StateCompleted && b.Batch.Failed > 0:
		return batch.ResultFailures
	}
	return b.State
}

func memoText(memo *common.Memo, key string) string { return decoded[string](memo.GetFields()[key]) }

// decoded is the zero value where there is nothing, or something of another shape.
func decoded[T any](payload *common.Payload) T {
	var out T
	if payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &out)
	}
	return out
}
