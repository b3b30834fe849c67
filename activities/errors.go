package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/client"
)

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
	CodeOutputTooLarge  = "OUTPUT_TOO_LARGE"
	CodeOutputMismatch  = "OUTPUT_MISMATCH"
	CodeUploadMismatch  = "UPLOAD_MISMATCH"
	CodeDiskFull        = "DISK_FULL"
	CodeNoResultFiles   = "NO_RESULT_FILES"
	CodeResultsExpired  = "RESULTS_EXPIRED"
	CodeUnsupported     = "UNSUPPORTED_CONVERSION"
	CodeJobUnknown      = "JOB_NOT_FOUND"
	CodeGoalUnknown     = "GOAL_UNKNOWN"
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
	FileID          string   `json:"file_id,omitempty"`
	JobID           string   `json:"job_id,omitempty"`
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
