package answering

import (
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
)

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
		kind := pending.GetActivityType().GetName()
		if kind == goal.RestingActivity {
			continue
		}
		s := Step{Attempt: int(pending.GetAttempt()), Failure: pending.GetLastFailure().GetMessage()}
		if payloads := pending.GetHeartbeatDetails(); payloads != nil {
			// Progress is a courtesy: what cannot be read is not shown.
			_ = converter.GetDefaultDataConverter().FromPayloads(payloads, &s.Progress)
		}
		if s.Step == "" {
			s.Step = stepName(kind)
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
