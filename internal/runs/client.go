package runs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/workflows"
)

// Client reads and writes runs.
type Client struct {
	Temporal  temporalclient.Client
	Namespace string
	// Patience is how long a verdict is waited for before an answer is left as a signal; 5 s where 0.
	Patience time.Duration
}

// Errors that callers decide on.
var (
	ErrNoSuchRun = errors.New("there is no such run")
	ErrEnded     = errors.New("the run has ended; it takes no more answers")
)

// NoWorker reports whether a query failed because nobody answered it in time.
func NoWorker(err error) bool {
	var late *serviceerror.DeadlineExceeded
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late)
}

// Filter picks runs of a list. The zero Filter picks all of them.
type Filter struct {
	Kinds []*Kind // all where empty
	// State is one of the states of a run. StateRunning picks those that wait or are paused, too.
	State string
	// Ended picks runs that have ended, however they did.
	Ended bool
	// Labels picks runs that have all of them. Temporal cannot search by them: everything else that the filter picks is
	// read, as far as it takes.
	Labels []string
}

const pageMost = 500

// pageSize is how many runs to ask for where so many are missing.
func (f Filter) pageSize(missing int) int {
	if len(f.Labels) > 0 {
		return pageMost // most of them may have other labels
	}
	return min(missing, pageMost)
}

// query is a conjunction of plain comparisons, which runstest evaluates, too.
func (f Filter) query() string {
	kinds := f.Kinds
	if len(kinds) == 0 {
		kinds = Kinds
	}
	types := make([]string, 0, len(kinds))
	for _, kind := range kinds {
		types = append(types, "'"+kind.Workflow+"'")
	}
	query := "WorkflowType = " + types[0]
	if len(types) > 1 {
		query = "WorkflowType IN (" + strings.Join(types, ", ") + ")"
	}

	switch {
	case f.Ended:
		return query + " AND ExecutionStatus != 'Running' AND ExecutionStatus != 'ContinuedAsNew'"
	case f.State == "":
		return query + " AND ExecutionStatus != 'ContinuedAsNew'"
	case f.State == workflows.StateWaiting || f.State == workflows.StatePaused:
		return query + fmt.Sprintf(" AND ExecutionStatus = 'Running' AND %s = '%s'", workflows.SearchAttributeState, f.State)
	}
	return query + fmt.Sprintf(" AND ExecutionStatus = '%s'", executionStatus(f.State))
}

// List lists runs, newest first, at most limit. Lists follow what happens within moments.
func (c *Client) List(ctx context.Context, f Filter, limit int) ([]Run, error) {
	found := make([]Run, 0, min(limit, pageMost))
	var page []byte
	for len(found) < limit {
		reply, err := c.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: c.Namespace, Query: f.query(), PageSize: int32(f.pageSize(limit - len(found))), NextPageToken: page, //nolint:gosec // at most pageMost
		})
		if err != nil {
			return nil, fmt.Errorf("list the runs: %w", err)
		}
		for _, info := range reply.GetExecutions() {
			if r := runOf(info); r.HasLabels(f.Labels) && len(found) < limit {
				found = append(found, r)
			}
		}
		if page = reply.GetNextPageToken(); len(page) == 0 {
			break
		}
	}
	return found, nil
}

// Waiting lists runs that wait for answers, those that wait longest first.
func (c *Client) Waiting(ctx context.Context, limit int) ([]Run, error) {
	var asking []*Kind
	for _, kind := range Kinds {
		if kind.Asks {
			asking = append(asking, kind)
		}
	}
	waiting, err := c.List(ctx, Filter{Kinds: asking, State: workflows.StateWaiting}, limit)
	slices.SortStableFunc(waiting, func(a, b Run) int { return a.WaitsSince().Compare(b.WaitsSince()) })
	return waiting, err
}

// Description is a run as it is now.
type Description struct {
	Run
	Step Step // zero where none runs, and for kinds that are at many steps at once
}

// Describe looks at one run. One that is not there is ErrNoSuchRun.
func (c *Client) Describe(ctx context.Context, id string) (Description, error) {
	description, err := c.Temporal.DescribeWorkflowExecution(ctx, id, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return Description{}, fmt.Errorf("%s: %w", id, ErrNoSuchRun)
	}
	if err != nil {
		return Description{}, fmt.Errorf("look at %s: %w", id, err)
	}
	d := Description{Run: runOf(description.GetWorkflowExecutionInfo())}
	if d.Kind == nil || !d.Kind.ManySteps {
		d.Step = StepOf(description)
	}
	return d, nil
}

// BegunAt is when the first of the Temporal runs was started that each continued the one before.
func (c *Client) BegunAt(ctx context.Context, r Run) (time.Time, error) {
	if r.FirstRunID == "" || r.FirstRunID == r.RunID {
		return r.StartedAt, nil
	}
	description, err := c.Temporal.DescribeWorkflowExecution(ctx, r.ID, r.FirstRunID)
	var forgotten *serviceerror.NotFound
	switch {
	case errors.As(err, &forgotten): // after its retention
		return r.StartedAt, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("look at the first run of %s: %w", r.ID, err)
	}
	return description.GetWorkflowExecutionInfo().GetStartTime().AsTime(), nil
}

// Input reads what a run was started with, out of its history.
func (c *Client) Input(ctx context.Context, r Run, into any) error {
	events := c.Temporal.GetWorkflowHistory(ctx, r.ID, r.RunID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	first, err := events.Next()
	if err == nil {
		payloads := first.GetWorkflowExecutionStartedEventAttributes().GetInput()
		err = converter.GetDefaultDataConverter().FromPayloads(payloads, into)
	}
	if err != nil {
		return fmt.Errorf("read what %s was started with: %w", r.ID, err)
	}
	return nil
}

// missing tells a run that has ended from one that never was; nil where the error says neither.
func (c *Client) missing(ctx context.Context, id string, err error) error {
	var notFound *serviceerror.NotFound
	if !errors.As(err, &notFound) {
		return nil
	}
	if _, err := c.Temporal.DescribeWorkflowExecution(ctx, id, ""); err == nil {
		return fmt.Errorf("%s: %w", id, ErrEnded)
	}
	return fmt.Errorf("%s: %w", id, ErrNoSuchRun)
}
