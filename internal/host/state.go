package host

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/notify"
)

const (
	// stateFresh is how long what was read counts, however often it is asked for.
	stateFresh = 15 * time.Second
	// statePatience is shorter than what Prometheus waits for an answer.
	statePatience = 8 * time.Second

	waitingMost = 5000 // runs whose questions are counted
	surveyMost  = 200  // open runs that are looked at for trouble, the newest first
	deadMost    = 500  // notifications that ended badly and are looked at, the newest first
)

// state is what Temporal knows of all runs, as gauges. All processes on one Temporal have the same values.
type state struct {
	runs *runs.Client
	now  func() time.Time

	mu   sync.Mutex
	at   time.Time
	last []prometheus.Metric
}

func described(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	temporalUp   = described("convilyn_temporal_up", "1 while Temporal answers what the other convilyn gauges are read from, else 0; they are missing then.")
	openRuns     = described("convilyn_open_runs", "Runs that have not ended, by lane and state.", "lane", "state")
	waiting      = described("convilyn_waiting_questions", "Open questions that wait for people.")
	oldest       = described("convilyn_oldest_question_age_seconds", "How long the oldest open question has waited; 0 without one.")
	deadLetters  = described("convilyn_dead_letters", "Notifications that the webhook never took, and that were not sent again since.")
	retrying     = described("convilyn_retrying_steps", "Steps whose attempts have failed three times or more, or that no worker takes.", "step", "code")
	oldestRetry  = described("convilyn_oldest_retry_age_seconds", "How long ago the oldest of these steps began; 0 without one.")
	descriptions = []*prometheus.Desc{temporalUp, openRuns, waiting, oldest, deadLetters, retrying, oldestRetry}
)

// Describe tells the registry what there may be.
func (s *state) Describe(out chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		out <- d
	}
}

// Collect reads everything, unless it was read a moment ago.
func (s *state) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); s.last == nil || now.Sub(s.at) >= stateFresh || now.Before(s.at) {
		s.last, s.at = s.read(), now
	}
	for _, m := range s.last {
		out <- m
	}
}

func gauge(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (s *state) read() []prometheus.Metric {
	ctx, cancel := context.WithTimeout(context.Background(), statePatience)
	defer cancel()
	var all []prometheus.Metric
	for _, read := range []func(context.Context) ([]prometheus.Metric, error){s.open, s.questions, s.dead, s.trouble} {
		found, err := read(ctx)
		if err != nil {
			return []prometheus.Metric{gauge(temporalUp, 0)} // a part of the truth would look like all of it
		}
		all = append(all, found...)
	}
	return append(all, gauge(temporalUp, 1))
}

func (s *state) count(ctx context.Context, query string) (int64, error) {
	reply, err := s.runs.Temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: s.runs.Namespace, Query: query})
	if err != nil {
		return 0, fmt.Errorf("count runs: %w", err)
	}
	return reply.GetCount(), nil
}

func (s *state) open(ctx context.Context) (all []prometheus.Metric, err error) {
	for _, kind := range runs.Kinds {
		query := fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", kind.Workflow)
		rest, err := s.count(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, state := range []string{workflows.StateWaiting, workflows.StatePaused} {
			n, err := s.count(ctx, query+fmt.Sprintf(" AND %s = '%s'", workflows.SearchAttributeState, state))
			if err != nil {
				return nil, err
			}
			rest -= n
			all = append(all, gauge(openRuns, float64(n), kind.Lane, state))
		}
		all = append(all, gauge(openRuns, float64(max(0, rest)), kind.Lane, workflows.StateRunning))
	}
	return all, nil
}

func (s *state) questions(ctx context.Context) ([]prometheus.Metric, error) {
	found, err := s.runs.Waiting(ctx, waitingMost)
	if err != nil {
		return nil, err
	}
	n, age := 0, time.Duration(0)
	for _, r := range found {
		n += len(r.Memo.Questions) + r.Memo.More
		if len(r.Memo.Questions) > 0 {
			age = max(age, s.now().Sub(r.WaitsSince()))
		}
	}
	return []prometheus.Metric{gauge(waiting, float64(n)), gauge(oldest, age.Seconds())}, nil
}

// dead counts ids whose latest sending ended badly.
func (s *state) dead(ctx context.Context) ([]prometheus.Metric, error) {
	reply, err := s.runs.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: s.runs.Namespace, PageSize: deadMost,
		Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus != 'Running' AND ExecutionStatus != 'Completed'", notify.WorkflowType),
	})
	if err != nil {
		return nil, fmt.Errorf("list the dead letters: %w", err)
	}
	ids := make([]string, 0, len(reply.GetExecutions()))
	for _, info := range reply.GetExecutions() {
		ids = append(ids, info.GetExecution().GetWorkflowId())
	}
	slices.Sort(ids)

	n := 0
	for _, id := range slices.Compact(ids) {
		latest, err := s.runs.Temporal.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			return nil, fmt.Errorf("look at a dead letter: %w", err)
		}
		switch latest.GetWorkflowExecutionInfo().GetStatus() {
		case enums.WORKFLOW_EXECUTION_STATUS_RUNNING, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		default:
			n++
		}
	}
	return []prometheus.Metric{gauge(deadLetters, float64(n))}, nil
}

func (s *state) trouble(ctx context.Context) ([]prometheus.Metric, error) {
	found, _, err := s.runs.Survey(ctx, surveyMost)
	if err != nil {
		return nil, err
	}
	type key struct{ step, code string }
	steps, age := map[key]int{}, time.Duration(0)
	for _, t := range found {
		steps[key{t.Step, workflows.MetricCode(t.Code)}] += t.Steps
		if t.Since != nil {
			age = max(age, s.now().Sub(*t.Since))
		}
	}
	all := []prometheus.Metric{gauge(oldestRetry, age.Seconds())}
	for k, n := range steps {
		all = append(all, gauge(retrying, float64(n), k.step, k.code))
	}
	return all, nil
}
