package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// Goals runs goal-lane jobs.
type Goals struct{ c *Client }

const (
	goalTextMin = 3 // characters
	goalTextMax = 2000
	reasonMax   = 512
)

// StartParams describes a goal. Exactly one of WorkflowID, UserWorkflowID and GoalText is set, or none of them
// and one of OutputSchema and OutputFormat.
type StartParams struct {
	WorkflowID     string
	UserWorkflowID string
	GoalText       string // 3-2000 characters; needs files
	FileIDs        []string
	Answers        []SlotAnswer
	LLMConfigID    string
	OutputSchema   json.RawMessage
	OutputFormat   string
	Instructions   string
}

// SlotAnswer is a value for a slot, as its type wants it; see the Slot constants.
type SlotAnswer struct {
	SlotID string          `json:"slot_id"`
	Value  json.RawMessage `json:"value"`
}

// ValidateStart checks what can be checked before any request. Its errors are *ArgumentError.
func ValidateStart(p StartParams) error {
	named := 0
	for _, name := range []string{p.WorkflowID, p.UserWorkflowID, p.GoalText} {
		if name != "" {
			named++
		}
	}
	typed := len(p.OutputSchema) > 0 || p.OutputFormat != ""
	length := utf8.RuneCountInString(p.GoalText)
	switch {
	case named > 1:
		return argumentf("goal", "give one of workflow id, user workflow id and goal text, not several")
	case named == 0 && !typed:
		return argumentf("goal", "give a workflow id, a user workflow id or a goal text")
	case named > 0 && typed:
		return argumentf("goal", "an output schema or format takes no workflow and no goal text")
	case len(p.OutputSchema) > 0 && p.OutputFormat != "":
		return argumentf("goal", "give an output schema or an output format, not both")
	case p.GoalText != "" && (length < goalTextMin || length > goalTextMax):
		return argumentf("goal text", "it has %d characters; it needs %d to %d", length, goalTextMin, goalTextMax)
	case p.GoalText != "" && len(p.FileIDs) == 0:
		return argumentf("files", "a goal text alone needs at least one file")
	case typed && len(p.FileIDs) != 1:
		return argumentf("files", "an output schema or format takes one file; %d are given", len(p.FileIDs))
	case len(p.OutputSchema) > 0 && !json.Valid(p.OutputSchema):
		return argumentf("output schema", "it is not JSON")
	}
	return validateAnswers(p.Answers)
}

func validateAnswers(answers []SlotAnswer) error {
	seen := map[string]bool{}
	for _, answer := range answers {
		switch {
		case answer.SlotID == "":
			return argumentf("answers", "an answer names no slot")
		case seen[answer.SlotID]:
			return argumentf("answers", "slot %s is answered twice", answer.SlotID)
		case !json.Valid(answer.Value):
			return argumentf("answers", "the value of slot %s is not JSON", answer.SlotID)
		}
		seen[answer.SlotID] = true
	}
	return nil
}

func wireAnswers(answers []SlotAnswer) []WireSlotAnswer {
	out := make([]WireSlotAnswer, len(answers))
	for i, answer := range answers {
		out[i] = WireSlotAnswer(answer)
	}
	return out
}

// Catalog lists the goals on offer: GET /api/v1/workflows/catalog.
func (s *Goals) Catalog(ctx context.Context, opts ...CallOption) (*Catalog, error) {
	catalog := &Catalog{Workflows: []CatalogEntry{}}
	err := s.c.do(ctx, request{method: http.MethodGet, route: PathCatalog, path: PathCatalog, options: newCallOptions(opts)}, catalog)
	if err != nil {
		return nil, err
	}
	return catalog, nil
}

