package backend_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// moves reports whether a job shows within minutes that it is alive, by updatedAt alone.
func moves(t *testing.T, s *testkit.Service, id string) bool {
	t.Helper()
	before := goalJob(t, s, id)
	s.Clock.Advance(5 * time.Minute)
	after := goalJob(t, s, id)
	glance := call[client.WireGoalStatus](t, s, "GET", client.PathGoal(id, "status"), "")
	assert.Equal(t, after.UpdatedAt, glance.Body.UpdatedAt)
	assert.Equal(t, before.ItemVersion, after.ItemVersion)
	assert.Equal(t, []any{before.Status, before.Progress}, []any{after.Status, after.Progress})
	require.False(t, after.UpdatedAt.Before(before.UpdatedAt))
	return after.UpdatedAt.After(before.UpdatedAt)
}

func TestUpdatedAtMovesWhileAJobIsAlive(t *testing.T) {
	b := newBarrier()
	s := testkit.StartService(t, func(c *backend.Config) { c.Workers = 1 }, testkit.WithGoals(
		toy("letter", letter),
		toy("work", func(ctx context.Context, _ *goals.Task) error { return b.wait(ctx) }),
	))
	asking := startToy(t, s, "letter").JobSpecID
	until(t, s, asking, client.GoalSlotsPending)
	first, second := startToy(t, s, "work").JobSpecID, startToy(t, s, "work").JobSpecID // as many as are run at once
	<-b.entered
	<-b.entered
	waiting := startToy(t, s, "letter").JobSpecID

	assert.True(t, moves(t, s, first), "it works")
	assert.True(t, moves(t, s, second), "it works, too")
	assert.True(t, moves(t, s, waiting), "it waits for those that work")
	assert.False(t, moves(t, s, asking), "it waits for an answer")
	require.Equal(t, 202, act(t, s, first, "cancel", "").Status)
	assert.False(t, moves(t, s, first), "it has ended")
	close(b.open)
}

func TestFaults_aStuckGoalShowsNoSignOfLife(t *testing.T) {
	run := func(ctx context.Context, task *goals.Task) error {
		if err := task.Ready(); err != nil {
			return err
		}
		file, err := note(ctx, task, "n", "done")
		task.Deliver(file)
		return err
	}
	s := testkit.StartService(t, testkit.WithGoals(toy("lane.sticky", run), toy("lane.other", run)),
		testkit.WithFaults(t, "rules: [{goal: sticky, count: 1, answer: {stuck: true}}]"))
	confirmed := func(id string) string {
		job := startToy(t, s, id).JobSpecID
		until(t, s, job, client.GoalReady)
		require.Equal(t, 202, act(t, s, job, "confirm", "").Status)
		return job
	}

	stuck := confirmed("lane.sticky")
	require.Eventually(t, func() bool { return goalJob(t, s, stuck).Progress == 50 }, testkit.Patience, 5*time.Millisecond)
	require.Eventually(t, func() bool { return !moves(t, s, stuck) }, testkit.Patience, time.Millisecond, "the report comes just before")
	assert.False(t, moves(t, s, stuck))
	assert.Equal(t, client.GoalExecuting, goalJob(t, s, stuck).Status)
	until(t, s, confirmed("lane.other"), client.GoalCompleted)
	until(t, s, confirmed("lane.sticky"), client.GoalCompleted) // the second time

	require.Equal(t, 202, act(t, s, stuck, "cancel", "").Status)
	assert.Equal(t, client.GoalCancelled, goalJob(t, s, stuck).Status)
}
