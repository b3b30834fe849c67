package activities

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// attempts runs a step again and again, as Temporal would, until it has succeeded or failed for good. The heartbeats of an
// attempt are known to the next one.
func attempts[T any](t *testing.T, b *bench, step, in any) (out T, n int, err error) {
	t.Helper()
	last := Progress{}
	b.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) { _ = details.Get(&last) })
	const most = 2 * transfers
	for n = 1; n <= most; n++ {
		b.env.SetHeartbeatDetails(last)
		if out, err = run[T](t, b, step, in); err == nil || isFinal(err) {
			b.env.SetHeartbeatDetails(Progress{})
			return out, n, err
		}
		assert.Equal(t, n, last.Spoiled, "left for the next attempt")
		failureOf(t, err, FailureUnavailable)
	}
	require.Fail(t, "it goes on for ever", "%v", err)
	return out, n, err
}

func TestResultsThatAreNotAsAnnounced(t *testing.T) {
	for name, test := range map[string]struct {
		rule     string
		attempts int
		says     string
	}{
		"wrong bytes once":       {"{route: GET /storage/**, count: 1, answer: {corrupt_body: true}}", 2, ""},
		"wrong bytes for ever":   {"{route: GET /storage/**, probability: 1, answer: {corrupt_body: true}}", transfers, "announced SHA-256"},
		"a wrong size once":      {"{route: GET /api/v1/jobs/*, count: 1, answer: {wrong_size: -1}}", 2, ""},
		"a size that is too low": {"{job: md html, count: 1, answer: {wrong_size: -1}}", transfers, "bytes and sent"},
		"one that is too high":   {"{job: md html, count: 1, answer: {wrong_size: 1}}", transfers, "bytes and sent"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, testkit.WithFaults(t, "rules: ["+test.rule+"]"))
			job := b.completedJob(t, "# Ærø")
			out := filepath.Join(b.dir, "out")
			read := b.Requests("GET", client.PathJobs+"/"+job)
			got, n, err := attempts[DownloadResultsResult](t, b, b.steps.DownloadResults,
				DownloadResultsInput{JobID: job, To: Destination{Folder: "file://" + out, Stem: "a", Format: "html"}})
			assert.Equal(t, test.attempts, n)
			assert.Equal(t, n-1, b.Requests("GET", client.PathJobs+"/"+job)-read, "each attempt but the first asks for the job again")
			if test.says == "" {
				require.NoError(t, err)
				require.Len(t, got.Outputs, 1)
				data, err := os.ReadFile(got.Outputs[0].Path)
				require.NoError(t, err)
				assert.Contains(t, string(data), ">Ærø</h1>")
				return
			}
			detail := failureOf(t, err, FailureMismatch)
			assert.Equal(t, CodeOutputMismatch, detail.Code)
			assert.Contains(t, detail.Message, test.says)
			assert.Contains(t, detail.Message, "8 times")
			left, err := os.ReadDir(out)
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

func TestUploadsThatAreConfirmedWithAnotherSize(t *testing.T) {
	for answer, says := range map[string]string{
		"{wrong_size: -1}":                   "3 bytes were sent and the service has 2",
		"{status: 422, code: SIZE_MISMATCH}": "SIZE_MISMATCH",
	} {
		t.Run(answer, func(t *testing.T) {
			b := newBench(t, testkit.WithFaults(t, "rules: [{route: POST /api/v1/upload/confirm, count: 2, answer: "+answer+"}]"))
			in := UploadFileInput{Source: b.write(t, "a.md", "# A"), Name: "a.md"}
			up, n, err := attempts[UploadFileResult](t, b, b.steps.UploadFile, in)
			require.NoError(t, err, answer)
			assert.Equal(t, 3, n)
			assert.Equal(t, 3, b.Requests("POST", "/storage/upload"), "it was sent again each time")
			_, err = run[CreateConversionResult](t, b, b.steps.CreateConversion, CreateConversionInput{FileID: up.FileID, SourceFormat: "md", TargetFormat: "html"})
			require.NoError(t, err)

			b = newBench(t, testkit.WithFaults(t, "rules: [{route: POST /api/v1/upload/confirm, probability: 1, answer: "+answer+"}]"))
			in.Source = b.write(t, "a.md", "# A")
			_, n, err = attempts[UploadFileResult](t, b, b.steps.UploadFile, in)
			assert.Equal(t, transfers, n)
			detail := failureOf(t, err, FailureMismatch)
			assert.Equal(t, CodeUploadMismatch, detail.Code)
			assert.Contains(t, detail.Message, says)
		})
	}
}

// A service that goes by keys would hand out the file that it has cut short, and say nothing of what is sent then.
func TestASpoiledUploadIsSentUnderAnotherKey(t *testing.T) {
	b := newBench(t)
	var key string
	b.Around(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == client.PathUploadPresign {
				key = r.Header.Get("Idempotency-Key")
			}
			next.ServeHTTP(w, r)
		})
	})
	in := UploadFileInput{Source: b.write(t, "a.md", "# A"), Name: "a.md"}
	for spoiled, suffix := range []string{"-upload-presign", "-upload-1-presign", "-upload-2-presign"} {
		t.Run(suffix, func(t *testing.T) {
			b.env.SetHeartbeatDetails(Progress{Spoiled: spoiled})
			_, err := run[UploadFileResult](t, b, b.steps.UploadFile, in)
			require.NoError(t, err)
			assert.True(t, strings.HasSuffix(key, suffix), "%s: %s", suffix, key)
		})
	}
}

