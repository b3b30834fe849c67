package activities

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.uber.org/goleak"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/roots"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench runs steps of one run against the real conversion service.
type bench struct {
	*testkit.Service
	steps *Activities
	env   *testsuite.TestActivityEnvironment
	dir   string
}

func newBench(t *testing.T, options ...testkit.Option) *bench {
	t.Helper()
	s := testkit.StartService(t, options...)
	b := &bench{Service: s, steps: New(API{Files: s.Client.Files, Convert: s.Client.Convert, Support: s.Client}, 200*time.Millisecond, nil, WithRoots(roots.New(nil, nil))), dir: t.TempDir()}
	var suite testsuite.WorkflowTestSuite
	b.env = suite.NewTestActivityEnvironment()
	b.env.RegisterActivity(b.steps)
	return b
}

func (b *bench) write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(b.dir, name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return "file://" + path
}

func run[T any](t *testing.T, b *bench, step, in any) (T, error) {
	t.Helper()
	var out T
	value, err := b.env.ExecuteActivity(step, in)
	if err == nil {
		require.NoError(t, value.Get(&out))
	}
	return out, err
}

// failureOf is the failure of a step, which must have the given kind.
func failureOf(t *testing.T, err error, kind string) Failure {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.Equal(t, kind, app.Type(), "%v", err)
	detail, ok := FailureOf(err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, kind, detail.Kind)
	return detail
}

// completedJob is a job that has completed. It is asked for once: the list shows when that is worth it.
func (b *bench) completedJob(t *testing.T, content string) string {
	t.Helper()
	up, err := run[UploadFileResult](t, b, b.steps.UploadFile, UploadFileInput{Source: b.write(t, "a.md", content), Name: "a.md"})
	require.NoError(t, err)
	job, err := run[CreateConversionResult](t, b, b.steps.CreateConversion, CreateConversionInput{FileID: up.FileID, SourceFormat: "md", TargetFormat: "html"})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		list, err := b.Client.Convert.List(t.Context(), client.ListParams{FileID: up.FileID})
		return err == nil && len(list.Jobs) == 1 && list.Jobs[0].Status == client.JobCompleted
	}, testkit.Patience, time.Millisecond)
	_, err = run[AwaitConversionResult](t, b, b.steps.AwaitConversion, AwaitConversionInput{JobID: job.JobID})
	require.NoError(t, err)
	require.Equal(t, 1, b.Requests("GET", client.PathJobs+"/"+job.JobID))
	return job.JobID
}

func TestTheSteps(t *testing.T) {
	b := newBench(t)
	job := b.completedJob(t, "# Ærø")
	out := filepath.Join(b.dir, "new", "folder")
	got, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{JobID: job, To: Destination{Folder: "file://" + out, Stem: "b", Format: "html"}})
	require.NoError(t, err)
	require.Len(t, got.Outputs, 1)
	assert.Equal(t, filepath.Join(out, "b.html"), got.Outputs[0].Path)
	data, err := os.ReadFile(got.Outputs[0].Path)
	require.NoError(t, err)
	assert.Contains(t, string(data), ">Ærø</h1>")
	assert.EqualValues(t, len(data), got.Outputs[0].Size)
	assert.Equal(t, 1, got.Attempts)
}

func TestInputsThatCannotBeUploaded(t *testing.T) {
	b := newBench(t)
	empty, good := b.write(t, "empty.md", ""), b.write(t, "good.md", "x")
	for _, test := range []struct {
		in   UploadFileInput
		kind string
		code string
	}{
		{UploadFileInput{Source: "file://" + b.dir + "/missing.md", Name: "a.md"}, FailureInput, CodeInputMissing},
		{UploadFileInput{Source: "file:///no/such/folder/missing.md", Name: "a.md"}, FailureInput, CodeInputMissing},
		{UploadFileInput{Source: empty, Name: "a.md"}, FailureInput, CodeInputEmpty},
		{UploadFileInput{Source: "a.md", Name: "a.md"}, FailureInput, CodeBadArgument},
		{UploadFileInput{Source: good, Name: ""}, FailureInput, CodeBadArgument},
		{UploadFileInput{Source: good, Name: "a.md", SHA256: strings.Repeat("0", 64)}, FailureInput, CodeInputChanged},
		{UploadFileInput{Source: good, Name: "a.md", SourceFormat: "md", TargetFormat: "epub"}, FailureRefused, CodeUnsupported},
	} {
		t.Run(fmt.Sprint(test.kind, " ", test.code), func(t *testing.T) {
			_, err := run[UploadFileResult](t, b, b.steps.UploadFile, test.in)
			detail := failureOf(t, err, test.kind)
			assert.Equal(t, test.code, detail.Code, "%v", err)
			assert.Equal(t, StepUpload, detail.Step)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			assert.True(t, app.NonRetryable(), "%v", err)
		})
	}
	assert.LessOrEqual(t, b.Requests("POST", client.PathUploadPresign), 1, "only the changed file was sent at all")
}

