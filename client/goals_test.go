package client

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func goal(status GoalStatus, more string) string {
	return `{"jobSpecId":"g/1","status":"` + string(status) + `","createdAt":"2026-06-01T08:00:00Z","updatedAt":"2026-06-01T08:00:00Z"` + more + `}`
}

func text(s string) json.RawMessage {
	encoded, _ := json.Marshal(s)
	return encoded
}

func TestGoalRequests(t *testing.T) {
	version := 4
	for name, test := range map[string]struct {
		call               func(ctx context.Context, g *Goals) error
		reply              string
		method, path, body string
	}{
		"catalog": {
			func(ctx context.Context, g *Goals) error { _, err := g.Catalog(ctx); return err },
			`{"workflows":null}`, "GET", "/api/v1/workflows/catalog", "",
		},
		"start a workflow": {
			func(ctx context.Context, g *Goals) error {
				_, err := g.Start(ctx, StartParams{WorkflowID: "w", FileIDs: []string{"f"}, Answers: []SlotAnswer{{"s", text("v")}}, LLMConfigID: "cfg"})
				return err
			},
			goal("created", ""), "POST", "/api/v1/jobs/goal", `{"workflowId":"w","fileIds":["f"],"slotAnswers":[{"slotId":"s","value":"v"}],"llmConfigId":"cfg"}`,
		},
		"start without files": {
			func(ctx context.Context, g *Goals) error {
				_, err := g.Start(ctx, StartParams{UserWorkflowID: "uw_1"})
				return err
			},
			goal("created", ""), "POST", "/api/v1/jobs/goal", `{"userWorkflowId":"uw_1","fileIds":[]}`,
		},
		"start by schema": {
			func(ctx context.Context, g *Goals) error {
				_, err := g.Start(ctx, StartParams{FileIDs: []string{"f"}, OutputSchema: json.RawMessage(`{"type":"object"}`), Instructions: "after tax"})
				return err
			},
			goal("ready", ""), "POST", "/api/v1/jobs/goal", `{"fileIds":["f"],"outputSchema":{"type":"object"},"instructions":"after tax"}`,
		},
		"retrieve": {
			func(ctx context.Context, g *Goals) error { _, err := g.Retrieve(ctx, "g/1"); return err },
			goal("ready", ""), "GET", "/api/v1/jobs/goal/g%2F1", "",
		},
		"status": {
			func(ctx context.Context, g *Goals) error { _, err := g.Status(ctx, "g/1"); return err },
			`{"status":"queued"}`, "GET", "/api/v1/jobs/goal/g%2F1/status", "",
		},
		"fill slots": {
			func(ctx context.Context, g *Goals) error {
				_, err := g.FillSlots(ctx, "g/1", FillParams{Answers: []SlotAnswer{{"s", json.RawMessage(`["a"]`)}}, ExpectedVersion: &version})
				return err
			},
			goal("ready", ""), "PATCH", "/api/v1/jobs/goal/g%2F1/slots", `{"answers":[{"slotId":"s","value":["a"]}],"expectedVersion":4}`,
		},
		"fill a slot": {
			func(ctx context.Context, g *Goals) error { _, err := g.FillSlot(ctx, "g/1", "s", true); return err },
			goal("ready", ""), "PATCH", "/api/v1/jobs/goal/g%2F1/slots", `{"answers":[{"slotId":"s","value":true}]}`,
		},
		"confirm": {func(ctx context.Context, g *Goals) error { return g.Confirm(ctx, "g/1") }, `{}`, "POST", "/api/v1/jobs/goal/g%2F1/confirm", `{}`},
		"cancel":  {func(ctx context.Context, g *Goals) error { return g.Cancel(ctx, "g/1") }, `ignored`, "POST", "/api/v1/jobs/goal/g%2F1/cancel", ``},
		"retry": {
			func(ctx context.Context, g *Goals) error { return g.Retry(ctx, "g/1", RetryParams{}) },
			`{}`, "POST", "/api/v1/jobs/goal/g%2F1/retry", `{"rerunMode":"retry_same_thread"}`,
		},
		"retry afresh": {
			func(ctx context.Context, g *Goals) error {
				return g.Retry(ctx, "g/1", RetryParams{Mode: RerunFresh, Reason: "r"})
			},
			`{}`, "POST", "/api/v1/jobs/goal/g%2F1/retry", `{"rerunMode":"fresh_rerun","reason":"r"}`,
		},
		"artifacts": {
			func(ctx context.Context, g *Goals) error { _, err := g.Artifacts(ctx, "g/1"); return err },
			`{"artifacts":null,"total":0}`, "GET", "/api/v1/jobs/goal/g%2F1/artifacts", "",
		},
		"link": {
			func(ctx context.Context, g *Goals) error { _, err := g.ArtifactLink(ctx, "g/1", "a/1"); return err },
			`{"downloadUrl":"https://h/x?s"}`, "GET", "/api/v1/jobs/goal/g%2F1/artifacts/a%2F1/download", "",
		},
		"find": {
			func(ctx context.Context, g *Goals) error { _, err := g.FindByFile(ctx, "f 1"); return err },
			`{"jobs":null}`, "GET", "/api/v1/jobs/goal?file_id=f+1", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var uri string
			a := newAPI(t, func(w http.ResponseWriter, r *http.Request) { uri = r.RequestURI; answer(200, test.reply)(w, r) })
			c, _ := newTestClient(t, a)
			require.NoError(t, test.call(t.Context(), c.Goals))
			require.Len(t, a.requests(), 1)
			seen := a.requests()[0]
			assert.Equal(t, []string{test.method, test.path, test.body}, []string{seen.method, uri, seen.body})
			assert.Equal(t, "Bearer "+testKey, seen.header.Get("Authorization"))
			assert.Equal(t, test.method != http.MethodGet, seen.header.Get("Idempotency-Key") != "", "writes carry a key, reads do not")
		})
	}
}

