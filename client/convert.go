package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/convilyn/convilyn-temporal/client/option"
)

// Convert runs turbo-lane conversions.
type Convert struct{ c *connection }

// CreateParams describes a conversion. Formats are tokens as of NormalizeFormat.
type CreateParams struct {
	FileID       string
	SourceFormat string
	TargetFormat string
	Quality      string // 1-100 for images; standard or high otherwise; empty for the service's default
	PageRange    string // such as 1-5; for documents, and for what else the service lists
	// Options are for a service that lists them for the pair, see SupportList.CheckOptions. The hosted one does not.
	Options option.Values
}

// Extra reports whether there is something that only a service takes that lists its options.
func (p CreateParams) Extra() bool { return len(p.options(false)) > 0 }

// options are the names and values to be checked against a list, or those that the contract has no other place for.
func (p CreateParams) options(all bool) option.Values {
	out := option.Values{}
	maps.Copy(out, p.Options)
	if out[option.NameCheck] == option.CheckOff {
		delete(out, option.NameCheck) // as where it is not asked for
	}
	family, err := FamilyFor(p.SourceFormat, p.TargetFormat)
	if p.PageRange != "" && (all || err == nil && family != FamilyDocument) {
		out[option.NamePages] = p.PageRange
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

var pageRangePattern = regexp.MustCompile(`^\d+(-\d*)?(,\d+(-\d*)?)*$`)

// ValidateParams checks what can be checked before any request. Its errors are *ArgumentError and *PairError.
func ValidateParams(p CreateParams) error {
	if p.FileID == "" {
		return argumentf("file_id", "must not be empty")
	}
	family, err := FamilyFor(p.SourceFormat, p.TargetFormat)
	if err != nil {
		return err
	}
	if err := checkQuality(family, p.Quality); err != nil {
		return err
	}
	if _, err := option.Check(p.Options, option.Known(), "this version"); err != nil {
		return argumentf("options", "%v", err)
	}
	switch {
	case p.PageRange == "":
		return nil
	case family != FamilyDocument && p.SourceFormat != "pdf":
		return argumentf("pages", "%s has no pages to choose from", p.SourceFormat)
	case !pageRangePattern.MatchString(p.PageRange):
		return argumentf("pages", "%q is not a range such as 3, 1-5 or 2-", p.PageRange)
	}
	return nil
}

func checkQuality(family Family, quality string) error {
	switch {
	case quality == "":
		return nil
	case family == FamilyImage:
		if n, err := strconv.Atoi(quality); err != nil || n < 1 || n > 100 {
			return argumentf("quality", "%q is not an integer from 1 to 100, as images need", quality)
		}
	case family == FamilyDocument && quality != "standard" && quality != "high":
		return argumentf("quality", "%q is not standard or high, as documents need", quality)
	}
	return nil
}

// wire builds the body of the family.
func (p CreateParams) wire() (WireCreateJob, error) {
	if err := ValidateParams(p); err != nil {
		return WireCreateJob{}, err
	}
	family, err := FamilyFor(p.SourceFormat, p.TargetFormat)
	if err != nil {
		return WireCreateJob{}, err
	}
	var quality json.RawMessage
	if p.Quality != "" {
		quality = json.RawMessage(strconv.Quote(p.Quality))
	}
	switch family {
	case FamilyDocument:
		return WireCreateJob{ProcessorType: ProcessorDocument, Params: WireJobParams{
			SourceFileID: p.FileID, SourceFormat: p.SourceFormat, TargetFormat: p.TargetFormat, Quality: quality, PageRange: p.PageRange, Options: p.options(false),
		}}, nil
	case FamilyImage:
		if p.Quality != "" {
			quality = json.RawMessage(p.Quality)
		}
		return WireCreateJob{ProcessorType: ProcessorImage, Params: WireJobParams{FileID: p.FileID, OutputFormat: p.TargetFormat, Quality: quality, Options: p.options(false)}}, nil
	default:
		return WireCreateJob{ProcessorType: ProcessorMedia, Params: WireJobParams{FileID: p.FileID, OutputFormat: p.TargetFormat, Quality: quality, Options: p.options(false)}}, nil
	}
}

// Create starts a conversion: POST /api/v1/jobs. The hosted service ignores idempotency keys here.
func (s *Convert) Create(ctx context.Context, p CreateParams, opts ...CallOption) (*ConvertJob, error) {
	body, err := p.wire()
	if err != nil {
		return nil, err
	}
	_, hidden := p.Options.Split()
	return s.job(ctx, request{
		method: http.MethodPost, route: PathJobs, path: PathJobs, body: body, options: newCallOptions(opts), secrets: slices.Collect(maps.Values(hidden)),
	})
}

// Retrieve reads a job: GET /api/v1/jobs/{job_id}.
func (s *Convert) Retrieve(ctx context.Context, jobID string, opts ...CallOption) (*ConvertJob, error) {
	if jobID == "" {
		return nil, argumentf("job_id", "must not be empty")
	}
	return s.job(ctx, request{
		method: http.MethodGet, route: PathJobs + "/{job_id}", path: PathJobs + "/" + url.PathEscape(jobID), options: newCallOptions(opts),
	})
}

func (s *Convert) job(ctx context.Context, r request) (*ConvertJob, error) {
	job, begun := new(ConvertJob), s.c.now()
	if err := s.c.do(ctx, r, job); err != nil {
		return nil, err
	}
	job.held = job.held && s.c.now().Sub(begun) >= r.options.wait // whatever the service says of itself, it is not asked without end
	if job.JobID == "" || job.Status == "" {
		return nil, &TransportError{Method: r.method, Route: r.route, Sent: true, Err: errors.New("the reply is not a job")}
	}
	return job, nil
}

// ListParams filters the list of jobs; zero values do not filter.
type ListParams struct {
	Status        JobStatus
	ProcessorType string
	// FileID is the local backend's filter; the hosted service ignores it.
	FileID string
	Page   int // from 1
	Limit  int
}

// List lists the account's jobs: GET /api/v1/jobs.
func (s *Convert) List(ctx context.Context, p ListParams, opts ...CallOption) (*JobPage, error) {
	query := url.Values{}
	for name, value := range map[string]string{"status": string(p.Status), "processor_type": p.ProcessorType, "file_id": p.FileID} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, value := range map[string]int{"page": p.Page, "limit": p.Limit} {
		if value > 0 {
			query.Set(name, strconv.Itoa(value))
		}
	}
	page := new(JobPage)
	err := s.c.do(ctx, request{method: http.MethodGet, route: PathJobs, path: PathJobs, query: query, options: newCallOptions(opts)}, page)
	return page, err
}

// WaitOptions bound a Wait.
type WaitOptions struct {
	Interval time.Duration // first wait between looks, 1 s by default, 200 ms at least
	Timeout  time.Duration // 300 s by default, requests included; the job goes on without us
	// OnProgress gets the job at every look; may be nil.
	OnProgress func(*ConvertJob)
}

// JobFailedError is a job that ended as failed.
type JobFailedError struct{ Job *ConvertJob }

func (e *JobFailedError) Error() string {
	if e.Job.Error == nil {
		return fmt.Sprintf("job %s failed: UNKNOWN: the service gave no reason", e.Job.JobID)
	}
	return fmt.Sprintf("job %s failed: %s: %s", e.Job.JobID, e.Job.Error.Code, e.Job.Error.Message)
}

// Wait looks at a job until it ends. A failed one is a *JobFailedError. With an error the job is as it was seen last, nil where
// it never was.
func (s *Convert) Wait(ctx context.Context, jobID string, o WaitOptions) (*ConvertJob, error) {
	if o.Timeout <= 0 {
		o.Timeout = 300 * time.Second
	}
	limit := s.c.newLimit(ctx, o.Timeout)
	defer limit.stop()
	cadence := Cadence{Interval: o.Interval}
	var last *ConvertJob
	for {
		hold := cadence.Hold()
		if limit.passes(hold + time.Second) {
			hold = 0 // the time would be over before the reply
		}
		job, err := s.Retrieve(limit.ctx, jobID, WithWait(hold))
		if limit.ctx.Err() == nil && cadence.Cut(err) {
			continue
		}
		if err != nil {
			return last, limit.cause(ctx, err)
		}
		last = job
		if o.OnProgress != nil {
			o.OnProgress(job)
		}
		if job.Status == JobCompleted {
			return job, nil
		}
		if job.Status == JobFailed {
			return job, &JobFailedError{Job: job}
		}
		delay := cadence.NextFor(job)
		if limit.passes(delay) {
			return job, ErrWaitTimeout
		}
		if err := s.c.sleep(ctx, delay); err != nil {
			return job, err
		}
	}
}

// CreateAndWait is Create and then Wait.
func (s *Convert) CreateAndWait(ctx context.Context, p CreateParams, o WaitOptions, opts ...CallOption) (*ConvertJob, error) {
	job, err := s.Create(ctx, p, opts...)
	if err != nil {
		return nil, err
	}
	return s.Wait(ctx, job.JobID, o)
}

// Download fetches a result file and puts it in place, completely or not at all.
func (s *Convert) Download(ctx context.Context, file ResultFile, o DownloadOptions) (*Downloaded, error) {
	return s.c.download(ctx, file, o)
}

// Fetch brings a result file into a part file, verified and on stable storage. Place moves it to its path. The size is
// verified, and the SHA-256 if the reply has one, over the bytes of earlier calls and of this one. A file that does not match
// is dropped, and the error is ErrMismatch.
func (s *Convert) Fetch(ctx context.Context, file ResultFile, o FetchOptions) (*Downloaded, error) {
	return s.c.fetch(ctx, file, o)
}

// Open streams a result file. It is not resumed, and its size is not verified. If the service sends a SHA-256 and the
// content has another, reading ends in an error instead of io.EOF. The caller closes it.
func (s *Convert) Open(ctx context.Context, file ResultFile) (io.ReadCloser, error) {
	return s.c.open(ctx, file)
}
