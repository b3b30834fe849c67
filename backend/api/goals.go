package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
)

const retryReasonMax = 512 // characters

// wireGoal is a goal job as clients see it.
func (s *server) wireGoal(g store.Goal) client.WireGoalJob {
	wire := client.WireGoalJob{
		JobSpecID: g.ID, Status: g.Status, Progress: g.Progress, ItemVersion: g.Version, AttemptID: fmt.Sprintf("att_%d", g.Attempt),
		FileIDs: append([]string{}, g.Files...), PendingSlots: []client.WirePendingSlot{}, FilledSlots: store.CloneAnswers(g.Answers),
		PendingInterrupts: []json.RawMessage{}, CreatedAt: g.Created, UpdatedAt: s.goals.Alive(g), StartedAt: g.Started, CompletedAt: g.Completed,
	}
	if g.Text != "" {
		wire.GoalText = &g.Text
	}
	if message := strings.Join(append(append([]string{}, g.Closing...), g.Notes...), "\n"); message != "" {
		wire.AgentMessage = &message
	}
	for _, slot := range g.Pending {
		wire.PendingSlots = append(wire.PendingSlots, slot.WirePendingSlot)
	}
	for _, a := range g.Approve {
		raw, err := json.Marshal(client.WireApproval{
			InterruptType: client.InterruptApproval, SlotID: a.SlotID, ArtifactID: a.File.ID, FileName: a.File.Name, MimeType: a.File.Mime,
		})
		if err == nil {
			wire.PendingInterrupts = append(wire.PendingInterrupts, raw)
		}
	}
	if f := g.Failure; f != nil {
		wire.ErrorCode, wire.ErrorMessage, wire.SuggestedAction = &f.Code, &f.Message, &f.Action
		if f.Reason != "" {
			wire.ErrorDetail = &client.WireGoalErrorDetail{Reason: f.Reason}
		}
	}
	return wire
}

// pollInterval is how long a client had better wait before it looks again, in milliseconds.
func pollInterval(status client.GoalStatus) int {
	switch status {
	case client.GoalDraft, client.GoalCreated, client.GoalAnalyzing, client.GoalConfirmed, client.GoalQueued:
		return 500
	case client.GoalExecuting:
		return 1000
	case client.GoalSlotsPending, client.GoalReady, client.GoalReadyWithPreview,
		client.GoalCompleted, client.GoalPartial, client.GoalFailed, client.GoalCancelled:
		return 5000
	default:
		return 1000
	}
}

func (s *server) requestedGoal(r *http.Request) (store.Goal, error) {
	return s.goals.Find(r.Context(), accountOf(r.Context()), r.PathValue("job_id"))
}

// getGoal reads a goal job: GET /api/v1/jobs/goal/{job_id}.
func (s *server) getGoal(w http.ResponseWriter, r *http.Request) error {
	job, err := s.requestedGoal(r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.wireGoal(job))
	return nil
}

// goalStatus is the short form: GET /api/v1/jobs/goal/{job_id}/status.
func (s *server) goalStatus(w http.ResponseWriter, r *http.Request) error {
	job, err := s.requestedGoal(r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, client.WireGoalStatus{
		JobSpecID: job.ID, Status: job.Status, Progress: job.Progress, ItemVersion: job.Version,
		SuggestedPollIntervalMs: pollInterval(job.Status), UpdatedAt: s.goals.Alive(job),
	})
	return nil
}

