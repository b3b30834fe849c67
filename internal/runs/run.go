package runs

import (
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// Run is a run as lists show it.
type Run struct {
	Kind       *Kind `json:"-"` // nil for workflows that are no runs of ours
	ID         string
	RunID      string
	FirstRunID string
	Name       string // what people call it; of a conversion its file. May be empty
	Target     string // the format, or the goal
	// Status is Temporal's: running, completed, failed, cancelled, terminated, timedout or continuedasnew.
	Status string
	// Reported is the state that the run has written into its search attribute; empty where it has none.
	Reported  string
	StartedAt time.Time
	ClosedAt  *time.Time // nil while it runs
	Events    int64      // of its history; 0 in lists

	Memo questions.Memo // the open questions, of goals and batches

	Source, Output string // of batches and watches: where files come from and go to
	Files          int    // of a batch: all of them; of a watch: converted so far
	Failed         int    // of these, as far as the memo knows
	Waves          int    // of a watch

	// Sealed is a payload of the memo that could not be opened; nil where the memo can be read.
	Sealed *common.Payload `json:"-"`
}

func runOf(info *workflow.WorkflowExecutionInfo) Run {
	memo := info.GetMemo()
	r := Run{
		Kind: KindOf(info.GetType().GetName()), ID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(),
		FirstRunID: info.GetFirstRunId(), Status: statusOf(info), StartedAt: info.GetStartTime().AsTime(), Events: info.GetHistoryLength(),
		Memo: decoded[questions.Memo](memo, questions.MemoKey), Sealed: sealing.SealedMemo(memo),
		Reported: decodedPayload[string](info.GetSearchAttributes().GetIndexedFields()[workflows.SearchAttributeState]),
	}
	if closed := info.GetCloseTime(); closed != nil {
		at := closed.AsTime()
		r.ClosedAt = &at
	}
	if r.Kind != nil {
		r.Kind.read(&r, memo)
	}
	return r
}

func statusOf(info *workflow.WorkflowExecutionInfo) string {
	status := strings.ToLower(info.GetStatus().String())
	if status == "canceled" {
		return workflows.StateCancelled
	}
	return status
}

// executionStatus is Temporal's word for a state of ours.
func executionStatus(state string) string {
	if state == workflows.StateCancelled {
		return "Canceled"
	}
	return strings.ToUpper(state[:1]) + state[1:]
}

// Open reports whether the run has not ended.
func (r Run) Open() bool { return r.Status == workflows.StateRunning }

// State is the run's own word for how it is while it runs, and Temporal's status after its end.
func (r Run) State() string {
	switch {
	case !r.Open():
		return r.Status
	case (r.Kind == Batch || r.Kind == Watch) && r.Reported != "":
		return r.Reported
	case len(r.Memo.Questions) > 0:
		return workflows.StateWaiting
	}
	return r.Status
}

// Outcome is State, and tells a completed batch that was stopped, or in which files failed, from one without faults.
func (r Run) Outcome() string {
	switch {
	case r.Kind != Batch || r.Status != workflows.StateCompleted:
		return r.State()
	case r.Reported == workflows.StateFailed:
		return batch.ResultStopped
	case r.Failed > 0:
		return batch.ResultFailures
	}
	return r.State()
}

// SealedWith is the id of the key that the memo is sealed with; empty where it can be read.
func (r Run) SealedWith() string {
	if r.Sealed == nil {
		return ""
	}
	return sealing.SealedWith(r.Sealed)
}

// WaitsSince is when the oldest open question was asked; the start of the run where there is none.
func (r Run) WaitsSince() time.Time {
	since := r.StartedAt
	for i, q := range r.Memo.Questions {
		if i == 0 || q.AskedAt.Before(since) {
			since = q.AskedAt
		}
	}
	return since
}

// Step is what the running step of a run says of itself.
type Step struct {
	activities.Progress
	Attempt int
	Wait    time.Duration // until the next attempt
	Failure string        // of the attempt before
}

// stepOf reads the running step from a description; the zero Step means that none runs right now.
func stepOf(description *workflowservice.DescribeWorkflowExecutionResponse) Step {
	for _, pending := range description.GetPendingActivities() {
		activity := pending.GetActivityType().GetName()
		if activity == goal.RestingActivity {
			continue
		}

		s := Step{Attempt: int(pending.GetAttempt()), Failure: pending.GetLastFailure().GetMessage()}
		if payloads := pending.GetHeartbeatDetails(); payloads != nil {
			// Progress is a courtesy: what cannot be read is not shown.
			_ = converter.GetDefaultDataConverter().FromPayloads(payloads, &s.Progress)
		}
		if s.Step == "" {
			s.Step = stepName(activity)
		}
		if next := pending.GetNextAttemptScheduleTime(); next != nil {
			s.Wait = max(0, time.Until(next.AsTime()))
		}
		return s
	}
	return Step{}
}

func stepName(activityType string) string {
	name := map[string]string{
		"UploadFile": activities.StepUpload, "CreateConversion": activities.StepCreate, "AwaitConversion": activities.StepAwait,
		"AwaitFiles": activities.StepFiles, "DownloadResults": activities.StepDownload, "CheckGoal": activities.StepCheck, "StartGoal": activities.StepStart, "FindGoal": activities.StepStart,
		"RetrieveGoal": activities.StepWatch, "WatchGoal": activities.StepWatch, "FillSlots": activities.StepFill, "ConfirmGoal": activities.StepConfirm,
		"RetryGoal": activities.StepRetry, "CancelGoal": activities.StepCancel, "CollectArtifacts": activities.StepCollect, "PostNotification": activities.StepNotify,
	}[activityType]
	if name == "" {
		return activityType
	}
	return name
}