func TestAFileMayHaveAnyName(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"a b.md", "100%.md", "what?.md", "#1.md", "Ærø ☂.md", "a+b&c.md", "'quoted\".md", "-dash.md", "dot.in.name.md", "%41.md"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(b.dir, name)
			require.NoError(t, os.WriteFile(path, []byte(name), 0o600))
			_, err := run[UploadFileResult](t, b, b.steps.UploadFile, UploadFileInput{Source: testkit.FileURL(path), Name: name})
			require.NoError(t, err, name)
		})
	}
}

// lossy lets some calls through and loses their replies.
type lossy struct {
	Convert
	lose int
}

func (l *lossy) Create(ctx context.Context, p client.CreateParams, o ...client.CallOption) (*client.ConvertJob, error) {
	job, err := l.Convert.Create(ctx, p, client.WithoutRetries()) // without the key, as if the service ignored it
	if l.lose > 0 {
		l.lose--
		return nil, &client.TransportError{Method: "POST", Route: client.PathJobs, Sent: true, Err: errors.New("connection reset")}
	}
	return job, err
}

func TestALostReplyToCreateIsNotCreatedTwice(t *testing.T) {
	b := newBench(t)
	up, err := run[UploadFileResult](t, b, b.steps.UploadFile, UploadFileInput{Source: b.write(t, "a.md", "x"), Name: "a.md"})
	require.NoError(t, err)
	b.steps.convert = &lossy{Convert: b.Client.Convert, lose: 1}
	in := CreateConversionInput{FileID: up.FileID, SourceFormat: "md", TargetFormat: "html"}
	_, err = run[CreateConversionResult](t, b, b.steps.CreateConversion, in)
	failureOf(t, err, FailureUnavailable)

	found, err := b.steps.findJob(t.Context(), in, time.Now())
	require.NoError(t, err)
	require.NotNil(t, found, "the next attempt adopts it")
	other := in
	other.TargetFormat = "txt"
	found, err = b.steps.findJob(t.Context(), other, time.Now())
	require.NoError(t, err)
	assert.Nil(t, found, "a job of the same file to another target is another job")
}

func TestAwaitOfAJobThatFails(t *testing.T) {
	b := newBench(t)
	up, err := run[UploadFileResult](t, b, b.steps.UploadFile, UploadFileInput{Source: b.write(t, "a.docx", "this is no docx"), Name: "a.docx"})
	require.NoError(t, err)
	job, err := run[CreateConversionResult](t, b, b.steps.CreateConversion, CreateConversionInput{FileID: up.FileID, SourceFormat: "docx", TargetFormat: "txt"})
	require.NoError(t, err)
	_, err = run[AwaitConversionResult](t, b, b.steps.AwaitConversion, AwaitConversionInput{JobID: job.JobID})
	detail := failureOf(t, err, FailureConversion)
	assert.Equal(t, StepAwait, detail.Step)
	assert.Equal(t, "UNSUPPORTED_INPUT", detail.Code)
	assert.NotEmpty(t, detail.Reason)
}

func TestAwaitOfAJobThatNobodyKnows(t *testing.T) {
	b := newBench(t)
	_, err := run[AwaitConversionResult](t, b, b.steps.AwaitConversion, AwaitConversionInput{JobID: "job_nobody"})
	detail := failureOf(t, err, FailureUnavailable) // at first it may be a service that has not caught up with itself
	assert.Equal(t, CodeJobUnknown, detail.Code)
}

