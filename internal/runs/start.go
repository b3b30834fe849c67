package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// ErrAlreadyDone reports that a run of this name came to its end once; StartAgain starts it again.
var ErrAlreadyDone = errors.New("a run of this name has ended already")

// Spec is a run to start.
type Spec struct {
	Kind  *Kind
	ID    string
	Input any
	// Memo is what lists read without opening the run: keys are MemoSource, MemoTarget, and those of package workflows.
	Memo    map[string]any
	Labels  []string
	State   string // that lists show until the run says so itself; running where empty
	Summary string // for Temporal's page
	Details string // for Temporal's page, Markdown
}

func (s Spec) options() temporalclient.StartWorkflowOptions {
	memo := maps.Clone(s.Memo)
	if len(s.Labels) > 0 {
		memo[MemoLabels] = s.Labels
	}
	return temporalclient.StartWorkflowOptions{
		ID: s.ID, TaskQueue: workflows.TaskQueue, Memo: memo,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.KeyState.ValueSet(cmp.Or(s.State, workflows.StateRunning)), workflows.KeyLane.ValueSet(s.Kind.Lane)),
		StaticSummary: s.Summary, StaticDetails: s.Details,
	}
}

// Start starts a run, or attaches to the one of its name that is running, and returns the id of the Temporal run. One
// of this name that came to a result is ErrAlreadyDone; one that failed is started again.
func (c *Client) Start(ctx context.Context, s Spec) (runID string, err error) {
	return c.start(ctx, s, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY)
}

// StartAgain is Start for a run that may have come to a result already.
func (c *Client) StartAgain(ctx context.Context, s Spec) (runID string, err error) {
	return c.start(ctx, s, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
}

func (c *Client) start(ctx context.Context, s Spec, reuse enums.WorkflowIdReusePolicy) (string, error) {
	if err := c.name(Places(s.Input)); err != nil {
		return "", err
	}
	options := s.options()
	options.WorkflowIDReusePolicy = reuse
	options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
	options.WorkflowExecutionErrorWhenAlreadyStarted = true
	run, err := c.Temporal.ExecuteWorkflow(ctx, options, s.Kind.Workflow, s.Input)

	var exists *serviceerror.WorkflowExecutionAlreadyStarted
	var refused *serviceerror.InvalidArgument
	switch {
	case err == nil:
		return run.GetRunID(), nil
	case errors.As(err, &exists):
		return "", fmt.Errorf("%s: %w", s.ID, ErrAlreadyDone)
	case errors.As(err, &refused):
		if missing := temporalconn.CheckSearchAttributes(ctx, c.Temporal, c.Namespace); missing != nil {
			return "", missing
		}
	}
	return "", err
}

// Cancel asks a run to end and waits until it has cleaned up. How it ended is told by Describe.
func (c *Client) Cancel(ctx context.Context, id string) error {
	if err := c.RequestCancel(ctx, id); err != nil {
		return err
	}
	_ = c.Temporal.GetWorkflow(ctx, id, "").Get(ctx, nil) // how it ended is for others to read
	return ctx.Err()
}

// RequestCancel asks a run to end and does not wait.
func (c *Client) RequestCancel(ctx context.Context, id string) error {
	if err := c.Temporal.CancelWorkflow(ctx, id, ""); err != nil {
		return fmt.Errorf("cancel %s: %w", id, err)
	}
	return nil
}
