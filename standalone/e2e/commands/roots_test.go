package commands

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
)

// Whoever may start runs at Temporal reads and writes what the owner's commands have named, and nothing else.
func TestFilesThatNoCommandNamed(t *testing.T) {
	testkit.SkipIfShort(t, "it converts by a stack")
	t.Parallel()
	b := fixture.New(t)
	b.Env = []string{"CONVILYN_ROOTS="}
	named := b.Write("named.md", "# Named")
	private := b.Write("private.md", "# Private")
	s := b.OpenChanged(func(o *stack.Options) { o.Config.Roots = nil })
	code, _, stderr := b.Run("convert", named, "--to", "html", "-o", b.Out)
	require.Zero(t, code, stderr)
	require.NoError(t, os.Symlink(private, filepath.Join(b.Out, "link.md")))
	elsewhere := t.TempDir()
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(b.Out, "out")))

	conversion := func(source, folder, stem string) convert.Input {
		return convert.Input{Source: testkit.FileURL(source), Name: "a.md", SourceFormat: "md", To: activities.Destination{Folder: testkit.FileURL(folder), Stem: stem, Format: "html"}}
	}
	for name, row := range map[string]struct {
		in   convert.Input
		code string
	}{
		"named":              {conversion(named, b.Out, "again"), ""},
		"input":              {conversion(private, b.Out, "a"), activities.CodeOutsideRoots},
		"input by a link":    {conversion(filepath.Join(b.Out, "link.md"), b.Out, "b"), activities.CodeOutsideRoots},
		"input by dots":      {conversion(filepath.Dir(named)+"/x/../private.md", b.Out, "c"), activities.CodeOutsideRoots},
		"output":             {conversion(named, elsewhere, "d"), activities.CodeOutsideRoots},
		"output below":       {conversion(named, filepath.Join(b.Out, "sub"), "e"), activities.CodeOutsideRoots},
		"output by a link":   {conversion(named, filepath.Join(b.Out, "out"), "f"), activities.CodeOutsideRoots},
		"stem with dots":     {conversion(named, b.Out, "../g"), activities.CodeBadArgument},
		"stem with a folder": {conversion(named, b.Out, "sub/h"), activities.CodeBadArgument},
	} {
		t.Run(name, func(t *testing.T) {
			var result convert.Result
			err := s.Start("convert-"+filepath.Base(t.Name()), convert.WorkflowType, row.in).Get(t.Context(), &result)
			if row.code == "" {
				require.NoError(t, err)
				return
			}
			failure, known := activities.FailureOf(err)
			require.True(t, known, "%v", err)
			assert.Equal(t, row.code, failure.Code, failure.Message)
		})
	}
	t.Run("batch", func(t *testing.T) {
		for _, spec := range []manifest.Spec{{Source: b.In, Output: b.Out, To: "html"}, {Source: b.Out, Output: elsewhere, To: "html"}} {
			err := s.Start("batch-x", batch.WorkflowType, batch.Input{Name: "x", Spec: spec}).Get(t.Context(), nil)
			failure, _ := activities.FailureOf(err)
			assert.Equal(t, activities.CodeOutsideRoots, failure.Code, failure.Message)
		}
	})
	left, err := os.ReadDir(elsewhere)
	require.NoError(t, err)
	assert.Empty(t, left)
	assert.NoFileExists(t, filepath.Join(filepath.Dir(b.Out), "g.html"))

	code, stdout, stderr := b.Run("doctor")
	assert.Equal(t, cli.ExitOK, code, stderr)
	assert.Contains(t, stdout, "roots")
}