// Start starts a goal: POST /api/v1/jobs/goal. It may cost, and the service may ignore idempotency keys: after an
// error for which IsAmbiguous holds, look before starting again.
func (s *Goals) Start(ctx context.Context, p StartParams, opts ...CallOption) (*GoalJob, error) {
	if err := ValidateStart(p); err != nil {
		return nil, err
	}
	body := WireCreateGoal{
		WorkflowID: p.WorkflowID, UserWorkflowID: p.UserWorkflowID, GoalText: p.GoalText, FileIDs: append([]string{}, p.FileIDs...),
		LLMConfigID: p.LLMConfigID, OutputSchema: p.OutputSchema, OutputFormat: p.OutputFormat, Instructions: p.Instructions,
	}
	if len(p.Answers) > 0 {
		body.SlotAnswers = wireAnswers(p.Answers)
	}
	return s.job(ctx, request{method: http.MethodPost, route: PathGoals, path: PathGoals, body: body, options: newCallOptions(opts)})
}

func (s *Goals) job(ctx context.Context, r request) (*GoalJob, error) {
	job := new(GoalJob)
	if err := s.c.do(ctx, r, job); err != nil {
		return nil, err
	}
	if job.JobSpecID == "" || job.Status == "" {
		return nil, &TransportError{Method: r.method, Route: r.route, Sent: true, Err: errors.New("the reply is not a goal job")}
	}
	return job, nil
}

// at is a request about one job, or about something below it.
func (s *Goals) at(method, jobSpecID string, body any, opts []CallOption, below ...string) (request, error) {
	if jobSpecID == "" {
		return request{}, argumentf("job_spec_id", "it is missing")
	}
	route := PathGoals + "/{job_spec_id}"
	if len(below) > 0 {
		route += "/" + below[0]
	}
	if len(below) > 1 {
		route += "/{id}/" + strings.Join(below[2:], "/")
	}
	return request{method: method, route: route, path: PathGoal(jobSpecID, below...), body: body, options: newCallOptions(opts)}, nil
}

// Retrieve reads a job: GET /api/v1/jobs/goal/{job_spec_id}.
func (s *Goals) Retrieve(ctx context.Context, jobSpecID string, opts ...CallOption) (*GoalJob, error) {
	r, err := s.at(http.MethodGet, jobSpecID, nil, opts)
	if err != nil {
		return nil, err
	}
	return s.job(ctx, r)
}

// GoalJobStatus is the short form of a job.
type GoalJobStatus struct {
	JobSpecID   string     `json:"job_spec_id"`
	Status      GoalStatus `json:"status"`
	Progress    *float64   `json:"progress"` // 0.0-1.0, nil where not reported
	ItemVersion int        `json:"item_version"`
	// SuggestedPollInterval is how long to wait before the next look, 0 where the service does not say.
	SuggestedPollInterval time.Duration `json:"suggested_poll_interval"`
	UpdatedAt             time.Time     `json:"updated_at"`
}

// UnmarshalJSON takes both spellings.
func (m *GoalJobStatus) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = GoalJobStatus{
		JobSpecID: f.text("jobSpecId", "job_spec_id"), Status: goalStatus(f.text("status")), Progress: f.fraction("progress"),
		ItemVersion: int(f.whole("itemVersion", "item_version")), UpdatedAt: f.time("updatedAt", "updated_at"),
		SuggestedPollInterval: time.Duration(f.whole("suggestedPollIntervalMs", "suggested_poll_interval_ms")) * time.Millisecond,
	}
	return f.err
}

// Status reads the short form of a job: GET /api/v1/jobs/goal/{job_spec_id}/status.
func (s *Goals) Status(ctx context.Context, jobSpecID string, opts ...CallOption) (*GoalJobStatus, error) {
	r, err := s.at(http.MethodGet, jobSpecID, nil, opts, "status")
	if err != nil {
		return nil, err
	}
	status := new(GoalJobStatus)
	if err := s.c.do(ctx, r, status); err != nil {
		return nil, err
	}
	return status, nil
}

// FillParams are answers to slots. With ExpectedVersion the service refuses them (IsVersionConflict) when the
// job has changed since it had that version.
type FillParams struct {
	Answers         []SlotAnswer
	ExpectedVersion *int
}