func TestOutputsAreWholeOrNotThere(t *testing.T) {
	b := newBench(t)
	job := b.completedJob(t, "# A")
	out := t.TempDir()
	to := Destination{Folder: "file://" + out, Stem: "a", Format: "html"}
	names := func() (names []string) {
		entries, err := os.ReadDir(out)
		require.NoError(t, err)
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		return names
	}

	require.NoError(t, os.WriteFile(filepath.Join(out, "a.html"), []byte("mine"), 0o600))
	_, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{JobID: job, To: to})
	assert.Equal(t, CodeOutputExists, failureOf(t, err, FailureOutput).Code)
	data, _ := os.ReadFile(filepath.Join(out, "a.html"))
	assert.Equal(t, "mine", string(data))
	assert.Equal(t, []string{"a.html"}, names(), "a final failure leaves no part")

	to.OnExist = OnExistOverwrite
	first, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{JobID: job, To: to})
	require.NoError(t, err)
	to.OnExist = OnExistFail
	again, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{JobID: job, To: to})
	require.NoError(t, err, "what stands there with the same content is this run's own")
	assert.Equal(t, first.Outputs, again.Outputs)
	assert.Equal(t, []string{"a.html"}, names())

	require.NoError(t, os.Remove(filepath.Join(out, "a.html")))
	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(out, "a.html")))
	to.OnExist = OnExistOverwrite
	_, err = run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{JobID: job, To: to})
	assert.Equal(t, CodeOutputExists, failureOf(t, err, FailureOutput).Code, "never through a symbolic link")

	blocked := filepath.Join(out, "file")
	require.NoError(t, os.WriteFile(blocked, nil, 0o600))
	to.Folder = "file://" + blocked
	_, err = run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{JobID: job, To: to})
	assert.Equal(t, CodeOutputFolder, failureOf(t, err, FailureOutput).Code)
	to.Folder = "s3://bucket"
	_, err = run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{JobID: job, To: to})
	assert.Equal(t, CodeBadArgument, failureOf(t, err, FailureOutput).Code)
}

func TestOutputs_GiveWayToTheNextOfTheirKind(t *testing.T) {
	b := newBench(t)
	job := b.completedJob(t, "# A")
	for name, c := range map[string]struct {
		now      string // what is at the place of the output
		code     string
		lastPage bool // whether a former page that has no successor is there afterwards
	}{
		"as it was left":       {"old", "", false},
		"edited since":         {"by hand", CodeOutputExists, true},
		"removed since":        {"", "", false},
		"its page was edited,": {"old", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			path, page := filepath.Join(out, "a.html"), filepath.Join(out, "a-2.html")
			left := func(path string) Output {
				return Output{Path: path, Size: 3, SHA256: "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"}
			}
			if c.now != "" {
				require.NoError(t, os.WriteFile(path, []byte(c.now), 0o600))
			}
			text := "old"
			if c.code == "" && c.lastPage {
				text = "by hand"
			}
			require.NoError(t, os.WriteFile(page, []byte(text), 0o600))
			to := Destination{Folder: "file://" + out, Stem: "a", Format: "html", OnExist: OnExistFail, Replace: []Output{left(path), left(page)}}

			result, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{JobID: job, To: to})

			if c.code != "" {
				assert.Equal(t, c.code, failureOf(t, err, FailureOutput).Code)
			} else {
				require.NoError(t, err)
				assert.Equal(t, path, result.Outputs[0].Path)
				assert.Equal(t, result.Outputs[0].SHA256, fileSum(t, path))
			}
			_, err = os.Stat(page)
			assert.Equal(t, c.lastPage, err == nil)
		})
	}
}

func TestResultsThatAreGone(t *testing.T) {
	b := newBench(t)
	_, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{JobID: "job_nobody", To: Destination{Folder: "file://" + b.dir, Stem: "x", Format: "html"}})
	assert.Equal(t, CodeResultsExpired, failureOf(t, err, FailureResultsGone).Code)
}

func TestOutputNames(t *testing.T) {
	result := func(names ...string) (out []client.ResultFile) {
		for _, name := range names {
			out = append(out, client.ResultFile{Filename: name})
		}
		return out
	}
	many := make([]string, 12)
	for i := range many {
		many[i] = "p.png"
	}
	to := Destination{Stem: "s", Format: "png"}
	assert.Equal(t, []string{"s.png"}, outputNames(to, result("whatever.PNG")))
	assert.Equal(t, []string{"s.zip"}, outputNames(to, result("all.zip")), "bundled results keep their kind")
	assert.Equal(t, []string{"s-1.png", "s-2.png"}, outputNames(to, result("a.png", "b.png")))
	paths := outputNames(to, result(many...))
	assert.Equal(t, []string{"s-01.png", "s-12.png"}, []string{paths[0], paths[11]})
	for _, evil := range []string{"../../etc/passwd", "x.", "x", "x./../y", "x.a/b", "x.\x00", "x.thisextensionistoolong", "x.ü", ".."} {
		t.Run(evil, func(t *testing.T) {
			assert.Equal(t, []string{"s.png"}, outputNames(to, result(evil)), evil)
		})
	}
}

