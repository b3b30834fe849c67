package watch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/run"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// watchRun is a WatchFolder in virtual time, over as many runs as it continues as new. Files come at planned times;
// a wave takes a minute.
type watchRun struct {
	*testsuite.TestWorkflowEnvironment
	begun time.Time
	now   time.Time
	files []time.Duration // when they come, after the start; each is a wave
	then  []plannedWatch
	fails map[int]error // waves by number, from 1
	stops map[int]string

	looks  int      // that were begun
	marks  []string // that those which came to their end were given
	waves  []string // workflow ids
	ended  int      // waves
	ends   []error  // of waves that were cancelled
	runs   int
	active int
}

type plannedWatch struct {
	at time.Duration
	do func(r *watchRun)
}

func newWatchRun(files ...time.Duration) *watchRun {
	return &watchRun{files: files, now: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC), fails: map[int]error{}, stops: map[int]string{}}
}

func (r *watchRun) at(at time.Duration, do func(r *watchRun)) {
	r.then = append(r.then, plannedWatch{at, do})
}

func watchInput() watch.Input {
	return watch.Input{
		Name:        "docs-to-html",
		Spec:        activities.BatchSpec{Source: "/in", Output: "/out", To: "html", Lenient: true, SkipFailed: true, Settle: 5 * time.Second},
		Concurrency: 7, MaxFailures: 3,
	}
}

// watchedFiles has the name of the real step.
type watchedFiles struct{ r *watchRun }

func (s *watchedFiles) AwaitFiles(_ context.Context, in activities.AwaitFilesInput) (activities.AwaitFilesResult, error) {
	r := s.r
	r.marks = append(r.marks, in.Mark)
	result := activities.AwaitFilesResult{Mark: in.Mark}
	if r.come() {
		result.Mark += "m"
		result.Plan = &activities.BatchPlan{Folder: "/out/.convilyn/x", Root: "/in", Output: "/out", To: "html", Items: 1, End: 1}
	}
	return result, nil
}

func (r *watchRun) come() bool {
	return len(r.files) > 0 && !r.TestWorkflowEnvironment.Now().Before(r.begun.Add(r.files[0]))
}

// wait is how long a look takes that begins now.
func (r *watchRun) wait() time.Duration {
	r.looks++
	if len(r.files) == 0 {
		return time.Hour
	}
	return min(max(r.begun.Add(r.files[0]).Sub(r.Now()), time.Second), time.Hour)
}

// playedWave stands for a ConvertBatch.
func (r *watchRun) playedWave(ctx workflow.Context, in batch.Input) (batch.Result, error) {
	r.active++
	defer func() { r.active-- }()
	r.files = r.files[1:]
	number := len(r.waves) + 1
	r.waves = append(r.waves, workflow.GetInfo(ctx).WorkflowExecution.ID)
	if err := workflow.Sleep(ctx, time.Minute); err != nil {
		r.ends = append(r.ends, err)
		return batch.Result{}, err
	}
	r.ended++
	if err := r.fails[number]; err != nil {
		return batch.Result{}, err
	}
	result := batch.Result{Status: batch.ResultCompleted}
	result.Summary = activities.BatchSummary{Files: number, Completed: in.Plan.Items, Current: number - 1, Report: "/out/docs-to-html.report.jsonl"}
	if reason := r.stops[number]; reason != "" {
		result.Status, result.Reason = batch.ResultStopped, reason
	}
	return result, nil
}

