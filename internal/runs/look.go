package runs

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/notify"
)

const (
	looksAtOnce   = 10
	childrenMost  = 20 // of one run that are looked at
	childrenDepth = 3  // a watch, its wave, the wave's shards
)

// looker looks at runs and their children, a few at once.
type looker struct {
	c     *Client
	slots chan struct{}
}

// look describes a run, and finds its trouble and that of its children.
func (l looker) look(ctx context.Context, id string, depth int) (*workflowservice.DescribeWorkflowExecutionResponse, []Trouble, error) {
	l.slots <- struct{}{}
	description, err := l.c.Temporal.DescribeWorkflowExecution(ctx, id, "")
	<-l.slots
	if err != nil {
		return nil, nil, err
	}
	found := troublesOf(description, l.c.now())
	children := description.GetPendingChildren()
	if depth == 0 || description.GetWorkflowExecutionInfo().GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return description, found, nil
	}

	theirs := make([][]Trouble, min(len(children), childrenMost))
	var all sync.WaitGroup
	for i := range theirs {
		all.Go(func() {
			_, theirs[i], _ = l.look(ctx, children[i].GetWorkflowId(), depth-1) // one that has ended since has none
		})
	}
	all.Wait()
	return description, append(found, slices.Concat(theirs...)...), nil
}

// Look is Describe with all trouble of the run, that of its children included.
func (c *Client) Look(ctx context.Context, id string) (Description, error) {
	l := looker{c: c, slots: make(chan struct{}, looksAtOnce)}
	description, troubles, err := l.look(ctx, id, childrenDepth)
	if err != nil {
		return Description{}, describeFault(id, err)
	}
	d := descriptionOf(description)
	d.Troubles = troubles
	return d, nil
}

// Troubles looks at open runs and their children. Runs without trouble, and those that could not be looked at in time, are
// not in the result.
func (c *Client) Troubles(ctx context.Context, open []Run) map[string][]Trouble {
	l := looker{c: c, slots: make(chan struct{}, looksAtOnce)}
	found := make([][]Trouble, len(open))
	var all sync.WaitGroup
	for i, r := range open {
		if r.Open() {
			all.Go(func() { _, found[i], _ = l.look(ctx, r.ID, childrenDepth) })
		}
	}
	all.Wait()

	byRun := map[string][]Trouble{}
	for i, r := range open {
		if len(found[i]) > 0 {
			byRun[r.ID] = found[i]
		}
	}
	return byRun
}

// Survey looks for trouble in everything that is open, notifications too, the newest first, at most limit. It reports
// whether there was more than that.
func (c *Client) Survey(ctx context.Context, limit int) (found []Trouble, more bool, err error) {
	open, err := c.List(ctx, Filter{State: workflows.StateRunning}, limit+1)
	if err != nil {
		return nil, false, err
	}
	query := fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", notify.WorkflowType)
	reply, err := c.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: c.Namespace, Query: query, PageSize: int32(min(limit+1, pageMost)), //nolint:gosec // at most pageMost
	})
	if err != nil {
		return nil, false, fmt.Errorf("list the notifications: %w", err)
	}
	for _, info := range reply.GetExecutions() {
		open = append(open, runOf(info))
	}
	more = len(open) > limit
	open = open[:min(len(open), limit)]

	byRun := c.Troubles(ctx, open)
	for _, r := range open {
		for _, t := range byRun[r.ID] {
			// A wave is a run of its own, and a child of its watch.
			if !slices.ContainsFunc(found, t.sameAs) {
				found = append(found, t)
			}
		}
	}
	return found, more, nil
}
