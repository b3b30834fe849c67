package activities

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/client"
)

// attemptOf is the number of this attempt, from 1.
func attemptOf(ctx context.Context) int { return int(activity.GetInfo(ctx).Attempt) }

// errWorkerStopping ends a step early so that another worker takes it over at once.
var errWorkerStopping = errors.New("the worker is stopping; the step goes on elsewhere")

func resultsGone(jobID string) error {
	return &localError{kind: FailureResultsGone, code: CodeResultsExpired, text: "the service no longer holds the results of job " + jobID}
}

// The types of a step's failure, for workflows to branch on. Those up to FailureOutput are final.
const (
	FailureInput        = "InputUnusable"    // missing, empty, changed since the start, too large
	FailureAuth         = "Unauthorized"     // the key is refused
	FailurePlan         = "PlanRefused"      // plan, quota, credits
	FailureRefused      = "RequestRefused"   // any other final answer of the API
	FailureConversion   = "ConversionFailed" // the job ended as failed
	FailureMismatch     = "BytesMismatch"    // again and again others than the service announced
	FailureOutput       = "OutputRefused"    // exists, symlink, folder not writable
	FailureInputExpired = "InputExpired"     // upload it again
	FailureResultsGone  = "ResultsExpired"   // convert it again
	FailureRateLimited  = "RateLimited"      // comes back when the server says
	FailureUnavailable  = "Unavailable"      // network, 5xx
	FailureInterrupted  = "WorkerStopping"
	FailureAmbiguous    = "StartAmbiguous" // a goal may have been started; final, since starting again may cost again
	FailureUnknown      = "Unknown"
)

// Codes of failures that arise on our side; all others come from the API.
const (
	CodeInputMissing    = "INPUT_MISSING"
	CodeInputUnreadable = "INPUT_UNREADABLE"
	CodeInputEmpty      = "INPUT_EMPTY"
	CodeInputChanged    = "INPUT_CHANGED"
	CodeBadArgument     = "BAD_ARGUMENT"
	CodeOutputExists    = "OUTPUT_EXISTS"
	CodeOutputFolder    = "OUTPUT_NOT_WRITABLE"
	CodeOutputGone      = "OUTPUT_VANISHED"
	CodeHeldGone        = "HELD_OUTPUT_VANISHED"
	CodeLossRefused     = "LOSS_REFUSED"
	CodeOutputTooLarge  = "OUTPUT_TOO_LARGE"
	CodeOutputMismatch  = "OUTPUT_MISMATCH"
	CodeUploadMismatch  = "UPLOAD_MISMATCH"
	CodeDiskFull        = "DISK_FULL"
	CodeNoResultFiles   = "NO_RESULT_FILES"
	CodeResultsExpired  = "RESULTS_EXPIRED"
	CodeUnsupported     = "UNSUPPORTED_CONVERSION"
	CodeJobUnknown      = "JOB_NOT_FOUND"
	CodeGoalUnknown     = "GOAL_UNKNOWN"
	CodeOutsideRoots    = "OUTSIDE_ROOTS"
	CodePasswordFile    = "PASSWORD_FILE"
	CodePlanMissing     = "PLAN_MISSING"
	CodeConflict        = "CONFLICT"
	CodeWebhook         = "WEBHOOK_FAILED"
	CodeUnavailable     = "UNAVAILABLE"
	CodeUnknown         = "UNKNOWN"
)

// Failure is the detail of a failed step, for people and for machines.
type Failure struct {
	Step            string   `json:"step"`
	Kind            string   `json:"kind"` // one of the Failure constants
	Code            string   `json:"code"`
	Message         string   `json:"message"`
	Status          int      `json:"status,omitempty"` // HTTP status, where there was one
	Attempts        int      `json:"attempts"`
	Reason          string   `json:"reason,omitempty"` // the job error's detail.reason
	FaithfulTargets []string `json:"faithful_targets,omitempty"`
	Credits         *Credits `json:"credits,omitempty"` // with FailurePlan
	FileID          string   `json:"file_id,omitempty"`
	JobID           string   `json:"job_id,omitempty"`
	// Since is when the first attempt was due; nil of a failure that is final.
	Since *time.Time `json:"since,omitempty"`
}

// Credits are what a refusal for want of money says. What it does not say is nil or empty.
type Credits struct {
	Need     *int64 `json:"need,omitempty"`
	Have     *int64 `json:"have,omitempty"`
	Missing  *int64 `json:"missing,omitempty"`
	TopUpURL string `json:"top_up_url,omitempty"` // https, where credits or a higher plan are to be had
}

