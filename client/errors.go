package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// APIError is a refusal or failure that the API, or its storage, answered with.
type APIError struct {
	Status  int
	Code    string // open set; HTTP_<status> where the service named none
	Message string
	Details map[string]any // never nil

	Method string
	Route  string // template, without ids and query
	// Attempts is how often the request was sent before giving up.
	Attempts int
	// RetryAfter is the wait that the service asked for, 0 where it did not.
	RetryAfter time.Duration
	// UpgradeURL is where a plan refusal points, or where credits are to be had, as the service wrote it; see Link.
	UpgradeURL string
	// EstimatedMicroU and ThresholdMicroU go with QUOTA_EXCEEDED; nil means unknown.
	EstimatedMicroU, ThresholdMicroU *int64
	// RequiredCredits and AvailableCredits go with INSUFFICIENT_CREDITS; nil means unknown, 0 is a value.
	RequiredCredits, AvailableCredits *int64
	// RawBody is the beginning of the reply where it had none of the known shapes.
	RawBody RawBody
}

// RawBody is text that nobody knows to be free of secrets: it prints as its length. string(b) is the text.
type RawBody string

// Format keeps the text out of every fmt verb.
func (b RawBody) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "(%d bytes)", len(b)) }

// MarshalText keeps it out of JSON and logs.
func (b RawBody) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "(%d bytes)", len(b)), nil }

func (e *APIError) Error() string {
	text := fmt.Sprintf("%s %s: %d %s: %s", e.Method, e.Route, e.Status, e.Code, e.Message)
	if e.Attempts > 1 {
		text += fmt.Sprintf(" (after %d attempts)", e.Attempts)
	}
	return text
}

// Shortfall is how many credits are missing; false where either side is unknown.
func (e *APIError) Shortfall() (int64, bool) {
	if e.RequiredCredits == nil || e.AvailableCredits == nil {
		return 0, false
	}
	return max(0, *e.RequiredCredits-*e.AvailableCredits), true
}

// TransportError is a request that got no usable reply.
type TransportError struct {
	Method string
	Route  string
	// Sent reports whether the service may have seen the request, and so may have acted on it.
	Sent bool
	Err  error
}

func (e *TransportError) Error() string { return fmt.Sprintf("%s %s: %v", e.Method, e.Route, e.Err) }

func (e *TransportError) Unwrap() error { return e.Err }

// ArgumentError is a call that was refused before any request.
type ArgumentError struct {
	Param   string
	Message string
}

func (e *ArgumentError) Error() string { return e.Param + ": " + e.Message }

func argumentf(param, format string, args ...any) error {
	return &ArgumentError{Param: param, Message: fmt.Sprintf(format, args...)}
}

const rawBodyLimit = 2048

// decodeAPIError reads every envelope that the API uses: flat, wrapped in detail, detail as text, validation
// lists, and replies that explain nothing.
func decodeAPIError(status int, header http.Header, body []byte) *APIError {
	e := &APIError{Status: status, Details: map[string]any{}, RetryAfter: retryAfter(header)}
	envelope := parseFields(body)
	if envelope.err != nil || envelope.members == nil {
		envelope = fields{}
		e.RawBody = bounded(body)
	}
	if detail, ok := envelope.get("detail"); ok {
		envelope = e.unwrap(detail)
	}
	e.read(&envelope)
	if e.Code == "" {
		e.Code = fmt.Sprintf("HTTP_%d", status)
		if e.Message == "" && e.RawBody == "" {
			e.RawBody = bounded(body)
		}
	}
	if e.Message == "" {
		e.Message = reasonPhrase(status)
	}
	return e
}

// unwrap takes {"detail": ...}: an object replaces the envelope, a text is the message, a list is kept raw.
func (e *APIError) unwrap(detail json.RawMessage) fields {
	var text string
	var list []any
	switch {
	case json.Unmarshal(detail, &text) == nil:
		e.Message = text
	case json.Unmarshal(detail, &list) == nil:
		e.Details["detail"] = list
	default:
		return parseFields(detail)
	}
	return fields{}
}

