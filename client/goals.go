package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
	"unicode/utf8"
)

// Templates of the goal lane's routes, for errors and metrics.
const (
	routeGoal      = PathGoals + "/{job_spec_id}"
	routeArtifacts = routeGoal + "/artifacts"
)

// Goals runs goal-lane jobs.
type Goals struct{ c *connection }

// Catalog lists what the service offers: GET /api/v1/workflows/catalog.
func (s *Goals) Catalog(ctx context.Context, opts ...CallOption) (*Catalog, error) {
	catalog := new(Catalog)
	r := request{method: http.MethodGet, route: PathCatalog, path: PathCatalog, options: newCallOptions(opts)}
	if err := s.c.do(ctx, r, catalog); err != nil {
		return nil, err
	}
	return catalog, nil
}

// Start starts a goal: POST /api/v1/jobs/goal. It may cost money, so it is not sent again when its reply is lost;
// WithoutRetries keeps it from being sent again after a 5xx, too.
func (s *Goals) Start(ctx context.Context, p StartParams, opts ...CallOption) (*GoalJob, error) {
	if err := ValidateStart(p); err != nil {
		return nil, err
	}
	return s.job(ctx, request{method: http.MethodPost, route: PathGoals, path: PathGoals, body: p.wire(), options: newCallOptions(opts)})
}

// Retrieve reads a job: GET /api/v1/jobs/goal/{job_spec_id}.
func (s *Goals) Retrieve(ctx context.Context, jobSpecID string, opts ...CallOption) (*GoalJob, error) {
	r, err := goalRequest(http.MethodGet, jobSpecID, opts)
	if err != nil {
		return nil, err
	}
	return s.job(ctx, r)
}

// GoalJobStatus is a job at a glance.
type GoalJobStatus struct {
	JobSpecID   string
	Status      GoalStatus
	Progress    *float64 // 0.0-1.0, nil where not reported
	ItemVersion int
	// SuggestedPollInterval is the service's wish, 0 where it has none.
	SuggestedPollInterval time.Duration
	UpdatedAt             time.Time
}

// UnmarshalJSON takes both spellings.
func (m *GoalJobStatus) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	const longest = 24 * time.Hour
	ms := min(max(0, f.whole("suggestedPollIntervalMs", "suggested_poll_interval_ms")), longest.Milliseconds())
	*m = GoalJobStatus{
		JobSpecID: f.text("jobSpecId", "job_spec_id"), Status: goalStatus(f.text("status")), Progress: f.fraction("progress"),
		ItemVersion: int(f.whole("itemVersion", "item_version")), SuggestedPollInterval: time.Duration(ms) * time.Millisecond,
		UpdatedAt: f.time("updatedAt", "updated_at"),
	}
	return f.err
}

// Status reads a job at a glance: GET /api/v1/jobs/goal/{job_spec_id}/status. Not every service is known to have it.
func (s *Goals) Status(ctx context.Context, jobSpecID string, opts ...CallOption) (*GoalJobStatus, error) {
	r, err := goalRequest(http.MethodGet, jobSpecID, opts, "status")
	if err != nil {
		return nil, err
	}
	status := new(GoalJobStatus)
	if err := s.c.do(ctx, r, status); err != nil {
		return nil, err
	}
	if status.Status == "" {
		return nil, r.unusable("the reply is not the status of a goal job")
	}
	return status, nil
}

// FillParams answer slots.
type FillParams struct {
	Answers []SlotAnswer // one at least
	// ExpectedVersion is the itemVersion that the answers are for; a stale one is refused (IsVersionConflict).
	ExpectedVersion *int
}

// FillSlots answers slots: PATCH /api/v1/jobs/goal/{job_spec_id}/slots. The service seems to allow ten calls in 300 s.
func (s *Goals) FillSlots(ctx context.Context, jobSpecID string, p FillParams, opts ...CallOption) (*GoalJob, error) {
	r, err := goalRequest(http.MethodPatch, jobSpecID, opts, "slots")
	if err != nil {
		return nil, err
	}
	if len(p.Answers) == 0 {
		return nil, argumentf("answers", "give at least one")
	}
	if err := checkAnswers(p.Answers); err != nil {
		return nil, err
	}
	r.body = WireFillSlots{Answers: wireAnswers(p.Answers), ExpectedVersion: p.ExpectedVersion}
	return s.job(ctx, r)
}

