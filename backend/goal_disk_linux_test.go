package backend_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

const noSpaceForAGoal = "no space for a goal; it is tried again"

// watched keeps what the service logs.
func watched() (*observer.ObservedLogs, testkit.Option) {
	core, logs := observer.New(zap.WarnLevel)
	return logs, func(c *backend.Config) { c.Logger = zap.New(core) }
}

// logged waits until something was logged so often; idle workers are woken meanwhile.
func (s *tight) logged(t *testing.T, logs *observer.ObservedLogs, message string, times int) {
	t.Helper()
	require.Eventually(t, func() bool {
		s.Wake()
		return logs.FilterMessage(message).Len() >= times
	}, testkit.Patience, time.Millisecond, "%s", message)
}

// tree is what lies in a job's folder, with sizes.
func (s *tight) tree(t *testing.T, id string) []string {
	t.Helper()
	var out []string
	root := filepath.Join(s.disk, "goals", id)
	require.NoError(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			out = append(out, fmt.Sprint(strings.TrimPrefix(path, root), " ", info.Size()))
		}
		return err
	}))
	return out
}

func (s *tight) confirm(t *testing.T, id string) {
	t.Helper()
	require.Equal(t, 202, act(t, s.Service, id, "confirm", "{}").Status)
}

// A step that finds no space leaves nothing half, and is done when there is some.
func TestAStepOfAGoalThatDoesNotFit(t *testing.T) {
	testkit.SkipIfShort(t, "it starts a process that takes all it gets")
	testkit.SkipUnderRace(t, "it redacts a long text, one word after the other")
	for name, where := range map[string]testkit.Option{
		"in-process": func(*backend.Config) {},
		"child":      inChildren(t, "real", sandbox.Limits{}),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "in-process" {
				testkit.SkipLong(t, "children are what is used")
			}
			logs, logger := watched()
			s := startTight(t, "32m", still("md", "html", "x"), logger, where)
			words := "write to ada@example.org\n" + strings.Repeat("and many words more\n", 2<<20/20)
			file := upload(t, s.Service, "a.txt", words).FileID
			id := start(t, s.Service, `{"workflowId":"goal_lane.redactor","fileIds":["`+file+`"],"slotAnswers":[{"slotId":"style","value":"label"}]}`).JobSpecID
			job := until(t, s.Service, id, client.GoalSlotsPending)
			found := job.PendingSlots[0].Options[0].Value
			require.Equal(t, 200, fill(t, s.Service, id, `{"slotId":"findings","value":["`+found+`"]}`).Status)
			until(t, s.Service, id, client.GoalReady)
			before := s.tree(t, id)
			release := s.fill(t, 512<<10)
			s.confirm(t, id)
			s.logged(t, logs, noSpaceForAGoal, 2)
			job = goalJob(t, s.Service, id)
			assert.Contains(t, []client.GoalStatus{client.GoalExecuting, client.GoalQueued}, job.Status)
			assert.Nil(t, job.ErrorCode)
			release()
			s.Wake()
			until(t, s.Service, id, client.GoalCompleted)
			for _, line := range before {
				assert.Contains(t, s.tree(t, id), line, "steps that were done are as they were")
			}
			left, err := filepath.Glob(filepath.Join(s.disk, "goals", id, "*", ".*"))
			require.NoError(t, err)
			assert.Empty(t, left)
			list := call[client.WireArtifactList](t, s.Service, "GET", client.PathGoal(id, "artifacts"), "")
			assert.Equal(t, strings.Replace(words, "ada@example.org", "[e-mail]", 1), fetch(t, s.Service, id, list.Body.Artifacts[0].ArtifactID))
		})
	}
}

// halting is a goal that makes its file, and halts before its end.
func halting(b *barrier) goals.Goal {
	return toy("halting", func(ctx context.Context, task *goals.Task) error {
		if err := task.Ready(); err != nil {
			return err
		}
		file, err := note(ctx, task, "made", "the whole of it")
		if err != nil {
			return err
		}
		if err := b.wait(ctx); err != nil {
			return err
		}
		task.Deliver(file)
		return nil
	})
}

// fillUp takes what room there is for further files.
func (s *tight) fillUp(t *testing.T) (release func()) {
	t.Helper()
	dir := filepath.Join(s.disk, "filler")
	require.NoError(t, os.Mkdir(dir, 0o700))
	for i := range 100_000 {
		err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600)
		if errors.Is(err, syscall.ENOSPC) {
			return func() { require.NoError(t, os.RemoveAll(dir)) }
		}
		require.NoError(t, err)
	}
	t.Fatal("the disk has no end")
	return nil
}

// Artifacts are kept whole or not at all.
func TestArtifactsThatDoNotFit(t *testing.T) {
	b := newBarrier()
	logs, logger := watched()
	s := startTight(t, "16m,nr_inodes=300", still("md", "html", "x"), logger, testkit.WithGoals(halting(b)))
	id := startToy(t, s.Service, "halting").JobSpecID
	until(t, s.Service, id, client.GoalReady)
	s.confirm(t, id)
	<-b.entered
	release := s.fillUp(t)
	close(b.open)
	s.logged(t, logs, noSpaceForAGoal, 2)
	assert.Equal(t, []string{"/steps/made/note 15"}, s.tree(t, id))
	assert.Equal(t, 400, call[client.WireArtifactList](t, s.Service, "GET", client.PathGoal(id, "artifacts"), "").Status)
	release()
	s.Wake()
	until(t, s.Service, id, client.GoalCompleted)
	assert.Equal(t, []string{"/artifacts/0 15", "/steps/made/note 15"}, s.tree(t, id))
}

