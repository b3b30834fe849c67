package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

func TestBadBatchesAreRefusedWithOneLineEach(t *testing.T) {
	folder(t, "docs/a.md", "one.md", "jobs.csv")
	good := []string{"docs", "--to", "pdf", "-o", "out"}
	for says, args := range map[string][]string{
		"nothing to convert; name a folder, a pattern or a manifest": {"--to", "pdf", "-o", "out"},
		"a batch takes one source, not 2; put a pattern in quotes":   {"docs", "one.md", "--to", "pdf", "-o", "out"},
		"none does not exist":                                                  {"none", "--to", "pdf", "-o", "out"},
		"none.csv does not exist":                                              {"none.csv", "-o", "out"},
		"one.md is a single file; use convert for it":                          {"one.md", "--to", "pdf", "-o", "out"},
		`invalid pattern "docs/[a.md": unclosed or empty [`:                    {"docs/[a.md", "--to", "pdf", "-o", "out"},
		"--to is missing":                                                      {"docs", "-o", "out"},
		"--to pdf,html names several formats":                                  {"docs", "--to", "pdf,html", "-o", "out"},
		`--to "foo" is not a known format`:                                     {"docs", "--to", "foo", "-o", "out"},
		"-o is missing":                                                        {"docs", "--to", "pdf"},
		"one.md is a file":                                                     {"docs", "--to", "pdf", "-o", "one.md"},
		`--from "foo" is not a known format`:                                   append(good, "--from", "foo"),
		`--quality "best" is not 1 to 100`:                                     append(good, "--quality", "best"),
		"--pages: ":                                                            append(good, "--pages", "one"),
		`invalid pattern "[": unclosed or empty [`:                             append(good, "--include", "["),
		`"/docs/*" is absolute`:                                                append(good, "--exclude", "/docs/*"),
		`--on-exist "ask" is not fail, skip or overwrite`:                      append(good, "--on-exist", "ask"),
		"--concurrency 0 is not a number from 1 to 500":                        append(good, "--concurrency", "0"),
		"--concurrency 501 is not a number from 1 to 500":                      append(good, "--concurrency", "501"),
		"--strict is not for --watch and --every":                              append(good, "--strict", "--every", "1h"),
		"--max-failures must be 0 or more, got -1":                             append(good, "--max-failures", "-1"),
		"--max-duration must be 0 or more, got -1h0m0s":                        append(good, "--max-duration", "-1h"),
		`invalid argument "soon" for "--max-duration" flag`:                    append(good, "--max-duration", "soon"),
		`--name "../x" is not a file name`:                                     append(good, "--name", "../x"),
		"--to is missing; name the format to convert to\n-o is missing; name ": {"docs"},
	} {
		t.Run(says, func(t *testing.T) {
			var none *batches
			code, stdout, stderr := none.command(t.Context(), t, Env{}, append([]string{"batch"}, args...)...)
			assert.Equal(t, ExitUsage, code, says)
			assert.Contains(t, stderr, says)
			assert.Empty(t, stdout, says)
		})
	}
}

func goodBatch() batchRequest {
	return batchRequest{source: "docs", to: "pdf", output: "out", onExist: onExistFail, concurrency: 50}
}

