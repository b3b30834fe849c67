package activities

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"

	"github.com/convilyn/convilyn-temporal/client"
)

// FillSlotsInput is the answers that go to a job in one PATCH.
type FillSlotsInput struct {
	JobSpecID string       `json:"job_spec_id"`
	Answers   []SlotAnswer `json:"answers"`
}

// FillSlotsResult says what became of each answer; those in none of the lists are still to be sent.
type FillSlotsResult struct {
	Delivered []string      `json:"delivered,omitempty"` // slot ids that hold the answer now
	Elsewhere []string      `json:"elsewhere,omitempty"` // slots that are no longer asked, and do not hold our answer
	Refused   []SlotRefusal `json:"refused,omitempty"`
	Snapshot  GoalSnapshot  `json:"snapshot"`
	Attempts  int           `json:"attempts"`
}

// SlotRefusal is an answer that the service does not take.
type SlotRefusal struct {
	SlotID string `json:"slot_id"`
	Reason string `json:"reason"`
}

// FillSlots answers slots of a job in one PATCH.
//
// Each attempt looks first and sends only what is still asked, on condition of the version it saw: an answer
// whose reply was lost is found delivered, and nobody's later answer is overwritten. A lost race is looked at again.
func (a *Activities) FillSlots(ctx context.Context, in FillSlotsInput) (FillSlotsResult, error) {
	work, attempt := startAttempt(ctx, StepFill)
	defer attempt.end()
	out, err := a.fillSlots(work, in)
	if err != nil {
		return FillSlotsResult{}, failed(work, StepFill, err)
	}
	out.Attempts = attemptOf(ctx)
	return out, nil
}

// races bounds how often one attempt loses a race before it leaves the next try to Temporal.
const races = 5

func (a *Activities) fillSlots(ctx context.Context, in FillSlotsInput) (FillSlotsResult, error) {
	for race := 1; ; race++ {
		job, err := a.retrieveGoal(ctx, in.JobSpecID)
		if err != nil {
			return FillSlotsResult{}, err
		}
		out, open := compare(job, in.Answers)
		if len(open) == 0 || job.Status.Terminal() {
			return out, nil
		}
		version := job.ItemVersion
		job, err = a.goals.FillSlots(ctx, in.JobSpecID, client.FillParams{Answers: wireAnswers(open), ExpectedVersion: &version}, client.WithoutRetries())
		switch {
		case err == nil:
			for _, answer := range open {
				out.Delivered = append(out.Delivered, answer.SlotID)
			}
			out.Snapshot = snapshotOf(job)
			return out, nil
		case client.IsVersionConflict(err) && race < races:
			continue
		case client.IsVersionConflict(err):
			return out, &localError{kind: FailureUnavailable, code: CodeConflict, retry: true, text: "others keep writing to the job; trying again"}
		}
		refused, known := refusals(err, open)
		if !known {
			return out, err
		}
		out.Refused = refused
		return out, nil
	}
}

// compare splits answers into those that the job holds, those that are no longer asked, and those to send.
func compare(job *client.GoalJob, answers []SlotAnswer) (out FillSlotsResult, open []SlotAnswer) {
	asked := map[string]bool{}
	for _, slot := range job.PendingSlots {
		asked[slot.SlotID] = true
	}
	for _, answer := range answers {
		held, filled := job.FilledSlots[answer.SlotID]
		switch {
		case asked[answer.SlotID]:
			open = append(open, answer)
		case filled && SameJSON(held, answer.Value):
			out.Delivered = append(out.Delivered, answer.SlotID)
		default:
			out.Elsewhere = append(out.Elsewhere, answer.SlotID)
		}
	}
	out.Snapshot = snapshotOf(job)
	return out, open
}

// refusals reads which answers a final refusal is about; false where it is about the request as a whole.
func refusals(err error, sent []SlotAnswer) ([]SlotRefusal, bool) {
	var api *client.APIError
	if !errors.As(err, &api) {
		return nil, false
	}
	foreign := api.Status == http.StatusForbidden && !client.IsFreePlanGate(err) && !client.IsAuth(err)
	expired := api.Code == client.CodeFileExpired
	if api.Status != http.StatusUnprocessableEntity && !foreign && !expired {
		return nil, false
	}
	named, _ := api.Details["slotId"].(string)
	var out []SlotRefusal
	for _, answer := range sent {
		if named == "" || named == answer.SlotID {
			out = append(out, SlotRefusal{SlotID: answer.SlotID, Reason: cut(api.Message, FilledLimit)})
		}
	}
	return out, len(out) > 0
}

// SameJSON reports whether two values mean the same.
func SameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