// A worker that stops gives its steps back at once, to go on elsewhere.
func TestAStoppingWorkerGivesItsStepBack(t *testing.T) {
	b := newBench(t)
	stopping := make(chan struct{})
	b.env.SetWorkerStopChannel(stopping)
	b.steps.sleep = func(ctx context.Context, _ time.Duration) error { // the job's first look is over
		close(stopping)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	b.steps.convert = &still{}
	_, err := run[AwaitConversionResult](t, b, b.steps.AwaitConversion, AwaitConversionInput{JobID: "job_1"})
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.Equal(t, FailureInterrupted, app.Type())
	assert.False(t, app.NonRetryable())
	assert.Positive(t, app.NextRetryDelay())
}

// still answers with a job that never moves.
type still struct {
	Convert
	updated time.Time
}

func (s *still) Retrieve(context.Context, string, ...client.CallOption) (*client.ConvertJob, error) {
	half := 0.5
	return &client.ConvertJob{JobID: "job_1", Status: client.JobProcessing, Progress: &half, UpdatedAt: s.updated}, nil
}

func TestHeartbeatsCarryProgress(t *testing.T) {
	b := newBench(t)
	beats := make(chan Progress, 1)
	b.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var p Progress
		if details.Get(&p) == nil {
			select {
			case beats <- p:
			default:
			}
		}
	})
	b.steps.convert = &still{}
	b.steps.sleep = func(context.Context, time.Duration) error {
		<-beats // a heartbeat came
		return errors.New("enough")
	}
	_, err := run[AwaitConversionResult](t, b, b.steps.AwaitConversion, AwaitConversionInput{JobID: "job_1"})
	require.Error(t, err)
}

// Somebody who waits hears since when a job has not moved, whatever the attempts at the wait.
func TestAwaitConversion_SinceWhenAJobHasNotMoved(t *testing.T) {
	b := newBench(t)
	var last Progress
	b.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) { _ = details.Get(&last) })
	began := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	clock := began
	b.steps.now = func() time.Time { return clock }
	looks, job := 0, &still{}
	b.steps.convert = job
	b.steps.sleep = func(context.Context, time.Duration) error {
		clock = clock.Add(10 * time.Minute)
		if looks++; looks%3 == 0 {
			return errors.New("enough")
		}
		return nil
	}
	await := func() time.Time {
		_, err := run[AwaitConversionResult](t, b, b.steps.AwaitConversion, AwaitConversionInput{JobID: "job_1"})
		require.ErrorContains(t, err, "enough")
		require.NotNil(t, last.Still)
		return *last.Still
	}

	assert.Equal(t, began, await(), "when it was seen first")
	b.env.SetHeartbeatDetails(last)
	assert.Equal(t, began, await(), "another attempt is no move")
	moved := clock
	job.updated = moved
	assert.Equal(t, moved, await(), "it has moved")
}

// Temporal tells a workflow nothing of attempts that failed: the one that succeeds says how often it was told to slow down.
func TestRefusalsOutliveTheirAttempts(t *testing.T) {
	b := newBench(t, testkit.WithFaults(t, `rules: [{route: POST /api/v1/jobs, count: 1, answer: {status: 429}}]`))
	up, err := run[UploadFileResult](t, b, b.steps.UploadFile, UploadFileInput{Source: b.write(t, "a.md", "# A"), Name: "a.md"})
	require.NoError(t, err)
	assert.Zero(t, up.Rejected)
	var last Progress
	b.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) { _ = details.Get(&last) })
	b.env.SetHeartbeatDetails(Progress{Step: StepCreate, Throttle: Throttle{Rejected: 2}})
	in := CreateConversionInput{FileID: up.FileID, SourceFormat: "md", TargetFormat: "html", LookFor: 10 * time.Second}
	_, err = run[CreateConversionResult](t, b, b.steps.CreateConversion, in)
	failureOf(t, err, FailureRateLimited)
	assert.Equal(t, 3, last.Rejected, "left for the next attempt")
	b.env.SetHeartbeatDetails(last)
	job, err := run[CreateConversionResult](t, b, b.steps.CreateConversion, in)
	require.NoError(t, err)
	assert.Equal(t, 3, job.Rejected)
	assert.True(t, job.Finished, "it was looked at until it had completed")
}

func TestANewJobIsLookedAtForAWhile(t *testing.T) {
	b := newBench(t)
	b.steps.convert = &still{}
	var slept time.Duration
	b.steps.sleep = func(_ context.Context, d time.Duration) error {
		slept += d
		return nil
	}
	job := b.steps.lookAt(t.Context(), &client.ConvertJob{JobID: "job_1"}, 4*time.Second, &client.Cadence{})
	assert.False(t, job.Status.Terminal())
	assert.LessOrEqual(t, slept, 4*time.Second)
	assert.Greater(t, slept, 2*time.Second)
}
