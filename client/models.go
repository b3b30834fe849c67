package client

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"time"
)

// ResultFile is one output of a completed job.
type ResultFile struct {
	Filename string       `json:"filename"`
	Size     int64        `json:"size"` // bytes; 0 where the service does not say
	Mimetype string       `json:"mimetype"`
	URL      PresignedURL `json:"url"` // a secret, good for about an hour
}

// UnmarshalJSON takes the spellings in use.
func (m *ResultFile) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = ResultFile{
		Filename: f.text("filename", "fileName", "file_name"),
		Size:     max(0, f.whole("size", "fileSize", "sizeBytes")),
		Mimetype: f.text("mimetype", "mimeType", "mime_type"),
		URL:      PresignedURL(f.text("url", "downloadUrl")),
	}
	return f.err
}

// JobError says why a job failed. Branch on Code, then on Detail.Reason; both are open sets.
type JobError struct {
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Detail  *JobErrorDetail `json:"detail,omitempty"`
}

// UnmarshalJSON tolerates a detail that is no object.
func (m *JobError) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = JobError{Code: f.said("code"), Message: f.said("message")}
	var detail JobErrorDetail
	if raw, ok := f.get("detail"); ok && json.Unmarshal(raw, &detail) == nil {
		m.Detail = &detail
	}
	return f.err
}

// JobErrorDetail refines an error.
type JobErrorDetail struct {
	Reason          string   `json:"reason"`
	SheetCount      *int     `json:"sheet_count,omitempty"`
	FaithfulTargets []string `json:"faithful_targets,omitempty"`
}

// UnmarshalJSON takes both spellings.
func (m *JobErrorDetail) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = JobErrorDetail{Reason: f.said("reason"), SheetCount: f.wholePointer("sheetCount", "sheet_count")}
	f.into(&m.FaithfulTargets, "faithfulTargets", "faithful_targets")
	return f.err
}

// CheckResult is what came of comparing the output of a conversion with its source. Losses are among the job's warnings.
type CheckResult struct {
	Words   int `json:"words,omitempty"`   // of the source that were compared
	Missing int `json:"missing,omitempty"` // of those, in the output
	Losses  int `json:"losses,omitempty"`  // kinds of things that are missing
	// Skipped says why nothing was compared; empty where something was.
	Skipped string `json:"skipped,omitempty"`
	// Differences are the first places where words are missing.
	Differences []Difference `json:"differences,omitempty"`
}

// Difference is a place where an output lacks words of its source. Texts are in the form that is compared: lower case, words
// alone.
type Difference struct {
	Source  string   `json:"source"`           // words of the source around the place
	Output  string   `json:"output,omitempty"` // those of the output; empty where the place is not found there
	Missing []string `json:"missing"`          // the words of Source that the output lacks
}

// LossPrefix begins each warning about something that was measured to be missing.
const LossPrefix = "check: "

// ConvertJob is a turbo-lane conversion.
type ConvertJob struct {
	JobID           string       `json:"job_id"`
	Status          JobStatus    `json:"status"`
	ProcessorType   string       `json:"processor_type"`
	Progress        *float64     `json:"progress"` // 0.0-1.0, nil where not reported
	ProgressMessage string       `json:"progress_message,omitempty"`
	ResultFiles     []ResultFile `json:"result_files"`
	Warnings        []string     `json:"warnings"` // what a lossy conversion lost
	// Check is nil where nothing was asked to be compared.
	Check             *CheckResult    `json:"check,omitempty"`
	Error             *JobError       `json:"error"`
	RetryCount        int             `json:"retry_count"`
	CreatedAt         time.Time       `json:"created_at"`
	UpdatedAt         time.Time       `json:"updated_at"`
	StartedAt         *time.Time      `json:"started_at"`
	CompletedAt       *time.Time      `json:"completed_at"`
	EstimatedDuration *int            `json:"estimated_duration"` // seconds
	UserID            string          `json:"user_id,omitempty"`
	Params            json.RawMessage `json:"params,omitempty"` // echo of the request
	// SuggestedPoll is the wait before the next look that the service advises; nil where it gives none.
	SuggestedPoll *time.Duration `json:"-"`

	held bool // the reply came only when the wait was over that was asked for
}