// creditsOf reads a refusal; nil where it says nothing of the kind.
func creditsOf(err *client.APIError) *Credits {
	c := Credits{Need: err.RequiredCredits, Have: err.AvailableCredits, TopUpURL: err.Link()}
	if missing, known := err.Shortfall(); known {
		c.Missing = &missing
	}
	if c == (Credits{}) {
		return nil
	}
	return &c
}

// said is the numbers for people; empty where there are none.
func (c *Credits) said() string {
	var all []string
	for _, number := range []struct {
		n    *int64
		what string
	}{{c.Need, "needed"}, {c.Have, "available"}, {c.Missing, "missing"}} {
		if number.n != nil {
			all = append(all, fmt.Sprintf("%d %s", *number.n, number.what))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " (credits: " + strings.Join(all, ", ") + ")"
}

// verdict is what a failure means for Temporal.
type verdict struct {
	kind  string
	code  string
	text  string
	final bool
	wait  time.Duration // 0 leaves it to the retry policy
}

// localError is a failure that one of the steps found by itself.
type localError struct {
	kind, code, text string
	retry            bool
	wait             time.Duration // before the next attempt; 0 leaves it to the retry policy
}

func (e *localError) Error() string { return e.code + ": " + e.text }

func inputError(code, format string, args ...any) error {
	return &localError{kind: FailureInput, code: code, text: fmt.Sprintf(format, args...)}
}

func outputError(code, format string, args ...any) error {
	return &localError{kind: FailureOutput, code: code, text: fmt.Sprintf(format, args...)}
}

// failed turns a step's error into the one that Temporal acts on.
func failed(ctx context.Context, step string, err error) error {
	if errors.Is(context.Cause(ctx), errWorkerStopping) {
		return temporal.NewApplicationErrorWithOptions(errWorkerStopping.Error(), FailureInterrupted,
			temporal.ApplicationErrorOptions{NextRetryDelay: time.Millisecond, Category: temporal.ApplicationErrorCategoryBenign})
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	v := classify(err)
	detail := Failure{Step: step, Kind: v.kind, Code: v.code, Message: v.text, Attempts: attemptOf(ctx)}
	if !v.final {
		due := activity.GetInfo(ctx).ScheduledTime
		detail.Since = &due
	}
	addJobDetail(&detail, err)
	activity.GetLogger(ctx).Warn("step failed", "step", step, "code", v.code, "final", v.final, "error", v.text)
	return temporal.NewApplicationErrorWithOptions(v.code+": "+v.text, v.kind, temporal.ApplicationErrorOptions{
		NonRetryable: v.final, NextRetryDelay: v.wait, Details: []any{detail},
	})
}

// classify is the one place that decides what is final, what waits, and what starts over.
func classify(err error) verdict {
	var local *localError
	var argument *client.ArgumentError
	var pair *client.PairError
	var job *jobFailedError
	var api *client.APIError
	var network *client.TransportError
	switch {
	case errors.As(err, &local):
		return verdict{kind: local.kind, code: local.code, text: local.text, final: !local.retry, wait: local.wait}
	case errors.As(err, &argument):
		return verdict{kind: FailureInput, code: CodeBadArgument, text: argument.Error(), final: true}
	case errors.As(err, &pair):
		return verdict{kind: FailureInput, code: CodeBadArgument, text: pair.Error(), final: true}
	case errors.As(err, &job):
		return verdict{kind: FailureConversion, code: job.code, text: job.message, final: true}
	case errors.As(err, &api):
		return classifyAPI(api)
	case errors.Is(err, client.ErrTooLarge):
		return verdict{kind: FailureOutput, code: CodeOutputTooLarge, text: err.Error(), final: true}
	case errors.As(err, &network):
		return verdict{kind: FailureUnavailable, code: CodeUnavailable, text: network.Error()}
	default:
		if fault := diskFault(err); fault != nil {
			return classify(fault)
		}
		return verdict{kind: FailureUnknown, code: CodeUnknown, text: err.Error()}
	}
}

func classifyAPI(err *client.APIError) verdict {
	v := verdict{code: err.Code, text: err.Message, kind: FailureRefused, final: true}
	switch {
	case client.IsRateLimited(err), err.Status == 503:
		v.kind, v.final, v.wait = FailureRateLimited, false, err.RetryAfter
	case client.IsChargeUnavailable(err), err.Status == 408, err.Status >= 500:
		v.kind, v.final = FailureUnavailable, false
	case client.IsInputExpired(err):
		v.kind = FailureInputExpired
	case client.IsAuth(err):
		v.kind = FailureAuth
	case err.Status == 402, client.IsFreePlanGate(err), client.IsNotPriced(err):
		v.kind = FailurePlan
		if credits := creditsOf(err); credits != nil {
			v.text += credits.said()
		}
	case client.IsExpiredGrant(err):
		// A link that ran out is replaced by asking again, which the next attempt does.
		v.kind, v.final = FailureUnavailable, false
	}
	return v
}

func addJobDetail(detail *Failure, err error) {
	var api *client.APIError
	if errors.As(err, &api) {
		detail.Status = api.Status
		if detail.Kind == FailurePlan {
			detail.Credits = creditsOf(api)
		}
	}
	var job *jobFailedError
	if errors.As(err, &job) {
		detail.Reason, detail.FaithfulTargets = job.reason, job.faithfulTargets
	}
}

// FailureOf finds the detail of a failed step in a workflow's error chain.
func FailureOf(err error) (Failure, bool) {
	var app *temporal.ApplicationError
	for errors.As(err, &app) {
		var detail Failure
		if app.HasDetails() && app.Details(&detail) == nil && detail.Code != "" {
			return detail, true
		}
		err = errors.Unwrap(app)
		app = nil
	}
	return Failure{}, false
}

// mayHaveStarted leaves out 503: a service that is unavailable has not taken the request.
func mayHaveStarted(err error) bool {
	var api *client.APIError
	if errors.As(err, &api) && api.Status == http.StatusServiceUnavailable {
		return false
	}
	return client.IsAmbiguous(err)
}

// jobFailedError is a job that ended as failed.
type jobFailedError struct {
	code, message, reason string
	faithfulTargets       []string
}

func (e *jobFailedError) Error() string { return e.code + ": " + e.message }

// rootCause is what the system said, without what we were doing and to which file.
func rootCause(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

// diskFault says what a refusal of the file system means for a step that writes; nil where err is none. Space and
// folders come back, rights and read-only disks wait for somebody.
func diskFault(err error) *localError {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return nil
	}
	path, folder := placeOf(err)
	waits := func(code, format string, args ...any) *localError {
		return &localError{kind: FailureUnavailable, code: code, text: fmt.Sprintf(format, args...), retry: true}
	}
	ends := func(code, format string, args ...any) *localError {
		return &localError{kind: FailureOutput, code: code, text: fmt.Sprintf(format, args...)}
	}
	switch number {
	case syscall.ENOSPC:
		return waits(CodeDiskFull, "no space is left in %s; the step goes on when there is", folder)
	case syscall.EDQUOT:
		return waits(CodeDiskFull, "the worker's quota in %s is used up; the step goes on when it is not", folder)
	case syscall.ENOENT, syscall.ESTALE:
		return waits(CodeOutputGone, "%s vanished while it was written; the step makes it again and starts over", folder)
	case syscall.EIO:
		return waits(CodeOutputFolder, "%s cannot be written: %v; the step goes on when its disk works", folder, number)
	case syscall.EROFS:
		return ends(CodeOutputFolder, "%s is on a disk that is mounted read-only; mount it for writing or choose another output", folder)
	case syscall.EACCES, syscall.EPERM:
		return ends(CodeOutputFolder, "the worker may not write to %s; give it the right to or choose another output", folder)
	case syscall.ENOTDIR:
		return ends(CodeOutputFolder, "%s is not a folder; choose another output", folder)
	case syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG:
		return ends(CodeOutputFolder, "%s cannot be written: %v; choose another output", path, number)
	case syscall.EFBIG:
		return ends(CodeOutputTooLarge, "%s cannot hold a file as large as this one; choose another output", folder)
	default:
		return nil
	}
}

// patient keeps a step waiting for what somebody has to fix: half a batch, or a watch, is not given up for it.
func patient(err error) error {
	fault := diskFault(err)
	if fault == nil {
		return err
	}
	if !fault.retry {
		what := fault.text[:strings.LastIndex(fault.text, "; ")]
		fault.kind, fault.text, fault.retry = FailureUnavailable, what+"; the step goes on when that is fixed", true
	}
	return fault
}

// placeOf is the path that the file system refused, and the folder to look at.
func placeOf(err error) (path, folder string) {
	var one *fs.PathError
	var two *os.LinkError
	switch {
	case errors.As(err, &one):
		path = one.Path
	case errors.As(err, &two):
		path = two.New
	default:
		return "the output", "the output's folder"
	}
	if one != nil && one.Op == "mkdir" {
		return path, path
	}
	return path, filepath.Dir(path)
}