// play runs the watch to its end, over all its runs, and returns how that was.
func (r *watchRun) play(t *testing.T, input any) error {
	t.Helper()
	r.begun = r.now
	for {
		r.runs++
		require.Less(t, r.runs, 100, "it continues as new without end")
		r.TestWorkflowEnvironment = workflowtest.NewEnvironment()
		r.SetStartTime(r.now)
		r.RegisterWorkflowWithOptions(watch.WatchFolder, workflow.RegisterOptions{Name: watch.WorkflowType})
		r.RegisterWorkflowWithOptions(r.playedWave, workflow.RegisterOptions{Name: batch.WorkflowType})
		files := &watchedFiles{r}
		r.RegisterActivity(files)
		r.OnActivity(files.AwaitFiles, mock.Anything, mock.Anything).Return(files.AwaitFiles).AfterFn(r.wait).Maybe()
		rest := r.then
		r.then = nil
		workflowtest.WhenBegun(r.TestWorkflowEnvironment, func() {
			for _, p := range rest {
				if after := r.begun.Add(p.at).Sub(r.now); after >= 0 {
					r.RegisterDelayedCallback(func() {
						if !r.IsWorkflowCompleted() {
							p.do(r)
						}
					}, after)
				}
			}
		})
		r.ExecuteWorkflow(watch.WorkflowType, input)
		require.True(t, r.IsWorkflowCompleted())
		r.now = r.Now()
		err := r.GetWorkflowError()
		var again *workflow.ContinueAsNewError
		if !workflowtest.AsContinueAsNew(err, &again) {
			return err
		}
		var next watch.Input
		require.NoError(t, workflowtest.Decode(again.Input, &next))
		input = next
		for _, p := range rest {
			if r.begun.Add(p.at).After(r.now) {
				r.then = append(r.then, p)
			}
		}
	}
}

func (r *watchRun) progress(t *testing.T) watch.Progress {
	t.Helper()
	var p watch.Progress
	value, err := r.QueryWorkflow(run.QueryStatus)
	require.NoError(t, err)
	require.NoError(t, value.Get(&p))
	return p
}

func cancelWatch(r *watchRun) { r.CancelWorkflow() }

func TestAWatchConvertsWaveByWave(t *testing.T) {
	r := newWatchRun(10*time.Second, 10*time.Minute, 11*time.Minute, 3*time.Hour)
	r.at(5*time.Second, func(r *watchRun) {
		p := r.progress(t)
		assert.Equal(t, run.StateWatching, p.State)
		assert.Equal(t, "files in /in that have not changed for 5s", p.WaitsFor)
	})
	r.at(30*time.Second, func(r *watchRun) {
		p := r.progress(t)
		assert.Equal(t, run.StateRunning, p.State)
		assert.Equal(t, r.waves[0], p.Wave)
	})
	r.at(9*time.Hour, cancelWatch)
	err := r.play(t, watchInput())
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, err, &cancelled)
	var result watch.Result
	require.NoError(t, cancelled.Details(&result))
	assert.Equal(t, watch.Result{Waves: 4, Converted: 4, Files: 4, Runs: 1, Report: "/out/docs-to-html.report.jsonl"}, result)
	assert.Equal(t, 4, r.ended)
	assert.Len(t, map[string]bool{r.waves[0]: true, r.waves[1]: true, r.waves[2]: true, r.waves[3]: true}, 4, "each has a name of its own")
	p := r.progress(t)
	assert.Equal(t, run.StateCancelled, p.State)
	assert.Equal(t, []int{4, 4, 4, 0}, []int{p.Waves, p.Converted, p.Files, p.Failed})
	require.Len(t, p.Recent, 4)
	assert.Equal(t, r.waves[3], p.Recent[3].WorkflowID)
	assert.Equal(t, 9*time.Hour, r.now.Sub(r.begun).Round(time.Minute))
	assert.Zero(t, r.active)
}

func TestAPausedWatchBeginsNoWave(t *testing.T) {
	r := newWatchRun(time.Minute, 90*time.Second, 10*time.Minute)
	r.at(70*time.Second, func(r *watchRun) {
		r.SignalWorkflow(batch.SignalPause, batch.Steering{By: "ada", Note: "the disk"})
	})
	r.at(75*time.Second, func(r *watchRun) {
		p := r.progress(t)
		assert.Equal(t, run.StatePaused, p.State)
		assert.NotEmpty(t, p.Wave, "the wave under way goes on")
	})
	looks := 0
	r.at(4*time.Hour, func(r *watchRun) {
		assert.Equal(t, 1, r.ended)
		p := r.progress(t)
		assert.Equal(t, "paused by ada: the disk", p.Reason)
		assert.Equal(t, "somebody to resume it", p.WaitsFor)
		looks = r.looks
		r.SignalWorkflow(batch.SignalResume, nil)
	})
	r.at(5*time.Hour, cancelWatch)
	err := r.play(t, watchInput())
	assert.True(t, temporal.IsCanceledError(err), "%v", err)
	assert.Equal(t, 1, looks, "nobody looks while it is paused")
	assert.Equal(t, 3, r.ended)
}

