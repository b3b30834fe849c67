package backend

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
)

// createJob admits a conversion: POST /api/v1/jobs.
func (s *Service) createJob(w http.ResponseWriter, r *http.Request) error {
	var in client.WireCreateJob
	if err := readJSON(r, &in); err != nil {
		return err
	}
	ctx := r.Context()
	fileID, family, err := target(in)
	if err != nil {
		return err
	}
	file, found, err := s.store.file(ctx, accountOf(ctx), fileID)
	switch {
	case err != nil:
		return err
	case !found, file.state == fileGranted:
		return refuse(http.StatusNotFound, "NOT_FOUND", "There is no uploaded file %s.", fileID)
	}
	job := jobRow{
		id: newID(ctx, "job_"), account: accountOf(ctx), fileID: fileID, processor: in.ProcessorType, params: in.Params, created: s.now(),
	}
	existing, exists, err := s.store.job(ctx, job.account, job.id)
	if err != nil {
		return err
	}
	if !exists {
		if file.state == fileGone {
			return expired(file)
		}
		if err := s.admit(&job, file, family); err != nil {
			return err
		}
		refused, done, err := s.refusedOnRequest(w, r, job)
		defer done()
		if err != nil || refused {
			return err
		}
		if err := s.store.insertJob(ctx, job); err != nil {
			return err
		}
		s.pool.wake()
		existing, exists, err = s.store.job(ctx, job.account, job.id)
		switch {
		case err != nil:
			return err
		case !exists:
			return expired(file)
		}
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

// admit fills in the formats and refuses what no engine here can do.
func (s *Service) admit(job *jobRow, file fileRow, family client.Family) error {
	job.source, job.target = job.params.SourceFormat, job.params.TargetFormat
	if family != client.FamilyDocument {
		job.source, _ = client.FormatOf(file.name)
		job.target = job.params.OutputFormat
	}
	if found, err := client.FamilyFor(job.source, job.target); err != nil {
		return refuse(http.StatusUnprocessableEntity, "UNSUPPORTED_CONVERSION", "%s.", err.Error())
	} else if found != family && (family != client.FamilyImage || job.source != "pdf") {
		return refuse(http.StatusUnprocessableEntity, "UNSUPPORTED_CONVERSION", "%s to %s is a conversion of the %s family.", job.source, job.target, found)
	}
	if _, err := request(*job); err != nil {
		return refuse(http.StatusUnprocessableEntity, "INVALID_PARAMETERS", "%s.", err.Error())
	}
	if _, _, err := s.cfg.Registry.Find(job.source, job.target); err != nil {
		if known, ok := engines.AsError(err); ok {
			return refuse(http.StatusUnprocessableEntity, known.Code, "%s.", known.Message)
		}
		return err
	}
	return nil
}

// getJob reads a job: GET /api/v1/jobs/{job_id}.
func (s *Service) getJob(w http.ResponseWriter, r *http.Request) error {
	job, found, err := s.store.job(r.Context(), accountOf(r.Context()), r.PathValue("job_id"))
	if err != nil {
		return err
	}
	if !found {
		return refuse(http.StatusNotFound, "JOB_NOT_FOUND", "There is no job %s.", r.PathValue("job_id"))
	}
	return s.writeJob(w, r, http.StatusOK, job)
}

func (s *Service) writeJob(w http.ResponseWriter, r *http.Request, status int, job jobRow) error {
	wire, err := s.wireJob(r, job)
	if err != nil {
		return err
	}
	writeJSON(w, status, wire)
	return nil
}

// wireJob is a job as clients see it: nothing null that their models forbid, links made at this moment.
func (s *Service) wireJob(r *http.Request, job jobRow) (client.WireJob, error) {
	params, err := json.Marshal(job.params)
	if err != nil {
		return client.WireJob{}, err
	}
	wire := client.WireJob{
		JobID: job.id, UserID: "user_" + job.account[:8], Status: job.status, ProcessorType: job.processor, Params: params,
		ResultFiles: []client.WireResultFile{}, Warnings: job.warnings, Error: job.failure, RetryCount: job.retries,
		CreatedAt: job.created, UpdatedAt: job.updated, StartedAt: job.started, CompletedAt: job.completed,
	}
	switch job.status {
	case client.JobQueued, client.JobFailed:
	case client.JobCompleted:
		wire.Progress = 100
		results, err := s.store.results(r.Context(), job.id)
		if err != nil {
			return wire, err
		}
		for i, result := range results {
			wire.ResultFiles = append(wire.ResultFiles, client.WireResultFile{
				Filename: result.filename, Size: result.size, Mimetype: result.mimetype,
				URL: client.PresignedURL(s.signer.resultLink(s.baseURL(r), job.id, i, s.now().Add(s.cfg.LinkTTL))),
			})
		}
	case client.JobProcessing:
		wire.Progress, wire.ProgressMessage = s.pool.progress(job.id)
	}
	return wire, nil
}

const (
	pageSizeDefault = 20
	pageSizeMax     = 100
)

// listJobs lists an account's jobs: GET /api/v1/jobs. file_id is a filter of this service alone: it lets a
// client find the job whose creation it got no reply to.
func (s *Service) listJobs(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	f := jobFilter{status: query.Get("status"), processor: query.Get("processor_type"), fileID: query.Get("file_id")}
	var err error
	if f.page, err = positive(query, "page", 1, 1_000_000); err != nil {
		return err
	}
	if f.limit, err = positive(query, "limit", pageSizeDefault, pageSizeMax); err != nil {
		return err
	}
	switch client.JobStatus(f.status) {
	case "", client.JobQueued, client.JobProcessing, client.JobCompleted, client.JobFailed:
	default:
		return refuse(http.StatusUnprocessableEntity, "INVALID_PARAMETERS", "status must be queued, processing, completed or failed.")
	}
	jobs, total, err := s.store.list(r.Context(), accountOf(r.Context()), f)
	if err != nil {
		return err
	}
	out := client.WireJobList{Jobs: []client.WireJob{}, Total: total, Page: f.page, Limit: f.limit}
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
func (s *Service) support(family client.Family) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		out := client.WireSupport{Routes: []client.WireRoute{}}
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
			})
		}
		writeJSON(w, http.StatusOK, out)
		return nil
	}
}
