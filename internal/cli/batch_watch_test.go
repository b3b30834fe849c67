package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

func TestAWatchIsStarted(t *testing.T) {
	dir := folder(t, "docs/a.md")
	f := newWatches("")
	args := []string{"batch", "docs", "--to", "pdf", "-o", "out", "--watch", "--concurrency", "7", "--max-failures", "3"}
	code, stdout, stderr := f.command(t, append(args, "--detach")...)
	require.Equal(t, ExitOK, code, stderr)
	assert.Equal(t, "watch-docs-to-pdf\n", stdout)
	assert.Equal(t, watch.Input{
		Name: "docs-to-pdf", Concurrency: 7, MaxFailures: 3,
		Spec: manifest.Spec{Source: dir + "/docs", Output: dir + "/out", To: "pdf", OnExist: "fail", Settle: 5 * time.Second, Lenient: true, SkipFailed: true},
	}, f.Run("watch-docs-to-pdf").Input)
	lane, _ := f.Starts()[0].TypedSearchAttributes.GetKeyword(workflows.KeyLane)
	assert.Equal(t, workflows.LaneWatch, lane)
	assert.NoDirExists(t, "out", "nothing is planned here")

	code, stdout, stderr = f.command(t, append(args, "--detach", "--json")...)
	require.Equal(t, ExitOK, code, stderr)
	assert.Contains(t, stdout, `"workflow_id":"watch-docs-to-pdf"`)
	assert.Contains(t, stderr, "watch-docs-to-pdf is already running; attached")
	code, stdout, stderr = f.command(t, append(args, "--settle", "9s")...)
	assert.Equal(t, ExitUsage, code)
	assert.Equal(t, "starter: a watch of docs is called docs-to-pdf already and has other settings; give this one another --name, or end that one with 'starter runs cancel watch-docs-to-pdf'\n", stderr)
	assert.Empty(t, stdout)
}

func someWaves() watch.Progress {
	at := time.Date(2026, 11, 24, 9, 0, 0, 0, time.Local)
	return watch.Progress{
		Name: "docs-to-pdf", State: workflows.StateWatching, WaitsFor: "files", Source: "/docs", Output: "/out", To: "pdf", Waves: 3, Converted: 5, Files: 7, Failed: 2,
		Recent: []watch.WaveEnd{
			{Number: 2, WorkflowID: "w-2", Status: batch.ResultFailures, Summary: manifest.Summary{Files: 7, Completed: 4, Failed: 2}, EndedAt: at},
			{Number: 3, WorkflowID: "w-3", Status: workflows.StateFailed, Reason: "DISK_FULL: no\x1b[2J", EndedAt: at.Add(time.Second)},
		},
	}
}

// A watch that this command has started is told of from its first wave on; each wave once.
func TestWavesAreTold(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		t.Run(fmt.Sprintf("asJSON %v", asJSON), func(t *testing.T) {
			folder(t, "docs/a.md")
			f := newWatches("w")
			all := someWaves()
			looks := 0
			f.run.OnQuery = func() {
				looks++
				f.run.Waves = all
				f.run.Waves.Recent = all.Recent[:min(looks-1, 2)]
				if looks == 3 {
					f.run.Waves.State, f.run.Waves.Reason = workflows.StatePaused, "wave 3 was failed"
				}
			}
			var out, errs bytes.Buffer
			env := &Env{Program: "starter", Stdout: &out, Stderr: &errs}
			s := &Session{Temporal: f.Temporal, Stays: true}
			view := newWatchView(env, s, &watched{work: watchItem{workflowID: "w"}, fresh: true}, asJSON)
			for range 3 {
				view.refresh(t.Context())
				view.draw()
			}
			view.done(0, nil)
			f.run.OnQuery = nil
			if asJSON {
				assert.Equal(t, 2, strings.Count(out.String(), "\n"))
				assert.Contains(t, out.String(), `{"number":2,"workflow_id":"w-2","status":"partial"`)
				return
			}
			assert.Equal(t, "09:00:00  wave 2: 4 files converted, 2 failed of 7 so far\n09:00:01  wave 3: failed: DISK_FULL: no\\x1b[2J: 0 files converted\n", out.String())
			assert.Equal(t, "wave 3 was failed; go on with 'starter runs resume w'\n", errs.String()[:strings.Index(errs.String(), "\n")+1])
		})
	}
}