func TestGoalStartIsNotSentAgainWhenItsReplyIsLost(t *testing.T) {
	a := newAPI(t, hangUp, answer(201, goal("created", "")))
	c, _ := newTestClient(t, a)
	_, err := c.Goals.Start(t.Context(), StartParams{WorkflowID: "w"})
	require.True(t, IsAmbiguous(err))
	assert.Len(t, a.requests(), 1)

	a = newAPI(t, answer(503, ""))
	c, _ = newTestClient(t, a)
	_, err = c.Goals.Start(t.Context(), StartParams{WorkflowID: "w"}, WithoutRetries(), WithIdempotencyKey("k"))
	require.True(t, IsAmbiguous(err))
	require.Len(t, a.requests(), 1)
	assert.Equal(t, "k", a.requests()[0].header.Get("Idempotency-Key"))
}

func TestBadGoalCallsSendNothing(t *testing.T) {
	a := newAPI(t, answer(500, ""))
	c, _ := newTestClient(t, a)
	ctx, g := t.Context(), c.Goals
	job := func(_ *GoalJob, err error) error { return err }
	_, noLink := g.ArtifactLink(ctx, "g", "")
	_, noList := g.Artifacts(ctx, "")
	_, noStatus := g.Status(ctx, "")
	_, noFile := g.FindByFile(ctx, "")
	for says, err := range map[string]error{
		"goal: name one":                 job(g.Start(ctx, StartParams{})),
		"job_spec_id: must not be empty": job(g.Retrieve(ctx, "")),
		"answers: give at least one":     job(g.FillSlots(ctx, "g", FillParams{})),
		"has no slot id":                 job(g.FillSlot(ctx, "g", "", 1)),
		"cannot be encoded as JSON":      job(g.FillSlot(ctx, "g", "s", func() {})),
		"mode: ":                         g.Retry(ctx, "g", RetryParams{Mode: "again"}),
		"reason: it has 513":             g.Retry(ctx, "g", RetryParams{Reason: strings.Repeat("é", 513)}),
		"artifact_id: must not be empty": noLink,
	} {
		t.Run(says, func(t *testing.T) {
			var e *ArgumentError
			require.ErrorAs(t, err, &e, says)
			assert.ErrorContains(t, err, says)
		})
	}
	for _, err := range []error{g.Confirm(ctx, ""), g.Cancel(ctx, ""), noList, noStatus, noFile} {
		require.ErrorContains(t, err, "must not be empty")
	}
	assert.Empty(t, a.requests())
}