// Paused while it looks, it looks no more; what came meanwhile is taken afterwards.
func TestAPauseEndsTheLook(t *testing.T) {
	r := newWatchRun(10 * time.Minute)
	r.at(time.Minute, func(r *watchRun) { r.SignalWorkflow(batch.SignalPause, nil) })
	r.at(time.Hour, func(r *watchRun) { r.SignalWorkflow(batch.SignalResume, nil) })
	r.at(2*time.Hour, cancelWatch)
	require.True(t, temporal.IsCanceledError(r.play(t, watchInput())))
	assert.Equal(t, 1, r.ended)
	assert.GreaterOrEqual(t, r.looks, 2)
}

func TestCancellingAWatchCancelsItsWave(t *testing.T) {
	r := newWatchRun(time.Minute)
	r.at(90*time.Second, cancelWatch)
	err := r.play(t, watchInput())
	assert.True(t, temporal.IsCanceledError(err), "%v", err)
	require.Len(t, r.ends, 1)
	assert.True(t, temporal.IsCanceledError(r.ends[0]))
	assert.Zero(t, r.active, "it was waited for")
	p := r.progress(t)
	require.Len(t, p.Recent, 1)
	assert.Equal(t, run.StateCancelled, p.Recent[0].Status)
}

// A wave that did not get through holds the watch: the next one would end alike, again and again.
func TestAWaveThatEndsEarlyPausesTheWatch(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(r *watchRun)
		says string
	}{
		"failed":            {func(r *watchRun) { r.fails[1] = workflowtest.Refusal(activities.FailureUnknown, "DISK_FULL") }, "wave 1 was failed: DISK_FULL: no"},
		"oddly":             {func(r *watchRun) { r.fails[1] = errors.New("why") }, "wave 1 was failed: "},
		"ended by somebody": {func(r *watchRun) { r.fails[1] = temporal.NewCanceledError() }, "wave 1 was cancelled: somebody ended it"},
		"stopped":           {func(r *watchRun) { r.stops[1] = "more than 3 files failed" }, "wave 1 was stopped: more than 3 files failed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newWatchRun(time.Minute, 2*time.Minute)
			test.set(r)
			r.at(time.Hour, func(r *watchRun) {
				assert.Equal(t, 1, r.ended)
				p := r.progress(t)
				assert.Equal(t, run.StatePaused, p.State)
				assert.Contains(t, p.Reason, test.says)
				r.SignalWorkflow(batch.SignalResume, nil)
			})
			r.at(2*time.Hour, cancelWatch)
			err := r.play(t, watchInput())
			assert.True(t, temporal.IsCanceledError(err), "%v", err)
			assert.Equal(t, 2, r.ended)
			assert.Equal(t, []string{"", ""}, r.marks[:2], "what it left is planned again")
		})
	}
}

// Histories end between waves, and nothing is forgotten.
func TestAWatchContinuesAsNew(t *testing.T) {
	var files []time.Duration
	for i := range 30 {
		files = append(files, time.Duration(i*5)*time.Minute)
	}
	r := newWatchRun(files...)
	r.at(time.Hour, func(r *watchRun) { r.SetContinueAsNewSuggested(true) })
	r.at(90*time.Minute, func(r *watchRun) { r.SetContinueAsNewSuggested(true) })
	r.at(2*time.Hour+time.Second, func(r *watchRun) {
		r.SetContinueAsNewSuggested(true)
		r.SignalWorkflow(batch.SignalPause, nil)
	})
	r.at(4*time.Hour, func(r *watchRun) { r.SignalWorkflow(batch.SignalResume, nil) })
	r.at(9*time.Hour, cancelWatch)
	err := r.play(t, watchInput())
	assert.True(t, temporal.IsCanceledError(err), "%v", err)
	assert.Equal(t, 4, r.runs)
	assert.Equal(t, 30, r.ended)
	p := r.progress(t)
	assert.Equal(t, []int{30, 30, 4}, []int{p.Waves, p.Converted, p.Runs})
	assert.Len(t, p.Recent, 5, "what it remembers does not grow")
	names := map[string]bool{}
	for _, id := range r.waves {
		names[id] = true
	}
	assert.Len(t, names, 30, fmt.Sprint(r.waves))
	assert.Equal(t, strings.Repeat("m", 30), r.marks[len(r.marks)-1], "what was planned is not planned again")
}
