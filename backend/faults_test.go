package backend_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var out T
	require.NoError(t, json.Unmarshal([]byte(text), &out), text)
	return out
}

func TestFaultsThatAreRefused(t *testing.T) {
	for text, says := range map[string]string{
		"rules: [{route: POST /api/v1/jobs, count: 1}]":                                 "answer must name",
		"rules: [{route: POST /api/v1/jobs, answer: {status: 503}}]":                    "exactly one of",
		"rules: [{route: POST /api/v1/jobs, count: 1, nth: 1, answer: {status: 503}}]":  "exactly one of",
		"rules: [{route: /api/v1/jobs, count: 1, answer: {status: 503}}]":               "a method and a path",
		"rules: [{route: POST jobs, count: 1, answer: {status: 503}}]":                  "a method and a path",
		"rules: [{route: 'POST /[', count: 1, answer: {status: 503}}]":                  "a method and a path",
		"rules: [{route: POST /x, probability: 1.5, answer: {status: 503}}]":            "0 to 1",
		"rules: [{route: POST /x, count: 1, answer: {status: 200}}]":                    "400 to 599",
		"rules: [{route: POST /x, count: 1, answer: {status: 503, lose_reply: true}}]":  "exclude",
		"rules: [{route: POST /x, count: 1, answer: {stauts: 503}}]":                    "stauts",
		"rules: [{route: POST /x, events: '*', count: 1, answer: {drop: true}}]":        "exclude",
		"rules: [{events: '*', slot: '*', count: 1, answer: {drop: true}}]":             "exclude",
		"rules: [{events: '*', count: 1, answer: {status: 503}}]":                       "drop, duplicate",
		"rules: [{events: '*', count: 1, answer: {drop: true, delay: 1s}}]":             "drop, duplicate",
		"rules: [{events: '*', count: 1, answer: {drop: true, reorder: true}}]":         "drop, duplicate",
		"rules: [{events: '*', answer: {drop: true}}]":                                  "exactly one of",
		"rules: [{route: POST /x, count: 1, answer: {drop: true}}]":                     "nothing for events",
		"rules: [{route: POST /x, count: 1, answer: {status: 503, after: 1s}}]":         "nothing for events",
		"rules: [{slot: a, count: 1, answer: {after: 1s}}]":                             "fill",
		"rules: [{slot: a, count: 1, answer: {fill: x, after: -1s}}]":                   "negative",
		"rules: [{slot: a, count: 1, answer: {fill: .nan}}]":                            "JSON",
		"rules: [{slot: a, count: 1, answer: {fill: x, lose_reply: true}}]":             "fill",
		"rules: [{job: md, count: 1, answer: {stuck: true}}]":                           "a source and a target",
		"rules: [{job: md html, count: 1, answer: {slow: -1s}}]":                        "exactly one of slow",
		"rules: [{job: md html, count: 1, answer: {stuck: true, fail: X}}]":             "exactly one of slow",
		"rules: [{job: md html, count: 1, answer: {stuck: true, status: 503}}]":         "exactly one of slow",
		"rules: [{job: md html, route: POST /x, count: 1, answer: {stuck: true}}]":      "exclude",
		"rules: [{route: POST /x, count: 1, answer: {stuck: true}}]":                    "nothing for events",
		"rules: [{route: POST /x, count: 1, answer: {status: 503, envelope: xml}}]":     "detail, empty, error, flat, html, list, text",
		"rules: [{route: POST /x, count: 1, answer: {delay: 1s, envelope: list}}]":      "belong to a status",
		"rules: [{route: GET /x, count: 1, answer: {trickle: -1}}]":                     "bytes a second",
		"rules: [{route: GET /x, count: 1, answer: {trickle: 9, short_body: true}}]":    "exclude",
		"rules: [{job: md html, count: 1, answer: {delay: 1s}}]":                        "exactly one of slow",
		"rules: [{job: md html, count: 1, answer: {status: 429, delay: 1s}}]":           "exactly one of slow",
		"rules: [{job: md html, count: 1, answer: {status: 429, slow: 1s}}]":            "exactly one of slow",
		"rules: [{job: md html, count: 1, answer: {wrong_size: 1, retry_after: 1}}]":    "exactly one of slow",
		"rules: [{job: md html, count: 1, answer: {status: 200}}]":                      "400 to 599",
		"rules: [{job: md html, count: 1, answer: {status: 429, envelope: xml}}]":       "detail, empty",
		"rules: [{route: GET /api/v1/x, count: 1, answer: {corrupt_body: true}}]":       "downloads",
		"rules: [{route: '* /**', count: 1, answer: {corrupt_body: true}}]":             "downloads",
		"rules: [{route: GET /x, count: 1, answer: {wrong_size: 1, short_body: true}}]": "exclude",
		"rules: [{route: GET /x, above: -1, answer: {status: 429}}]":                    "negative",
		"rules: [{route: GET /x, above: 1, count: 1, answer: {status: 429}}]":           "exactly one of",
		"rules: [{events: '*', above: 1, answer: {drop: true}}]":                        "requests and jobs",
		"rules: [{slot: a, above: 1, answer: {fill: x}}]":                               "requests and jobs",
		"rulse: []": "rulse",
		"rules: [{route: POST /x, count: one, answer: {status: 503}}]": "line 1",
	} {
		_, err := backend.ParseFaults([]byte(text))
		require.ErrorContains(t, err, says, text)
	}
	_, err := backend.LoadFaults(filepath.Join(t.TempDir(), "none.yaml"))
	require.Error(t, err)
}