func TestValidateStart(t *testing.T) {
	one, schema := []string{"f"}, json.RawMessage(`{"type":"object"}`)
	for _, good := range []StartParams{
		{WorkflowID: "w"},
		{UserWorkflowID: "uw_1", FileIDs: []string{"a", "b"}},
		{GoalText: "sum", FileIDs: one},
		{GoalText: strings.Repeat("é", 2000), FileIDs: one},
		{OutputFormat: "markdown", FileIDs: one},
		{OutputSchema: schema, FileIDs: one},
		{WorkflowID: "w", Answers: []SlotAnswer{{"a", text("x")}, {"b", json.RawMessage("null")}}},
	} {
		assert.NoError(t, ValidateStart(good), "%+v", good)
	}
	for says, bad := range map[string]StartParams{
		"goal: name one":      {FileIDs: one},
		"not 2":               {WorkflowID: "w", UserWorkflowID: "u"},
		"not 3":               {WorkflowID: "w", UserWorkflowID: "u", GoalText: "text"},
		"has 2 characters":    {GoalText: "ab", FileIDs: one},
		"has 2001 characters": {GoalText: strings.Repeat("é", 2001), FileIDs: one},
		"needs a file":        {GoalText: "abc"},
		"is empty":            {WorkflowID: "w", FileIDs: []string{"f", ""}},
		"no workflow and no":  {WorkflowID: "w", OutputFormat: "markdown", FileIDs: one},
		"not both":            {OutputSchema: schema, OutputFormat: "markdown", FileIDs: one},
		"not a JSON object":   {OutputSchema: json.RawMessage(`[1]`), FileIDs: one},
		"file, not 0":         {OutputFormat: "markdown"},
		"file, not 2":         {OutputFormat: "markdown", FileIDs: []string{"a", "b"}},
		"has no slot id":      {WorkflowID: "w", Answers: []SlotAnswer{{"", text("x")}}},
		"answered twice":      {WorkflowID: "w", Answers: []SlotAnswer{{"a", text("x")}, {"a", text("y")}}},
		"is not JSON":         {WorkflowID: "w", Answers: []SlotAnswer{{"a", json.RawMessage("plain")}}},
		"slot \"b\" is not":   {WorkflowID: "w", Answers: []SlotAnswer{{"b", nil}}},
	} {
		t.Run(says, func(t *testing.T) {
			var e *ArgumentError
			err := ValidateStart(bad)
			require.ErrorAs(t, err, &e, says)
			assert.ErrorContains(t, err, says)
		})
	}
}

func TestGoalReplies(t *testing.T) {
	a := newAPI(t,
		answer(200, `{"jobSpecId":"g","status":"executing","progress":40,"itemVersion":7,"suggestedPollIntervalMs":1500,"updatedAt":"2026-06-01T08:00:05Z"}`),
		answer(200, `{"artifacts":[{"artifactId":"a","fileName":"n.json","downloadUrl":null,"isPrimary":true}],"total":1}`),
		answer(200, `{"workflows":[{"workflowId":"w","name":"n","freeTierAllowed":false,"tier":null}]}`),
		answer(405, `{"code":"METHOD_NOT_ALLOWED","message":"no such route"}`),
		answer(200, `{}`))
	c, _ := newTestClient(t, a)
	status, err := c.Goals.Status(t.Context(), "g")
	require.NoError(t, err)
	part := 0.4
	assert.Equal(t, &GoalJobStatus{"g", GoalExecuting, &part, 7, 1500 * time.Millisecond, time.Date(2026, 6, 1, 8, 0, 5, 0, time.UTC)}, status)
	artifacts, err := c.Goals.Artifacts(t.Context(), "g")
	require.NoError(t, err)
	assert.Equal(t, []Artifact{{ArtifactID: "a", FileName: "n.json", IsPrimary: true}}, artifacts)
	catalog, err := c.Goals.Catalog(t.Context())
	require.NoError(t, err)
	require.Len(t, catalog.Workflows, 1)
	assert.False(t, *catalog.Workflows[0].FreeTierAllowed)
	_, err = c.Goals.FindByFile(t.Context(), "f")
	var refusal *APIError
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, 405, refusal.Status)
	_, err = c.Goals.Retrieve(t.Context(), "g")
	require.ErrorContains(t, err, "not a goal job")
	_, err = c.Goals.Status(t.Context(), "g")
	require.ErrorContains(t, err, "not the status")
	_, err = c.Goals.ArtifactLink(t.Context(), "g", "a")
	require.ErrorContains(t, err, "no link")
}

