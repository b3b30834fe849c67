package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
)

// use is what this process has used over some time.
type use struct {
	wall   time.Duration
	cpu    float64 // seconds
	memory int64   // most bytes resident; 0 where that cannot be told
}

// meter measures this process from its start to its stop.
type meter struct {
	begun  time.Time
	cpu    float64
	stopit chan struct{}
	peak   chan int64
}

// sampling is how often memory is looked at.
const sampling = 20 * time.Millisecond

func startMeter() *meter {
	m := &meter{begun: time.Now(), cpu: CPU(), stopit: make(chan struct{}), peak: make(chan int64)}
	go m.sample()
	return m
}

func (m *meter) sample() {
	ticker := time.NewTicker(sampling)
	defer ticker.Stop()
	peak := resident()
	for {
		select {
		case <-ticker.C:
			peak = max(peak, resident())
		case <-m.stopit:
			m.peak <- max(peak, resident())
			return
		}
	}
}

func (m *meter) stop() use {
	u := use{wall: time.Since(m.begun), cpu: CPU() - m.cpu}
	close(m.stopit)
	u.memory = <-m.peak
	return u
}

// CPU is the time that this process has computed so far, in seconds, the system's work for it included.
func CPU() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// resident is how much of this process is in memory, in bytes; 0 where the system does not tell.
func resident() int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	n, err := residentIn(string(data))
	if err != nil {
		return 0
	}
	return n
}

func residentIn(status string) (int64, error) {
	for line := range strings.Lines(status) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("no VmRSS in it")
}

// execution names a run of a workflow.
type execution struct{ id, run string }

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

// ServiceUse is what a conversion service has done and used so far.
type ServiceUse struct {
	Requests  int64   `json:"requests"`  // to the API
	Transfers int64   `json:"transfers"` // to its storage, up and down
	CPU       float64 `json:"cpu"`       // seconds
}

func figures(files int, u use, h histories, s ServiceUse) Figures {
	n := float64(files)
	return Figures{
		Seconds: u.wall.Seconds(), FilesPerSecond: n / u.wall.Seconds(),
		Activities: float64(h.activities) / n, Events: float64(h.events) / n, HistoryBytes: float64(h.bytes) / n,
		Requests: float64(s.Requests) / n, Transfers: float64(s.Transfers) / n,
		CPU: u.cpu / n, ServiceCPU: s.CPU / n, Memory: float64(u.memory),
	}
}
