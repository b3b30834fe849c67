package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
)

// Names of the steps of a goal in failures and progress.
const (
	StepCheck   = "check"
	StepStart   = "start"
	StepWatch   = "watch"
	StepFill    = "answer"
	StepConfirm = "confirm"
	StepRetry   = "retry"
	StepCollect = "collect"
)

// ConfirmGoal submits a ready job and reads it again. A job that is confirmed already refuses a second time,
// which is fine.
func (a *Activities) ConfirmGoal(ctx context.Context, in GoalInput) (GoalSnapshot, error) {
	return a.act(ctx, StepConfirm, in.JobSpecID, func(ctx context.Context) error {
		return a.goals.Confirm(ctx, in.JobSpecID, client.WithIdempotencyKey(idempotencyKey(ctx, StepConfirm)))
	})
}

// CancelGoal cancels a job and reads it again. One that has ended already is left as it is.
func (a *Activities) CancelGoal(ctx context.Context, in GoalInput) (GoalSnapshot, error) {
	return a.act(ctx, StepCancel, in.JobSpecID, func(ctx context.Context) error {
		return a.goals.Cancel(ctx, in.JobSpecID, client.WithIdempotencyKey(idempotencyKey(ctx, StepCancel)))
	})
}

// StepCancel names CancelGoal in failures and progress.
const StepCancel = "cancel"

// RetryGoalInput is a failed job to run again.
type RetryGoalInput struct {
	JobSpecID string `json:"job_spec_id"`
	AttemptID string `json:"attempt_id,omitempty"` // the attempt that failed
	Reason    string `json:"reason,omitempty"`
}

// RetryGoal uses the free retry of a failed job. Where an earlier try at it was heard, it is not repeated.
func (a *Activities) RetryGoal(ctx context.Context, in RetryGoalInput) (GoalSnapshot, error) {
	return a.act(ctx, StepRetry, in.JobSpecID, func(ctx context.Context) error {
		job, err := a.retrieveGoal(ctx, in.JobSpecID)
		if err != nil || job.Status != client.GoalFailed || job.AttemptID != in.AttemptID {
			return err
		}
		return a.goals.Retry(ctx, in.JobSpecID, client.RetryParams{Mode: client.RerunSameThread, Reason: in.Reason},
			client.WithIdempotencyKey(idempotencyKey(ctx, StepRetry+"-"+in.AttemptID)))
	})
}

// act does something to a job once, as far as the job is concerned, and returns the job as it then is.
func (a *Activities) act(ctx context.Context, step, jobSpecID string, do func(ctx context.Context) error) (GoalSnapshot, error) {
	work, attempt := startAttempt(ctx, step)
	defer attempt.end()
	err := do(work)
	if err != nil && !client.IsConflict(err) {
		return GoalSnapshot{}, failed(work, step, err)
	}
	job, err := a.retrieveGoal(work, jobSpecID)
	if err != nil {
		return GoalSnapshot{}, failed(work, step, err)
	}
	return snapshotOf(job), nil
}

// Slot is a question of a goal job.
type Slot = slot.Slot

// Option is one choice of a slot.
type Option = slot.Option

// Preview is an artifact to be looked at before an answer is given.
type Preview = slot.Preview

// GoalSnapshot is a goal job at one moment.
type GoalSnapshot struct {
	JobSpecID string    `json:"job_spec_id"`
	Status    string    `json:"status"` // of the service
	Version   int       `json:"version"`
	AttemptID string    `json:"attempt_id,omitempty"`
	Percent   int       `json:"percent"`
	UpdatedAt time.Time `json:"updated_at,omitzero"` // by the service's clock; it moves while a job is alive
	Slots     []Slot    `json:"slots,omitempty"`
	Previews  []Preview `json:"previews,omitempty"` // of a ready_with_preview job
	// Filled holds the values of answered slots; those over FilledLimit bytes are null.
	Filled  map[string]json.RawMessage `json:"filled,omitempty"`
	Message string                     `json:"message,omitempty"`
	Error   *GoalFailure               `json:"error,omitempty"`
}

// FilledLimit bounds what a snapshot keeps of an answered slot's value, in bytes of JSON.
const FilledLimit = 1024

// GoalFailure says why a goal job failed, or what a partial one lacks.
type GoalFailure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Reason  string `json:"reason,omitempty"`
	Action  string `json:"action,omitempty"` // suggestedAction; empty where the service said nothing
}

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
				err = known // which separates a job that is gone from one that is not there yet
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
	// Still is how far a job that does not move has come; any move is news then.
	Still *Movement `json:"still,omitempty"`
}

// Movement is what changes while a job is alive.
type Movement struct {
	Status    string    `json:"status"`
	Percent   int       `json:"percent"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// Movement is how far the job has come.
func (s *GoalSnapshot) Movement() Movement {
	return Movement{Status: s.Status, Percent: s.Percent, UpdatedAt: s.UpdatedAt.UTC()}
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
	same = same && (in.Still == nil || *in.Still == snapshot.Movement())
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
		Percent: job.Percent(), UpdatedAt: job.UpdatedAt, Message: cut(job.AgentMessage, messageLimit), Filled: map[string]json.RawMessage{},
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
