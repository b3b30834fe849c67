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

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
)

// Keys of the memo, by which lists show a run without reading its history.
const (
	memoSource = "source"
	memoTarget = "target"
)

// startOne starts the run of a work, or attaches to the one that exists.
func startOne(ctx context.Context, s *Session, w work) (*watched, error) {
	run, err := execute(ctx, s, w, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY)
	var exists *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &exists) {
		done, _, earlierErr := earlierRun(ctx, s, w)
		if earlierErr != nil {
			return nil, earlierErr
		}
		if done != nil {
			return done, nil
		}
		// It ran to its end once, but its outputs are gone or are not what they were.
		run, err = execute(ctx, s, w, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
	}
	var refused *serviceerror.InvalidArgument
	if errors.As(err, &refused) {
		if missing := temporalconn.CheckSearchAttributes(ctx, s.Temporal, s.Namespace); missing != nil {
			return nil, missing
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.title(), err)
	}
	return &watched{work: w, runID: run.GetRunID(), run: run}, nil
}

func execute(ctx context.Context, s *Session, w work, reuse enums.WorkflowIdReusePolicy) (temporalclient.WorkflowRun, error) {
	name, input, options := w.call()
	options.ID, options.TaskQueue = w.id(), workflows.TaskQueue
	options.WorkflowIDReusePolicy = reuse
	options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
	options.WorkflowExecutionErrorWhenAlreadyStarted = true
	return s.Temporal.ExecuteWorkflow(ctx, options, name, input)
}

func (it item) id() string               { return it.workflowID }
func (it item) title() string            { return it.source }
func (it item) label() string            { return fmt.Sprintf("%s → %s", it.input.Name, it.input.To.Format) }
func (it item) noun() (one, many string) { return "conversion", "conversions" }
func (it item) begun(runID string) result {
	o := newOutcome(it, runID)
	o.Status = workflows.StateRunning
	return o
}

func (it item) call() (name string, input any, options temporalclient.StartWorkflowOptions) {
	return convert.WorkflowType, it.input, temporalclient.StartWorkflowOptions{
		Memo: map[string]any{memoSource: it.input.Name, memoTarget: it.input.To.Format},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.KeyState.ValueSet(workflows.StateRunning), workflows.KeyLane.ValueSet(workflows.LaneTurbo)),
		StaticSummary: fmt.Sprintf("%s → %s", it.input.Name, it.input.To.Format),
		StaticDetails: fmt.Sprintf("Converts `%s` from %s to %s.", it.input.Name, it.input.SourceFormat, it.input.To.Format),
	}
}

func (it item) await(ctx context.Context, run temporalclient.WorkflowRun, runID string) (result, error) {
	var done convert.Result
	fault, lost := closed(run.Get(ctx, &done))
	o := newOutcome(it, runID)
	switch {
	case lost != nil:
		return nil, lost
	case fault != nil:
		return o.ended(fault), nil
	}
	return o.completed(done), nil
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
func earlierRun(ctx context.Context, s *Session, w work) (done *watched, running bool, err error) {
	description, err := s.Temporal.DescribeWorkflowExecution(ctx, w.id(), "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look for an earlier run of %s: %w", w.title(), err)
	}
	info := description.GetWorkflowExecutionInfo()
	switch info.GetStatus() {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return nil, true, nil
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
	default:
		return nil, false, nil
	}
	earlier := attach(ctx, s, w, info.GetExecution().GetRunId())
	end, err := earlier.await(ctx, earlier.run, earlier.runID)
	if err != nil {
		return nil, false, fmt.Errorf("read the result of the earlier run of %s: %w", w.title(), err)
	}
	if !end.inPlace() {
		return nil, false, nil
	}
	return earlier, false, nil
}

// attach follows a run that was started elsewhere, or earlier.
func attach(ctx context.Context, s *Session, w work, runID string) *watched {
	return &watched{work: w, runID: runID, run: s.Temporal.GetWorkflow(ctx, w.id(), runID)}
}

func outputsInPlace(outputs []activities.Output) bool {
	for _, output := range outputs {
		info, err := os.Lstat(output.Path)
		if err != nil || !info.Mode().IsRegular() || info.Size() != output.Size {
			return false
		}
		if sum, err := hashFile(output.Path); err != nil || sum != output.SHA256 {
			return false
		}
	}
	return len(outputs) > 0
}