func TestFaultsStrike(t *testing.T) {
	s := testkit.StartService(t, testkit.WithFaults(t, `
rules:
  - {route: GET /api/v1/files, nth: 2, answer: {status: 429, retry_after: 60}}
  - {route: "* /api/v1/files/*", count: 1, answer: {status: 500, code: BROKEN}}
  - {route: "GET /api/v1/jobs/**", count: 1, answer: {cut_body: true}}
  - {route: POST /api/v1/jobs, count: 1, answer: {lose_reply: true}}
  - {route: "* /**", probability: 0, answer: {status: 503}}
`))
	c, err := client.New(s.URL, s.Key(), client.WithMaxRetries(0))
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	_, err = c.Files.List(t.Context())
	require.NoError(t, err)
	_, err = c.Files.List(t.Context())
	require.True(t, client.IsRateLimited(err))
	var e *client.APIError
	require.ErrorAs(t, err, &e)
	assert.EqualValues(t, 60, e.RetryAfter.Seconds())
	_, err = c.Files.List(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, c.Files.Delete(t.Context(), "x"), "BROKEN")

	file := upload(t, s, "a.md", "# A")
	_, err = c.Convert.Create(t.Context(), params(file.FileID))
	require.True(t, client.IsAmbiguous(err), "%v", err)
	page, err := c.Convert.List(t.Context(), client.ListParams{})
	require.NoError(t, err)
	require.Equal(t, 1, page.Total, "the work was done, only its reply was lost")
	_, err = c.Convert.Retrieve(t.Context(), page.Jobs[0].JobID)
	var network *client.TransportError
	require.ErrorAs(t, err, &network, "half a reply is none")
	_, err = c.Convert.Wait(t.Context(), page.Jobs[0].JobID, quick)
	require.NoError(t, err)
}

func TestRoutesOfFaults(t *testing.T) {
	for route, want := range map[string]bool{
		"* /**": true, "GET /api/v1/jobs/**": true, "GET /api/v1/jobs/goal/*": false, "GET /api/v1/jobs/goal/*/artifacts": true,
		"GET /api/v1/jobs/*/**": true, "* /api/*/jobs/**": true, "GET /api/*/files/**": false, "GET /api/v1/jobs/goal/*/artifacts/**": false,
		"POST /api/v1/jobs/**": false, "GET /api/v1/j**": true, "GET /*/**": true, "GET /api/v1/jobs/goal/*/artifacts/more/**": false,
	} {
		s := testkit.StartService(t, testkit.WithFaults(t, "rules: [{route: '"+route+"', count: 1, answer: {status: 418}}]"))
		_, err := impatient(t, s).Goals.Artifacts(t.Context(), "job_1")
		var e *client.APIError
		require.ErrorAs(t, err, &e)
		assert.Equal(t, want, e.Status == 418, "%s: %v", route, err)
	}
}

func TestFaultsRepeatThemselves(t *testing.T) {
	strikes := func(seed string) (out []bool) {
		s := testkit.StartService(t, testkit.WithFaults(t, "seed: "+seed+"\nrules: [{route: GET /api/v1/files, probability: 0.5, answer: {status: 503}}]"))
		c, err := client.New(s.URL, s.Key(), client.WithMaxRetries(0))
		require.NoError(t, err)
		t.Cleanup(c.CloseIdleConnections)
		for range 40 {
			_, err := c.Files.List(t.Context())
			out = append(out, err != nil)
		}
		return out
	}
	first, second := strikes("7"), strikes("7")
	assert.Equal(t, first, second)
	assert.NotEqual(t, first, strikes("8"))
	assert.Contains(t, first, true)
	assert.Contains(t, first, false)
}

func FuzzParseFaults(f *testing.F) {
	f.Add([]byte("seed: 1\nrules: [{route: POST /x, count: 1, answer: {status: 503, delay: 1s}}]"))
	f.Add([]byte("rules: [{route: '* /**', probability: 0.3, answer: {lose_reply: true}}]"))
	f.Add([]byte("rules: [{job: md *, above: 4, answer: {status: 429}}, {route: GET /storage/**, above: 1, answer: {corrupt_body: true}}]"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = backend.ParseFaults(data) })
}