// FillSlots answers slots: PATCH /api/v1/jobs/goal/{job_spec_id}/slots. It returns the job as it then is.
func (s *Goals) FillSlots(ctx context.Context, jobSpecID string, p FillParams, opts ...CallOption) (*GoalJob, error) {
	if len(p.Answers) == 0 {
		return nil, argumentf("answers", "give at least one")
	}
	if err := validateAnswers(p.Answers); err != nil {
		return nil, err
	}
	r, err := s.at(http.MethodPatch, jobSpecID, WireFillSlots{Answers: wireAnswers(p.Answers), ExpectedVersion: p.ExpectedVersion}, opts, "slots")
	if err != nil {
		return nil, err
	}
	return s.job(ctx, r)
}

// FillSlot answers one slot with anything that encodes to the JSON of its type.
func (s *Goals) FillSlot(ctx context.Context, jobSpecID, slotID string, value any, opts ...CallOption) (*GoalJob, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, argumentf("value", "slot %s: %v", slotID, err)
	}
	return s.FillSlots(ctx, jobSpecID, FillParams{Answers: []SlotAnswer{{SlotID: slotID, Value: raw}}}, opts...)
}

// Confirm submits a ready job: POST /api/v1/jobs/goal/{job_spec_id}/confirm. IsConflict says that it was
// submitted already, which is harmless.
func (s *Goals) Confirm(ctx context.Context, jobSpecID string, opts ...CallOption) error {
	return s.act(ctx, jobSpecID, "confirm", WireConfirm{}, opts)
}

// Cancel cancels a job: POST /api/v1/jobs/goal/{job_spec_id}/cancel. IsConflict says that it has ended.
func (s *Goals) Cancel(ctx context.Context, jobSpecID string, opts ...CallOption) error {
	return s.act(ctx, jobSpecID, "cancel", nil, opts)
}

// RetryParams say how a failed job is run again.
type RetryParams struct {
	Mode   string // RerunSameThread where empty
	Reason string // 512 characters at most
}

// Retry runs a failed job again, at no cost: POST /api/v1/jobs/goal/{job_spec_id}/retry.
func (s *Goals) Retry(ctx context.Context, jobSpecID string, p RetryParams, opts ...CallOption) error {
	if p.Mode == "" {
		p.Mode = RerunSameThread
	}
	if p.Mode != RerunSameThread && p.Mode != RerunFresh {
		return argumentf("mode", "%q is not %s or %s", p.Mode, RerunSameThread, RerunFresh)
	}
	if n := utf8.RuneCountInString(p.Reason); n > reasonMax {
		return argumentf("reason", "it has %d characters; %d are allowed", n, reasonMax)
	}
	return s.act(ctx, jobSpecID, "retry", WireRetry{RerunMode: p.Mode, Reason: p.Reason}, opts)
}

// act posts an action whose acknowledgement says nothing: read the job afterwards.
func (s *Goals) act(ctx context.Context, jobSpecID, action string, body any, opts []CallOption) error {
	r, err := s.at(http.MethodPost, jobSpecID, body, opts, action)
	if err != nil {
		return err
	}
	return s.c.do(ctx, r, nil)
}

// Artifacts lists what a completed or partial job has made: GET /api/v1/jobs/goal/{job_spec_id}/artifacts.
func (s *Goals) Artifacts(ctx context.Context, jobSpecID string, opts ...CallOption) ([]Artifact, error) {
	r, err := s.at(http.MethodGet, jobSpecID, nil, opts, "artifacts")
	if err != nil {
		return nil, err
	}
	var list struct {
		Artifacts []Artifact `json:"artifacts"`
	}
	if err := s.c.do(ctx, r, &list); err != nil {
		return nil, err
	}
	return append([]Artifact{}, list.Artifacts...), nil
}