// Percent is how far the job is; 0 where that is not reported.
func (m *ConvertJob) Percent() int {
	if m.Progress == nil {
		return 0
	}
	return int(math.Round(*m.Progress * 100))
}

// readHeader takes what the reply says beside its body.
func (m *ConvertJob) readHeader(header http.Header) {
	m.held = strings.Contains(strings.ToLower(header.Get("Preference-Applied")), "wait")
}

// maxSuggestion bounds a suggested wait, in milliseconds.
const maxSuggestion = 60_000

// UnmarshalJSON reads today's wire and the documented model.
func (m *ConvertJob) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = ConvertJob{
		JobID:             f.text("jobId", "job_id"),
		Status:            JobStatus(f.text("status")),
		ProcessorType:     f.text("processorType", "processor_type"),
		Progress:          f.fraction("progress"),
		ProgressMessage:   f.said("progressMessage", "progress_message"),
		ResultFiles:       []ResultFile{},
		Warnings:          []string{},
		RetryCount:        int(f.whole("retryCount", "retry_count")),
		CreatedAt:         f.time("createdAt", "created_at"),
		UpdatedAt:         f.time("updatedAt", "updated_at"),
		StartedAt:         f.timePointer("startedAt", "started_at"),
		CompletedAt:       f.timePointer("completedAt", "completed_at"),
		EstimatedDuration: f.wholePointer("estimatedDuration", "estimated_duration"),
		UserID:            f.text("userId", "user_id"),
	}
	hint := fields{members: f.members} // one that is no number is no reason to lose the job
	if ms, given := hint.wholeIfAny("suggestedPollIntervalMs", "suggested_poll_interval_ms"); given {
		suggested := time.Duration(min(max(ms, 0), maxSuggestion)) * time.Millisecond
		m.SuggestedPoll = &suggested
	}
	f.into(&m.ResultFiles, "resultFiles", "result_files")
	f.into(&m.Warnings, "warnings")
	for i, warning := range m.Warnings {
		m.Warnings[i] = secrets(nil).clean(warning)
	}
	f.into(&m.Check, "check")
	f.into(&m.Error, "error")
	if raw, ok := f.get("params"); ok {
		m.Params = raw
	}
	if m.Status == JobCompleted {
		all := 1.0
		m.Progress = &all
	}
	return f.err
}

// MarshalJSON writes the documented names.
func (m ConvertJob) MarshalJSON() ([]byte, error) {
	type plain ConvertJob
	return json.Marshal(struct {
		plain
		Progress json.RawMessage `json:"progress"`
	}{plain: plain(m), Progress: fractionJSON(m.Progress)})
}

// ConvertsFile reports whether the job turns this file into this format, as far as its echoed parameters tell.
func (m *ConvertJob) ConvertsFile(fileID, target string) bool {
	var params WireJobParams
	if json.Unmarshal(m.Params, &params) != nil {
		return false
	}
	hasFile := params.SourceFileID == fileID || params.FileID == fileID
	return hasFile && (params.TargetFormat == target || params.OutputFormat == target)
}

// JobPage is one page of jobs.
type JobPage struct {
	Jobs  []ConvertJob `json:"jobs"`
	Total int          `json:"total"`
	Page  int          `json:"page"` // from 1
	Limit int          `json:"limit"`
}

// UnmarshalJSON takes an object with jobs or items, or a bare array: the reply is not documented.
func (m *JobPage) UnmarshalJSON(data []byte) error {
	*m = JobPage{Jobs: []ConvertJob{}}
	var bare []ConvertJob
	if json.Unmarshal(data, &bare) == nil && bare != nil {
		m.Jobs, m.Total = bare, len(bare)
		return nil
	}
	f := parseFields(data)
	f.into(&m.Jobs, "jobs", "items")
	m.Total, m.Page, m.Limit = int(f.whole("total")), int(f.whole("page")), int(f.whole("limit"))
	return f.err
}
