package backend

import (
	"context"
	"net/http"
	"slices"

	"github.com/convilyn/convilyn-temporal/client"
)

func noGoal(id string) error {
	return refuse(http.StatusNotFound, "JOB_NOT_FOUND", "There is no goal job %.80s.", id)
}

// ownGoal finds a goal job of an account.
func (s *Service) ownGoal(ctx context.Context, account, id string) (goalRow, error) {
	job, found, err := s.store.goal(ctx, id)
	if err == nil && (!found || job.account != account) {
		err = noGoal(id)
	}
	return job, err
}

func (s *Service) requestedGoal(r *http.Request) (goalRow, error) {
	return s.ownGoal(r.Context(), accountOf(r.Context()), r.PathValue("job_id"))
}

// getGoal reads a goal job: GET /api/v1/jobs/goal/{job_id}.
func (s *Service) getGoal(w http.ResponseWriter, r *http.Request) error {
	job, err := s.requestedGoal(r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wireGoal(job))
	return nil
}

// goalStatus is the short form: GET /api/v1/jobs/goal/{job_id}/status.
func (s *Service) goalStatus(w http.ResponseWriter, r *http.Request) error {
	job, err := s.requestedGoal(r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, client.WireGoalStatus{
		JobSpecID: job.id, Status: job.status, Progress: job.Progress, ItemVersion: job.Version,
		SuggestedPollIntervalMs: pollInterval(job.status), UpdatedAt: job.updated,
	})
	return nil
}

// listGoals lists an account's goal jobs, the newest hundred first: GET /api/v1/jobs/goal. The route is this
// service's own; file_id lets a client find the job whose creation it got no reply to.
func (s *Service) listGoals(w http.ResponseWriter, r *http.Request) error {
	found, total, err := s.store.goalsOf(r.Context(), accountOf(r.Context()), r.URL.Query().Get("file_id"), pageSizeMax)
	if err != nil {
		return err
	}
	out := client.WireGoalList{Jobs: []client.WireGoalJob{}, Total: total}
	for _, job := range found {
		out.Jobs = append(out.Jobs, wireGoal(job))
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// listArtifacts lists what a job has made: GET /api/v1/jobs/goal/{job_id}/artifacts, and .../download.
func (s *Service) listArtifacts(w http.ResponseWriter, r *http.Request) error {
	job, err := s.requestedGoal(r)
	if err != nil {
		return err
	}
	if job.status != client.GoalCompleted && job.status != client.GoalPartial {
		return refuse(http.StatusBadRequest, "BAD_REQUEST", "A job that is %s has no artifacts; only completed and partial ones do.", job.status)
	}
	out := client.WireArtifactList{Artifacts: []client.WireArtifact{}, Total: len(job.Artifacts)}
	for _, a := range job.Artifacts {
		link := client.PresignedURL(s.signer.artifactLink(s.baseURL(r), job.id, a.ID, s.now().Add(s.cfg.LinkTTL)))
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
func (g *goalRow) artifact(id string) (artifactRow, bool) {
	files := slices.Clone(g.Artifacts)
	for _, a := range g.Approve {
		files = append(files, a.File)
	}
	at := slices.IndexFunc(files, func(a artifactRow) bool { return a.ID == id })
	if at < 0 {
		return artifactRow{}, false
	}
	return files[at], true
}

// linkArtifact makes a link: GET /api/v1/jobs/goal/{job_id}/artifacts/{artifact_id}/download.
func (s *Service) linkArtifact(w http.ResponseWriter, r *http.Request) error {
	job, err := s.requestedGoal(r)
	if err != nil {
		return err
	}
	a, found := job.artifact(r.PathValue("artifact_id"))
	if !found {
		return refuse(http.StatusNotFound, "NOT_FOUND", "The job has no artifact %.80s.", r.PathValue("artifact_id"))
	}
	expires := s.now().Add(s.cfg.LinkTTL)
	writeJSON(w, http.StatusOK, client.WireArtifactLink{
		DownloadURL: client.PresignedURL(s.signer.artifactLink(s.baseURL(r), job.id, a.ID, expires)),
		FileName:    a.Name, SizeBytes: a.Size, MimeType: a.Mime, ExpiresAt: expires,
	})
	return nil
}

// serveArtifact serves a file of a goal job by its signed link, with ranges.
func (s *Service) serveArtifact(w http.ResponseWriter, r *http.Request) {
	if err := s.signer.checkResultLink(r.URL, s.now()); err != nil {
		s.failStorage(w, r, deny(http.StatusForbidden, err.Error(), "The link is forged, altered or has expired."))
		return
	}
	job, _, err := s.store.goal(r.Context(), r.PathValue("job_id"))
	if err != nil {
		s.failStorage(w, r, err)
		return
	}
	a, found := job.artifact(r.PathValue("artifact_id"))
	if !found {
		s.failStorage(w, r, deny(http.StatusNotFound, "NoSuchKey", "The artifact is gone."))
		return
	}
	s.serveStored(w, r, s.path(folderGoals, job.id, a.Stored), resultRow{filename: a.Name, mimetype: a.Mime, sha256: a.SHA256})
}
