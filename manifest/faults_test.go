package manifest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/manifest"
)

func TestEachFaultIsOneClearLine(t *testing.T) {
	p := newPlace(t, "a.md", "b.md", "noextension")
	require.NoError(t, os.MkdirAll(filepath.Join(p.out, "sub"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(p.out, "file"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(p.out, "there.html"), nil, 0o600))
	require.NoError(t, os.Symlink("/", filepath.Join(p.out, "away")))
	require.NoError(t, os.Symlink("/nowhere/at/all", filepath.Join(p.out, "nothing")))
	require.NoError(t, os.Symlink("sub", filepath.Join(p.out, "beside")))
	require.NoError(t, os.Truncate(p.write(t, "huge.md", "x"), client.MaxUploadBytes+1))
	require.NoError(t, unix.Mkfifo(filepath.Join(p.in, "pipe.md"), 0o600))
	for _, test := range []struct{ line, want string }{
		{`{"source":"gone.md"}`, "IN/gone.md does not exist"},
		{`{"source":"huge.md"}`, "IN/huge.md has 524288001 bytes; the API takes 524288000 at most"},
		{`{"source":"pipe.md"}`, "IN/pipe.md is not a regular file"},
		{`{"source":"."}`, `the name of IN does not show its format; add from`},
		{`{"source":"noextension"}`, "the name of IN/noextension does not show its format; add from"},
		{`{"source":"ftp://host/a.md"}`, `"ftp://host/a.md" is not a path or a file:// URL`},
		{`{"source":"a.md","on_exist":"ask"}`, `on_exist "ask" is not fail, skip or overwrite`},
		{`{"source":"a.md","dest":"../x"}`, `its dest "../x" is not a file inside OUT`},
		{`{"source":"a.md","dest":"s/../../x"}`, `its dest "s/../../x" is not a file inside OUT`},
		{`{"source":"a.md","dest":"/etc/x"}`, `its dest "../../../../etc/x" is not a file inside OUT`},
		{`{"source":"a.md","dest":"away/x"}`, "cannot write its output OUT/away/x.html: OUT/away points outside OUT"},
		{`{"source":"a.md","dest":"nothing/x"}`, "cannot write its output OUT/nothing/x.html: OUT/nothing is a broken link"},
		{`{"source":"a.md","dest":"file/x"}`, "cannot write its output OUT/file/x.html: OUT/file is not a folder"},
		{`{"source":"a.md","dest":"there"}`, "OUT/there.html exists; use --on-exist skip or overwrite, or another -o"},
		{`{"source":"a.md","to":"nonsense"}`, `target format "nonsense" is not known`},
		{`{"source":"a.md","to":"mp3"}`, "md (document) does not convert to mp3 (media)"},
	} {
		t.Run(test.line, func(t *testing.T) {
			p.spec.Source = p.write(t, "m.jsonl", "\n"+test.line+"\n")
			_, err := manifest.Check(t.Context(), p.spec, nil, nil)
			var faults *manifest.Faults
			if !assert.ErrorAs(t, err, &faults, test.line) {
				return
			}
			want := strings.NewReplacer("IN", p.in, "OUT", p.out).Replace(test.want)
			if strings.Contains(test.line, "/etc/x") { // as far up as the test's folder is deep
				assert.Contains(t, err.Error(), "/etc/x\" is not a file inside "+p.out)
				return
			}
			assert.Equal(t, []string{"m.jsonl line 2: " + want}, faults.Lines)
		})
	}
	p.spec.Source = p.write(t, "m.jsonl", `{"source":"a.md","dest":"beside/x"}`+"\n"+`{"source":"b.md","dest":"new/deep/.html"}`)
	plan, all := p.make(t)
	assert.Equal(t, []string{"beside/x.html", "new/deep/.html.html"}, dests(plan, all))
}

// Where nobody is there to fix them, faults are lines of the report.
func TestALenientPlanReportsItsFaults(t *testing.T) {
	p := newPlace(t, "a.md", "b.md", "empty.md")
	p.write(t, "empty.md", "")
	require.NoError(t, os.MkdirAll(p.out, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(p.out, "there.html"), nil, 0o600))
	p.spec.Lenient = true
	p.spec.Source = p.write(t, "m.jsonl", strings.Join([]string{
		`{"source":"a.md"}`, `{"source":"b.md","dest":"A"}`, `{"source":"gone.md"}`, `{"source":"empty.md"}`, `{oops`, `{"source":"b.md","dest":"there"}`,
	}, "\n"))
	plan, _ := p.make(t)
	assert.Equal(t, 5, plan.Faulty)
	summary := p.finish(t, plan)
	var codes []string
	require.NoError(t, manifest.Lines(summary.Report, func(line manifest.Line) error {
		if line.Error != nil {
			assert.Equal(t, "plan", line.Error.Step)
			assert.Equal(t, "InputUnusable", line.Error.Kind)
			codes = append(codes, line.Error.Code)
		}
		return nil
	}))
	assert.Equal(t, []string{"OUTPUT_CLASH", "INPUT_MISSING", "INPUT_EMPTY", "BAD_ARGUMENT", "OUTPUT_EXISTS"}, codes)
	assert.Equal(t, 6, summary.Files)
}

func TestPatternsObeyExclude(t *testing.T) {
	p := newPlace(t, "a.md", "drafts/b.md", "sub/c.md", "sub/d.html")
	p.spec.Source = p.in + "/**/*"
	p.spec.Include, p.spec.Exclude = []string{"*.md"}, []string{"drafts/**"}
	plan, all := p.make(t)
	assert.Equal(t, []string{"a.html", "sub/c.html"}, dests(plan, all))
}

func TestAFormatNamedTwiceIsOneFormat(t *testing.T) {
	p := newPlace(t, "a.md")
	p.spec.To = "html, htm,.HTML"
	plan, all := p.make(t)
	assert.Equal(t, []string{"a.html"}, dests(plan, all))
}

func TestAFolderThatMayNotBeListedIsAFault(t *testing.T) {
	p := newPlace(t, "a.md", "locked/b.md")
	locked := filepath.Join(p.in, "locked")
	if os.Geteuid() == 0 {
		asNobody(t, filepath.Dir(p.in)) // root may list everything
	}
	require.NoError(t, os.Chmod(locked, 0o000))
	t.Cleanup(func() { _ = os.Chmod(locked, 0o700) })
	p.spec.Strict = true
	_, err := manifest.Check(t.Context(), p.spec, nil, nil)
	require.EqualError(t, err, locked+": the folder cannot be listed: permission denied; make it readable or exclude it")
	for _, lenient := range []bool{false, true} {
		p.spec.Strict, p.spec.Lenient = false, lenient
		plan, all := p.make(t)
		assert.Len(t, all, 1)
		assert.Equal(t, 1, plan.Faulty)
	}
	p.spec.Source, p.spec.Lenient = locked, false
	_, err = manifest.Check(t.Context(), p.spec, nil, nil)
	require.ErrorContains(t, err, "the folder cannot be listed", "without it there is nothing to convert")
}

// A file of a folder that cannot be used does not hold up the others; in a manifest somebody has named it.
func TestFolder_FilesThatCannotBeUsedAreLinesOfTheReport(t *testing.T) {
	want := map[string]string{"empty.md": "INPUT_EMPTY", "locked.md": "INPUT_UNREADABLE", "huge.md": "BAD_ARGUMENT"}
	for name, pattern := range map[string]string{"a folder": "", "a pattern": "*.md"} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, "a.md", "empty.md", "locked.md", "huge.md")
			p.write(t, "empty.md", "")
			require.NoError(t, os.Truncate(filepath.Join(p.in, "huge.md"), client.MaxUploadBytes+1))
			if os.Geteuid() == 0 {
				asNobody(t, filepath.Dir(p.in)) // root may read everything
			}
			require.NoError(t, os.Chmod(filepath.Join(p.in, "locked.md"), 0))
			p.spec.Source, p.spec.Strict = filepath.Join(p.in, pattern), true
			_, err := manifest.Check(t.Context(), p.spec, nil, nil)
			var faults *manifest.Faults
			require.ErrorAs(t, err, &faults)
			assert.Len(t, faults.Lines, len(want))

			p.spec.Strict = false
			dry := map[string]string{}
			_, err = manifest.Check(t.Context(), p.spec, nil, func(line manifest.Line) error {
				dry[filepath.Base(line.Source)] = line.Error.Code
				return nil
			})
			require.NoError(t, err)
			assert.Equal(t, want, dry)

			plan, all := p.make(t)
			assert.Equal(t, []string{"a.html"}, dests(plan, all))
			assert.Equal(t, len(want), plan.Faulty)
			left, reported := map[string]string{}, map[string]string{}
			require.NoError(t, plan.LeftOut(func(line manifest.Line) error {
				left[filepath.Base(line.Source)] = line.Error.Code
				return nil
			}))
			assert.Equal(t, want, left)
			require.NoError(t, manifest.Lines(p.finish(t, plan).Report, func(line manifest.Line) error {
				if line.Error != nil {
					reported[filepath.Base(line.Source)] = line.Error.Code
				}
				return nil
			}))
			assert.Equal(t, want, reported)
		})
	}
}

// Options that fit no file are a fault of the command, not of the files.
func TestFolder_OptionsThatDoNotFitRefuseThePlan(t *testing.T) {
	p := newPlace(t, "a.md")
	p.spec.Quality = "80"
	_, err := manifest.Check(t.Context(), p.spec, nil, nil)
	var faults *manifest.Faults
	require.ErrorAs(t, err, &faults)
}

// asNobody lets the rest of the test look at files as a user who may not see all of them, and gives it a folder.
func asNobody(t *testing.T, folder string) {
	t.Helper()
	const nobody = 65534
	require.NoError(t, os.Chown(filepath.Dir(folder), nobody, nobody))
	require.NoError(t, filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, nobody, nobody)
	}))
	runtime.LockOSThread() // the identity is the thread's
	require.NoError(t, unix.Setfsuid(nobody))
	t.Cleanup(func() {
		_ = unix.Setfsuid(0)
		runtime.UnlockOSThread()
	})
}
