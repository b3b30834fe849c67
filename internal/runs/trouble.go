package runs

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
)

const (
	// fewAttempts is how many attempts may fail without being told: a service that restarts is back by then.
	fewAttempts = 3
	// noWorkerAfter is how long a step waits for a worker without being told.
	noWorkerAfter = 20 * time.Second
	// stillAfter is how long a conversion may not move without being told, as long as goals have.
	stillAfter = 15 * time.Minute
)

// Codes of trouble that no step reports.
const (
	CodeNoWorker     = "NO_WORKER"
	CodeWorkflowTask = "WORKFLOW_TASK_FAILED"
	CodeJobStill     = "JOB_NOT_MOVING"
)

// Trouble is why a run does not come on: steps that are tried again and again, or that nobody takes. Steps that fail alike
// are one trouble.
type Trouble struct {
	WorkflowID string     `json:"workflow_id"` // of the run, or of the child that the steps belong to
	Step       string     `json:"step"`
	Steps      int        `json:"steps"`    // that fail alike
	Attempts   int        `json:"attempts"` // that have failed, the most of any of these steps
	Code       string     `json:"code,omitempty"`
	Error      string     `json:"error"`
	Since      *time.Time `json:"since,omitempty"`           // when the first of these steps began; nil where that is not known
	NextAt     *time.Time `json:"next_attempt_at,omitempty"` // nil while one is under way
}

// Text is the trouble in one line for people.
func (t Trouble) Text(now time.Time) string {
	text := t.Step
	if t.Steps > 1 {
		text += fmt.Sprintf(" (%d of them)", t.Steps)
	}
	if t.Attempts > 0 {
		text += ", " + term.Plural(t.Attempts, "attempt", "attempts") + " failed"
	}
	if t.Since != nil {
		text += fmt.Sprintf(" since %s (%s)", term.Moment(*t.Since, now), term.Age(now.Sub(*t.Since)))
	}
	text += ": " + t.Error
	if t.NextAt != nil && t.NextAt.After(now) {
		text += "; next in " + term.Span(t.NextAt.Sub(now).Round(time.Second))
	}
	return text
}

// Mark is the trouble in a few words, for a list.
func (t Trouble) Mark() string {
	if t.Attempts == 0 {
		return cmp.Or(t.Code, t.Error)
	}
	return fmt.Sprintf("%s × %d: %s", t.Step, t.Attempts, cmp.Or(t.Code, t.Error))
}

func (t Trouble) sameAs(other Trouble) bool {
	same := t.WorkflowID == other.WorkflowID && t.Step == other.Step && t.Code == other.Code
	return same && (t.Code != "" || t.Error == other.Error)
}

// troublesOf are those of a run's own steps, the most frequent first.
func troublesOf(description *workflowservice.DescribeWorkflowExecutionResponse, now time.Time) []Trouble {
	id := description.GetWorkflowExecutionInfo().GetExecution().GetWorkflowId()
	var all []Trouble
	add := func(t Trouble) {
		t.WorkflowID = id
		at := slices.IndexFunc(all, t.sameAs)
		if at < 0 {
			all = append(all, t)
			return
		}
		all[at].join(t)
	}

	if task := description.GetPendingWorkflowTask(); task != nil {
		if t, stuck := taskTrouble(task, now); stuck {
			add(t)
		}
	}
	for _, pending := range description.GetPendingActivities() {
		if t, stuck := stepTrouble(pending, now); stuck {
			add(t)
		}
	}
	slices.SortStableFunc(all, func(a, b Trouble) int { return cmp.Compare(b.Steps, a.Steps) })
	return all
}

func (t *Trouble) join(other Trouble) {
	t.Steps += other.Steps
	if other.Attempts > t.Attempts {
		t.Attempts, t.Error = other.Attempts, other.Error
	}
	if other.Since != nil && (t.Since == nil || other.Since.Before(*t.Since)) {
		t.Since = other.Since
	}
	if other.NextAt != nil && (t.NextAt == nil || other.NextAt.Before(*t.NextAt)) {
		t.NextAt = other.NextAt
	}
}

func taskTrouble(task *workflow.PendingWorkflowTaskInfo, now time.Time) (Trouble, bool) {
	since := task.GetOriginalScheduledTime().AsTime()
	if since.IsZero() || since.Unix() == 0 {
		since = task.GetScheduledTime().AsTime()
	}
	t := Trouble{Step: "workflow", Steps: 1, Since: &since}
	switch {
	case task.GetAttempt() > fewAttempts:
		t.Attempts, t.Code = int(task.GetAttempt())-1, CodeWorkflowTask
		t.Error = "the run's own code fails in the worker; its log and Temporal's page have the error"
	case task.GetState() == enums.PENDING_WORKFLOW_TASK_STATE_SCHEDULED && now.Sub(task.GetScheduledTime().AsTime()) > noWorkerAfter:
		t.Code, t.Error = CodeNoWorker, noWorkerText
	default:
		return Trouble{}, false
	}
	return t, true
}