// listGoals lists an account's goal jobs, the newest hundred first: GET /api/v1/jobs/goal. The route is this
// service's own; file_id lets a client find the job whose creation it got no reply to.
func (s *server) listGoals(w http.ResponseWriter, r *http.Request) error {
	found, total, err := s.store.Goals(r.Context(), accountOf(r.Context()), r.URL.Query().Get("file_id"), pageSizeMax)
	if err != nil {
		return err
	}
	out := client.WireGoalList{Jobs: []client.WireGoalJob{}, Total: total}
	for _, job := range found {
		out.Jobs = append(out.Jobs, s.wireGoal(job))
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// listArtifacts lists what a job has made: GET /api/v1/jobs/goal/{job_id}/artifacts, and .../download.
func (s *server) listArtifacts(w http.ResponseWriter, r *http.Request) error {
	job, err := s.requestedGoal(r)
	if err != nil {
		return err
	}
	if job.Status != client.GoalCompleted && job.Status != client.GoalPartial {
		return refuse(http.StatusBadRequest, "BAD_REQUEST", "A job that is %s has no artifacts; only completed and partial ones do.", job.Status)
	}
	out := client.WireArtifactList{Artifacts: []client.WireArtifact{}, Total: len(job.Artifacts)}
	for _, a := range job.Artifacts {
		link := client.PresignedURL(s.signer.artifactLink(s.baseURL(r), job.ID, a.ID, s.cfg.Now().Add(s.cfg.LinkTTL)))
		wire := client.WireArtifact{
			ArtifactID: a.ID, FileName: a.Name, MimeType: a.Mime, SizeBytes: a.Size, DownloadURL: &link,
			IsPrimary: a.Primary, Description: a.Description,
		}
		if a.Type != "" {
			wire.ArtifactType = &a.Type
		}
		out.Artifacts = append(out.Artifacts, wire)
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// artifact finds what can be downloaded of a job: its artifacts, and what it shows while it waits.
func artifact(g store.Goal, id string) (store.Artifact, bool) {
	files := slices.Clone(g.Artifacts)
	for _, a := range g.Approve {
		files = append(files, a.File)
	}
	at := slices.IndexFunc(files, func(a store.Artifact) bool { return a.ID == id })
	if at < 0 {
		return store.Artifact{}, false
	}
	return files[at], true
}

// linkArtifact makes a link: GET /api/v1/jobs/goal/{job_id}/artifacts/{artifact_id}/download.
func (s *server) linkArtifact(w http.ResponseWriter, r *http.Request) error {
	job, err := s.requestedGoal(r)
	if err != nil {
		return err
	}
	a, found := artifact(job, r.PathValue("artifact_id"))
	if !found {
		return refuse(http.StatusNotFound, "NOT_FOUND", "The job has no artifact %.80s.", r.PathValue("artifact_id"))
	}
	expires := s.cfg.Now().Add(s.cfg.LinkTTL)
	writeJSON(w, http.StatusOK, client.WireArtifactLink{
		DownloadURL: client.PresignedURL(s.signer.artifactLink(s.baseURL(r), job.ID, a.ID, expires)),
		FileName:    a.Name, SizeBytes: a.Size, MimeType: a.Mime, ExpiresAt: expires,
	})
	return nil
}

// serveArtifact serves a file of a goal job by its signed link, with ranges.
func (s *server) serveArtifact(w http.ResponseWriter, r *http.Request) {
	if err := s.signer.checkResultLink(r.URL, s.cfg.Now()); err != nil {
		s.failStorage(w, r, deny(http.StatusForbidden, err.Error(), "The link is forged, altered or has expired."))
		return
	}
	job, _, err := s.store.Goal(r.Context(), r.PathValue("job_id"))
	if err != nil {
		s.failStorage(w, r, err)
		return
	}
	a, found := artifact(job, r.PathValue("artifact_id"))
	if !found {
		s.failStorage(w, r, deny(http.StatusNotFound, "NoSuchKey", "The artifact is gone."))
		return
	}
	s.serveStored(w, r, s.store.ArtifactPath(job.ID, a), store.Result{Filename: a.Name, Mimetype: a.Mime, SHA256: a.SHA256})
}

// patchSlots is both spellings of a PATCH.
type patchSlots struct {
	client.WireFillSlots
	Slots       []client.WireSlotAnswer `json:"slots"`
	ItemVersion *int                    `json:"itemVersion"`
}

// fillSlots answers questions: PATCH /api/v1/jobs/goal/{job_id}/slots. All answers count, or none.
func (s *server) fillSlots(w http.ResponseWriter, r *http.Request) error {
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
		if job, err = s.goals.Answer(r.Context(), job, in.Answers, in.ExpectedVersion); err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, s.wireGoal(job))
	return nil
}

func (s *server) acknowledge(w http.ResponseWriter, job store.Goal) {
	at := s.cfg.Now()
	writeJSON(w, http.StatusAccepted, client.WireAck{
		JobSpecID: job.ID, Status: job.Status, MessageID: fmt.Sprintf("msg_%s_%d", job.ID[:8], job.Version), SubmittedAt: &at,
	})
}

// act changes the requested job and acknowledges that. A repeat under the same key finds it done.
func (s *server) act(w http.ResponseWriter, r *http.Request, do func(ctx context.Context, id string) (store.Goal, error)) error {
	job, err := s.requestedGoal(r)
	if err != nil {
		return err
	}
	if !repeated(r.Context()) {
		if job, err = do(r.Context(), job.ID); err != nil {
			return err
		}
	}
	s.acknowledge(w, job)
	return nil
}

// confirmGoal lets a ready job run: POST /api/v1/jobs/goal/{job_id}/confirm.
func (s *server) confirmGoal(w http.ResponseWriter, r *http.Request) error {
	var in client.WireConfirm
	if err := readOptional(r, &in); err != nil {
		return err
	}
	return s.act(w, r, func(ctx context.Context, id string) (store.Goal, error) {
		return s.goals.Confirm(ctx, id, in.ExpectedVersion)
	})
}

// cancelGoal ends a job: POST /api/v1/jobs/goal/{job_id}/cancel.
func (s *server) cancelGoal(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, s.goals.Cancel)
}

// retryGoal runs a failed job again: POST /api/v1/jobs/goal/{job_id}/retry.
func (s *server) retryGoal(w http.ResponseWriter, r *http.Request) error {
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
	return s.act(w, r, func(ctx context.Context, id string) (store.Goal, error) {
		return s.goals.Retry(ctx, id, in.RerunMode == client.RerunFresh)
	})
}
