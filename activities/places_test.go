package activities

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/convilyn/convilyn-temporal/internal/roots"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// Every step that is given a path checks it, and every name stays in its folder.
func TestSteps_StayInTheirRoots(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	require.NoError(t, os.Mkdir(in, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key.md"), []byte("x"), 0o600))
	a := New(API{}, 0, nil, WithRoots(roots.New([]string{in, out}, nil)))
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(a)
	to := func(folder, stem, format string) Destination {
		return Destination{Folder: testkit.FileURL(folder), Stem: stem, Format: format}
	}
	plan := func(folder, output, name string) BatchPlan {
		return BatchPlan{Folder: folder, Output: output, PlanName: name}
	}
	fine := filepath.Join(out, ".convilyn", "x", "1")
	for name, row := range map[string]struct {
		step, in any
		code     string
	}{
		"upload":                 {a.UploadFile, UploadFileInput{Source: testkit.FileURL(dir + "/key.md"), Name: "a.md"}, CodeOutsideRoots},
		"download":               {a.DownloadResults, DownloadResultsInput{To: to(dir, "a", "html")}, CodeOutsideRoots},
		"stem":                   {a.DownloadResults, DownloadResultsInput{To: to(out, "../x", "html")}, CodeBadArgument},
		"stem with a zero":       {a.DownloadResults, DownloadResultsInput{To: to(out, "x\x00", "html")}, CodeBadArgument},
		"format":                 {a.DownloadResults, DownloadResultsInput{To: to(out, "a", "html/../../x")}, CodeBadArgument},
		"part of a file":         {a.DownloadResults, DownloadResultsInput{To: to(out, "a", "html"), Part: "a/../../x"}, CodeBadArgument},
		"artifacts":              {a.CollectArtifacts, CollectArtifactsInput{Folder: testkit.FileURL(dir)}, CodeOutsideRoots},
		"source of a plan":       {a.PlanBatch, PlanBatchInput{Spec: BatchSpec{Source: dir, Output: out, To: "html"}, Name: "x"}, CodeOutsideRoots},
		"pattern of a plan":      {a.PlanBatch, PlanBatchInput{Spec: BatchSpec{Source: dir + "/*.md", Output: out, To: "html"}, Name: "x"}, CodeOutsideRoots},
		"output of a plan":       {a.PlanBatch, PlanBatchInput{Spec: BatchSpec{Source: in, Output: dir, To: "html"}, Name: "x"}, CodeOutsideRoots},
		"name of a batch":        {a.PlanBatch, PlanBatchInput{Spec: BatchSpec{Source: in, Output: out, To: "html"}, Name: "../x"}, CodeBadArgument},
		"watch":                  {a.AwaitFiles, AwaitFilesInput{Spec: BatchSpec{Source: dir, Output: out, To: "html"}, Name: "x"}, CodeOutsideRoots},
		"name of a watch":        {a.AwaitFiles, AwaitFilesInput{Spec: BatchSpec{Source: in, Output: out, To: "html"}, Name: ".."}, CodeBadArgument},
		"plan to read":           {a.ReadPlan, ReadPlanInput{Path: filepath.Join(dir, "plan.jsonl")}, CodeOutsideRoots},
		"folder of a part":       {a.WriteReportPart, WriteReportPartInput{Folder: dir, Part: "s"}, CodeOutsideRoots},
		"part of a report":       {a.WriteReportPart, WriteReportPartInput{Folder: fine, Part: "../../x"}, CodeBadArgument},
		"plan to retry":          {a.ListFailed, ListFailedInput{Plan: plan(dir, out, "")}, CodeOutsideRoots},
		"name of a plan":         {a.ListFailed, ListFailedInput{Plan: plan(fine, out, "../x")}, CodeBadArgument},
		"output of a report":     {a.FinishReport, FinishReportInput{Plan: plan(fine, dir, ""), Name: "x"}, CodeOutsideRoots},
		"name of a report":       {a.FinishReport, FinishReportInput{Plan: plan(fine, out, ""), Name: "../x"}, CodeBadArgument},
		"output of what is left": {a.SalvageReport, SalvageReportInput{Plan: plan(fine, dir, ""), Name: "x"}, CodeOutsideRoots},
		"name of what is left":   {a.SalvageReport, SalvageReportInput{Plan: plan(fine, out, ""), Name: "../x"}, CodeBadArgument},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := env.ExecuteActivity(row.step, row.in)
			failure, known := FailureOf(err)
			require.True(t, known, "%v", err)
			assert.Equal(t, row.code, failure.Code, failure.Message)
		})
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 2, "in and the key")
}

// swapped are roots in which a link is turned to elsewhere as soon as it was checked.
type swapped struct {
	Roots
	link, to string
}

func (s *swapped) Check(path string, write bool) error {
	err := s.Roots.Check(path, write)
	if s.to != "" {
		_ = swap(s.link, s.to)
		s.to = ""
	}
	return err
}

// swap puts a link to elsewhere in the place of a link, or of a folder, which stays beside it.
func swap(path, to string) error {
	if err := os.Rename(path, path+"-before"); err != nil {
		return err
	}
	return os.Symlink(to, path)
}

