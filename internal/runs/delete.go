package runs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
)

// ErrOpen reports that a run has not ended.
var ErrOpen = errors.New("the run has not ended; cancel it first")

// Kept is what Temporal keeps of a run that has ended.
type Kept struct {
	Run
	Histories int   // of the run, of those before it under its id, and of the shards of a batch
	Bytes     int64 // of these histories

	all []*common.WorkflowExecution
}

// Kept looks at what Temporal keeps of a run. One that is open is ErrOpen.
func (c *Client) Kept(ctx context.Context, r Run) (Kept, error) {
	if r.Open() {
		return Kept{}, fmt.Errorf("%s: %w", r.ID, ErrOpen)
	}
	k := Kept{Run: r}
	if strings.ContainsAny(r.ID, `'\`) {
		return k, fmt.Errorf("%s has an id that Temporal cannot be asked for", r.ID)
	}
	queries := []string{"WorkflowId = '" + r.ID + "'"}
	if r.Kind != nil && r.Kind.parts != "" {
		queries = append(queries, "WorkflowType = '"+r.Kind.parts+"' AND WorkflowId STARTS_WITH '"+r.ID+"-shard-'")
	}
	for _, query := range queries {
		var page []byte
		for more := true; more; more = len(page) > 0 {
			reply, err := c.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
				Namespace: c.Namespace, Query: query, PageSize: pageMost, NextPageToken: page,
			})
			if err != nil {
				return k, fmt.Errorf("list what there is of %s: %w", r.ID, err)
			}
			for _, info := range reply.GetExecutions() {
				k.Histories++
				k.Bytes += info.GetHistorySizeBytes()
				k.all = append(k.all, info.GetExecution())
			}
			page = reply.GetNextPageToken()
		}
	}
	return k, nil
}

// Delete has Temporal forget a run. Its outputs stay.
func (c *Client) Delete(ctx context.Context, k Kept) error {
	for _, execution := range k.all {
		_, err := c.Temporal.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
			Namespace: c.Namespace, WorkflowExecution: execution,
		})
		var gone *serviceerror.NotFound
		if err != nil && !errors.As(err, &gone) {
			return fmt.Errorf("delete %s: %w", k.ID, err)
		}
	}
	return nil
}
