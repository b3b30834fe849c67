package activities

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"github.com/convilyn/convilyn-temporal/internal/roots"
	"github.com/convilyn/convilyn-temporal/manifest"
)

// planned is a batch of two files with its plan in a place of state.
func planned(t *testing.T) (steps *Activities, env *testsuite.TestActivityEnvironment, plan BatchPlan) {
	t.Helper()
	dir := t.TempDir()
	steps = New(API{}, 0, nil, WithState(filepath.Join(dir, "state")))
	var suite testsuite.WorkflowTestSuite
	env = suite.NewTestActivityEnvironment()
	env.RegisterActivity(steps)
	spec := BatchSpec{Source: filepath.Join(dir, "in"), Output: filepath.Join(dir, "out"), To: "html"}
	require.NoError(t, os.Mkdir(spec.Source, 0o755))
	for _, name := range []string{"a.md", "b.md"} {
		require.NoError(t, os.WriteFile(filepath.Join(spec.Source, name), []byte(name), 0o600))
	}
	value, err := env.ExecuteActivity(steps.PlanBatch, PlanBatchInput{Spec: spec, Name: "docs"})
	require.NoError(t, err)
	require.NoError(t, value.Get(&plan))
	return steps, env, plan
}

func TestPlanBatch_KeepsPlansWhereNobodyTidiesUp(t *testing.T) {
	steps, env, plan := planned(t)
	assert.NoDirExists(t, plan.Output, "nothing is beside the outputs")
	info, err := os.Stat(plan.Folder)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "names of files are nobody's business")

	_, err = env.ExecuteActivity(steps.WriteReportPart, WriteReportPartInput{Folder: plan.Folder, Part: "s000-000001", Entries: []BatchEntry{{Index: 1, Status: manifest.StatusCompleted}}})
	require.NoError(t, err)
	value, err := env.ExecuteActivity(steps.FinishReport, FinishReportInput{Plan: plan, Name: "docs"})
	require.NoError(t, err)
	var sum BatchSummary
	require.NoError(t, value.Get(&sum))
	assert.Equal(t, filepath.Join(plan.Output, "docs.report.jsonl"), sum.Report)
	assert.Equal(t, []int{2, 1, 1}, []int{sum.Files, sum.Completed, sum.NotStarted})
	left, err := os.ReadDir(plan.Output)
	require.NoError(t, err)
	assert.Len(t, left, 2, "report and summary")
}

// Steps of a batch whose plan was removed end: no wait brings it back.
func TestBatch_PlanThatIsGone(t *testing.T) {
	for name, step := range map[string]func(a *Activities, plan BatchPlan) (any, any){
		"read": func(a *Activities, p BatchPlan) (any, any) {
			return a.ReadPlan, ReadPlanInput{Path: p.Path(), End: p.End, Limit: 9}
		},
		"part": func(a *Activities, p BatchPlan) (any, any) {
			return a.WriteReportPart, WriteReportPartInput{Folder: p.Folder, Part: "s000-000001"}
		},
		"retry": func(a *Activities, p BatchPlan) (any, any) { return a.ListFailed, ListFailedInput{Plan: p} },
		"finish": func(a *Activities, p BatchPlan) (any, any) {
			return a.FinishReport, FinishReportInput{Plan: p, Name: "docs"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			steps, env, plan := planned(t)
			require.NoError(t, os.RemoveAll(plan.Folder))
			do, in := step(steps, plan)
			_, err := env.ExecuteActivity(do, in)
			failure, known := FailureOf(err)
			require.True(t, known, "%v", err)
			assert.Equal(t, CodePlanMissing, failure.Code)
			assert.Contains(t, failure.Message, plan.Folder+" was removed")
			assert.NoDirExists(t, plan.Folder, "a part without a plan is no report")
		})
	}
	lost := fmt.Errorf("%w: x", manifest.ErrPlanMissing)
	for attempt, final := range map[int]bool{1: false, planPatience - 1: false, planPatience: true} {
		t.Run(fmt.Sprintf("attempt %d", attempt), func(t *testing.T) {
			assert.Equal(t, final, classify(planError(attempt, lost)).final)
			assert.Equal(t, final, classify(reportError(attempt, lost)).final)
		})
	}
}

