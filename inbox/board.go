package inbox

import (
	"context"

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// board is what the inbox needs of Temporal.
type board interface {
	Waiting(ctx context.Context, limit int) ([]answering.Run, error)
	Recent(ctx context.Context, open bool, limit int) ([]answering.Listed, error)
	Progress(ctx context.Context, run answering.Listed) (answering.Step, error)
	Find(ctx context.Context, workflowID string) (answering.Listed, error)
	Questions(ctx context.Context, workflowID string) ([]workflows.Question, error)
	Answers(ctx context.Context, workflowID string) ([]workflows.Receipt, error)
	Status(ctx context.Context, workflowID string) (workflows.RunGoalStatus, error)
	Outcome(ctx context.Context, run answering.Listed) (answering.Outcome, error)
	Answer(ctx context.Context, workflowID string, answer workflows.Answer) (workflows.Receipt, error)
}
