package activities

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
)

// folderWatch is an AwaitFiles over real files whose time passes when it sleeps; each sleep first does what is planned.
type folderWatch struct {
	steps *Activities
	env   *testsuite.TestActivityEnvironment
	in    AwaitFilesInput
	now   time.Time
	slept []time.Duration
	then  []func() // before each sleep, in this order
}

func newFolderWatch(t *testing.T) *folderWatch {
	t.Helper()
	dir := t.TempDir()
	w := &folderWatch{steps: New(API{}, 0, nil), now: time.Now().Add(time.Hour)}
	w.steps.now = func() time.Time { return w.now }
	w.steps.sleep = func(ctx context.Context, d time.Duration) error {
		if len(w.slept) < len(w.then) {
			w.then[len(w.slept)]()
		}
		w.slept = append(w.slept, d)
		w.now = w.now.Add(d)
		return context.Cause(ctx)
	}
	w.in = AwaitFilesInput{
		Spec: BatchSpec{Source: dir + "/in", Output: dir + "/out", To: "html", Settle: 5 * time.Second, Lenient: true, SkipFailed: true},
		Name: "x", Interval: 2 * time.Second, Longest: time.Minute,
	}
	require.NoError(t, os.Mkdir(w.in.Spec.Source, 0o755))
	var suite testsuite.WorkflowTestSuite
	w.env = suite.NewTestActivityEnvironment()
	w.env.RegisterActivity(w.steps)
	return w
}

func (w *folderWatch) write(t *testing.T, content string) func() {
	t.Helper()
	return func() {
		require.NoError(t, os.WriteFile(filepath.Join(w.in.Spec.Source, "a.md"), []byte(content), 0o600))
	}
}

func (w *folderWatch) run(t *testing.T) (AwaitFilesResult, error) {
	t.Helper()
	var out AwaitFilesResult
	value, err := w.env.ExecuteActivity(w.steps.AwaitFiles, w.in)
	if err == nil {
		require.NoError(t, value.Get(&out))
	}
	return out, err
}

func TestAwaitFilesTakesWhatHasStoppedGrowing(t *testing.T) {
	w := newFolderWatch(t)
	w.then = []func(){func() {}, w.write(t, "a"), w.write(t, "a, b"), w.write(t, "a, b, c")}
	result, err := w.run(t)
	require.NoError(t, err)
	require.NotNil(t, result.Plan)
	assert.Equal(t, 1, result.Plan.Items)
	assert.Equal(t, int64(len("a, b, c")), result.Plan.Bytes)
	assert.Len(t, w.slept, 7, "three looks after it was seen whole")
	assert.NotEmpty(t, result.Mark)
}

func TestAwaitFilesEndsWithoutAny(t *testing.T) {
	w := newFolderWatch(t)
	result, err := w.run(t)
	require.NoError(t, err)
	assert.Nil(t, result.Plan)
	assert.Len(t, w.slept, 30, "a minute")
	assert.NoDirExists(t, filepath.Join(w.in.Spec.Output, ".convilyn"), "an empty folder leaves nothing behind")
}

func TestAwaitFilesWaitsForItsFolder(t *testing.T) {
	w := newFolderWatch(t)
	in := w.in.Spec.Source
	w.write(t, "here")()
	require.NoError(t, os.Rename(in, in+"-away"))
	w.then = []func(){func() {}, func() { require.NoError(t, os.Rename(in+"-away", in)) }}
	result, err := w.run(t)
	require.NoError(t, err)
	require.NotNil(t, result.Plan)
	assert.Len(t, w.slept, 2)
}

func TestAwaitFilesIsTriedAgainWhereItCannotPlan(t *testing.T) {
	w := newFolderWatch(t)
	w.write(t, "here")()
	require.NoError(t, os.WriteFile(w.in.Spec.Output, nil, 0o600)) // a file where the outputs should go
	_, err := w.run(t)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.False(t, app.NonRetryable())
}

func TestAwaitFilesGoesOnElsewhereWhenItsWorkerStops(t *testing.T) {
	w := newFolderWatch(t)
	stopping := make(chan struct{})
	w.env.SetWorkerStopChannel(stopping)
	w.steps.sleep = func(ctx context.Context, _ time.Duration) error {
		close(stopping)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	_, err := w.run(t)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.Equal(t, FailureInterrupted, app.Type())
	assert.False(t, app.NonRetryable())
}