// FillSlot answers one slot with any value that JSON can carry.
func (s *Goals) FillSlot(ctx context.Context, jobSpecID, slotID string, value any, opts ...CallOption) (*GoalJob, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, argumentf("value", "cannot be encoded as JSON: %v", err)
	}
	return s.FillSlots(ctx, jobSpecID, FillParams{Answers: []SlotAnswer{{SlotID: slotID, Value: encoded}}}, opts...)
}

// Confirm submits a ready job: POST /api/v1/jobs/goal/{job_spec_id}/confirm. IsConflict says that somebody else did.
func (s *Goals) Confirm(ctx context.Context, jobSpecID string, opts ...CallOption) error {
	return s.act(ctx, jobSpecID, "confirm", WireConfirm{}, opts)
}

// Cancel stops a job: POST /api/v1/jobs/goal/{job_spec_id}/cancel. IsConflict says that it has ended already.
func (s *Goals) Cancel(ctx context.Context, jobSpecID string, opts ...CallOption) error {
	return s.act(ctx, jobSpecID, "cancel", nil, opts)
}

// RetryParams say how a failed job runs again.
type RetryParams struct {
	Mode   string // RerunSameThread if empty, which costs nothing more; RerunFresh is charged in full
	Reason string // 512 characters at most
}

const longestReason = 512

// Retry runs a failed job again: POST /api/v1/jobs/goal/{job_spec_id}/retry.
func (s *Goals) Retry(ctx context.Context, jobSpecID string, p RetryParams, opts ...CallOption) error {
	if p.Mode == "" {
		p.Mode = RerunSameThread
	}
	if p.Mode != RerunSameThread && p.Mode != RerunFresh {
		return argumentf("mode", "%.40q is not %s or %s", p.Mode, RerunSameThread, RerunFresh)
	}
	if n := len([]rune(p.Reason)); n > longestReason {
		return argumentf("reason", "it has %d characters, at most %d are taken", n, longestReason)
	}
	return s.act(ctx, jobSpecID, "retry", WireRetry{RerunMode: p.Mode, Reason: p.Reason}, opts)
}

// Artifacts lists what a completed or partial job made: GET /api/v1/jobs/goal/{job_spec_id}/artifacts.
func (s *Goals) Artifacts(ctx context.Context, jobSpecID string, opts ...CallOption) ([]Artifact, error) {
	r, err := goalRequest(http.MethodGet, jobSpecID, opts, "artifacts")
	if err != nil {
		return nil, err
	}
	var list struct {
		Artifacts []Artifact `json:"artifacts"`
	}
	if err := s.c.do(ctx, r, &list); err != nil {
		return nil, err
	}
	if list.Artifacts == nil {
		return []Artifact{}, nil
	}
	return list.Artifacts, nil
}

// ArtifactLink asks for a fresh link, good for an hour, in the shape that Convert.Fetch takes.
func (s *Goals) ArtifactLink(ctx context.Context, jobSpecID, artifactID string, opts ...CallOption) (*ResultFile, error) {
	r, err := goalRequest(http.MethodGet, jobSpecID, opts, "artifacts", artifactID, "download")
	if err != nil {
		return nil, err
	}
	if artifactID == "" {
		return nil, argumentf("artifact_id", "must not be empty")
	}
	r.route = routeArtifacts + "/{artifact_id}/download"
	link := new(ResultFile)
	if err := s.c.do(ctx, r, link); err != nil {
		return nil, err
	}
	if link.URL == "" {
		return nil, r.unusable("the reply has no link")
	}
	return link, nil
}

// Download fetches an artifact by a fresh link and puts it in place, completely or not at all.
func (s *Goals) Download(ctx context.Context, jobSpecID string, artifact Artifact, o DownloadOptions) (*Downloaded, error) {
	if err := checkPlace(paths{}, o.Path, o.Overwrite); err != nil {
		return nil, err
	}
	link, err := s.ArtifactLink(ctx, jobSpecID, artifact.ArtifactID)
	if err != nil {
		return nil, err
	}
	if link.Size == 0 {
		link.Size = artifact.SizeBytes
	}
	if link.Mimetype == "" {
		link.Mimetype = artifact.MimeType
	}
	return s.c.download(ctx, *link, o)
}