func (e *APIError) read(f *fields) {
	if code := f.text("code"); code != "" {
		e.Code = code
	}
	if message := f.text("message"); message != "" {
		e.Message = message
	}
	e.UpgradeURL = f.text("upgrade_url", "upgradeUrl")
	e.EstimatedMicroU = optionalNumber(f, "estimatedMicroU", "estimated_micro_u")
	e.ThresholdMicroU = optionalNumber(f, "thresholdMicroU", "threshold_micro_u")
	raw, ok := f.get("details")
	if !ok {
		return
	}
	var details map[string]any
	if json.Unmarshal(raw, &details) == nil && details != nil {
		e.Details = details
	}
	inner := parseFields(raw)
	e.RequiredCredits = optionalNumber(&inner, "requiredCredits", "required_credits")
	e.AvailableCredits = optionalNumber(&inner, "availableCredits", "available_credits")
	if link := inner.text("upgradeUrl", "upgrade_url"); e.Code == codeInsufficientCredits && linkForPeople(link) != "" {
		e.UpgradeURL = link
	}
}

// Link is UpgradeURL where people may open it, empty where not: it comes from a reply, so nothing but https is taken.
func (e *APIError) Link() string { return linkForPeople(e.UpgradeURL) }

// longestLink bounds a link for people, in bytes.
const longestLink = 2048

func linkForPeople(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || len(raw) > longestLink || strings.ContainsFunc(raw, unprintable) {
		return ""
	}
	return u.String()
}

func unprintable(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }

func optionalNumber(f *fields, names ...string) *int64 {
	if n, ok := f.wholeIfAny(names...); ok {
		return &n
	}
	return nil
}

func reasonPhrase(status int) string {
	if text := http.StatusText(status); text != "" {
		return text
	}
	return "Request failed"
}

func bounded(body []byte) RawBody {
	return RawBody(strings.ToValidUTF8(string(body[:min(len(body), rawBodyLimit)]), "\uFFFD"))
}

// retryAfter reads integer or fractional seconds; the date form is not in use on this API.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.ParseFloat(strings.TrimSpace(header.Get("Retry-After")), 64)
	const longest = 24 * 60 * 60
	if err != nil || !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, longest) * float64(time.Second))
}

// ErrMismatch is a transfer whose size or SHA-256 is not the announced one.
var ErrMismatch = errors.New("size or SHA-256 does not match")

// Codes by which failures of the storage are told from those of the API.
const (
	codePrefixUpload   = "S3_HTTP_"
	codePrefixDownload = "DOWNLOAD_HTTP_"
)

func apiError(err error) (*APIError, bool) {
	var e *APIError
	return e, errors.As(err, &e)
}

func hasStatus(err error, status int, codes ...string) bool {
	e, ok := apiError(err)
	return ok && e.Status == status && (len(codes) == 0 || slices.Contains(codes, e.Code))
}

// IsRateLimited is a 429: wait for RetryAfter.
func IsRateLimited(err error) bool { return hasStatus(err, http.StatusTooManyRequests) }

// IsAuth is a key that the service refuses. A 403 is one only where its code says so: others are about what was asked for.
func IsAuth(err error) bool {
	return hasStatus(err, http.StatusUnauthorized) && !IsStorage(err) || hasStatus(err, http.StatusForbidden, codesOfKeys...)
}

const codeInsufficientCredits = "INSUFFICIENT_CREDITS"

// codesOfKeys are the codes that say that the key is refused.
var codesOfKeys = []string{"AUTH_REQUIRED", "UNAUTHORIZED"}

