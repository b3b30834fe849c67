package client

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestErrorEnvelopes(t *testing.T) {
	for name, test := range map[string]struct {
		status        int
		body          string
		code, message string
	}{
		"flat":                  {401, `{"code":"AUTH_REQUIRED","message":"Key not accepted"}`, "AUTH_REQUIRED", "Key not accepted"},
		"wrapped":               {402, `{"detail":{"code":"TIER_REQUIRED","message":"Pro needed"}}`, "TIER_REQUIRED", "Pro needed"},
		"detail as text":        {400, `{"detail":"One file per request."}`, "HTTP_400", "One file per request."},
		"validation list":       {422, `{"detail":[{"loc":["body"],"msg":"field required"}]}`, "HTTP_422", "Unprocessable Entity"},
		"old error object":      {500, `{"error":{"code":"X"}}`, "HTTP_500", "Internal Server Error"},
		"empty":                 {502, ``, "HTTP_502", "Bad Gateway"},
		"html":                  {504, `<html>`, "HTTP_504", "Gateway Timeout"},
		"array":                 {400, `[1,2]`, "HTTP_400", "Bad Request"},
		"text":                  {400, `"no"`, "HTTP_400", "Bad Request"},
		"null":                  {404, `null`, "HTTP_404", "Not Found"},
		"empty code":            {404, `{"code":"","message":"gone"}`, "HTTP_404", "gone"},
		"empty message":         {404, `{"code":"X","message":""}`, "X", "Not Found"},
		"detail beats the flat": {409, `{"code":"FLAT","message":"m","detail":"why"}`, "HTTP_409", "why"},
		"unknown status":        {599, ``, "HTTP_599", "Request failed"},
		"code of another type":  {400, `{"code":7,"message":["m"]}`, "HTTP_400", "Bad Request"},
	} {
		t.Run(name, func(t *testing.T) {
			e := decodeAPIError(test.status, http.Header{}, []byte(test.body))
			assert.Equal(t, test.status, e.Status, name)
			assert.Equal(t, test.code, e.Code, name)
			assert.Equal(t, test.message, e.Message, name)
			assert.NotNil(t, e.Details, name)
		})
	}
}

func TestErrorOperands(t *testing.T) {
	e := decodeAPIError(402, http.Header{}, []byte(`{"detail":{"code":"QUOTA_EXCEEDED","message":"Cap used","estimatedMicroU":"910000",
		"thresholdMicroU":900000,"upgrade_url":"/topup","details":{"retry_after_seconds":20}}}`))
	assert.EqualValues(t, 910000, *e.EstimatedMicroU)
	assert.EqualValues(t, 900000, *e.ThresholdMicroU)
	assert.Equal(t, "/topup", e.UpgradeURL)
	assert.InDelta(t, 20, e.Details["retry_after_seconds"], 0)

	e = decodeAPIError(402, http.Header{}, []byte(`{"code":"INSUFFICIENT_CREDITS","message":"m","details":{"required_credits":9,"availableCredits":0}}`))
	missing, known := e.Shortfall()
	assert.True(t, known)
	assert.EqualValues(t, 9, missing)
	_, known = decodeAPIError(402, http.Header{}, []byte(`{"code":"INSUFFICIENT_CREDITS","message":"m","details":{"requiredCredits":9}}`)).Shortfall()
	assert.False(t, known, "an absent balance is unknown, not zero")

	e = decodeAPIError(422, http.Header{}, []byte(`{"detail":[{"msg":"field required"}]}`))
	assert.Len(t, e.Details["detail"], 1, "the raw list stays")
	assert.Contains(t, string(decodeAPIError(500, http.Header{}, []byte(`{"error":{"code":"X"}}`)).RawBody), `"X"`)
	assert.Len(t, decodeAPIError(500, http.Header{}, []byte(strings.Repeat("x", 9999))).RawBody, rawBodyLimit)
}

