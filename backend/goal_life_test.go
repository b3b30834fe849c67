package backend_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// barrier is a goal that halts in its analysis or its execution until it is let on, or told to stop.
type barrier struct {
	entered, open chan struct{}
	runs          atomic.Int32
}

func newBarrier() *barrier {
	return &barrier{entered: make(chan struct{}, 100), open: make(chan struct{})}
}

func (b *barrier) wait(ctx context.Context) error {
	b.runs.Add(1)
	b.entered <- struct{}{}
	select {
	case <-b.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestCancelInEveryStateThatIsNotTheLast(t *testing.T) {
	analysis, execution := newBarrier(), newBarrier()
	s := testkit.StartService(t, func(c *backend.Config) { c.Workers = 1 }, testkit.WithGoals(
		toy("letter", letter),
		toy("analysis", func(ctx context.Context, _ *goals.Task) error { return analysis.wait(ctx) }),
		toy("execution", func(ctx context.Context, task *goals.Task) error {
			if err := task.Ready(); err != nil {
				return err
			}
			return execution.wait(ctx)
		}),
		toy("preview", func(ctx context.Context, task *goals.Task) error {
			shown, err := note(ctx, task, "preview", "look")
			if err != nil {
				return err
			}
			return task.ReadyWithPreview(shown)
		}),
	))
	cancel := func(id string) {
		t.Helper()
		ack := act(t, s, id, "cancel", "")
		require.Equal(t, 202, ack.Status, ack.Text)
		assert.Equal(t, client.GoalCancelled, ack.Body.Status)
		job := goalJob(t, s, id)
		assert.Equal(t, client.GoalCancelled, job.Status)
		assert.Empty(t, job.PendingSlots)
		assert.NotNil(t, job.CompletedAt)
		for _, verb := range []string{"cancel", "retry", "confirm"} {
			t.Run(verb, func(t *testing.T) {
				assert.Equal(t, "CONFLICT", act(t, s, id, verb, "").Error.Code, verb)
			})
		}
	}
	asking := startToy(t, s, "letter").JobSpecID
	until(t, s, asking, client.GoalSlotsPending)
	cancel(asking)
	ready := startToy(t, s, "execution").JobSpecID
	until(t, s, ready, client.GoalReady)
	cancel(ready)
	preview := startToy(t, s, "preview").JobSpecID
	job := until(t, s, preview, client.GoalReadyWithPreview)
	shown := decode[client.WireApproval](t, string(job.PendingInterrupts[0]))
	assert.Empty(t, shown.SlotID)
	assert.Equal(t, "look", fetch(t, s, preview, shown.ArtifactID))
	cancel(preview)
	assert.Equal(t, 404, call[client.WireArtifactLink](t, s, "GET", client.PathGoal(preview, "artifacts", shown.ArtifactID, "download"), "").Status)

	executing := startToy(t, s, "execution").JobSpecID
	until(t, s, executing, client.GoalReady)
	second := startToy(t, s, "execution").JobSpecID
	until(t, s, second, client.GoalReady)
	require.Equal(t, 202, act(t, s, executing, "confirm", "").Status)
	<-execution.entered
	analyzing := startToy(t, s, "analysis").JobSpecID
	<-analysis.entered
	require.Equal(t, client.GoalAnalyzing, goalJob(t, s, analyzing).Status)
	require.Equal(t, client.GoalExecuting, goalJob(t, s, executing).Status)
	created := startToy(t, s, "letter").JobSpecID // both workers are busy
	require.Equal(t, client.GoalCreated, goalJob(t, s, created).Status)
	require.Equal(t, 202, act(t, s, second, "confirm", "").Status)
	require.Equal(t, client.GoalQueued, goalJob(t, s, second).Status)
	for _, id := range []string{created, second, analyzing, executing} {
		cancel(id)
	}
	last := startToy(t, s, "letter").JobSpecID
	until(t, s, last, client.GoalSlotsPending) // the workers are free: their passes were broken off
}

func TestGoalsGoOnAfterARestart(t *testing.T) {
	b := newBarrier()
	run := func(ctx context.Context, task *goals.Task) error {
		if err := task.Ask(tone); err != nil {
			return err
		}
		if err := task.Ready(); err != nil {
			return err
		}
		file, err := note(ctx, task, "first", "1")
		if err != nil {
			return err
		}
		task.Report(50, "waiting")
		if err := b.wait(ctx); err != nil {
			return err
		}
		task.Deliver(file)
		return nil
	}
	s := testkit.StartService(t, testkit.WithGoals(toy("slow", run)))
	asking := startToy(t, s, "slow").JobSpecID
	before := until(t, s, asking, client.GoalSlotsPending)
	id := start(t, s, `{"workflowId":"slow","fileIds":[],"slotAnswers":[`+formal+`]}`).JobSpecID
	until(t, s, id, client.GoalReady)
	s.Restart()
	assert.Equal(t, before, goalJob(t, s, asking))
	require.Equal(t, 202, act(t, s, id, "confirm", "").Status)
	<-b.entered
	s.Restart()
	<-b.entered
	job := goalJob(t, s, id)
	assert.Equal(t, client.GoalExecuting, job.Status)
	assert.Equal(t, 50, job.Progress, "progress does not fall")
	assert.Equal(t, "att_1", job.AttemptID)
	close(b.open)
	until(t, s, id, client.GoalCompleted)
	assert.EqualValues(t, 2, b.runs.Load())
}

func TestAGoalThatKeepsKillingTheService(t *testing.T) {
	b := newBarrier()
	s := testkit.StartService(t, func(c *backend.Config) { c.Workers = 8 },
		testkit.WithGoals(toy("deadly", func(ctx context.Context, _ *goals.Task) error { return b.wait(ctx) })))
	id := startToy(t, s, "deadly").JobSpecID
	for range 5 {
		<-b.entered
		require.NoError(t, s.Crash(t.Context()))
	}
	job := until(t, s, id, client.GoalFailed)
	assert.Equal(t, "INTERNAL", *job.ErrorCode)
	assert.Contains(t, *job.ErrorMessage, "died 5 times")
	assert.EqualValues(t, 5, b.runs.Load())
}

func TestGoalFilesAreKeptAndSwept(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)))
	file := upload(t, s, "a.md", "a").FileID
	id := start(t, s, `{"workflowId":"letter","fileIds":["`+file+`"],"slotAnswers":[`+formal+`]}`).JobSpecID
	until(t, s, id, client.GoalReady)
	require.True(t, client.IsFileInUse(s.Client.Files.Delete(t.Context(), file)))
	s.Clock.Advance(48 * time.Hour)
	require.NoError(t, s.Sweep(t.Context()))
	require.Equal(t, 202, act(t, s, id, "confirm", "").Status)
	until(t, s, id, client.GoalSlotsPending)
	require.Equal(t, 200, fill(t, s, id, `{"slotId":"approve","value":true}`).Status)
	until(t, s, id, client.GoalCompleted)
	require.NoError(t, s.Sweep(t.Context()))
	require.True(t, client.IsNotFound(s.Client.Files.Delete(t.Context(), file)), "the input has outlived its time")
	until(t, s, id, client.GoalCompleted)
	folder := filepath.Join(s.DataDir(), "goals", id)
	require.DirExists(t, folder)
	s.Clock.Advance(25 * time.Hour)
	require.NoError(t, s.Sweep(t.Context()))
	assert.Equal(t, 404, call[client.WireGoalJob](t, s, "GET", client.PathGoal(id), "").Status)
	require.NoDirExists(t, folder)
}
