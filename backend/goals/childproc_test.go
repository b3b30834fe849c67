package goals_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/childproc"
	"github.com/convilyn/convilyn-temporal/backend/goals"
)

// asChild makes the test binary a child that runs the goals of the service and those below.
const asChild = "CONVILYN_TEST_AS_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) == "" {
		m.Run()
		return
	}
	if err := childproc.Serve(context.Background(), os.Stdin, os.Stdout, goals.Works(append(goals.All(), odd()...)...)...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is a main
	}
}

// children end with the test.
func children(tb testing.TB) *childproc.Children {
	tb.Helper()
	self, err := os.Executable()
	require.NoError(tb, err)
	all := childproc.New(childproc.Config{Path: self, Env: []string{asChild + "=yes"}, Dir: tb.TempDir(), Writes: []string{os.TempDir()}})
	tb.Cleanup(all.Close)
	return all
}

var failure = goals.Failure{Code: goals.CodeStep, Message: "m", Reason: "WHY", Action: "retry"}

// odd are goals that end in every way.
func odd() []goals.Goal {
	var all []goals.Goal
	for id, run := range map[string]func(ctx context.Context, t *goals.Task) error{
		"echoes": echo,
		"fails":  func(context.Context, *goals.Task) error { return fmt.Errorf("while it read: %w", &failure) },
		"faults": func(context.Context, *goals.Task) error { return errors.New("a fault") },
		"fills": func(context.Context, *goals.Task) error {
			return fmt.Errorf("write: %w", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
		},
		"panics":   func(context.Context, *goals.Task) error { panic("poisoned") },
		"refuses":  func(context.Context, *goals.Task) error { return fmt.Errorf("page 3: %w", refused) },
		"again":    func(_ context.Context, t *goals.Task) error { return t.Retake([]string{"a"}) },
		"converts": convertAll,
		"trespass": trespass,
		"spins":    spin,
		"leaves":   func(context.Context, *goals.Task) error { os.Exit(7); return nil }, //nolint:forbidigo // this is a main
		"preview":  func(_ context.Context, t *goals.Task) error { return t.ReadyWithPreview(goals.File{Name: "f"}) },
		"questions": func(_ context.Context, t *goals.Task) error {
			return t.Checkpoint(goals.Choice("q", "?").Within(1, 2), goals.File{Name: "f"})
		},
	} {
		all = append(all, goals.Goal{ID: id, Run: run})
	}
	return all
}

var refused = &engines.Error{Code: engines.CodeUnsupportedInput, Message: "no", Reason: "DAMAGED"}

// echo says what it was given.
func echo(_ context.Context, t *goals.Task) error {
	t.Report(7, "half")
	line, err := json.Marshal([]any{t.Inputs, t.Answered, t.Text, t.Dir, t.Answers, t.Confirmed})
	t.Deliver(goals.File{Path: "p", Name: "n", Mime: "m", Type: "t", Description: "d"})
	t.Lacks("something")
	t.Closing, t.Warnings = string(line), []string{"a", "b"}
	return err
}

// convertAll has every input converted and notes what came of it.
func convertAll(ctx context.Context, t *goals.Task) error {
	for _, in := range t.Inputs {
		files, warnings, err := t.Convert(ctx, in, "txt", filepath.Join(t.Dir, in.Name))
		known, _ := engines.AsError(err)
		var failure *goals.Failure
		errors.As(err, &failure)
		line, err := json.Marshal([]any{files, warnings, known, failure, fmt.Sprint(err), errors.Is(err, syscall.ENOSPC)})
		if err != nil {
			return err
		}
		t.Warnings = append(t.Warnings, string(line))
	}
	return nil
}

func trespass(ctx context.Context, t *goals.Task) error {
	for _, try := range [][2]string{{"/etc/hostname", t.Dir}, {t.Inputs[0].Path, filepath.Join(t.Dir, "..", "elsewhere")}, {filepath.Join(t.Dir, "..", "x"), t.Dir}} {
		_, _, err := t.Convert(ctx, goals.Input{Name: "in", Path: try[0]}, "txt", try[1])
		t.Lacks("%v", err)
	}
	_, _, err := t.Convert(ctx, goals.Input{Name: "own", Path: filepath.Join(t.Dir, "own")}, "txt", filepath.Join(t.Dir, "out"))
	return err
}

// turns keeps spin from being optimised away.
var turns int

func spin(context.Context, *goals.Task) error {
	for {
		turns++
	}
}

func oddGoal(t *testing.T, id string) goals.Goal {
	t.Helper()
	for _, goal := range odd() {
		if goal.ID == id {
			return goal
		}
	}
	t.Fatalf("there is no goal %s", id)
	return goals.Goal{}
}

func oddTask(t *testing.T) *goals.Task {
	t.Helper()
	dir := t.TempDir()
	return &goals.Task{
		Inputs:   []goals.Input{{FileID: "f", Name: "a.md", Format: "md", Path: filepath.Join(dir, "a"), Size: 3}, {Name: "b.md"}, {Name: "c.md"}, {Name: "d.md"}},
		Answered: []goals.Input{{FileID: "g", Name: "g.md"}}, Text: "words", Dir: dir, Answers: map[string]json.RawMessage{"a": json.RawMessage(`[1]`)}, Confirmed: true,
		Convert: func(_ context.Context, in goals.Input, target, dir string) ([]goals.File, []string, error) {
			switch in.Name {
			case "b.md":
				return nil, nil, fmt.Errorf("%w (%w)", &failure, refused)
			case "c.md":
				return nil, nil, fmt.Errorf("make a folder: %w", syscall.ENOSPC)
			case "d.md":
				return nil, nil, refused
			}
			return []goals.File{{Path: filepath.Join(dir, target), Name: in.Name}}, []string{"lost"}, nil
		},
		Report: func(percent int, message string) { assert.Equal(t, "7 half", fmt.Sprint(percent, " ", message)) },
	}
}

// Whatever a goal says and however it ends, its pass says the same from a child.
func TestPassesComeThroughWhole(t *testing.T) {
	all := children(t)
	for _, goal := range odd() {
		if slices.Contains([]string{"panics", "leaves", "trespass", "spins"}, goal.ID) {
			continue
		}
		t.Run(goal.ID, func(t *testing.T) {
			here, there := oddTask(t), oddTask(t)
			there.Dir, there.Inputs = here.Dir, here.Inputs
			err := goals.Named(goal.Run(t.Context(), here))
			errInChild := goal.In(all, time.Hour).Run(t.Context(), there)
			assert.Equal(t, lowerHalf(t, here), lowerHalf(t, there))
			assert.Equal(t, fmt.Sprint(err), fmt.Sprint(errInChild))
			for _, target := range []error{goals.ErrWaiting, goals.ErrReady, goals.ErrAgain, syscall.ENOSPC} {
				t.Run(target.Error(), func(t *testing.T) {
					assert.Equal(t, errors.Is(err, target), errors.Is(errInChild, target), "%v", target)
				})
			}
			var want, got *goals.Failure
			assert.Equal(t, errors.As(err, &want), errors.As(errInChild, &got))
			assert.Equal(t, want, got)
		})
	}
}

func TestChildrenThatFailAPass(t *testing.T) {
	all := children(t)
	err := oddGoal(t, "panics").In(all, time.Hour).Run(t.Context(), oddTask(t))
	var named *goals.Failure
	require.ErrorContains(t, err, "goal panics panicked: poisoned")
	assert.NotErrorAs(t, err, &named)
	err = oddGoal(t, "leaves").In(all, time.Hour).Run(t.Context(), oddTask(t))
	require.ErrorAs(t, err, &named)
	assert.Equal(t, goals.Failure{Code: "GOAL_STEP_FAILED", Message: "the job broke down on its files", Action: "retry"}, *named)
}

// The service reads and writes for a child in the job's own folder alone.
func TestAChildConvertsTheJobsOwnFiles(t *testing.T) {
	task := oddTask(t)
	require.NoError(t, oddGoal(t, "trespass").In(children(t), time.Hour).Run(t.Context(), task))
	assert.Equal(t, []string{"in is none of the job's files", "in is none of the job's files", "in is none of the job's files"}, task.Missing)
}

func TestAPassThatNeverEnds(t *testing.T) {
	err := oddGoal(t, "spins").In(children(t), 300*time.Millisecond).Run(t.Context(), oddTask(t))
	var named *goals.Failure
	require.ErrorAs(t, err, &named)
	assert.Equal(t, goals.Failure{
		Code: "GOAL_STEP_FAILED", Message: "the job worked for longer than 300ms and was stopped; a retry goes on from the steps that are done", Action: "retry",
	}, *named)
}

// The time that a pass waits for conversions is not its own.
func TestATimeLimitLeavesConversionsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pause, goOn, limited, stop := goals.StartClock(t.Context(), 10*time.Second)
		defer stop()
		elapse := func(d time.Duration) { <-time.After(d); synctest.Wait() }
		for range 3 {
			elapse(3 * time.Second)
			pause()
			elapse(time.Hour)
			goOn()
		}
		elapse(900 * time.Millisecond)
		require.NoError(t, limited.Err())
		elapse(200 * time.Millisecond)
		require.Error(t, limited.Err())
		var named *goals.Failure
		require.ErrorAs(t, context.Cause(limited), &named)
	})
}
