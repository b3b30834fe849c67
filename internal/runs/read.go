package runs

import (
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func runOf(info *workflow.WorkflowExecutionInfo) Run {
	memo := info.GetMemo()
	r := Run{
		Kind: KindOf(info.GetType().GetName()), ID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(),
		FirstRunID: info.GetFirstRunId(), Status: statusOf(info), StartedAt: info.GetStartTime().AsTime(), Events: info.GetHistoryLength(),
		Labels: Decoded[[]string](memo, MemoLabels), Memo: Decoded[questions.Memo](memo, questions.MemoKey), Sealed: sealing.SealedMemo(memo),
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
	for number := range enums.WorkflowExecutionStatus_name {
		if status := enums.WorkflowExecutionStatus(number).String(); strings.EqualFold(status, state) {
			return status
		}
	}
	return state
}

// Step is what the running step of a run says of itself.
type Step struct {
	activities.Progress
	Attempt int
	Wait    time.Duration // until the next attempt
	Failure string        // of the attempt before
}

// StepOf reads the running step from a description; the zero Step means that none runs right now.
func StepOf(description *workflowservice.DescribeWorkflowExecutionResponse) Step {
	for _, pending := range description.GetPendingActivities() {
		activity := pending.GetActivityType().GetName()
		if activity == goal.RestingActivity {
			continue
		}

		s := Step{Progress: progressOf(pending), Attempt: int(pending.GetAttempt()), Failure: pending.GetLastFailure().GetMessage()}
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

// progressOf is what a step has reported of itself. That is a courtesy: what cannot be read is not shown.
func progressOf(pending *workflow.PendingActivityInfo) (p activities.Progress) {
	if payloads := pending.GetHeartbeatDetails(); payloads != nil {
		_ = converter.GetDefaultDataConverter().FromPayloads(payloads, &p)
	}
	return p
}

func stepName(activityType string) string {
	name := map[string]string{
		"UploadFile": activities.StepUpload, "CreateConversion": activities.StepCreate, "AwaitConversion": activities.StepAwait,
		"AwaitFiles": activities.StepFiles, "DownloadResults": activities.StepDownload, "PlaceHeld": activities.StepReview, "CheckGoal": activities.StepCheck, "StartGoal": activities.StepStart, "FindGoal": activities.StepStart,
		"RetrieveGoal": activities.StepWatch, "WatchGoal": activities.StepWatch, "FillSlots": activities.StepFill, "ConfirmGoal": activities.StepConfirm,
		"PlanBatch": activities.StepPlan, "ReadPlan": activities.StepPlan, "WriteReportPart": activities.StepReport, "ListFailed": activities.StepReport, "FinishReport": activities.StepReport,
		"RetryGoal": activities.StepRetry, "CancelGoal": activities.StepCancel, "CollectArtifacts": activities.StepCollect, "PostNotification": activities.StepNotify,
	}[activityType]
	if name == "" {
		return activityType
	}
	return name
}