func TestErrorLinks(t *testing.T) {
	const https = "https://pay.example.org/topup?plan=pro"
	for name, test := range map[string]struct{ body, link string }{
		"inside details":             {`{"code":"INSUFFICIENT_CREDITS","details":{"upgradeUrl":"` + https + `"}}`, https},
		"inside details, wrapped":    {`{"detail":{"code":"INSUFFICIENT_CREDITS","details":{"upgrade_url":"` + https + `"}}}`, https},
		"beside the code":            {`{"code":"INSUFFICIENT_CREDITS","upgrade_url":"` + https + `","details":{"requiredCredits":1}}`, https},
		"both":                       {`{"code":"INSUFFICIENT_CREDITS","upgradeUrl":"https://other.example","details":{"upgradeUrl":"` + https + `"}}`, https},
		"both, the inner is none":    {`{"code":"INSUFFICIENT_CREDITS","upgradeUrl":"` + https + `","details":{"upgradeUrl":"javascript:alert(1)"}}`, https},
		"a plan, beside":             {`{"code":"TIER_REQUIRED","upgrade_url":"` + https + `"}`, https},
		"a plan, inside":             {`{"code":"TIER_REQUIRED","details":{"upgradeUrl":"` + https + `"}}`, ""},
		"relative":                   {`{"code":"QUOTA_EXCEEDED","upgrade_url":"/topup"}`, ""},
		"http":                       {`{"code":"INSUFFICIENT_CREDITS","details":{"upgradeUrl":"http://pay.example.org/"}}`, ""},
		"http at loopback":           {`{"code":"INSUFFICIENT_CREDITS","details":{"upgradeUrl":"http://127.0.0.1/"}}`, ""},
		"javascript":                 {`{"code":"INSUFFICIENT_CREDITS","details":{"upgradeUrl":"javascript:alert(1)"}}`, ""},
		"no host":                    {`{"code":"INSUFFICIENT_CREDITS","details":{"upgradeUrl":"https:///x"}}`, ""},
		"a user":                     {`{"code":"INSUFFICIENT_CREDITS","details":{"upgradeUrl":"https://pay.example.org@evil.example/"}}`, ""},
		"a line break":               {`{"code":"INSUFFICIENT_CREDITS","details":{"upgradeUrl":"https://pay.example.org/\nx"}}`, ""},
		"a text that runs backwards": {`{"code":"INSUFFICIENT_CREDITS","details":{"upgradeUrl":"https://pay.example.org/\u202ex"}}`, ""},
		"endless":                    {`{"code":"INSUFFICIENT_CREDITS","details":{"upgradeUrl":"https://pay.example.org/` + strings.Repeat("x", 4000) + `"}}`, ""},
		"a number":                   {`{"code":"INSUFFICIENT_CREDITS","details":{"upgradeUrl":7}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.link, decodeAPIError(402, http.Header{}, []byte(test.body)).Link())
		})
	}
}

func TestRetryAfterHeader(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"7": 7 * time.Second, " 7 ": 7 * time.Second, "0.5": 500 * time.Millisecond, "": 0, "0": 0, "-3": 0, "soon": 0, "NaN": 0,
		"Wed, 21 Oct 2026 07:28:00 GMT": 0, "1e12": 24 * time.Hour,
	} {
		t.Run(text, func(t *testing.T) {
			assert.Equal(t, want, retryAfter(http.Header{"Retry-After": {text}}), text)
		})
	}
}

func TestErrorKinds(t *testing.T) {
	kinds := map[string]func(error) bool{
		"rate limited": IsRateLimited, "auth": IsAuth, "plan": IsPlanRequired, "quota": IsQuotaExceeded, "credits": IsInsufficientCredits,
		"free gate": IsFreePlanGate, "not priced": IsNotPriced, "charge": IsChargeUnavailable, "not found": IsNotFound, "in use": IsFileInUse,
		"version": IsVersionConflict, "expired input": IsInputExpired, "upload": IsUpload, "download": IsDownload, "expired grant": IsExpiredGrant,
		"ambiguous": IsAmbiguous,
	}
	for _, test := range []struct {
		err  error
		want string // comma-separated, in any order
	}{
		{&APIError{Status: 429, Code: "ANY"}, "rate limited"},
		{&APIError{Status: 401, Code: "AUTH_REQUIRED"}, "auth"},
		{&APIError{Status: 403, Code: "AUTH_REQUIRED"}, "auth"},
		{&APIError{Status: 403, Code: "UNAUTHORIZED"}, "auth"},
		{&APIError{Status: 401, Code: "HTTP_401"}, "auth"},
		{&APIError{Status: 403, Code: "FORBIDDEN"}, ""},
		{&APIError{Status: 403, Code: "HTTP_403"}, ""},
		{&APIError{Status: 403, Code: "FORBIDDEN_FILE"}, ""},
		{&APIError{Status: 401, Code: "S3_HTTP_401"}, "upload,expired grant"},
		{&APIError{Status: 402, Code: "TIER_REQUIRED"}, "plan"},
		{&APIError{Status: 402, Code: "PRO_TIER_REQUIRED"}, "plan"},
		{&APIError{Status: 402, Code: "BUSINESS_TIER_REQUIRED"}, "plan"},
		{&APIError{Status: 402, Code: "ENTERPRISE_TIER_REQUIRED"}, "plan"},
		{&APIError{Status: 402, Code: "QUOTA_EXCEEDED"}, "quota"},
		{&APIError{Status: 402, Code: "INSUFFICIENT_CREDITS"}, "credits"},
		{&APIError{Status: 402, Code: "NEW_ONE"}, ""},
		{&APIError{Status: 403, Code: "spec_not_allowed_on_free"}, "free gate"},
		{&APIError{Status: 403, Code: "free_cost_cap_exceeded"}, "free gate"},
		{&APIError{Status: 409, Code: "SPEC_NOT_PRICED"}, "not priced"},
		{&APIError{Status: 409, Code: "CHARGE_UNAVAILABLE"}, "charge"},
		{&APIError{Status: 409, Code: "FILE_IN_USE"}, "in use"},
		{&APIError{Status: 409, Code: "VERSION_CONFLICT"}, "version"},
		{&APIError{Status: 404, Code: "JOB_NOT_FOUND", Method: "GET"}, "not found"},
		{&APIError{Status: 404, Code: "NOT_FOUND", Method: "POST"}, "not found,expired input"},
		{&APIError{Status: 410, Code: CodeFileExpired, Method: "POST"}, "expired input"},
		{&APIError{Status: 403, Code: "S3_HTTP_403"}, "upload,expired grant"},
		{&APIError{Status: 400, Code: "S3_HTTP_400"}, "upload"},
		{&APIError{Status: 403, Code: "DOWNLOAD_HTTP_403"}, "download,expired grant"},
		{&APIError{Status: 404, Code: "DOWNLOAD_HTTP_404"}, "download"},
		{&APIError{Status: 503, Code: "X"}, "ambiguous"},
		{&TransportError{Sent: true, Err: assert.AnError}, "ambiguous"},
		{&TransportError{Err: assert.AnError}, ""},
		{assert.AnError, ""},
		{nil, ""},
	} {
		t.Run(fmt.Sprint(test.want), func(t *testing.T) {
			want := map[string]bool{}
			for name := range strings.SplitSeq(test.want, ",") {
				want[name] = true
			}
			for name, is := range kinds {
				assert.Equal(t, want[name], is(test.err), "%v is %s", test.err, name)
				if test.err != nil {
					assert.Equal(t, want[name], is(fmt.Errorf("while uploading: %w", test.err)), "wrapped: %v is %s", test.err, name)
				}
			}
		})
	}
}

func TestAPIErrorText(t *testing.T) {
	e := &APIError{Method: "GET", Route: "/api/v1/jobs/{job_id}", Status: 404, Code: "JOB_NOT_FOUND", Message: "no such job", Attempts: 1}
	require.EqualError(t, e, "GET /api/v1/jobs/{job_id}: 404 JOB_NOT_FOUND: no such job")
	e.Attempts = 3
	require.EqualError(t, e, "GET /api/v1/jobs/{job_id}: 404 JOB_NOT_FOUND: no such job (after 3 attempts)")
}