// IsPlanRequired is a 402 that a higher plan would lift.
func IsPlanRequired(err error) bool {
	return hasStatus(err, http.StatusPaymentRequired, "TIER_REQUIRED", "PRO_TIER_REQUIRED", "BUSINESS_TIER_REQUIRED", "ENTERPRISE_TIER_REQUIRED")
}

// IsQuotaExceeded is a spent cost cap; it comes back with the next period.
func IsQuotaExceeded(err error) bool {
	return hasStatus(err, http.StatusPaymentRequired, "QUOTA_EXCEEDED")
}

// IsInsufficientCredits is a balance that is too low; see APIError.Shortfall.
func IsInsufficientCredits(err error) bool {
	return hasStatus(err, http.StatusPaymentRequired, codeInsufficientCredits)
}

// IsFreePlanGate is a refusal of the free plan, before any charge.
func IsFreePlanGate(err error) bool {
	return hasStatus(err, http.StatusForbidden, "spec_not_allowed_on_free", "free_cost_cap_exceeded")
}

// IsNotPriced is permanent for the workflow that was asked for.
func IsNotPriced(err error) bool { return hasStatus(err, http.StatusConflict, "SPEC_NOT_PRICED") }

// IsChargeUnavailable is a passing failure of billing; trying again later is right.
func IsChargeUnavailable(err error) bool {
	return hasStatus(err, http.StatusConflict, "CHARGE_UNAVAILABLE")
}

// IsNotFound is something that does not exist or belongs to somebody else.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) && !IsStorage(err) }

// IsFileInUse is a file that a running job holds.
func IsFileInUse(err error) bool { return hasStatus(err, http.StatusConflict, "FILE_IN_USE") }

// IsVersionConflict is a write based on a stale version.
func IsVersionConflict(err error) bool {
	return hasStatus(err, http.StatusConflict, "VERSION_CONFLICT")
}

// CodeFileExpired is the local backend's word for an input past its hour; the hosted service says not found.
const CodeFileExpired = "FILE_EXPIRED"

// IsInputExpired is a job that was refused because its input is gone: upload it again.
func IsInputExpired(err error) bool {
	e, ok := apiError(err)
	if !ok || IsStorage(err) {
		return false
	}
	return e.Code == CodeFileExpired || e.Status == http.StatusNotFound && e.Method == http.MethodPost
}

// IsSizeMismatch is an upload of which the service has another size than it was told: send it again.
func IsSizeMismatch(err error) bool {
	return hasStatus(err, http.StatusUnprocessableEntity, "SIZE_MISMATCH")
}

// IsUpload is a refusal by the storage on the way up.
func IsUpload(err error) bool { return hasCodePrefix(err, codePrefixUpload) }

// IsDownload is a refusal by the storage on the way down.
func IsDownload(err error) bool { return hasCodePrefix(err, codePrefixDownload) }

// IsStorage is a refusal by the storage rather than by the API.
func IsStorage(err error) bool { return IsUpload(err) || IsDownload(err) }

// IsExpiredGrant is a storage link that no longer holds: ask for a new one.
func IsExpiredGrant(err error) bool {
	e, ok := apiError(err)
	return ok && IsStorage(err) && (e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized)
}

// IsAmbiguous reports whether the service may have done what was asked although no reply came.
func IsAmbiguous(err error) bool {
	var network *TransportError
	if errors.As(err, &network) {
		return network.Sent
	}
	e, ok := apiError(err)
	return ok && e.Status >= http.StatusInternalServerError
}

func hasCodePrefix(err error, prefix string) bool {
	e, ok := apiError(err)
	return ok && strings.HasPrefix(e.Code, prefix)
}

// IsConflict is an action that the job's state does not allow, such as a second confirm. Refusals with a name of
// their own (a stale version, billing, a file in use) are none.
func IsConflict(err error) bool {
	return hasStatus(err, http.StatusConflict) && !IsNotPriced(err) && !IsChargeUnavailable(err) && !IsFileInUse(err) && !IsVersionConflict(err) && !IsStorage(err)
}