func TestUploadFile_LinkTurnedAfterItsCheck(t *testing.T) {
	dir := t.TempDir()
	in, key := filepath.Join(dir, "in"), filepath.Join(dir, "key.md")
	require.NoError(t, os.Mkdir(in, 0o755))
	link, fine := filepath.Join(in, "link.md"), filepath.Join(in, "fine.md")
	for _, path := range []string{key, fine} {
		t.Run(path, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
		})
	}
	pipe := filepath.Join(in, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for to, code := range map[string]string{key: CodeOutsideRoots, pipe: CodeInputUnreadable, fine: ""} {
		t.Run(to, func(t *testing.T) {
			_ = os.Remove(link)
			require.NoError(t, os.Symlink(fine, link))
			a := New(API{}, 0, nil, WithRoots(&swapped{Roots: roots.New([]string{in}, nil), link: link, to: to}))
			source, err := a.openSource(testkit.FileURL(link))
			if code == "" {
				require.NoError(t, err)
				source.Close()
				return
			}
			var refused *localError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, code, refused.code, refused.text)
		})
	}
}

// A folder of outputs is swapped for a link to elsewhere, by somebody who may write beside it. Nothing is made, written or
// removed there, whenever that is.
func TestDownloadResults_FolderSwappedForALink(t *testing.T) {
	for name, row := range map[string]struct {
		below   string // the folder for the outputs, below the one that is swapped
		checked bool   // it is swapped once it was checked, or else when the outputs are asked for
		code    string // of the first attempt; the next one sees the link
	}{
		"that was checked":                         {"", true, CodeOutsideRoots},
		"that was checked and is to get a folder":  {"new", true, CodeOutsideRoots},
		"before the download begins":               {"", false, CodeOutputGone},
		"above the folder, as the download begins": {"deep", false, CodeOutputGone},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			job := b.completedJob(t, "# A")
			out, elsewhere := filepath.Join(b.dir, "out"), filepath.Join(b.dir, "elsewhere")
			sub := filepath.Join(out, "sub")
			require.NoError(t, errors.Join(os.MkdirAll(sub, 0o755), os.Mkdir(elsewhere, 0o755)))
			in := DownloadResultsInput{JobID: job, To: Destination{Folder: testkit.FileURL(filepath.Join(sub, row.below)), Stem: "a", Format: "html"}}

			guard := &swapped{Roots: roots.New([]string{out}, nil)}
			b.steps.roots = guard
			if row.checked {
				guard.link, guard.to = sub, elsewhere
			} else {
				b.Around(beforeStorage(func() { assert.NoError(t, swap(sub, elsewhere)) }))
			}
			_, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, in)
			failure, known := FailureOf(err)
			require.True(t, known, "%v", err)
			assert.Equal(t, row.code, failure.Code, failure.Message)

			_, err = run[DownloadResultsResult](t, b, b.steps.DownloadResults, in)
			failure, _ = FailureOf(err)
			assert.Equal(t, CodeOutsideRoots, failure.Code, failure.Message)
			left, err := os.ReadDir(elsewhere)
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

// A careless rename: outputs go to the folder that the run names.
func TestDownloadResults_FolderRenamedMeanwhile(t *testing.T) {
	b := newBench(t)
	job := b.completedJob(t, "# A")
	out := filepath.Join(b.dir, "out")
	b.Around(beforeStorage(func() { assert.NoError(t, errors.Join(os.Rename(out, out+"-old"), os.Mkdir(out, 0o755))) }))
	in := DownloadResultsInput{JobID: job, To: Destination{Folder: testkit.FileURL(out), Stem: "a", Format: "html"}}
	_, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, in)
	failure, known := FailureOf(err)
	require.True(t, known, "%v", err)
	assert.Equal(t, CodeOutputGone, failure.Code, failure.Message)

	done, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, in)
	require.NoError(t, err)
	assert.FileExists(t, done.Outputs[0].Path)
	assert.NoFileExists(t, filepath.Join(out+"-old", "a.html"))
}

// beforeStorage does something once, when the first bytes of an output are asked for.
func beforeStorage(do func()) func(http.Handler) http.Handler {
	once := sync.OnceFunc(do)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/storage/") {
				once()
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Outputs that are to give way are those of the folder: a path from outside removes nothing elsewhere.
func TestDownloadResults_ReplacesInItsFolderAlone(t *testing.T) {
	b := newBench(t)
	job := b.completedJob(t, "# A")
	elsewhere := filepath.Join(b.dir, "elsewhere.html")
	require.NoError(t, os.WriteFile(elsewhere, []byte("mine"), 0o600))
	sum := sha256.Sum256([]byte("mine"))
	former := Output{Path: elsewhere, Size: 4, SHA256: hex.EncodeToString(sum[:])}
	_, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{JobID: job, To: Destination{
		Folder: testkit.FileURL(filepath.Join(b.dir, "out")), Stem: "a", Format: "html", Replace: []Output{former},
	}})
	require.NoError(t, err)
	assert.FileExists(t, elsewhere)
}