func TestAWatchThatIsComeBackToTellsOfNewWaves(t *testing.T) {
	f := newWatches("w")
	f.run.Waves = someWaves()
	var out, errs bytes.Buffer
	env := &Env{Program: "starter", Stdout: &out, Stderr: &errs, Terminal: term.Screen{Live: true, Width: func() int { return 80 }}}
	view := newWatchView(env, &Session{Temporal: f.Temporal}, &watched{work: watchItem{workflowID: "w"}}, false)
	view.refresh(t.Context())
	view.draw()
	assert.Empty(t, out.String())
	assert.Equal(t, "docs-to-pdf: 3 waves, 5 files converted; the report has 7 files, 2 failed\nwaits for files\n", errs.String())
	f.run.Waves.Recent = append(f.run.Waves.Recent, watch.WaveEnd{Number: 4, Status: batch.ResultCompleted, Summary: manifest.Summary{Completed: 1}})
	view.refresh(t.Context())
	view.draw()
	assert.Regexp(t, `wave 4: 1 file converted\n$`, out.String())
}

func TestWatchesAmongTheRuns(t *testing.T) {
	dir := folder(t)
	f := newWatches("watch-x")
	f.run.Waves = someWaves()
	f.run.Watch.Output = dir
	_, stdout, _ := f.command(t, "runs", "list", "--lane", "watch")
	assert.Regexp(t, `watch-x +watching +watch +docs-to-pdf +pdf `, stdout)
	code, stdout, stderr := f.command(t, "runs", "show", "watch-x")
	require.Equal(t, ExitOK, code, stderr)
	assert.Contains(t, stdout, "waits    for files\nso far   3 waves, 5 files converted; the report has 7 files, 2 failed\n")
	assert.Contains(t, stdout, "  w-3\n")
	for _, verb := range []string{"pause", "resume"} {
		code, _, stderr = f.command(t, "runs", verb, "watch-x")
		require.Equal(t, ExitOK, code, stderr)
	}
	require.Len(t, f.run.Signals, 2)
	assert.Equal(t, []string{batch.SignalPause, batch.SignalResume}, []string{f.run.Signals[0].Name, f.run.Signals[1].Name})
	code, _, stderr = f.command(t, "runs", "set-concurrency", "watch-x", "3")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "watch-x is a watch; its waves are batches, see 'runs show watch-x'")
	code, _, stderr = f.command(t, "runs", "report", "watch-x")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "watch-x has no report yet, it is written with the first wave")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "docs-to-pdf.report.jsonl"), []byte(reportText), 0o600))
	code, stdout, stderr = f.command(t, "runs", "report", "watch-x")
	require.Equal(t, ExitOK, code, stderr)
	assert.Equal(t, 3, strings.Count(stdout, "\n"))

	code, _, stderr = f.command(t, "runs", "watch")
	assert.Equal(t, ExitOK, code)
	assert.Equal(t, "no runs are open but 1 watch; name one to follow it\n", stderr)
	f.run.CancelResult = watch.Result{Waves: 3, Converted: 5, Files: 7, Failed: 2}
	f.run.Cancelled()
	code, stdout, stderr = f.command(t, "runs", "watch", "watch-x", "--json")
	assert.Equal(t, ExitOK, code, "that is how a watch ends: %s", stderr)
	assert.Contains(t, stdout, `"status":"cancelled","waves":3,"converted":5,"files":7,"failed":2`)
	_, stdout, _ = f.command(t, "runs", "show", "watch-x")
	assert.Contains(t, stdout, "docs-to-pdf: watched no longer: 3 waves, 5 files converted, 2 failed")
}

func TestAWatchIsLeft(t *testing.T) {
	f := newWatches("watch-x")
	ctx, env := interruptedBy(t)
	env.Interrupts = nil
	var out, errs strings.Builder
	env.Program, env.Stdout, env.Stderr = "starter", &out, &errs
	_, err := env.follow(ctx, &Session{Temporal: f.Temporal, Stays: true}, []*watched{{work: watchItem{workflowID: "watch-x"}}}, false, nil)
	var failure *Failure
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, ExitInterrupted, failure.Code)
	assert.Equal(t, "left; 1 watch goes on in Temporal. Come back with the same command or 'starter runs watch watch-x', end it with 'starter runs cancel watch-x'.\n", errs.String())
}

// A batch and a watch of one name and one folder would write one report.
func TestABatchBesideAWatchNeedsItsOwnName(t *testing.T) {
	f := newWatches("watch-docs-to-pdf")
	folder(t, "docs/a.md")
	output, err := filepath.Abs("out")
	require.NoError(t, err)
	f.run.Watch.Output = output
	code, _, stderr := f.command(t, "batch", "docs", "--to", "pdf", "-o", "out", "--detach")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "watch-docs-to-pdf watches for files and writes the report of that name into out; give this batch another --name, or end the watch")
	assert.NoDirExists(t, "out", "nothing is planned")
}
