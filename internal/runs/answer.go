package runs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

const patienceDefault = 5 * time.Second

// ErrNoVerdict reports that the answer is kept in Temporal as a signal, and that no worker was there to judge it.
var ErrNoVerdict = errors.New("the answer is kept, but no worker has judged it yet; ask again for what became of it")

// RefusedError is an answer that was refused; Receipt says why.
type RefusedError struct{ Receipt questions.Receipt }

func (e *RefusedError) Error() string { return e.Receipt.Reason }

// Answer gives an answer and waits for its verdict. Where no worker gives one in time the answer is left as a signal
// under the same id, which is ErrNoVerdict: it counts once, whichever arrives.
func (c *Client) Answer(ctx context.Context, id string, answer questions.Answer) (questions.Receipt, error) {
	if answer.AnswerID == "" {
		answer.AnswerID = uuid.NewString()
	}
	if err := c.name(answerPlaces(answer)); err != nil {
		return questions.Receipt{}, err
	}
	patience := c.Patience
	if patience <= 0 {
		patience = patienceDefault
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	handle, err := c.Temporal.UpdateWorkflow(waiting, temporalclient.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: questions.UpdateFillSlot, UpdateID: answer.AnswerID,
		Args: []any{answer}, WaitForStage: temporalclient.WorkflowUpdateStageCompleted,
	})
	var receipt questions.Receipt
	if err == nil {
		err = handle.Get(waiting, &receipt)
	}
	if err == nil {
		return receipt, nil
	}
	return c.withoutReceipt(ctx, waiting, id, answer, err)
}

// withoutReceipt decides what an update means that brought no receipt.
func (c *Client) withoutReceipt(ctx, waiting context.Context, id string, answer questions.Answer, err error) (questions.Receipt, error) {
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
	if fault := c.missing(ctx, id, err); fault != nil {
		return kept, fault
	}
	if ctx.Err() != nil {
		return kept, ctx.Err()
	}

	if waiting.Err() == nil {
		var timeout *temporalclient.WorkflowUpdateServiceTimeoutOrCanceledError
		var unavailable *serviceerror.Unavailable
		if !errors.As(err, &timeout) && !errors.As(err, &unavailable) {
			return kept, fmt.Errorf("answer %s: %w", id, err)
		}
	}
	if err := c.signal(ctx, id, questions.SignalFillSlot, answer); err != nil {
		return kept, err
	}
	return kept, ErrNoVerdict
}

// Steer sends a run one of the signals of its kind. A run that has ended is ErrEnded.
func (c *Client) Steer(ctx context.Context, id, signal string, steering batch.Steering) error {
	return c.signal(ctx, id, signal, steering)
}

func (c *Client) signal(ctx context.Context, id, signal string, payload any) error {
	err := c.Temporal.SignalWorkflow(ctx, id, "", signal, payload)
	if err == nil {
		return nil
	}
	if fault := c.missing(ctx, id, err); fault != nil {
		return fault
	}
	return fmt.Errorf("send %s to %s: %w", signal, id, err)
}