func TestGoalDownloadTakesAFreshLink(t *testing.T) {
	var base string
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		answer(200, `{"downloadUrl":"`+base+`/storage/x?sig=1","fileName":"n.txt","sizeBytes":5,"mimeType":"text/plain","expiresAt":"2026-06-01T09:01:00Z"}`)(w, r)
	}, answer(200, "hello"))
	base = a.URL
	c, _ := newTestClient(t, a)
	path := filepath.Join(t.TempDir(), "n.txt")
	stale := Artifact{ArtifactID: "a", DownloadURL: PresignedURL(a.URL + "/stale")}
	got, err := c.Goals.Download(t.Context(), "g", stale, DownloadOptions{Path: path})
	require.NoError(t, err)
	assert.Equal(t, &Downloaded{Path: path, Size: 5, SHA256: sum("hello"), Mimetype: "text/plain"}, got)
	assert.Equal(t, "/storage/x", a.requests()[1].path)
	assert.Empty(t, a.requests()[1].header.Get("Authorization"), "no key for the storage")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(content))
	_, err = c.Goals.Download(t.Context(), "g", stale, DownloadOptions{Path: path})
	require.Error(t, err, "the file is there")
	assert.Len(t, a.requests(), 2, "no link is asked for in vain")
}

func TestIsConflict(t *testing.T) {
	for code, want := range map[string]bool{
		"CONFLICT": true, "HTTP_409": true, "VERSION_CONFLICT": false, "FILE_IN_USE": false, "SPEC_NOT_PRICED": false,
		"CHARGE_UNAVAILABLE": false, "S3_HTTP_409": false,
	} {
		t.Run(code, func(t *testing.T) {
			assert.Equal(t, want, IsConflict(&APIError{Status: 409, Code: code}), code)
		})
	}
	assert.False(t, IsConflict(&APIError{Status: 404, Code: "CONFLICT"}))
}

func TestGoalWait(t *testing.T) {
	for _, status := range []GoalStatus{GoalSlotsPending, GoalReady, GoalReadyWithPreview, GoalCompleted, GoalPartial, GoalCancelled} {
		a := newAPI(t, answer(200, goal("analyzing", "")), answer(200, goal("executing", `,"progress":50`)), answer(200, goal(status, "")))
		c, slept := newTestClient(t, a)
		var seen []GoalStatus
		job, err := c.Goals.Wait(t.Context(), "g", GoalWaitOptions{OnProgress: func(j *GoalJob) { seen = append(seen, j.Status) }})
		require.NoError(t, err)
		assert.Equal(t, status, job.Status)
		assert.Equal(t, []GoalStatus{"analyzing", "executing", status}, seen)
		assert.Equal(t, []time.Duration{time.Second, time.Second}, *slept)
		for _, request := range a.requests() {
			assert.Equal(t, http.MethodGet, request.method, "it never confirms")
		}
	}
}

func TestGoalWaitForAFailure(t *testing.T) {
	a := newAPI(t, answer(200, goal("failed", `,"errorCode":"PROCESSING_LIMIT","errorMessage":"too much"`)))
	c, _ := newTestClient(t, a)
	job, err := c.Goals.Wait(t.Context(), "g", GoalWaitOptions{})
	var failed *GoalFailedError
	require.ErrorAs(t, err, &failed)
	assert.Same(t, job, failed.Job)
	require.EqualError(t, err, "goal job g/1 failed: PROCESSING_LIMIT: too much")
	require.EqualError(t, &GoalFailedError{Job: &GoalJob{JobSpecID: "g"}}, "goal job g failed: GOAL_JOB_FAILED: the service gave no reason")
}

func TestGoalWaitGivesUp(t *testing.T) {
	total := func(slept []time.Duration) (sum time.Duration) {
		for _, d := range slept {
			sum += d
		}
		return sum
	}
	a := newAPI(t, answer(200, goal("executing", "")))
	c, slept := newTestClient(t, a)
	_, err := c.Goals.Wait(t.Context(), "g", GoalWaitOptions{Timeout: 10 * time.Second})
	require.ErrorIs(t, err, ErrWaitTimeout)
	assert.LessOrEqual(t, total(*slept), 10*time.Second)

	a = newAPI(t, answer(200, goal("executing", "")), answer(200, goal("executing", "")), answer(200, goal("executing", `,"progress":9`)))
	c, slept = newTestClient(t, a)
	_, err = c.Goals.Wait(t.Context(), "g", GoalWaitOptions{IdleTimeout: 2 * time.Second})
	require.ErrorIs(t, err, ErrIdleTimeout)
	assert.Equal(t, 4*time.Second, total(*slept), "two while nothing had moved, two more after it did")

	ctx, cancel := context.WithCancel(t.Context())
	_, err = c.Goals.Wait(ctx, "g", GoalWaitOptions{OnProgress: func(*GoalJob) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
}
