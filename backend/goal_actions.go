package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
)

const retryReasonMax = 512 // characters

// changeGoal changes a job and tells everybody who is concerned: event streams, workers, rehearsed faults. f must
// not use the records.
func (s *Service) changeGoal(ctx context.Context, id string, f func(*goalRow) error) (goalRow, error) {
	unlock := s.locks.lock("goal " + id) // so that events come in the order of the changes
	defer unlock()
	before, after, err := s.store.changeGoal(ctx, id, s.now(), f)
	if err != nil {
		if errors.Is(err, errFileGone) {
			err = fileWentAway()
		}
		return after, err
	}
	s.publish(before, after)
	if after.status == client.GoalCancelled {
		s.passes.breakOff(id)
	}
	if after.due && !after.running {
		s.passes.wake()
	}
	if after.status == client.GoalSlotsPending && before.status != after.status {
		s.answerElsewhere(after)
	}
	return after, nil
}

func conflict(format string, args ...any) error {
	return refuse(http.StatusConflict, "CONFLICT", format, args...)
}

func checkVersion(job *goalRow, expected *int) error {
	if expected != nil && *expected != job.Version {
		return refuse(http.StatusConflict, "VERSION_CONFLICT", "The job is at version %d, not %d; read it again.", job.Version, *expected)
	}
	return nil
}

// patchSlots is both spellings of a PATCH.
type patchSlots struct {
	client.WireFillSlots
	Slots       []client.WireSlotAnswer `json:"slots"`
	ItemVersion *int                    `json:"itemVersion"`
}

// fillSlots answers questions: PATCH /api/v1/jobs/goal/{job_id}/slots. All answers count, or none.
func (s *Service) fillSlots(w http.ResponseWriter, r *http.Request) error {
	var in patchSlots
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if in.Answers == nil {
		in.Answers = in.Slots
	}
	if in.ExpectedVersion == nil {
		in.ExpectedVersion = in.ItemVersion
	}
	job, err := s.requestedGoal(r)
	if err != nil {
		return err
	}
	if !repeated(r.Context()) {
		if job, err = s.answer(r.Context(), job, in.Answers, in.ExpectedVersion); err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, wireGoal(job))
	return nil
}

// answer checks answers and writes them, provided that nothing was written in between.
func (s *Service) answer(ctx context.Context, job goalRow, answers []client.WireSlotAnswer, expected *int) (goalRow, error) {
	switch {
	case len(answers) == 0:
		return job, invalid("At least one answer is needed.")
	case job.status != client.GoalSlotsPending:
		return job, conflict("The job is %s and asks nothing.", job.status)
	}
	if err := checkVersion(&job, expected); err != nil {
		return job, err
	}
	var hold []string
	for i, given := range answers {
		if slices.ContainsFunc(answers[:i], func(a client.WireSlotAnswer) bool { return a.SlotID == given.SlotID }) {
			return job, refuseAnswer(goals.Slot{WirePendingSlot: client.WirePendingSlot{SlotID: given.SlotID}}, "it is answered twice")
		}
		at := slices.IndexFunc(job.Pending, func(slot goals.Slot) bool { return slot.SlotID == given.SlotID })
		if at < 0 {
			return job, refuseAnswer(goals.Slot{WirePendingSlot: client.WirePendingSlot{SlotID: given.SlotID}}, "the job does not ask this")
		}
		files, err := s.checkAnswer(ctx, job.account, job.Pending[at], given.Value)
		if err != nil {
			return job, err
		}
		hold = append(hold, files...)
	}
	return s.changeGoal(ctx, job.id, func(g *goalRow) error {
		if err := checkVersion(g, &job.Version); err != nil {
			return err
		}
		g.hold = hold
		for _, given := range answers {
			g.Answers[given.SlotID] = given.Value
			g.Pending = slices.DeleteFunc(g.Pending, func(slot goals.Slot) bool { return slot.SlotID == given.SlotID })
		}
		if slotsRequired(g.Pending) {
			return nil
		}
		g.Pending, g.Approve, g.due, g.Laps, g.status = nil, nil, true, 0, client.GoalAnalyzing
		if g.Confirmed {
			g.status = client.GoalExecuting
		}
		return nil
	})
}

