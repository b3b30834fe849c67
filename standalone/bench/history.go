package bench

import (
	"context"
	"fmt"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
)

// histories is what runs have left in Temporal.
type histories struct {
	activities int // scheduled; retries are none of their own
	events     int
	bytes      int64
}

// historian is the part of a Temporal client that tells histories.
type historian interface {
	GetWorkflowHistory(ctx context.Context, id, run string, wait bool, filter enums.HistoryEventFilterType) temporalclient.HistoryEventIterator
	DescribeWorkflowExecution(ctx context.Context, id, run string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
}

// count adds up the histories of a run, of those it has continued as, and of all their children.
func count(ctx context.Context, c historian, first *execution) (histories, error) {
	var total histories
	if first == nil {
		return total, nil
	}
	queue := []execution{*first}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		iterator := c.GetWorkflowHistory(ctx, at.id, at.run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for iterator.HasNext() {
			event, err := iterator.Next()
			if err != nil {
				return total, fmt.Errorf("read the history of %s: %w", at.id, err)
			}
			queue = append(queue, total.add(at, event)...)
		}
		described, err := c.DescribeWorkflowExecution(ctx, at.id, at.run)
		if err != nil {
			return total, fmt.Errorf("describe %s: %w", at.id, err)
		}
		total.bytes += described.GetWorkflowExecutionInfo().GetHistorySizeBytes()
	}
	return total, nil
}

// add counts an event of a run and returns the runs that it leads to.
func (h *histories) add(of execution, event *history.HistoryEvent) []execution {
	h.events++
	if event.GetEventType() == enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED {
		h.activities++
	}
	if next := event.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId(); next != "" {
		return []execution{{of.id, next}}
	}
	if child := event.GetChildWorkflowExecutionStartedEventAttributes().GetWorkflowExecution(); child != nil {
		return []execution{named(child)}
	}
	return nil
}

func named(e *common.WorkflowExecution) execution { return execution{e.GetWorkflowId(), e.GetRunId()} }