// ArtifactLink asks for a fresh link to an artifact, in the form that Convert.Fetch takes:
// GET /api/v1/jobs/goal/{job_spec_id}/artifacts/{artifact_id}/download.
func (s *Goals) ArtifactLink(ctx context.Context, jobSpecID, artifactID string, opts ...CallOption) (*ResultFile, error) {
	if artifactID == "" {
		return nil, argumentf("artifact_id", "it is missing")
	}
	r, err := s.at(http.MethodGet, jobSpecID, nil, opts, "artifacts", artifactID, "download")
	if err != nil {
		return nil, err
	}
	link := new(ResultFile)
	if err := s.c.do(ctx, r, link); err != nil {
		return nil, err
	}
	if link.URL == "" {
		return nil, &TransportError{Method: r.method, Route: r.route, Sent: true, Err: errors.New("the reply holds no link")}
	}
	return link, nil
}

// Download brings an artifact to disk, whole or not at all, by a fresh link.
func (s *Goals) Download(ctx context.Context, jobSpecID string, artifact Artifact, o DownloadOptions) (*Downloaded, error) {
	link, err := s.ArtifactLink(ctx, jobSpecID, artifact.ArtifactID)
	if err != nil {
		return nil, err
	}
	return s.c.Convert.Download(ctx, *link, o)
}

// FindByFile lists the jobs that hold a file. It is a route of the local backend alone: other services answer 404 or 405.
func (s *Goals) FindByFile(ctx context.Context, fileID string, opts ...CallOption) ([]GoalJob, error) {
	if fileID == "" {
		return nil, argumentf("file_id", "it is missing")
	}
	var list struct {
		Jobs []GoalJob `json:"jobs"`
	}
	err := s.c.do(ctx, request{
		method: http.MethodGet, route: PathGoals, path: PathGoals, query: url.Values{"file_id": {fileID}}, options: newCallOptions(opts),
	}, &list)
	return list.Jobs, err
}

// GoalWaitOptions bound a Wait.
type GoalWaitOptions struct {
	Interval    time.Duration // first wait between looks, 1 s by default, 200 ms at least
	Timeout     time.Duration // 300 s by default; the job goes on without us
	IdleTimeout time.Duration // without any change of status or progress; 0 for none
	// OnProgress gets the job at every look; may be nil.
	OnProgress func(*GoalJob)
}

// ErrIdleTimeout says that nothing moved for as long as the caller would wait.
var ErrIdleTimeout = errors.New("the job does not move; wait for it again with its id")

// GoalFailedError is a goal job that ended as failed.
type GoalFailedError struct{ Job *GoalJob }

func (e *GoalFailedError) Error() string {
	code, message := CodeGoalFailed, "the service gave no reason"
	if e.Job.Error != nil {
		code = e.Job.Error.Code
		if e.Job.Error.Message != "" {
			message = e.Job.Error.Message
		}
	}
	return fmt.Sprintf("goal job %s failed: %s: %s", e.Job.JobSpecID, code, message)
}

// Wait looks at a job until it ends, or waits for its caller: for answers or to be confirmed, which it never does
// by itself. A failed job is a *GoalFailedError.
func (s *Goals) Wait(ctx context.Context, jobSpecID string, o GoalWaitOptions) (*GoalJob, error) {
	if o.Timeout <= 0 {
		o.Timeout = 300 * time.Second
	}
	cadence := Cadence{Interval: o.Interval}
	var waited, idle time.Duration
	var before *GoalJob
	for {
		job, err := s.Retrieve(ctx, jobSpecID)
		if err != nil {
			return nil, err
		}
		if o.OnProgress != nil {
			o.OnProgress(job)
		}
		switch {
		case job.Status == GoalFailed:
			return job, &GoalFailedError{Job: job}
		case job.Status.Terminal(), job.Status.AwaitsCaller():
			return job, nil
		}
		if before == nil || before.Status != job.Status || before.Percent() != job.Percent() {
			idle = 0
		}
		before = job
		delay := cadence.Next(job.Percent())
		waited, idle = waited+delay, idle+delay
		switch {
		case waited > o.Timeout:
			return job, ErrWaitTimeout
		case o.IdleTimeout > 0 && idle > o.IdleTimeout:
			return job, ErrIdleTimeout
		}
		if err := s.c.sleep(ctx, delay); err != nil {
			return job, err
		}
	}
}