// The end of a goal that cannot be recorded is recorded when it can, and what was made is not made again.
func TestAnEndOfAGoalThatDoesNotFit(t *testing.T) {
	b := newBarrier()
	logs, logger := watched()
	s := startTight(t, "8m", still("md", "html", "x"), logger, testkit.WithGoals(halting(b)))
	id := startToy(t, s.Service, "halting").JobSpecID
	until(t, s.Service, id, client.GoalReady)
	s.confirm(t, id)
	<-b.entered
	release := s.fill(t, 0)
	close(b.open)
	s.logged(t, logs, "record the end of a pass of a goal", 2)
	assert.Equal(t, client.GoalExecuting, goalJob(t, s.Service, id).Status)
	assert.Equal(t, 507, act(t, s.Service, id, "cancel", "").Status)
	release()
	s.Wake()
	until(t, s.Service, id, client.GoalCompleted)
	assert.EqualValues(t, 1, b.runs.Load())
	list := call[client.WireArtifactList](t, s.Service, "GET", client.PathGoal(id, "artifacts"), "")
	assert.Equal(t, "the whole of it", fetch(t, s.Service, id, list.Body.Artifacts[0].ArtifactID))
}

// A goal that waits for space can be cancelled.
func TestCancelOfAGoalThatWaitsForSpace(t *testing.T) {
	tried := make(chan struct{}, 1000)
	logs, logger := watched()
	s := startTight(t, "16m", still("md", "html", "x"), logger, testkit.WithGoals(toy("large", func(ctx context.Context, task *goals.Task) error {
		tried <- struct{}{}
		_, err := note(ctx, task, "large", strings.Repeat("x", 12<<20))
		return err
	})))
	release := s.fill(t, 2<<20)
	defer release()
	id := startToy(t, s.Service, "large").JobSpecID
	<-tried
	s.logged(t, logs, noSpaceForAGoal, 1)
	require.Equal(t, 202, act(t, s.Service, id, "cancel", "").Status)
	assert.Equal(t, client.GoalCancelled, goalJob(t, s.Service, id).Status)
	s.nothingHalfMade(t, id)
}

// A goal whose pass has just taken all the space can be cancelled.
func TestCancelOfAGoalThatHasTakenTheSpace(t *testing.T) {
	full := make(chan struct{}, 1000)
	s := startTight(t, "16m", still("md", "html", "x"), testkit.WithGoals(toy("greedy", func(ctx context.Context, task *goals.Task) error {
		_, err := task.Step(ctx, "all", func(ctx context.Context, dir string) error {
			err := os.WriteFile(filepath.Join(dir, "all"), make([]byte, 17<<20), 0o600)
			full <- struct{}{}
			<-ctx.Done() // as a program that goes on
			return errors.Join(err, ctx.Err())
		})
		return err
	})))
	id := startToy(t, s.Service, "greedy").JobSpecID
	<-full
	require.Equal(t, 202, act(t, s.Service, id, "cancel", "").Status)
	assert.Equal(t, client.GoalCancelled, goalJob(t, s.Service, id).Status)
	s.nothingHalfMade(t, id)
	assert.Empty(t, full, "it was not begun again")
}

// A pass that was broken off in vain goes on when there is space.
func TestCancelOfAGoalWhereOthersHaveTakenTheSpace(t *testing.T) {
	b := newBarrier()
	s := startTight(t, "8m", still("md", "html", "x"), testkit.WithGoals(halting(b)))
	id := startToy(t, s.Service, "halting").JobSpecID
	until(t, s.Service, id, client.GoalReady)
	s.confirm(t, id)
	<-b.entered
	release := s.fill(t, 0)
	assert.Equal(t, 507, act(t, s.Service, id, "cancel", "").Status)
	close(b.open)
	release()
	s.Wake()
	until(t, s.Service, id, client.GoalCompleted)
	assert.EqualValues(t, 2, b.runs.Load())
}

// nothingHalfMade waits until a job's folder holds no step that is not done.
func (s *tight) nothingHalfMade(t *testing.T, id string) {
	t.Helper()
	require.Eventually(t, func() bool {
		left, err := filepath.Glob(filepath.Join(s.disk, "goals", id, "steps", ".*"))
		return err == nil && len(left) == 0
	}, testkit.Patience, time.Millisecond)
}

// What the system said reaches the service from a child, so that a conversion in a child waits for space as any.
func TestAConversionInAChildThatDoesNotFit(t *testing.T) {
	testkit.SkipUnderRace(t, "what it tests goes on in other processes")
	logs, logger := watched()
	s := startTight(t, "32m", still("md", "html", "x"), logger, testkit.WithEngines(builtIn(t)...), inChildren(t, "real", sandbox.Limits{}))
	file := upload(t, s.Service, "a.md", strings.Repeat("words, and many more\n", 2<<20/20)).FileID
	release := s.fill(t, 1<<20)
	job, err := s.Client.Convert.Create(t.Context(), client.CreateParams{FileID: file, SourceFormat: "md", TargetFormat: "html"})
	require.NoError(t, err)
	s.logged(t, logs, "no space for a conversion; it is tried again", 2)
	release()
	s.Wake()
	_, err = s.Client.Convert.Wait(t.Context(), job.JobID, client.WaitOptions{})
	require.NoError(t, err)
}
