package backend_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var out T
	require.NoError(t, json.Unmarshal([]byte(text), &out), text)
	return out
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
		t.Run(route, func(t *testing.T) {
			s := testkit.StartService(t, testkit.WithFaults(t, "rules: [{route: '"+route+"', count: 1, answer: {status: 418}}]"))
			_, err := impatient(t, s).Goals.Artifacts(t.Context(), "job_1")
			var e *client.APIError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, want, e.Status == 418, "%s: %v", route, err)
		})
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

func TestFaults_tellWhatIsMissing(t *testing.T) {
	const rule = `{route: GET /api/v1/files, nth: %d, answer: {status: 402, code: INSUFFICIENT_CREDITS, envelope: %s,
		details: {requiredCredits: 9, availableCredits: 0, upgradeUrl: "https://pay.example.org/topup"}, upgrade_url: "https://plans.example.org/"}}`
	s := testkit.StartService(t, testkit.WithFaults(t, "rules: ["+fmt.Sprintf(rule, 1, "flat")+", "+fmt.Sprintf(rule, 1, "detail")+"]"))
	for _, envelope := range []string{"flat", "detail"} {
		t.Run(envelope, func(t *testing.T) {
			_, err := s.Client.Files.List(t.Context())
			var refusal *client.APIError
			require.ErrorAs(t, err, &refusal)
			assert.True(t, client.IsInsufficientCredits(err))
			missing, known := refusal.Shortfall()
			assert.True(t, known)
			assert.EqualValues(t, 9, missing)
			assert.Equal(t, "https://pay.example.org/topup", refusal.Link())
		})
	}
}
