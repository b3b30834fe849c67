// Package answering is how the command line and the inbox find questions of runs and answer them. All state is
// Temporal's.
package answering

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// Desk is a place to answer from.
type Desk struct {
	Temporal  temporalclient.Client
	Namespace string
	// Patience is how long a verdict is waited for before an answer is left as a signal; 5 s where 0.
	Patience time.Duration
}

const patienceDefault = 5 * time.Second

// Run is a goal or a batch in a list of what waits.
type Run struct {
	WorkflowID string         `json:"workflow_id"`
	RunID      string         `json:"run_id"`
	StartedAt  time.Time      `json:"started_at"`
	Memo       questions.Memo `json:"memo"`
}

// Faults of answering.
var (
	ErrNoSuchRun = errors.New("there is no such run")
	ErrEnded     = errors.New("the run has ended; it takes no more answers")
	// ErrNoVerdict says that the answer is kept in Temporal as a signal, and that no worker was there to judge it.
	ErrNoVerdict = errors.New("the answer is kept, but no worker has judged it yet; ask again for what became of it")
)

// RefusedError is an answer that was refused; Receipt says why.
type RefusedError struct{ Receipt questions.Receipt }

func (e *RefusedError) Error() string { return e.Receipt.Reason }

// Waiting lists runs that wait for answers, those that wait longest first. Lists follow within moments.
func (d *Desk) Waiting(ctx context.Context, limit int) ([]Run, error) {
	query := fmt.Sprintf("%s IN ('%s', '%s') AND %s = '%s' AND ExecutionStatus = 'Running'",
		workflows.SearchAttributeLane, workflows.LaneGoal, workflows.LaneBatch, workflows.SearchAttributeState, workflows.StateWaiting)
	var runs []Run
	var page []byte
	for len(runs) < limit {
		reply, err := d.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: d.Namespace, Query: query, PageSize: int32(min(limit-len(runs), 500)), NextPageToken: page, //nolint:gosec // at most 500
		})
		if err != nil {
			return nil, fmt.Errorf("list the runs that wait: %w", err)
		}
		for _, info := range reply.GetExecutions() {
			runs = append(runs, runOf(info))
		}
		if page = reply.GetNextPageToken(); len(page) == 0 {
			break
		}
	}
	sortByAge(runs)
	return runs, nil
}

func runOf(info *workflow.WorkflowExecutionInfo) Run {
	return Run{
		WorkflowID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(),
		StartedAt: info.GetStartTime().AsTime(), Memo: MemoOf(info.GetMemo()),
	}
}

// MemoOf reads the memo of a goal run; the zero memo where there is none.
func MemoOf(memo *common.Memo) questions.Memo {
	var out questions.Memo
	if payload := memo.GetFields()[questions.MemoKey]; payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &out) // a memo of another shape shows nothing
	}
	return out
}

// Questions asks a run what it waits for.
func (d *Desk) Questions(ctx context.Context, workflowID string) ([]questions.Question, error) {
	return ask[[]questions.Question](ctx, d, workflowID, questions.QueryQuestions)
}

// Answers asks a run what became of every answer.
func (d *Desk) Answers(ctx context.Context, workflowID string) ([]questions.Receipt, error) {
	return ask[[]questions.Receipt](ctx, d, workflowID, questions.QueryAnswers)
}

// Status asks a run where it stands.
func (d *Desk) Status(ctx context.Context, workflowID string) (goal.Status, error) {
	return ask[goal.Status](ctx, d, workflowID, workflows.QueryStatus)
}

func ask[T any](ctx context.Context, d *Desk, workflowID, query string) (T, error) {
	var out T
	value, err := d.Temporal.QueryWorkflow(ctx, workflowID, "", query)
	var missing *serviceerror.NotFound
	switch {
	case errors.As(err, &missing):
		return out, fmt.Errorf("%s: %w", workflowID, ErrNoSuchRun)
	case err != nil:
		return out, fmt.Errorf("ask %s for its %s: %w", workflowID, query, err)
	}
	if err := value.Get(&out); err != nil {
		return out, fmt.Errorf("read the %s of %s: %w", query, workflowID, err)
	}
	return out, nil
}

// Answer gives an answer and waits for its verdict. Where no worker gives one in time the answer is left as a
// signal under the same id, which is ErrNoVerdict: it counts once, whichever arrives.
func (d *Desk) Answer(ctx context.Context, workflowID string, answer questions.Answer) (questions.Receipt, error) {
	if answer.AnswerID == "" {
		answer.AnswerID = uuid.NewString()
	}
	patience := d.Patience
	if patience <= 0 {
		patience = patienceDefault
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	handle, err := d.Temporal.UpdateWorkflow(waiting, temporalclient.UpdateWorkflowOptions{
		WorkflowID: workflowID, UpdateName: questions.UpdateFillSlot, UpdateID: answer.AnswerID,
		Args: []any{answer}, WaitForStage: temporalclient.WorkflowUpdateStageCompleted,
	})
	var receipt questions.Receipt
	if err == nil {
		err = handle.Get(waiting, &receipt)
	}
	if err == nil {
		return receipt, nil
	}
	return d.settle(ctx, waiting, workflowID, answer, err)
}

// settle decides what an update that brought no receipt means.
func (d *Desk) settle(ctx, waiting context.Context, workflowID string, answer questions.Answer, err error) (questions.Receipt, error) {
	kept := questions.Receipt{AnswerID: answer.AnswerID, SlotID: answer.SlotID}
	var refused *temporal.ApplicationError
	if errors.As(err, &refused) && refused.Type() == questions.AnswerRefused {
		if refused.HasDetails() {
			_ = refused.Details(&kept) // the message says it too
		}
		if kept.Reason == "" {
			kept.Reason = refused.Message()
		}
		return kept, &RefusedError{Receipt: kept}
	}
	if fault := d.closed(ctx, workflowID, err); fault != nil {
		return kept, fault
	}
	if ctx.Err() != nil {
		return kept, ctx.Err()
	}
	if waiting.Err() == nil {
		var timeout *temporalclient.WorkflowUpdateServiceTimeoutOrCanceledError
		var unavailable *serviceerror.Unavailable
		if !errors.As(err, &timeout) && !errors.As(err, &unavailable) {
			return kept, fmt.Errorf("answer %s: %w", workflowID, err)
		}
	}
	if err := d.Temporal.SignalWorkflow(ctx, workflowID, "", questions.SignalFillSlot, answer); err != nil {
		if fault := d.closed(ctx, workflowID, err); fault != nil {
			return kept, fault
		}
		return kept, fmt.Errorf("leave the answer with %s: %w", workflowID, err)
	}
	return kept, ErrNoVerdict
}

// closed tells a run that has ended from one that never was; nil where the error says neither.
func (d *Desk) closed(ctx context.Context, workflowID string, err error) error {
	var missing *serviceerror.NotFound
	if !errors.As(err, &missing) {
		return nil
	}
	if _, err := d.Temporal.DescribeWorkflowExecution(ctx, workflowID, ""); err == nil {
		return fmt.Errorf("%s: %w", workflowID, ErrEnded)
	}
	return fmt.Errorf("%s: %w", workflowID, ErrNoSuchRun)
}
