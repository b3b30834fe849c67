package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// watched is a run that this command follows.
type watched struct {
	item  item
	runID string
	run   temporalclient.WorkflowRun
}

// Keys of the memo, by which lists show a run without reading its history.
const (
	memoSource = "source"
	memoTarget = "target"
)

// startOne starts the run of an item, or attaches to the one that exists.
func startOne(ctx context.Context, s *Session, it item) (*watched, error) {
	run, err := execute(ctx, s, it, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY)
	var exists *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &exists) {
		done, _, earlierErr := earlierRun(ctx, s, it)
		if earlierErr != nil {
			return nil, earlierErr
		}
		if done != nil {
			return &watched{item: it, runID: done.RunID, run: s.Temporal.GetWorkflow(ctx, it.workflowID, done.RunID)}, nil
		}
		// It ran to its end once, but its outputs are gone or are not what they were.
		run, err = execute(ctx, s, it, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
	}
	var refused *serviceerror.InvalidArgument
	if errors.As(err, &refused) {
		if missing := temporalconn.CheckSearchAttributes(ctx, s.Temporal, s.Namespace); missing != nil {
			return nil, missing
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", it.source, err)
	}
	return &watched{item: it, runID: run.GetRunID(), run: run}, nil
}

func execute(ctx context.Context, s *Session, it item, reuse enums.WorkflowIdReusePolicy) (temporalclient.WorkflowRun, error) {
	return s.Temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{
		ID: it.workflowID, TaskQueue: workflows.TaskQueue,
		WorkflowIDReusePolicy:                    reuse,
		WorkflowIDConflictPolicy:                 enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		Memo:                                     map[string]any{memoSource: it.input.Name, memoTarget: it.input.To.Format},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.KeyState.ValueSet(workflows.StateRunning), workflows.KeyLane.ValueSet(workflows.LaneTurbo)),
		StaticSummary: fmt.Sprintf("%s → %s", it.input.Name, it.input.To.Format),
		StaticDetails: fmt.Sprintf("Converts `%s` from %s to %s.", it.input.Name, it.input.SourceFormat, it.input.To.Format),
	}, workflows.ConvertFileName, it.input)
}

// existing finds a file that stands where an output would go.
func (it item) existing() (string, bool) {
	if _, err := os.Lstat(it.target); err == nil {
		return it.target, true
	}
	if family, err := client.FamilyFor(it.input.SourceFormat, it.input.To.Format); it.input.SourceFormat != "pdf" || err != nil || family != client.FamilyImage {
		return "", false
	}
	// Pages become stem-1.png, stem-2.png, ...
	extension := filepath.Ext(it.target)
	for _, first := range []string{"-1", "-01", "-001"} {
		path := it.target[:len(it.target)-len(extension)] + first + extension
		if _, err := os.Lstat(path); err == nil {
			return path, true
		}
	}
	return "", false
}

// earlierRun looks for a run of the same work: done, with its outputs in place, or still running.
func earlierRun(ctx context.Context, s *Session, it item) (done *outcome, running bool, err error) {
	description, err := s.Temporal.DescribeWorkflowExecution(ctx, it.workflowID, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look for an earlier run of %s: %w", it.source, err)
	}
	info := description.GetWorkflowExecutionInfo()
	switch info.GetStatus() {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return nil, true, nil
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
	default:
		return nil, false, nil
	}
	runID := info.GetExecution().GetRunId()
	var result workflows.ConvertFileResult
	if err := s.Temporal.GetWorkflow(ctx, it.workflowID, runID).Get(ctx, &result); err != nil {
		return nil, false, fmt.Errorf("read the result of the earlier run of %s: %w", it.source, err)
	}
	if !outputsInPlace(result) {
		return nil, false, nil
	}
	o := newOutcome(it, runID).completed(result)
	return &o, false, nil
}

func outputsInPlace(result workflows.ConvertFileResult) bool {
	for _, output := range result.Outputs {
		info, err := os.Lstat(output.Path)
		if err != nil || !info.Mode().IsRegular() || info.Size() != output.Size {
			return false
		}
		if sum, err := hashFile(output.Path); err != nil || sum != output.SHA256 {
			return false
		}
	}
	return len(result.Outputs) > 0
}
