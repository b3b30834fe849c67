package client

import (
	"encoding/json"
	"time"

	"github.com/convilyn/convilyn-temporal/client/option"
)

// The structs in this file are what today's API puts on the wire, camelCase and all. The local
// backend encodes exactly these. The models that users of this package see (File, ConvertJob, ...)
// decode more than this: the older documented shapes too.

// Routes of the API, each below the host root.
const (
	PathHealth        = "/api/v1/health"
	PathUploadPresign = "/api/v1/upload/presign"
	PathUploadConfirm = "/api/v1/upload/confirm"
	PathFiles         = "/api/v1/files"
	PathJobs          = "/api/v1/jobs"
)

// PathSupport is the route that lists what one family can convert.
func PathSupport(family Family) string { return "/api/v1/" + string(family) + "/support" }

// Values of processor_type on a job.
const (
	ProcessorDocument = "document_conversion"
	ProcessorImage    = "image_conversion"
	ProcessorMedia    = "media_processing"
)

// WireCreateJob creates a turbo job: POST /api/v1/jobs. ProcessorType chooses which Params count.
type WireCreateJob struct {
	ProcessorType string        `json:"processor_type"`
	Params        WireJobParams `json:"params"`
}

// WireJobParams holds the parameters of all families; unused ones are left out. Documents use
// SourceFileID and TargetFormat, images and media FileID and OutputFormat.
type WireJobParams struct {
	SourceFileID string          `json:"source_file_id,omitempty"`
	SourceFormat string          `json:"source_format,omitempty"`
	TargetFormat string          `json:"target_format,omitempty"`
	FileID       string          `json:"file_id,omitempty"`
	OutputFormat string          `json:"output_format,omitempty"`
	Quality      json.RawMessage `json:"quality,omitempty"` // preset string, or 1-100 for images
	PageRange    string          `json:"page_range,omitempty"`
	// Options are the local service's: what its list of routes names. The hosted service has none.
	Options option.Values `json:"options,omitempty"`
}

// WireJob is a turbo job as the API sends it.
type WireJob struct {
	JobID             string           `json:"jobId"`
	UserID            string           `json:"userId,omitempty"`
	Status            JobStatus        `json:"status"`
	ProcessorType     string           `json:"processorType"`
	Progress          int              `json:"progress"` // 0-100
	ProgressMessage   *string          `json:"progressMessage"`
	Params            json.RawMessage  `json:"params,omitempty"`
	ResultFiles       []WireResultFile `json:"resultFiles"`
	Warnings          []string         `json:"warnings"`
	Check             *CheckResult     `json:"check,omitempty"` // of the local service alone
	Error             *WireJobError    `json:"error"`
	RetryCount        int              `json:"retryCount"`
	CreatedAt         time.Time        `json:"createdAt"`
	UpdatedAt         time.Time        `json:"updatedAt"`
	StartedAt         *time.Time       `json:"startedAt"`
	CompletedAt       *time.Time       `json:"completedAt"`
	EstimatedDuration *int             `json:"estimatedDuration"` // seconds
	// SuggestedPollIntervalMs is the wait before the next look, 200 to 5000; null of a job that has ended.
	SuggestedPollIntervalMs *int `json:"suggestedPollIntervalMs"`
}

// WireResultFile is one output of a job.
type WireResultFile struct {
	Filename string       `json:"filename"`
	Size     int64        `json:"size"`
	Mimetype string       `json:"mimetype"`
	URL      PresignedURL `json:"url"`
}

// WireJobError says why a job failed.
type WireJobError struct {
	Code    string           `json:"code"`
	Message string           `json:"message"`
	Detail  *WireErrorDetail `json:"detail,omitempty"`
}

// WireErrorDetail refines an error code; Reason is always there and open-ended.
type WireErrorDetail struct {
	Reason          string   `json:"reason"`
	SheetCount      *int     `json:"sheetCount,omitempty"`
	FaithfulTargets []string `json:"faithfulTargets,omitempty"`
}

// WireJobList answers GET /api/v1/jobs.
type WireJobList struct {
	Jobs  []WireJob `json:"jobs"`
	Total int       `json:"total"`
	Page  int       `json:"page"` // from 1
	Limit int       `json:"limit"`
}

// WireRoute is one conversion that a server offers.
type WireRoute struct {
	Source      string `json:"source"`
	Target      string `json:"target"`
	QualityMode string `json:"qualityMode"` // QualityExact, QualityBestEffort or one unknown to us
	Engine      string `json:"engine,omitempty"`
	// Options are what a job of this pair takes; nil where the server does not list them, as the hosted one does not.
	Options []option.Option `json:"options,omitzero"`
}

// WireSupport answers GET /api/v1/{family}/support.
type WireSupport struct {
	Routes      []WireRoute       `json:"routes"`
	Unavailable []WireUnavailable `json:"unavailable,omitempty"`
	Variants    []string          `json:"variants,omitempty"` // such as docm, which the local service reads as docx
}

// WireUnavailable is a pair that the local service would convert with more packages installed.
type WireUnavailable struct {
	Source  string `json:"source"`
	Target  string `json:"target"`
	Install string `json:"install"`
}

// WireError is the flat error envelope.
type WireError struct {
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Details map[string]any `json:"details,omitempty"`
	// UpgradeURL is where a plan refusal points; that of INSUFFICIENT_CREDITS is inside Details.
	UpgradeURL string `json:"upgrade_url,omitempty"`
}

// Values of qualityMode.
const (
	QualityExact      = "exact"
	QualityBestEffort = "best_effort"
)

// JobStatus is the state of a turbo job. Values that this package does not know are carried as they are.
type JobStatus string

// The states of a turbo job; the last two are terminal.
const (
	JobQueued     JobStatus = "queued"
	JobProcessing JobStatus = "processing"
	JobCompleted  JobStatus = "completed"
	JobFailed     JobStatus = "failed"
)

// Terminal reports whether the job will not change any more.
func (s JobStatus) Terminal() bool { return s == JobCompleted || s == JobFailed }
