package activities

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/client"
)

func TestClassify(t *testing.T) {
	api := func(status int, code string) *client.APIError {
		return &client.APIError{Status: status, Code: code, Message: "m", Method: "POST", RetryAfter: 7 * time.Second}
	}
	get := api(404, "JOB_NOT_FOUND")
	get.Method = "GET"
	for _, test := range []struct {
		err   error
		kind  string
		code  string
		final bool
		wait  time.Duration
	}{
		{api(429, "RATE_LIMITED"), FailureRateLimited, "RATE_LIMITED", false, 7 * time.Second},
		{api(503, "UNAVAILABLE"), FailureRateLimited, "UNAVAILABLE", false, 7 * time.Second},
		{api(500, "INTERNAL"), FailureUnavailable, "INTERNAL", false, 0},
		{api(502, "HTTP_502"), FailureUnavailable, "HTTP_502", false, 0},
		{api(504, "HTTP_504"), FailureUnavailable, "HTTP_504", false, 0},
		{api(408, "HTTP_408"), FailureUnavailable, "HTTP_408", false, 0},
		{api(409, "CHARGE_UNAVAILABLE"), FailureUnavailable, "CHARGE_UNAVAILABLE", false, 0},
		{api(403, "S3_HTTP_403"), FailureUnavailable, "S3_HTTP_403", false, 0},
		{api(403, "DOWNLOAD_HTTP_403"), FailureUnavailable, "DOWNLOAD_HTTP_403", false, 0},
		{api(503, "S3_HTTP_503"), FailureRateLimited, "S3_HTTP_503", false, 7 * time.Second},
		{api(410, "FILE_EXPIRED"), FailureInputExpired, "FILE_EXPIRED", true, 0},
		{api(404, "NOT_FOUND"), FailureInputExpired, "NOT_FOUND", true, 0},
		{get, FailureRefused, "JOB_NOT_FOUND", true, 0},
		{api(401, "AUTH_REQUIRED"), FailureAuth, "AUTH_REQUIRED", true, 0},
		{api(403, "UNAUTHORIZED"), FailureAuth, "UNAUTHORIZED", true, 0},
		{api(403, "FORBIDDEN"), FailureRefused, "FORBIDDEN", true, 0},
		{api(403, "HTTP_403"), FailureRefused, "HTTP_403", true, 0},
		{api(403, "free_cost_cap_exceeded"), FailurePlan, "free_cost_cap_exceeded", true, 0},
		{api(402, "QUOTA_EXCEEDED"), FailurePlan, "QUOTA_EXCEEDED", true, 0},
		{api(409, "SPEC_NOT_PRICED"), FailurePlan, "SPEC_NOT_PRICED", true, 0},
		{api(400, "BAD_REQUEST"), FailureRefused, "BAD_REQUEST", true, 0},
		{api(413, "FILE_TOO_LARGE"), FailureRefused, "FILE_TOO_LARGE", true, 0},
		{api(422, "UNSUPPORTED_CONVERSION"), FailureRefused, "UNSUPPORTED_CONVERSION", true, 0},
		{&client.TransportError{Err: errors.New("cut")}, FailureUnavailable, CodeUnavailable, false, 0},
		{&client.ArgumentError{Param: "quality", Message: "m"}, FailureInput, CodeBadArgument, true, 0},
		{&client.PairError{Reason: "m"}, FailureInput, CodeBadArgument, true, 0},
		{&jobFailedError{code: "UNSUPPORTED_INPUT", message: "m"}, FailureConversion, "UNSUPPORTED_INPUT", true, 0},
		{inputError(CodeInputMissing, "x"), FailureInput, CodeInputMissing, true, 0},
		{outputError(CodeOutputExists, "x"), FailureOutput, CodeOutputExists, true, 0},
		{syscall.ENOSPC, FailureUnavailable, CodeDiskFull, false, 0},
		{client.ErrTooLarge, FailureOutput, CodeOutputTooLarge, true, 0},
		{errors.New("never seen before"), FailureUnknown, CodeUnknown, false, 0},
	} {
		t.Run(fmt.Sprint(test.kind, " ", test.code, " ", test.final), func(t *testing.T) {
			for _, err := range []error{test.err, fmt.Errorf("while at it: %w", test.err)} {
				v := classify(err)
				assert.Equal(t, test.kind, v.kind, "%v", test.err)
				assert.Equal(t, test.code, v.code, "%v", test.err)
				assert.Equal(t, test.final, v.final, "%v", test.err)
				assert.Equal(t, test.wait, v.wait, "%v", test.err)
				assert.NotEmpty(t, v.text, "%v", test.err)
			}
		})
	}
}

func TestCredits(t *testing.T) {
	need, none := int64(9), int64(0)
	for name, test := range map[string]struct {
		err  client.APIError
		text string
		want *Credits
	}{
		"all of it": {
			client.APIError{RequiredCredits: &need, AvailableCredits: &none, UpgradeURL: "https://pay.example/"},
			"m (credits: 9 needed, 0 available, 9 missing)", &Credits{Need: &need, Have: &none, Missing: &need, TopUpURL: "https://pay.example/"},
		},
		"the balance is not known": {client.APIError{RequiredCredits: &need}, "m (credits: 9 needed)", &Credits{Need: &need}},
		"a link alone":             {client.APIError{UpgradeURL: "https://pay.example/"}, "m", &Credits{TopUpURL: "https://pay.example/"}},
		"a link that is none":      {client.APIError{UpgradeURL: "http://pay.example/"}, "m", nil},
		"nothing":                  {client.APIError{}, "m", nil},
	} {
		t.Run(name, func(t *testing.T) {
			test.err.Status, test.err.Code, test.err.Message = 402, "INSUFFICIENT_CREDITS", "m"
			v := classify(&test.err)
			assert.Equal(t, test.text, v.text)
			detail := Failure{Kind: v.kind}
			addJobDetail(&detail, &test.err)
			assert.Equal(t, test.want, detail.Credits)
		})
	}
}

func TestFailureOf(t *testing.T) {
	want := Failure{Step: StepCreate, Kind: FailureRefused, Code: "X", Message: "m", Attempts: 2}
	inner := temporal.NewApplicationErrorWithOptions("X: m", FailureRefused, temporal.ApplicationErrorOptions{Details: []any{want}})
	got, ok := FailureOf(fmt.Errorf("activity: %w", inner))
	require.True(t, ok)
	assert.Equal(t, want, got)
	outer := temporal.NewApplicationErrorWithCause("outside", "Other", inner)
	got, ok = FailureOf(outer)
	require.True(t, ok, "found below another one")
	assert.Equal(t, want, got)
	for _, err := range []error{nil, context.Canceled, temporal.NewApplicationError("m", "T")} {
		_, ok = FailureOf(err)
		assert.False(t, ok)
	}
}