func TestNamesOfBatches(t *testing.T) {
	dir := folder(t, "docs/a.md", "jobs.csv")
	id := func(change func(r *batchRequest)) string {
		r := goodBatch()
		change(&r)
		item, err := r.item()
		require.NoError(t, err)
		return item.workflowID
	}
	same := id(func(*batchRequest) {})
	assert.Regexp(t, `^batch-docs-to-pdf-[0-9a-f]{12}$`, same)
	for name, change := range map[string]func(r *batchRequest){
		"what to do with outputs":  func(r *batchRequest) { r.onExist = onExistOverwrite },
		"whether it is strict":     func(r *batchRequest) { r.strict = true },
		"how fast":                 func(r *batchRequest) { r.concurrency, r.maxFailures = 3, 1 },
		"another way to write it":  func(r *batchRequest) { r.source, r.output, r.to = dir+"/docs/", "./out", "PDF" },
		"the name that it has now": func(r *batchRequest) { r.name = "docs-to-pdf" },
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, same, id(change), name)
		})
	}
	for name, change := range map[string]func(r *batchRequest){
		"target": func(r *batchRequest) { r.to = "html" }, "output": func(r *batchRequest) { r.output = "else" },
		"include": func(r *batchRequest) { r.include = []string{"*.md"} }, "name": func(r *batchRequest) { r.name = "x" },
	} {
		t.Run(name, func(t *testing.T) {
			assert.NotEqual(t, same, id(change), name)
		})
	}
	assert.Regexp(t, `^batch-jobs-csv-[0-9a-f]{12}$`, id(func(r *batchRequest) { r.source, r.to = "jobs.csv", "" }))
}

// attachable is a fake that holds the batch of goodBatch in the current folder.
func attachable(t *testing.T) *batches {
	t.Helper()
	folder(t, "docs/a.md")
	item, err := goodBatch().item()
	require.NoError(t, err)
	f := newBatches(item.workflowID)
	f.run.Batch.Output = item.input.Spec.Output
	return f
}

func TestABatchThatRunsIsComeBackTo(t *testing.T) {
	f := attachable(t)
	code, stdout, stderr := f.command(t.Context(), t, Env{}, "batch", "docs", "--to", "pdf", "-o", "out", "--detach")
	assert.Equal(t, ExitOK, code, stderr)
	assert.Equal(t, f.run.ID+"\n", stdout)
	assert.Contains(t, stderr, f.run.ID+" is already running; attached")
	assert.NoDirExists(t, "out", "nothing is planned")
}

func TestHowBatchesEnd(t *testing.T) {
	sum := manifest.Summary{Report: "/out/docs-to-pdf.report.jsonl", Files: 9, Completed: 5, Current: 1, Failed: 3, BytesIn: 1500, BytesOut: 999, Codes: map[string]int{"A_CODE": 1, "B_CODE": 2}}
	for status, want := range map[string]int{
		batch.ResultCompleted: ExitOK, batch.ResultFailures: ExitJobFailed,
		batch.ResultStopped: ExitJobFailed, workflows.StateCancelled: ExitJobFailed,
	} {
		t.Run(status, func(t *testing.T) {
			f := newBatches("b-1").finished(batch.Result{Status: status, Reason: "why\x1b[2J", Summary: sum})
			code, stdout, stderr := f.command(t.Context(), t, Env{}, "runs", "watch", "b-1")
			assert.Equal(t, want, code, status)
			assert.Equal(t, "/out/docs-to-pdf.report.jsonl\n", stdout)
			assert.Equal(t, "docs-to-pdf: "+batch.StateOf(status)+" (why\ufffd[2J): 5 of 9 files converted, 1 current, 3 failed; 1.5 kB in, 999 B out\n"+
				"  2 × B_CODE  starter runs retry b-1 --code B_CODE\n  1 × A_CODE  starter runs retry b-1 --code A_CODE\n", stderr)
		})
	}
}

// interruptedBy is a context that has ended, and the interrupts that follow.
func interruptedBy(t *testing.T, more ...os.Signal) (context.Context, Env) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	interrupts := make(chan os.Signal, len(more))
	for _, signal := range more {
		interrupts <- signal
	}
	return ctx, Env{Interrupts: func() <-chan os.Signal { return interrupts }}
}

func TestASecondInterruptCancelsABatch(t *testing.T) {
	f := newBatches("b-1")
	ctx, env := interruptedBy(t, os.Interrupt)
	var out, errs strings.Builder
	env.Program, env.Stdout, env.Stderr = "starter", &out, &errs
	s := &Session{Temporal: f.Temporal, Stays: true}
	_, err := env.follow(ctx, s, f.attached(ctx, t), true, nil)
	var failure *Failure
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, ExitInterrupted, failure.Code)
	assert.Contains(t, errs.String(), "left; 1 batch goes on in Temporal.")
	assert.Contains(t, errs.String(), "Ctrl-C again within 3 s cancels it.")
	assert.Contains(t, out.String(), `"status":"cancelled"`)
}