// checkAnswer refuses a value that is no answer to a slot; otherwise it gives the files that the value names.
func (s *Service) checkAnswer(ctx context.Context, account string, slot goals.Slot, value json.RawMessage) ([]string, error) {
	if err := slot.Validate(value); err != nil {
		return nil, refuseAnswer(slot, err.Error())
	}
	if slot.SlotType != client.SlotFile {
		return nil, nil
	}
	var ids []string
	if json.Unmarshal(value, &ids) != nil {
		var id string
		if err := json.Unmarshal(value, &id); err != nil {
			return nil, refuseAnswer(slot, "it is neither a file id nor a list of them")
		}
		ids = []string{id}
	}
	for i, id := range ids {
		file, found, err := s.store.file(ctx, account, id)
		switch {
		case err != nil:
			return nil, err
		case !found, file.state == fileGranted:
			refused := &refusal{status: http.StatusForbidden, code: "FORBIDDEN_FILE", message: fmt.Sprintf("File %.80q for slot %s is none of yours.", id, slot.SlotID)}
			refused.details = map[string]any{"slotId": slot.SlotID, "reason": "not your file"}
			return nil, refused
		case file.state == fileGone:
			return nil, expired(file)
		case slices.Contains(ids[:i], id):
			return nil, refuseAnswer(slot, "file "+id+" is given twice")
		}
	}
	return ids, nil
}

// refuseAnswer says which slot, why, and what it takes.
func refuseAnswer(slot goals.Slot, reason string) error {
	return &refusal{
		status: http.StatusUnprocessableEntity, code: "INVALID_SLOT_ANSWER", message: fmt.Sprintf("Slot %.80q: %s.", slot.SlotID, reason),
		details: map[string]any{"slotId": slot.SlotID, "reason": reason, "options": slot.Options},
	}
}

func (s *Service) acknowledge(w http.ResponseWriter, job goalRow) {
	at := s.now()
	writeJSON(w, http.StatusAccepted, client.WireAck{
		JobSpecID: job.id, Status: job.status, MessageID: fmt.Sprintf("msg_%s_%d", job.id[:8], job.Version), SubmittedAt: &at,
	})
}

// act changes the requested job and acknowledges that. A repeat under the same key finds it done.
func (s *Service) act(w http.ResponseWriter, r *http.Request, change func(*goalRow) error) error {
	job, err := s.requestedGoal(r)
	if err != nil {
		return err
	}
	if !repeated(r.Context()) {
		if job, err = s.changeGoal(r.Context(), job.id, change); err != nil {
			return err
		}
	}
	s.acknowledge(w, job)
	return nil
}

// confirmGoal lets a ready job run: POST /api/v1/jobs/goal/{job_id}/confirm.
func (s *Service) confirmGoal(w http.ResponseWriter, r *http.Request) error {
	var in client.WireConfirm
	if err := readOptional(r, &in); err != nil {
		return err
	}
	return s.act(w, r, func(g *goalRow) error {
		if g.status != client.GoalReady && g.status != client.GoalReadyWithPreview {
			return conflict("The job is %s; only one that is ready can be confirmed.", g.status)
		}
		if err := checkVersion(g, in.ExpectedVersion); err != nil {
			return err
		}
		g.Confirmed, g.due, g.Laps, g.Approve, g.status = true, true, 0, nil, client.GoalQueued
		return nil
	})
}

// cancelGoal ends a job: POST /api/v1/jobs/goal/{job_id}/cancel.
func (s *Service) cancelGoal(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, func(g *goalRow) error {
		if g.status.Terminal() {
			return conflict("The job is %s already.", g.status)
		}
		g.status, g.Pending, g.Approve = client.GoalCancelled, nil, nil
		return nil
	})
}

// retryGoal runs a failed job again: POST /api/v1/jobs/goal/{job_id}/retry.
func (s *Service) retryGoal(w http.ResponseWriter, r *http.Request) error {
	in := client.WireRetry{RerunMode: client.RerunSameThread}
	if err := readOptional(r, &in); err != nil {
		return err
	}
	if in.RerunMode != client.RerunSameThread && in.RerunMode != client.RerunFresh {
		return invalid("rerunMode must be %s or %s.", client.RerunSameThread, client.RerunFresh)
	}
	if utf8.RuneCountInString(in.Reason) > retryReasonMax {
		return invalid("reason may have %d characters.", retryReasonMax)
	}
	fresh := in.RerunMode == client.RerunFresh
	files, err := s.store.goalFiles(r.Context(), r.PathValue("job_id"))
	if err != nil {
		return err
	}
	return s.act(w, r, func(g *goalRow) error {
		if g.status != client.GoalFailed {
			return conflict("The job is %s; only a failed one can be retried.", g.status)
		}
		if fresh {
			if err := os.RemoveAll(s.path(folderGoals, g.id, folderSteps)); err != nil {
				return fmt.Errorf("drop the steps: %w", err)
			}
			g.Answers, g.Notes, g.Confirmed = map[string]json.RawMessage{}, nil, false
		}
		// Files may have gone since the job ended; what answered slots is needed where the answers stay.
		if g.hold = g.Files; !fresh {
			g.hold = slices.Collect(maps.Keys(files))
		}
		g.Attempt++
		g.Progress, g.Restarts, g.Laps, g.Started, g.Failure = 0, 0, 0, nil, nil
		g.due, g.status = true, client.GoalQueued
		return nil
	})
}