func TestArtifactsThatAreNotAsAnnounced(t *testing.T) {
	const text = "what the goal was after"
	goal := goals.Goal{ID: "toy", Name: "Toy", Types: []string{"document"}, Formats: []string{"md"}, MaxFiles: 1, Run: func(ctx context.Context, task *goals.Task) error {
		dir, err := task.Step(ctx, "note", func(_ context.Context, dir string) error {
			return os.WriteFile(filepath.Join(dir, "note"), []byte(text), 0o600)
		})
		if err == nil {
			task.Deliver(goals.File{Path: filepath.Join(dir, "note"), Name: "note.txt", Mime: "text/plain", Type: "text"})
		}
		return err
	}}
	for rule, wanted := range map[string]int{
		"{route: GET /storage/goals/**, count: 2, answer: {corrupt_body: true}}":              3,
		"{route: GET /storage/goals/**, probability: 1, answer: {corrupt_body: true}}":        transfers,
		"{route: GET /api/v1/jobs/goal/*/artifacts, probability: 1, answer: {wrong_size: 1}}": transfers,
		"{route: GET /api/v1/jobs/goal/*/artifacts, nth: 1, answer: {wrong_size: 1}}":         2,
	} {
		t.Run(rule, func(t *testing.T) {
			b := newBench(t, testkit.WithGoals(goal), testkit.WithFaults(t, "rules: ["+rule+"]"))
			b.steps.goals = b.Client.Goals
			up, err := run[UploadFileResult](t, b, b.steps.UploadFile, UploadFileInput{Source: b.write(t, "a.md", "# A"), Name: "a.md"})
			require.NoError(t, err)
			job, err := b.Client.Goals.Start(t.Context(), client.StartParams{FileIDs: []string{up.FileID}, WorkflowID: "toy"})
			require.NoError(t, err)
			for !job.Status.Terminal() {
				require.NoError(t, sleep(t.Context(), time.Millisecond))
				job, err = b.Client.Goals.Retrieve(t.Context(), job.JobSpecID)
				require.NoError(t, err)
			}
			out := filepath.Join(b.dir, "out")
			got, n, err := attempts[CollectArtifactsResult](t, b, b.steps.CollectArtifacts, CollectArtifactsInput{JobSpecID: job.JobSpecID, Folder: "file://" + out})
			assert.Equal(t, wanted, n, rule)
			if n == transfers {
				assert.Equal(t, CodeOutputMismatch, failureOf(t, err, FailureMismatch).Code)
				return
			}
			require.NoError(t, err, rule)
			data, err := os.ReadFile(got.Outputs[0].Path)
			require.NoError(t, err)
			assert.Equal(t, text, string(data))
		})
	}
}

func TestAMismatchIsFinalAtLast(t *testing.T) {
	p := &attempt{}
	for i := 1; i < transfers; i++ {
		v := classify(p.mismatch(CodeOutputMismatch, "other bytes"))
		assert.Equal(t, verdict{kind: FailureUnavailable, code: CodeOutputMismatch, text: "other bytes"}, v)
	}
	v := classify(p.mismatch(CodeOutputMismatch, "other bytes"))
	assert.Equal(t, verdict{kind: FailureMismatch, code: CodeOutputMismatch, text: "other bytes, 8 times", final: true}, v)
}
