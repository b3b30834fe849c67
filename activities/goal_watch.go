package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/client"
)

// GoalInput names a goal job.
type GoalInput struct {
	JobSpecID string `json:"job_spec_id"`
}

// RetrieveGoal reads a job once.
func (a *Activities) RetrieveGoal(ctx context.Context, in GoalInput) (GoalSnapshot, error) {
	work, attempt := startAttempt(ctx, StepWatch)
	defer attempt.end()
	job, err := a.retrieveGoal(work, in.JobSpecID)
	if err != nil {
		return GoalSnapshot{}, failed(work, StepWatch, err)
	}
	return snapshotOf(job), nil
}

func (a *Activities) retrieveGoal(ctx context.Context, id string) (*client.GoalJob, error) {
	job, err := a.goals.Retrieve(ctx, id)
	switch {
	case client.IsNotFound(err) && attemptOf(ctx) > patience:
		return nil, &localError{kind: FailureResultsGone, code: CodeJobUnknown, text: "the service does not know goal job " + id}
	case client.IsNotFound(err):
		return nil, &localError{kind: FailureUnavailable, code: CodeJobUnknown, retry: true, text: "the service does not know goal job " + id + " (yet)"}
	}
	return job, err
}

// WatchGoal follows a job until it ends or waits for its caller. Events are hints; what counts is what the job
// itself says. It only reads, so a retry just goes on.
func (a *Activities) WatchGoal(ctx context.Context, in GoalInput) (GoalSnapshot, error) {
	work, attempt := startAttempt(ctx, StepWatch)
	defer attempt.end()
	job, err := a.watchGoal(work, in.JobSpecID, attempt)
	if err != nil {
		return GoalSnapshot{}, failed(work, StepWatch, err)
	}
	return snapshotOf(job), nil
}

func (a *Activities) watchGoal(ctx context.Context, id string, attempt *attempt) (*client.GoalJob, error) {
	stopped := func(job *client.GoalJob) bool { return job.Status.Terminal() || job.Status.AwaitsCaller() }
	for event, err := range a.goals.Events(ctx, id, client.EventOptions{PollInterval: a.poll}) {
		if err != nil {
			if _, known := a.retrieveGoal(ctx, id); known != nil {
				err = known // which tells a job that is gone from one that is not there yet
			}
			return nil, err
		}
		job := event.Job
		if job == nil && (event.Type.Terminal() || event.Type == client.EventStatus || event.Type == client.EventSlotNeeded) {
			if job, err = a.retrieveGoal(ctx, id); err != nil {
				return nil, err
			}
		}
		if job != nil && stopped(job) {
			return job, nil
		}
		attempt.set(goalProgress(event, job, attempt.latest.Load().Percent))
	}
	job, err := a.retrieveGoal(ctx, id)
	if err != nil || stopped(job) {
		return job, err
	}
	return nil, &localError{kind: FailureUnavailable, code: CodeUnavailable, retry: true, text: "the event stream ended before the job did"}
}

func goalProgress(event client.GoalEvent, job *client.GoalJob, percent int) Progress {
	var data struct {
		Progress *float64 `json:"progress"`
		Percent  *float64 `json:"percent"`
		Message  string   `json:"message"`
		Name     string   `json:"name"`
	}
	_ = json.Unmarshal(event.Data, &data) // its keys are not a published schema
	for _, p := range []*float64{data.Progress, data.Percent} {
		if event.Type == client.EventProgress && p != nil && *p >= 0 && *p <= 100 {
			percent = max(percent, int(*p))
		}
	}
	if job != nil {
		percent = max(percent, job.Percent())
	}
	message := data.Message
	if message == "" {
		message = data.Name
	}
	return Progress{Step: StepWatch, Percent: percent, Message: message[:min(len(message), 200)]}
}

// LookGoalInput is a parked job, and how it looked when it was parked.
type LookGoalInput struct {
	JobSpecID string   `json:"job_spec_id"`
	Status    string   `json:"status"`
	Pending   []string `json:"pending"` // slot ids, in order
}

// NothingNew is the type of the error by which LookGoal says to look again later. Temporal's retries are the
// timer: between two looks nothing runs, and none of them adds to history.
const NothingNew = "NothingNew"

// LookGoal notices what others did to a parked job.
func (a *Activities) LookGoal(ctx context.Context, in LookGoalInput) (GoalSnapshot, error) {
	job, err := a.retrieveGoal(ctx, in.JobSpecID)
	if err != nil {
		return GoalSnapshot{}, failed(ctx, StepWatch, err)
	}
	snapshot := snapshotOf(job)
	same := snapshot.Status == in.Status && len(snapshot.Slots) == len(in.Pending)
	for i := 0; same && i < len(in.Pending); i++ {
		same = snapshot.Slots[i].SlotID == in.Pending[i]
	}
	if same {
		return GoalSnapshot{}, temporal.NewApplicationErrorWithOptions("nothing new", NothingNew,
			temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
	}
	return snapshot, nil
}

// snapshotOf is the part of a job that goes into history.
func snapshotOf(job *client.GoalJob) GoalSnapshot {
	s := GoalSnapshot{
		JobSpecID: job.JobSpecID, Status: string(job.Status), Version: job.ItemVersion, AttemptID: job.AttemptID,
		Percent: job.Percent(), Message: cut(job.AgentMessage, messageLimit), Filled: map[string]json.RawMessage{},
	}
	previews := map[string][]Preview{}
	for _, approval := range job.Approvals() {
		previews[approval.SlotID] = append(previews[approval.SlotID], Preview{ArtifactID: approval.ArtifactID, FileName: approval.FileName, MimeType: approval.MimeType})
	}
	s.Previews = previews[""]
	for _, pending := range job.PendingSlots {
		question := pending.Slot()
		question.Previews = previews[pending.SlotID]
		s.Slots = append(s.Slots, question)
	}
	for slotID, value := range job.FilledSlots {
		if len(value) > FilledLimit {
			value = nil
		}
		s.Filled[slotID] = value
	}
	if e := job.Error; e != nil {
		s.Error = &GoalFailure{Code: e.Code, Message: cut(e.Message, messageLimit), Reason: e.Reason}
		if e.SuggestedAction != nil {
			s.Error.Action = *e.SuggestedAction
		}
	}
	return s
}

// messageLimit bounds texts of the service in history, in bytes.
const messageLimit = 4096

func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return string(bytes.ToValidUTF8([]byte(text[:limit]), nil)) + "…"
}

// lookTimeout bounds one look.
const lookTimeout = 30 * time.Second

// LookTimeout is the StartToCloseTimeout of LookGoal: it is too short to need heartbeats.
const LookTimeout = lookTimeout