// FindByFile lists the jobs that hold a file. The route is the local backend's alone: elsewhere it is an *APIError
// of status 404 or 405.
func (s *Goals) FindByFile(ctx context.Context, fileID string, opts ...CallOption) ([]GoalJob, error) {
	if fileID == "" {
		return nil, argumentf("file_id", "must not be empty")
	}
	list := struct {
		Jobs []GoalJob `json:"jobs"`
	}{}
	r := request{method: http.MethodGet, route: PathGoals, path: PathGoals, query: url.Values{"file_id": {fileID}}, options: newCallOptions(opts)}
	if err := s.c.do(ctx, r, &list); err != nil {
		return nil, err
	}
	if list.Jobs == nil {
		return []GoalJob{}, nil
	}
	return list.Jobs, nil
}

func goalRequest(method, jobSpecID string, opts []CallOption, below ...string) (request, error) {
	if jobSpecID == "" {
		return request{}, argumentf("job_spec_id", "must not be empty")
	}
	r := request{method: method, route: routeGoal, path: PathGoal(jobSpecID, below...), options: newCallOptions(opts)}
	if len(below) > 0 {
		r.route += "/" + below[0]
	}
	return r, nil
}

// act sends an action, whose acknowledgement says nothing that a look at the job would not.
func (s *Goals) act(ctx context.Context, jobSpecID, action string, body any, opts []CallOption) error {
	r, err := goalRequest(http.MethodPost, jobSpecID, opts, action)
	if err != nil {
		return err
	}
	r.body = body
	return s.c.do(ctx, r, nil)
}

func (s *Goals) job(ctx context.Context, r request) (*GoalJob, error) {
	job := new(GoalJob)
	if err := s.c.do(ctx, r, job); err != nil {
		return nil, err
	}
	if job.JobSpecID == "" || job.Status == "" {
		return nil, r.unusable("the reply is not a goal job")
	}
	return job, nil
}

// StartParams describe a goal. A workflow run names exactly one of WorkflowID, UserWorkflowID and GoalText; a run
// by OutputSchema or OutputFormat names none of them and takes one file.
type StartParams struct {
	WorkflowID     string // of the catalog
	UserWorkflowID string
	GoalText       string // 3-2000 characters; needs a file
	FileIDs        []string
	Answers        []SlotAnswer // given ahead
	LLMConfigID    string
	OutputSchema   json.RawMessage // a JSON object
	OutputFormat   string          // such as markdown
	Instructions   string
}

// SlotAnswer answers one slot; Value is JSON of the slot's type.
type SlotAnswer struct {
	SlotID string
	Value  json.RawMessage
}

const (
	shortestGoal = 3
	longestGoal  = 2000
)

// ValidateStart checks what can be checked before any request. Its errors are *ArgumentError.
func ValidateStart(p StartParams) error {
	named := 0
	for _, name := range []string{p.WorkflowID, p.UserWorkflowID, p.GoalText} {
		if name != "" {
			named++
		}
	}
	byOutput := len(p.OutputSchema) > 0 || p.OutputFormat != ""
	switch {
	case slices.Contains(p.FileIDs, ""):
		return argumentf("file_ids", "one of them is empty")
	case byOutput && named > 0:
		return argumentf("goal", "a run by output schema or format takes no workflow and no goal text")
	case !byOutput && named == 0:
		return argumentf("goal", "name one: a workflow, a workflow of your own, a goal text or an output")
	case named > 1:
		return argumentf("goal", "name one of a workflow, a workflow of your own and a goal text, not %d", named)
	case byOutput:
		return p.validateOutput()
	case p.GoalText != "":
		return p.validateText()
	}
	return checkAnswers(p.Answers)
}

func (p StartParams) validateOutput() error {
	var object map[string]json.RawMessage
	switch {
	case len(p.OutputSchema) > 0 && p.OutputFormat != "":
		return argumentf("output", "give a schema or a format, not both")
	case len(p.OutputSchema) > 0 && (json.Unmarshal(p.OutputSchema, &object) != nil || object == nil):
		return argumentf("output_schema", "it is not a JSON object")
	case len(p.FileIDs) != 1:
		return argumentf("file_ids", "a run by output schema or format takes one file, not %d", len(p.FileIDs))
	}
	return checkAnswers(p.Answers)
}

