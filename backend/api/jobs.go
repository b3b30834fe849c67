package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/queue"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// createJob admits a conversion: POST /api/v1/jobs.
func (s *server) createJob(w http.ResponseWriter, r *http.Request) error {
	var in client.WireCreateJob
	if err := readJSON(r, &in); err != nil {
		return err
	}
	ctx := r.Context()
	fileID, family, err := target(in)
	if err != nil {
		return err
	}
	file, found, err := s.store.File(ctx, accountOf(ctx), fileID)
	switch {
	case err != nil:
		return err
	case !found, file.State == store.FileGranted:
		return refuse(http.StatusNotFound, "NOT_FOUND", "There is no uploaded file %s.", fileID)
	}
	job := store.Job{
		ID: newID(ctx, "job_"), Account: accountOf(ctx), FileID: fileID, Processor: in.ProcessorType, Params: in.Params, Created: s.cfg.Now(),
	}
	existing, exists, err := s.store.Job(ctx, job.Account, job.ID)
	switch {
	case err != nil:
		return err
	case !exists && file.State == store.FileGone:
		return queue.Expired(file)
	case !exists:
		if existing, err = s.jobs.Submit(ctx, job, file, family); err != nil {
			return err
		}
	}
	if existing, err = s.hold(w, r, existing); err != nil {
		return err
	}
	return s.writeJob(w, r, http.StatusAccepted, existing)
}

// target reads the discriminated union: which family, which file.
func target(in client.WireCreateJob) (fileID string, family client.Family, err error) {
	switch in.ProcessorType {
	case client.ProcessorDocument:
		fileID, family = in.Params.SourceFileID, client.FamilyDocument
	case client.ProcessorImage:
		fileID, family = in.Params.FileID, client.FamilyImage
	case client.ProcessorMedia:
		fileID, family = in.Params.FileID, client.FamilyMedia
	default:
		return "", "", refuse(http.StatusBadRequest, "union_tag_not_found",
			"processor_type must be document_conversion, image_conversion or media_processing.")
	}
	if fileID == "" {
		return "", "", refuse(http.StatusUnprocessableEntity, "INVALID_PARAMETERS", "The file's id is missing from params.")
	}
	return fileID, family, nil
}

// getJob reads a job: GET /api/v1/jobs/{job_id}.
func (s *server) getJob(w http.ResponseWriter, r *http.Request) error {
	job, found, err := s.store.Job(r.Context(), accountOf(r.Context()), r.PathValue("job_id"))
	if err != nil {
		return err
	}
	if !found {
		return refuse(http.StatusNotFound, "JOB_NOT_FOUND", "There is no job %s.", r.PathValue("job_id"))
	}
	if job, err = s.hold(w, r, job); err != nil {
		return err
	}
	return s.writeJob(w, r, http.StatusOK, job)
}

func (s *server) writeJob(w http.ResponseWriter, r *http.Request, status int, job store.Job) error {
	wire, err := s.wireJob(r, job)
	if err != nil {
		return err
	}
	writeJSON(w, status, wire)
	return nil
}

// wireJob is a job as clients see it: nothing null that their models forbid, links made at this moment.
func (s *server) wireJob(r *http.Request, job store.Job) (client.WireJob, error) {
	params, err := json.Marshal(job.Params)
	if err != nil {
		return client.WireJob{}, err
	}
	wire := client.WireJob{
		JobID: job.ID, UserID: "user_" + job.Account[:8], Status: job.Status, ProcessorType: job.Processor, Params: params,
		ResultFiles: []client.WireResultFile{}, Warnings: job.Warnings, Check: job.Check, Error: job.Failure, RetryCount: job.Retries,
		CreatedAt: job.Created, UpdatedAt: job.Updated, StartedAt: job.Started, CompletedAt: job.Completed,
		SuggestedPollIntervalMs: suggestedPoll(job, s.cfg.Now()),
	}
	switch job.Status {
	case client.JobQueued, client.JobFailed:
	case client.JobCompleted:
		wire.Progress = 100
		results, err := s.store.Results(r.Context(), job.ID)
		if err != nil {
			return wire, err
		}
		for i, result := range results {
			wire.ResultFiles = append(wire.ResultFiles, client.WireResultFile{
				Filename: result.Filename, Size: result.Size, Mimetype: result.Mimetype,
				URL: client.PresignedURL(s.signer.resultLink(s.baseURL(r), job.ID, i, s.cfg.Now().Add(s.cfg.LinkTTL))),
			})
		}
	case client.JobProcessing:
		wire.Progress, wire.ProgressMessage = s.jobs.Progress(job.ID)
	}
	return wire, nil
}

const (
	pageSizeDefault = 20
	pageSizeMax     = 100
)

// listJobs lists an account's jobs: GET /api/v1/jobs. file_id is a filter of this service alone: it lets a
// client find the job whose creation it got no reply to.
func (s *server) listJobs(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	f := store.JobFilter{Status: query.Get("status"), Processor: query.Get("processor_type"), FileID: query.Get("file_id")}
	var err error
	if f.Page, err = positive(query, "page", 1, 1_000_000); err != nil {
		return err
	}
	if f.Limit, err = positive(query, "limit", pageSizeDefault, pageSizeMax); err != nil {
		return err
	}
	switch client.JobStatus(f.Status) {
	case "", client.JobQueued, client.JobProcessing, client.JobCompleted, client.JobFailed:
	default:
		return refuse(http.StatusUnprocessableEntity, "INVALID_PARAMETERS", "status must be queued, processing, completed or failed.")
	}
	jobs, total, err := s.store.Jobs(r.Context(), accountOf(r.Context()), f)
	if err != nil {
		return err
	}
	out := client.WireJobList{Jobs: []client.WireJob{}, Total: total, Page: f.Page, Limit: f.Limit}
	for _, job := range jobs {
		wire, err := s.wireJob(r, job)
		if err != nil {
			return err
		}
		out.Jobs = append(out.Jobs, wire)
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func positive(query url.Values, name string, otherwise, most int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, refuse(http.StatusUnprocessableEntity, "INVALID_PARAMETERS", "%s must be a number from 1 to %d.", name, most)
	}
	return n, nil
}

// support lists what this machine converts within a family: GET /api/v1/{family}/support.
func (s *server) support(family client.Family) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		out := client.WireSupport{Routes: []client.WireRoute{}, Variants: client.Variants()}
		in := func(route engines.Route) bool {
			of, err := client.FamilyFor(route.Source, route.Target)
			return err == nil && of == family
		}
		for _, route := range s.cfg.Registry.Unavailable() {
			if in(route.Route) {
				out.Unavailable = append(out.Unavailable, client.WireUnavailable{Source: route.Source, Target: route.Target, Install: route.Package})
			}
		}
		for _, route := range s.cfg.Registry.Offered() {
			if !in(route.Route) {
				continue
			}
			out.Routes = append(out.Routes, client.WireRoute{
				Source: route.Source, Target: route.Target, QualityMode: string(route.Quality), Engine: route.Engine,
				Options: option.Union(route.Options, queue.Options(route.Source, route.Target)),
			})
		}
		writeJSON(w, http.StatusOK, out)
		return nil
	}
}
