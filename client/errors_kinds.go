package client

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// Codes by which failures of the storage are told from those of the API.
const (
	codePrefixUpload   = "S3_HTTP_"
	codePrefixDownload = "DOWNLOAD_HTTP_"
)

func apiError(err error) (*APIError, bool) {
	var e *APIError
	return e, errors.As(err, &e)
}

func is(err error, status int, codes ...string) bool {
	e, ok := apiError(err)
	return ok && e.Status == status && (len(codes) == 0 || slices.Contains(codes, e.Code))
}

// IsRateLimited is a 429: wait for RetryAfter.
func IsRateLimited(err error) bool { return is(err, http.StatusTooManyRequests) }

// IsAuth is a key that the service refuses.
func IsAuth(err error) bool {
	return is(err, http.StatusUnauthorized) || is(err, http.StatusForbidden) && !IsFreePlanGate(err) && !IsExpiredGrant(err)
}

// IsPlanRequired is a 402 that a higher plan would lift.
func IsPlanRequired(err error) bool {
	return is(err, http.StatusPaymentRequired, "TIER_REQUIRED", "PRO_TIER_REQUIRED", "BUSINESS_TIER_REQUIRED", "ENTERPRISE_TIER_REQUIRED")
}

// IsQuotaExceeded is a spent cost cap; it comes back with the next period.
func IsQuotaExceeded(err error) bool {
	return is(err, http.StatusPaymentRequired, "QUOTA_EXCEEDED")
}

// IsInsufficientCredits is a balance that is too low; see APIError.Shortfall.
func IsInsufficientCredits(err error) bool {
	return is(err, http.StatusPaymentRequired, "INSUFFICIENT_CREDITS")
}

// IsFreePlanGate is a refusal of the free plan, before any charge.
func IsFreePlanGate(err error) bool {
	return is(err, http.StatusForbidden, "spec_not_allowed_on_free", "free_cost_cap_exceeded")
}

// IsNotPriced is permanent for the workflow that was asked for.
func IsNotPriced(err error) bool { return is(err, http.StatusConflict, "SPEC_NOT_PRICED") }

// IsChargeUnavailable is a passing failure of billing; trying again later is right.
func IsChargeUnavailable(err error) bool {
	return is(err, http.StatusConflict, "CHARGE_UNAVAILABLE")
}

// IsNotFound is something that does not exist or belongs to somebody else.
func IsNotFound(err error) bool { return is(err, http.StatusNotFound) && !IsStorage(err) }

// IsFileInUse is a file that a running job holds.
func IsFileInUse(err error) bool { return is(err, http.StatusConflict, "FILE_IN_USE") }

// IsVersionConflict is a write based on a stale version.
func IsVersionConflict(err error) bool { return is(err, http.StatusConflict, "VERSION_CONFLICT") }

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
func IsSizeMismatch(err error) bool { return is(err, http.StatusUnprocessableEntity, "SIZE_MISMATCH") }

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

// IsAmbiguous says that the service may have done what was asked although no reply came.
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
