package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"testing"

	temporalclient "go.temporal.io/sdk/client"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
)

func TestResidentMemoryIsReadFromAStatus(t *testing.T) {
	n, err := residentIn("Name:\tx\nVmHWM:\t  999 kB\nVmRSS:\t   12345 kB\nRssAnon:\t 1 kB\n")
	require.NoError(t, err)
	assert.Equal(t, int64(12345<<10), n)
	for _, status := range []string{"", "VmHWM: 1 kB\n", "VmRSS:\tmuch kB\n"} {
		_, err := residentIn(status)
		assert.Error(t, err, status)
	}
}

func TestAMeterMeasuresThisProcess(t *testing.T) {
	m := startMeter()
	sum := [32]byte{}
	for m.cpu == CPU() { // the clock of some systems is coarse
		sum = sha256.Sum256(sum[:])
	}
	u := m.stop()
	assert.Positive(t, u.cpu)
	assert.Positive(t, u.wall)
	if _, err := os.Stat("/proc/self/status"); err == nil {
		assert.Greater(t, u.memory, int64(1<<20))
	}
}

// told is Temporal with some histories, by "workflow id/run id".
type told map[string][]*history.HistoryEvent

func (t told) GetWorkflowHistory(_ context.Context, id, run string, _ bool, _ enums.HistoryEventFilterType) temporalclient.HistoryEventIterator {
	return &recorded{events: t[id+"/"+run]}
}

func (t told) DescribeWorkflowExecution(_ context.Context, id, run string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	events, known := t[id+"/"+run]
	if !known {
		return nil, errors.New("no such run")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflow.WorkflowExecutionInfo{HistorySizeBytes: int64(100 * len(events))},
	}, nil
}

type recorded struct{ events []*history.HistoryEvent }

func (t *recorded) HasNext() bool { return len(t.events) > 0 }

func (t *recorded) Next() (*history.HistoryEvent, error) {
	event := t.events[0]
	t.events = t.events[1:]
	return event, nil
}

func event(kind enums.EventType) *history.HistoryEvent { return &history.HistoryEvent{EventType: kind} }

func childStarted(id, run string) *history.HistoryEvent {
	return &history.HistoryEvent{
		EventType: enums.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
		Attributes: &history.HistoryEvent_ChildWorkflowExecutionStartedEventAttributes{
			ChildWorkflowExecutionStartedEventAttributes: &history.ChildWorkflowExecutionStartedEventAttributes{
				WorkflowExecution: &common.WorkflowExecution{WorkflowId: id, RunId: run},
			},
		},
	}
}

func continuedAs(run string) *history.HistoryEvent {
	return &history.HistoryEvent{
		EventType: enums.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
		Attributes: &history.HistoryEvent_WorkflowExecutionContinuedAsNewEventAttributes{
			WorkflowExecutionContinuedAsNewEventAttributes: &history.WorkflowExecutionContinuedAsNewEventAttributes{NewExecutionRunId: run},
		},
	}
}

func TestHistoriesAreCountedOverRunsAndChildren(t *testing.T) {
	const scheduled, completed = enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
	all := told{
		"parent/1": {event(enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED), childStarted("a", "1"), continuedAs("2")},
		"parent/2": {event(enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED), childStarted("b", "1"), event(scheduled)},
		"a/1":      {event(scheduled), event(completed), event(scheduled)},
		"b/1":      {event(completed)},
		"other/1":  {event(scheduled)},
	}
	got, err := count(t.Context(), all, &execution{"parent", "1"})
	require.NoError(t, err)
	assert.Equal(t, histories{activities: 3, events: 10, bytes: 1000}, got)

	got, err = count(t.Context(), all, nil)
	require.NoError(t, err)
	assert.Zero(t, got, "the bare client leaves none")

	_, err = count(t.Context(), all, &execution{"gone", "1"})
	assert.ErrorContains(t, err, "describe gone: no such run")
}