func TestSalvageReport_KeepsWhatIsKnown(t *testing.T) {
	steps, env, plan := planned(t)
	begun := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	outputs := func(name string) []Output {
		return []Output{{Path: filepath.Join(plan.Output, name+".html"), Size: 3, SHA256: "aa"}}
	}
	salvage := func(known ...BatchKnown) (sum BatchSummary) {
		value, err := env.ExecuteActivity(steps.SalvageReport, SalvageReportInput{Plan: plan, Name: "docs", Since: begun, Known: known})
		require.NoError(t, err)
		require.NoError(t, value.Get(&sum))
		return sum
	}
	known := func(index int, status manifest.Status, at time.Time) BatchKnown {
		name := fmt.Sprint("f", index)
		k := BatchKnown{Item: BatchItem{Index: index, Source: name + ".md", From: "md", Dest: name}}
		if status != manifest.StatusNotStarted {
			k.Entry = &BatchEntry{Index: index, Status: status, EndedAt: at}
		}
		if status == manifest.StatusCompleted {
			k.Entry.Outputs = outputs(name)
		}
		return k
	}
	// An earlier batch has made f0 to f2.
	salvage(known(0, manifest.StatusCompleted, begun.Add(-time.Hour)), known(1, manifest.StatusCompleted, begun.Add(-time.Hour)), known(2, manifest.StatusCompleted, begun.Add(-time.Hour)))
	first := []BatchKnown{known(1, manifest.StatusFailed, begun.Add(time.Minute)), known(2, manifest.StatusNotStarted, begun)}
	salvage(first...)
	salvage(first...)
	sum := salvage(known(3, manifest.StatusCompleted, begun.Add(time.Minute)))

	assert.Equal(t, []int{4, 1, 1, 1, 1}, []int{sum.Files, sum.Current, sum.Failed, sum.NotStarted, sum.Completed})
	lines := map[string]manifest.Line{}
	require.NoError(t, manifest.Lines(sum.Report, func(line manifest.Line) error {
		assert.Equal(t, len(lines), line.Index)
		lines[filepath.Base(line.Source)] = line
		return nil
	}))
	assert.Equal(t, manifest.StatusCurrent, lines["f0.md"].Status)
	assert.Equal(t, outputs("f1"), lines["f1.md"].Former, "the next batch knows it for its own")
	assert.Equal(t, outputs("f2"), lines["f2.md"].Former)
	assert.Equal(t, outputs("f3"), lines["f3.md"].Outputs)
}

// swapping puts a link into a path as soon as the path was checked.
type swapping struct {
	*roots.Guard
	path, to string
}

func (s *swapping) Check(path string, write bool) error {
	err := s.Guard.Check(path, write)
	if path == s.path {
		_ = os.Rename(s.path, s.path+"-before")
		_ = os.Symlink(s.to, s.path)
	}
	return err
}

// A folder that becomes a link between a step's check and its write leads out of what a worker may use; nothing is written there.
func TestBatch_PathSwappedAfterItsCheck(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for name, step := range map[string]func(ctx context.Context, a *Activities, plan BatchPlan) error{
		"plan": func(ctx context.Context, a *Activities, p BatchPlan) error {
			_, err := a.PlanBatch(ctx, PlanBatchInput{Spec: BatchSpec{Source: filepath.Join(filepath.Dir(p.Output), "in"), Output: p.Output, To: "html"}, Name: "docs"})
			return err
		},
		"part": func(ctx context.Context, a *Activities, p BatchPlan) error {
			return a.WriteReportPart(ctx, WriteReportPartInput{Folder: p.Folder, Part: "s000-000001"})
		},
		"retry": func(ctx context.Context, a *Activities, p BatchPlan) error {
			_, err := a.ListFailed(ctx, ListFailedInput{Plan: p})
			return err
		},
		"finish": func(ctx context.Context, a *Activities, p BatchPlan) error {
			_, err := a.FinishReport(ctx, FinishReportInput{Plan: p, Name: "docs"})
			return err
		},
		"salvage": func(ctx context.Context, a *Activities, p BatchPlan) error {
			_, err := a.SalvageReport(ctx, SalvageReportInput{Plan: p, Name: "docs"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inside, outside := filepath.Join(dir, name, "inside"), filepath.Join(dir, name, "outside")
			var plans []BatchPlan
			for _, top := range []string{inside, outside} {
				require.NoError(t, os.MkdirAll(filepath.Join(top, "in"), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(top, "in", "a.md"), []byte("x"), 0o600))
				spec := manifest.Spec{Source: filepath.Join(top, "in"), Output: filepath.Join(top, "out"), To: "html"}
				plan, err := manifest.Anywhere.Make(t.Context(), spec, filepath.Join(top, "out", ".convilyn", "docs", "one"), nil)
				require.NoError(t, err)
				plans = append(plans, plan)
			}
			at := &swapping{Guard: roots.New([]string{inside}, nil), path: plans[0].Output, to: plans[1].Output}
			if name == "part" {
				at.path, at.to = plans[0].Folder, plans[1].Folder
			}
			before := treeOf(t, outside)
			steps := New(API{}, 0, nil, WithRoots(at))
			var suite testsuite.WorkflowTestSuite
			env := suite.NewTestActivityEnvironment()
			env.RegisterActivityWithOptions(func(ctx context.Context) error { return step(ctx, steps, plans[0]) }, activity.RegisterOptions{Name: "step"})
			_, err := env.ExecuteActivity("step")
			require.Error(t, err)
			assert.Equal(t, before, treeOf(t, outside))
		})
	}
}

func treeOf(t *testing.T, dir string) (paths []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	}))
	return paths
}