func (p StartParams) validateText() error {
	if n := utf8.RuneCountInString(p.GoalText); n < shortestGoal || n > longestGoal {
		return argumentf("goal_text", "it has %d characters; %d to %d are taken", n, shortestGoal, longestGoal)
	}
	if len(p.FileIDs) == 0 {
		return argumentf("file_ids", "a goal text needs a file to work on")
	}
	return checkAnswers(p.Answers)
}

func checkAnswers(answers []SlotAnswer) error {
	seen := map[string]bool{}
	for _, answer := range answers {
		switch {
		case answer.SlotID == "":
			return argumentf("answers", "one of them has no slot id")
		case seen[answer.SlotID]:
			return argumentf("answers", "slot %.80q is answered twice", answer.SlotID)
		case !json.Valid(answer.Value):
			return argumentf("answers", "the answer of slot %.80q is not JSON; text goes in quotes", answer.SlotID)
		}
		seen[answer.SlotID] = true
	}
	return nil
}

func (p StartParams) wire() WireCreateGoal {
	files := p.FileIDs
	if files == nil {
		files = []string{}
	}
	return WireCreateGoal{
		WorkflowID: p.WorkflowID, UserWorkflowID: p.UserWorkflowID, GoalText: p.GoalText, FileIDs: files, SlotAnswers: wireAnswers(p.Answers),
		LLMConfigID: p.LLMConfigID, OutputSchema: p.OutputSchema, OutputFormat: p.OutputFormat, Instructions: p.Instructions,
	}
}

func wireAnswers(answers []SlotAnswer) []WireSlotAnswer {
	out := make([]WireSlotAnswer, 0, len(answers))
	for _, answer := range answers {
		out = append(out, WireSlotAnswer(answer))
	}
	return out
}

// GoalWaitOptions bound a Wait.
type GoalWaitOptions struct {
	Interval time.Duration // first wait between looks, 1 s by default, 200 ms at least
	Timeout  time.Duration // 300 s by default, requests included; the job goes on without us
	// IdleTimeout bounds the time in which neither status nor progress changes; 0 for none.
	IdleTimeout time.Duration
	// OnProgress gets the job at every look; may be nil.
	OnProgress func(*GoalJob)
}

// ErrIdleTimeout is a job whose status and progress did not change for too long.
var ErrIdleTimeout = errors.New("neither status nor progress of the job changed for too long; wait for it again with its id")

// GoalFailedError is a goal job that ended as failed.
type GoalFailedError struct{ Job *GoalJob }

func (e *GoalFailedError) Error() string {
	if e.Job.Error == nil {
		return fmt.Sprintf("goal job %s failed: %s: the service gave no reason", e.Job.JobSpecID, CodeGoalFailed)
	}
	return fmt.Sprintf("goal job %s failed: %s: %s", e.Job.JobSpecID, e.Job.Error.Code, e.Job.Error.Message)
}

// Wait looks at a job until it ends or awaits the caller: answers, or a confirmation, which Wait never gives. A
// failed one is a *GoalFailedError.
func (s *Goals) Wait(ctx context.Context, jobSpecID string, o GoalWaitOptions) (*GoalJob, error) {
	if o.Timeout <= 0 {
		o.Timeout = 300 * time.Second
	}
	limit := s.c.newLimit(ctx, o.Timeout)
	defer limit.stop()
	cadence := Cadence{Interval: o.Interval}
	var moved time.Time
	var last *GoalJob
	for {
		job, err := s.Retrieve(limit.ctx, jobSpecID)
		if err != nil {
			return last, limit.cause(ctx, err)
		}
		if o.OnProgress != nil {
			o.OnProgress(job)
		}
		switch {
		case job.Status == GoalFailed:
			return job, &GoalFailedError{Job: job}
		case job.Status.Terminal() || job.Status.AwaitsCaller():
			return job, nil
		}
		if last == nil || last.Status != job.Status || last.Percent() != job.Percent() {
			moved = s.c.now()
		}
		last = job
		delay := cadence.Next(job.Percent())
		switch {
		case limit.passes(delay):
			return job, ErrWaitTimeout
		case o.IdleTimeout > 0 && s.c.now().Sub(moved)+delay > o.IdleTimeout:
			return job, ErrIdleTimeout
		}
		if err := s.c.sleep(ctx, delay); err != nil {
			return job, err
		}
	}
}