// What comes from standard input, and goes to standard output, is for one run: nothing of it is kept.
func TestFilesOfStandardInput(t *testing.T) {
	testkit.SkipIfShort(t, "it converts by a stack")
	t.Parallel()
	b := fixture.New(t)
	b.Env = []string{"CONVILYN_ROOTS="}
	for _, text := range []string{"# One", "# Two"} {
		cmd := b.Command("convert", "-", "--from", "md", "--to", "html")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.Output()
		require.NoError(t, err)
		assert.Contains(t, string(out), strings.TrimPrefix(text, "# "))
	}

	places, err := stack.Ledger(b.Data).Places()
	require.NoError(t, err)
	assert.Empty(t, places)
	left, err := os.ReadDir(stack.Spool(b.Data))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// A data folder of before goes on with what its runs name.
func TestFilesOfRunsOfBefore(t *testing.T) {
	testkit.SkipIfShort(t, "it converts by a stack")
	t.Parallel()
	b := fixture.New(t)
	b.Documents(3)
	spec := manifest.Spec{Source: b.In, Output: b.Out, To: "html"}
	open := func() *fixture.Stack { return b.OpenChanged(func(o *stack.Options) { o.Config.Roots = nil }) }
	s := open()
	require.NoError(t, stack.Ledger(b.Data).Add(runs.Places(batch.Input{Spec: spec})...))                        // its planning is allowed
	_, err := s.Client.SignalWithStartWorkflow(t.Context(), "batch-before", batch.SignalPause, batch.Steering{}, // before it converts anything
		temporalclient.StartWorkflowOptions{TaskQueue: workflows.TaskQueue}, batch.WorkflowType, batch.Input{Name: "before", Spec: spec, Concurrency: 1})
	require.NoError(t, err)
	b.Eventually(func() bool { return s.BatchProgress("batch-before").Total == 3 }, "it is planned")
	s.Close()
	require.NoError(t, os.Remove(filepath.Join(b.Data, "roots.jsonl")))

	s = open()
	s.Signal("batch-before", batch.SignalResume, batch.Steering{})
	var result batch.Result
	require.NoError(t, s.Client.GetWorkflow(t.Context(), "batch-before", "").Get(t.Context(), &result))
	assert.Equal(t, 3, result.Summary.Completed)
	places, err := stack.Ledger(b.Data).Places()
	require.NoError(t, err)
	for _, place := range places {
		assert.NotEqual(t, "/", place.Path)
	}
}

// The owner names a manifest in a schedule, and with it what it lists, wherever that is; so has who did it before there were roots.
func TestFilesOfAScheduledManifest(t *testing.T) {
	testkit.SkipIfShort(t, "it converts by a stack")
	t.Parallel()
	b := fixture.New(t)
	elsewhere := filepath.Join(t.TempDir(), "far.md")
	require.NoError(t, os.WriteFile(elsewhere, []byte("# Far"), 0o600))
	list := b.Write("list.csv", "source\n"+elsewhere+"\n")
	open := func() *fixture.Stack { return b.OpenChanged(func(o *stack.Options) { o.Config.Roots = nil }) }
	output, summary := filepath.Join(b.Out, "far.html"), filepath.Join(b.Out, "far.summary.json")
	converts := func(says string) {
		b.Eventually(func() bool {
			_, err := os.Stat(summary)
			return err == nil
		}, says)
		assert.FileExists(t, output)
	}

	s := open()
	code, _, stderr := b.Run("batch", list, "--to", "html", "-o", b.Out, "--every", "1h", "--name", "far")
	require.Zero(t, code, stderr)
	converts("the first run has written its report")
	b.Eventually(func() bool { // a run that still goes on has the next one left out
		_, shown, _ := b.Run("schedules", "show", "far", "--json")
		return strings.Contains(shown, `"status":"completed"`)
	}, "the first run has ended")

	s.Close()
	require.NoError(t, errors.Join(os.Remove(filepath.Join(b.Data, "roots.jsonl")), os.Remove(output), os.Remove(summary)))
	open()
	code, _, stderr = b.Run("schedules", "run", "far")
	require.Zero(t, code, stderr)
	converts("a run after the upgrade has ended")
}