// Without anything to hear a second interrupt by, and on a stack that ends with the command, the first one leaves.
func TestAFirstInterruptLeavesABatch(t *testing.T) {
	for _, stays := range []bool{true, false} {
		t.Run(fmt.Sprintf("stays %v", stays), func(t *testing.T) {
			f := newBatches("b-1")
			ctx, env := interruptedBy(t, os.Interrupt)
			if stays {
				env.Interrupts = nil
			}
			var out, errs strings.Builder
			env.Program, env.Stdout, env.Stderr = "starter", &out, &errs
			s := &Session{Temporal: f.Temporal, Stays: stays}
			_, err := env.follow(ctx, s, f.attached(ctx, t), false, nil)
			var failure *Failure
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, ExitInterrupted, failure.Code)
			assert.NotContains(t, errs.String(), "again within")
			d, err := s.runs().Describe(t.Context(), "b-1")
			require.NoError(t, err)
			assert.True(t, d.Open())
		})
	}
}

func TestABatchIsPlannedAndStarted(t *testing.T) {
	dir := folder(t, "docs/a.md", "docs/b.md")
	f := newBatches("").finished(batch.Result{Status: batch.ResultCompleted})
	args := []string{"batch", "docs", "--to", "pdf", "-o", "out", "--max-failures", "3", "--max-duration", "8h"}
	for range 2 { // an earlier run that has ended does not keep the second from starting
		code, _, stderr := f.command(t.Context(), t, Env{}, args...)
		require.Equal(t, ExitOK, code, stderr)
	}
	require.Len(t, f.started, 2)
	input := f.started[1]
	assert.Equal(t, "docs-to-pdf", input.Name)
	assert.Equal(t, dir+"/docs", input.Spec.Source)
	assert.Equal(t, []int{50, 3}, []int{input.Concurrency, input.MaxFailures})
	assert.Equal(t, "8h0m0s", time.Duration(input.MaxDuration).String())
	require.NotNil(t, input.Plan)
	assert.Equal(t, 2, input.Plan.Items)
	assert.Equal(t, batch.Memo{Name: "docs-to-pdf", Source: dir + "/docs", Output: dir + "/out", To: "pdf", Files: 2}, f.Starts()[1].Memo[batch.MemoKey])
	lane, _ := f.Starts()[1].TypedSearchAttributes.GetKeyword(workflows.KeyLane)
	assert.Equal(t, workflows.LaneBatch, lane)
}

func TestADryRunStartsNothing(t *testing.T) {
	folder(t, "docs/a.md", "docs/b.md")
	var none *batches
	args := []string{"batch", "docs", "--to", "pdf", "-o", "out", "--dry-run"}
	code, stdout, stderr := none.command(t.Context(), t, Env{}, args...)
	assert.Equal(t, ExitOK, code, stderr)
	assert.Equal(t, "docs/a.md → out/a.pdf\ndocs/b.md → out/b.pdf\n", stdout)
	assert.Contains(t, stderr, "2 files to convert (")
	_, stdout, _ = none.command(t.Context(), t, Env{}, append(args, "--json")...)
	assert.Equal(t, 2, strings.Count(stdout, `"from":"md","to":"pdf"`))
	assert.NoDirExists(t, "out")
}

func TestAnEmptySourceStartsNothing(t *testing.T) {
	folder(t)
	require.NoError(t, os.Mkdir("docs", 0o755))
	f := newBatches("")
	code, _, stderr := f.command(t.Context(), t, Env{}, "batch", "docs", "--to", "pdf", "-o", "out")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "\nnothing was started\n")
	assert.Empty(t, f.started)
}