const noWorkerText = "no worker takes it: none is up, or all are busy"

func stepTrouble(pending *workflow.PendingActivityInfo, now time.Time) (Trouble, bool) {
	activity := pending.GetActivityType().GetName()
	if activity == goal.RestingActivity {
		return Trouble{}, false
	}

	t := Trouble{Step: stepName(activity), Steps: 1, Attempts: int(pending.GetAttempt()) - 1}
	detail, text := failureOf(pending.GetLastFailure())
	t.Code, t.Error = detail.Code, text
	t.Since = begunAt(pending, detail)
	if next := pending.GetNextAttemptScheduleTime(); next != nil {
		at := next.AsTime()
		t.NextAt = &at
	}
	scheduled := pending.GetState() == enums.PENDING_ACTIVITY_STATE_SCHEDULED
	switch {
	case scheduled && t.NextAt == nil && now.Sub(pending.GetScheduledTime().AsTime()) > noWorkerAfter:
		t.Attempts, t.Code, t.Error = 0, CodeNoWorker, noWorkerText
		at := pending.GetScheduledTime().AsTime()
		t.Since = &at
	case pending.GetState() == enums.PENDING_ACTIVITY_STATE_STARTED && stillSince(pending, now) != nil:
		t.Attempts, t.Code, t.Since = 0, CodeJobStill, stillSince(pending, now)
		t.Error = "its job does not move at the service; a conversion costs nothing, so cancel the run and start it again, or wait"
	case t.Attempts < fewAttempts || pending.GetLastFailure() == nil:
		return Trouble{}, false
	}
	return t, true
}

// stillSince is since when the job of a step has not moved, where that is too long.
func stillSince(pending *workflow.PendingActivityInfo, now time.Time) *time.Time {
	still := progressOf(pending).Still
	if still == nil || now.Sub(*still) < stillAfter {
		return nil
	}
	return still
}

// failureOf is what a failed attempt knew of itself, and its words.
func failureOf(f *failure.Failure) (detail activities.Failure, text string) {
	if payloads := f.GetApplicationFailureInfo().GetDetails(); payloads != nil {
		_ = converter.GetDefaultDataConverter().FromPayloads(payloads, &detail) // of another shape it says nothing
	}
	text = f.GetMessage()
	if f.GetTimeoutFailureInfo() != nil {
		text = "no sign of life from the worker that had it, or no end in time (" + text + ")"
	}
	return detail, text
}

// begunAt is when the first attempt of a step was due. Temporal tells it of steps with an end only; the others tell it with
// their failure.
func begunAt(pending *workflow.PendingActivityInfo, detail activities.Failure) *time.Time {
	end, total := pending.GetExpirationTime(), pending.GetActivityOptions().GetScheduleToCloseTimeout()
	switch {
	case detail.Since != nil:
		return detail.Since
	case end.GetSeconds() > 0 && total.AsDuration() > 0:
		at := end.AsTime().Add(-total.AsDuration())
		return &at
	}
	return nil
}

// troubledQuiet is how long nothing may be done by a batch in trouble before its forecast means nothing.
const troubledQuiet = 5 * time.Second

// Foreseen takes back the forecast of a batch that is in trouble, and all of whose steps are, or of which nothing is done.
func Foreseen(p batch.Progress, troubles []Trouble, now time.Time) batch.Progress {
	steps, troubled := 0, 0
	for _, n := range p.InFlight {
		steps += n
	}
	for _, t := range troubles {
		troubled += t.Steps
	}
	latest, known := landed(p)
	if troubled > 0 && (troubled >= steps || known && now.Sub(latest) > troubledQuiet) {
		p.LeftFor = 0
	}
	return p
}

// landed is when a file of a batch was done last, to the width of its samples; false where none was.
func landed(p batch.Progress) (time.Time, bool) {
	width := time.Duration(0)
	if len(p.Throughput) > 1 {
		width = p.Throughput[1].At.Sub(p.Throughput[0].At)
	}
	for _, sample := range slices.Backward(p.Throughput) {
		if sample.Done > 0 {
			return sample.At.Add(width), true
		}
	}
	return time.Time{}, false
}
