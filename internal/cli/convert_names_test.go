package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
)

// converting is a Temporal whose conversions write their target format into their output.
func converting(t *testing.T) *runstest.Temporal {
	t.Helper()
	f := runstest.New()
	f.Started = func(r *runstest.Run) {
		in := r.Input.(convert.Input)
		r.File, r.Format = in.Name, in.To.Format
		source, err := os.ReadFile(strings.TrimPrefix(in.Source, "file://"))
		require.NoError(t, err)
		text := []byte(in.To.Format + " of " + string(source))
		path := filepath.Join(strings.TrimPrefix(in.To.Folder, "file://"), in.To.Stem+"."+in.To.Format)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, text, 0o600))
		sum := sha256.Sum256(text)
		r.End(convert.Result{Outputs: []activities.Output{{Path: path, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:])}}})
	}
	return f
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func TestConvert_ReplacesItsOwnOldOutput(t *testing.T) {
	for name, c := range map[string]struct {
		between  func(t *testing.T, output string)
		args     []string
		replaces bool
	}{
		"the source was edited":      {func(*testing.T, string) {}, nil, true},
		"the output was edited, too": {func(t *testing.T, output string) { t.Helper(); write(t, output, "by hand") }, nil, false},
		"the output was replaced by a link": {func(t *testing.T, output string) {
			t.Helper()
			require.NoError(t, os.Remove(output))
			require.NoError(t, os.Symlink("b.md", output))
		}, nil, false},
		"somebody asked to skip what is there": {func(*testing.T, string) {}, []string{"--on-exist", "skip"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, f := folder(t, "a.md", "b.md"), converting(t)
			command := func(args ...string) (int, string) {
				code, _, stderr := command(t.Context(), t, f, Env{}, "", append([]string{"convert", "a.md", "--to", "html"}, args...)...)
				return code, stderr
			}
			code, stderr := command()
			require.Equal(t, ExitOK, code, stderr)
			output := filepath.Join(dir, "a.html")
			c.between(t, output)
			write(t, "a.md", "edited")
			before := read(t, output)

			code, stderr = command(c.args...)

			if !c.replaces {
				assert.Equal(t, before, read(t, output))
				assert.Len(t, f.Starts(), 1)
				assert.Contains(t, stderr, "exists")
				return
			}
			require.Equal(t, ExitOK, code, stderr)
			assert.Contains(t, stderr, "a.html: replaces what an earlier run has made of a.md\n")
			input := f.Run(f.Starts()[1].ID).Input.(convert.Input)
			require.Len(t, input.To.Replace, 1, "the worker decides by what is there when it gets so far")
			assert.Equal(t, output, input.To.Replace[0].Path)
			assert.Equal(t, activities.OnExistFail, input.To.OnExist)

			code, stderr = command()
			require.Equal(t, ExitOK, code, stderr)
			assert.Len(t, f.Starts(), 2, "it is done")
		})
	}
	t.Run("another source of the same output", func(t *testing.T) {
		folder(t, "a.md", "a.txt")
		f := converting(t)
		code, _, stderr := command(t.Context(), t, f, Env{}, "", "convert", "a.md", "--to", "html")
		require.Equal(t, ExitOK, code, stderr)

		code, _, stderr = command(t.Context(), t, f, Env{}, "", "convert", "a.txt", "--to", "html")

		assert.Equal(t, ExitUsage, code)
		assert.Contains(t, stderr, "a.html exists")
	})
}

func TestConvert_StandardInputAndOutput(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string // on standard output
		file string // that holds it instead
	}{
		"both":                 {[]string{"-", "--from", "md", "--to", "html"}, "html of # In\n", ""},
		"both, named":          {[]string{"-", "--from", "md", "--to", "html", "-o", "-"}, "html of # In\n", ""},
		"a file to output":     {[]string{"a.md", "--to", "html", "-o", "-"}, "html of content of a.md", ""},
		"input to a file":      {[]string{"-", "--from", "markdown.md", "--to", "html", "-o", "named.html"}, "", ""},
		"input to a named one": {[]string{"-", "--from", "md", "-o", "named.html"}, "- → named.html  (13 B)\n", "named.html"},
		"input to a folder":    {[]string{"-", "--to", "html", "--from", "md", "-o", "out/"}, "- → out/stdin.html  (13 B)\n", "out/stdin.html"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, "a.md")
			spool := filepath.Join(dir, "spool")
			env := Env{Spool: func() (string, error) { return spool, nil }, Stdin: strings.NewReader("# In\n")}
			f := converting(t)

			code, stdout, stderr := command(t.Context(), t, f, env, "", append([]string{"convert"}, c.args...)...)

			if c.want == "" {
				assert.Equal(t, ExitUsage, code)
				assert.Contains(t, stderr, `--from "markdown.md" is not a known format`)
				return
			}
			require.Equal(t, ExitOK, code, stderr)
			assert.Equal(t, c.want, stdout)
			if c.file != "" {
				assert.Equal(t, "html of # In\n", read(t, c.file))
			}
			left, err := os.ReadDir(spool)
			require.NoError(t, err)
			assert.Empty(t, left, "nothing is left of what came and went")
		})
	}
	t.Run("the same input finds the same run", func(t *testing.T) {
		dir := folder(t, "a.md")
		f := converting(t)
		for range 2 {
			env := Env{Spool: func() (string, error) { return filepath.Join(dir, "spool"), nil }, Stdin: strings.NewReader("# In\n")}
			code, _, stderr := command(t.Context(), t, f, env, "", "convert", "-", "--from", "md", "-o", "out.html")
			require.Equal(t, ExitOK, code, stderr)
		}
		assert.Len(t, f.Starts(), 1)
	})
}

func TestConvert_StandardInputRefused(t *testing.T) {
	for says, args := range map[string][]string{
		"no name that tells its format; add --from":            {"-", "--to", "html"},
		"standard input can be read once; - is given 2":        {"-", "-", "--to", "html", "--from", "md"},
		"standard output takes one result, and there are 2":    {"-", "--to", "html,pdf", "--from", "md"},
		"name a folder with -o; what came from standard input": {"-", "a.md", "--to", "html", "--from", "md"},
		"which --detach and --json have for themselves":        {"-", "--to", "html", "--from", "md", "--json"},
		"pdf is not for a terminal":                            {"-", "--to", "pdf", "--from", "md"},
		"standard input is empty":                              {"-", "--to", "html", "--from", "md"},
		"-: no target format; add --to":                        {"-", "--from", "md"},
	} {
		t.Run(says, func(t *testing.T) {
			dir := folder(t, "a.md")
			env := Env{
				Spool: func() (string, error) { return filepath.Join(dir, "spool"), nil }, Stdin: strings.NewReader(""),
				Terminal: term.Screen{TableWidth: func() int { return 80 }},
			}

			code, stdout, stderr := command(t.Context(), t, nil, env, "", append([]string{"convert"}, args...)...)

			assert.Equal(t, ExitUsage, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, says)
			assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
}

func TestConvert_OneOutputMayBeNamed(t *testing.T) {
	folder(t, "a.md", "b.md")
	code, stdout, stderr := command(t.Context(), t, converting(t), Env{}, "", "convert", "a.md", "-o", "named.html")
	require.Equal(t, ExitOK, code, stderr)
	assert.Equal(t, "a.md → named.html  (23 B)\n", stdout)

	code, _, stderr = command(t.Context(), t, nil, Env{}, "", "convert", "a.md", "b.md", "--to", "pdf", "-o", "all.pdf")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "-o all.pdf names one file, but there are several outputs; name a folder, or write all.pdf/")
}

func TestConvert_LeavesOutWhatIsUnfit(t *testing.T) {
	dir := folder(t, "a.md", "b.zip", "c", "sub/d.md")
	write(t, "empty.md", "")
	inputs := []string{"convert", "a.md", "b.zip", "c", "empty.md", "sub", "--to", "html"}

	code, stdout, stderr := command(t.Context(), t, converting(t), Env{}, "", inputs...)

	require.Equal(t, ExitOK, code, stderr)
	assert.Equal(t, "a.md → a.html  (23 B)\n", stdout)
	for _, line := range []string{
		"b.zip: skipped, zip files are not converted\n", "c: skipped, its name does not tell its format\n", "empty.md: skipped, it is empty\n",
		"sub: skipped, it is a folder\n", "1 of 5 conversions done, 4 skipped",
	} {
		assert.Contains(t, stderr, line)
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "a.html")))
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"strict":            {append(inputs, "--strict"), `b.zip: source format "zip" is not known`},
		"one alone":         {[]string{"convert", "b.zip", "--to", "html"}, `source format "zip" is not known`},
		"all of them":       {[]string{"convert", "b.zip", "c", "--to", "html"}, `source format "zip" is not known`},
		"one that is meant": {[]string{"convert", "a.md", "b.zip:html", "--to", "html"}, `source format "zip" is not known`},
		"one that is gone":  {[]string{"convert", "a.md", "gone.md", "--to", "html"}, "gone.md does not exist"},
		"a wrong target":    {[]string{"convert", "a.md", "b.zip", "--to", "htlm"}, "did you mean html?"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(t.Context(), t, nil, Env{}, "", c.args...)

			assert.Equal(t, ExitUsage, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, c.says)
		})
	}
}

func TestHelp_namesNoDefaultThatIsNone(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		assert.NotContains(t, cmd.UsageString(), "(default )", cmd.CommandPath())
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(&Env{Program: "starter"}))
}

func TestSuggestions(t *testing.T) {
	folder(t, "a.md")
	require.NoError(t, os.Mkdir("x.d", 0o700))
	for typed, says := range map[string]string{
		"convrt a.md":                "did you mean convert?",
		"runs lst":                   "did you mean list?",
		"watch --to html":            `unknown command "watch" for "starter"; did you mean batch --watch?`,
		"convrt --to html a.md":      "did you mean convert?",
		"runs lst --state failed":    "did you mean list?",
		"slots anwser":               "did you mean answer?",
		"runs list --stat x":         "unknown flag: --stat; did you mean --state?",
		"convert a.md --ot pdf":      "did you mean --to?",
		"convert a.md --to pfd":      "did you mean pdf?",
		"convert a.md -o out.htlm":   `-o out.htlm: "htlm" is not a known format; did you mean html?`,
		"convert a.md -o out.xyz":    `-o out.xyz: "xyz" is not a known format; add --to FORMAT`,
		"convert a.md -o out":        "a.md: no target format; add --to FORMAT",
		"convert a.md -o x.d":        "a.md: no target format; add --to FORMAT",
		"convert a.md b.md -o o.xyz": "a.md: no target format; add --to FORMAT",
		"batch . --to htlm -o out":   `--to "htlm" is not a known format; did you mean html?`,
		"runs list --state complted": "did you mean completed?",
		"runs list --lane batches":   "did you mean batch?",

		"convert a.md --to pdf --on-exist overwrit":         "did you mean overwrite?",
		"runs report r --status fialed":                     "did you mean failed?",
		"goal start x a.md --on-exist fial":                 "did you mean fail?",
		"goal start x a.md --deadline 3x":                   `"3x" is not a duration such as 90s, 1h30m, 3d or 1w`,
		"goal start x a.md --stuck-after 3x":                `"3x" is not a duration such as 90s, 1h30m, 3d or 1w`,
		"batch . --to pdf -o out --max-duration 1w --nam x": "did you mean --name?",
	} {
		t.Run(typed, func(t *testing.T) {
			code, _, stderr := command(t.Context(), t, nil, Env{}, "", strings.Fields(typed)...)

			assert.Equal(t, ExitUsage, code)
			assert.Contains(t, stderr, says)
		})
	}
	for _, typed := range []string{"xyzzy", "runs xyzzy", "runs list --xyzzy", "convert a.md --to xyzzy", "convert a.md -X"} {
		t.Run("nothing near "+typed, func(t *testing.T) {
			code, _, stderr := command(t.Context(), t, nil, Env{}, "", strings.Fields(typed)...)

			assert.Equal(t, ExitUsage, code)
			assert.NotContains(t, stderr, "did you mean")
		})
	}
}

func TestQuietAndVerbose(t *testing.T) {
	for name, c := range map[string]struct {
		flag, want string
	}{
		"plain":   {"--strict=false", `^1 of 1 conversion done, \S+\n$`},
		"quiet":   {"-q", `^$`},
		"verbose": {"-v", `^a.md → html: run convert-a-md-to-html-\w+\n1 of 1 conversion done, \S+\n$`},
	} {
		t.Run(name, func(t *testing.T) {
			folder(t, "a.md")

			code, stdout, stderr := command(t.Context(), t, converting(t), Env{}, "", "convert", "a.md", "--to", "html", c.flag)

			require.Equal(t, ExitOK, code, stderr)
			assert.Equal(t, "a.md → a.html  (23 B)\n", stdout)
			assert.Regexp(t, c.want, stderr)
		})
	}
	t.Run("quiet has what was lost", func(t *testing.T) {
		folder(t, "a.md")
		f := runstest.New()
		f.Started = func(r *runstest.Run) {
			r.End(convert.Result{Warnings: []string{"2 footnotes are left out"}})
		}

		_, _, stderr := command(t.Context(), t, f, Env{}, "", "convert", "a.md", "--to", "html", "-q")

		assert.Equal(t, "  note on a.md: 2 footnotes are left out\n", stderr)
	})
	t.Run("quiet has what a batch has lost", func(t *testing.T) {
		var stderr bytes.Buffer
		e := &Env{Stdout: io.Discard, Stderr: &stderr, looks: looks{quiet: true}}
		for _, warnings := range []int{0, 3} {
			t.Run(fmt.Sprintf("warnings %v", warnings), func(t *testing.T) {
				require.NoError(t, batchOutcome{Name: "docs", Status: workflows.StateCompleted, Summary: &manifest.Summary{Files: 3, Completed: 3, Warnings: warnings}}.render(e))
			})
		}

		assert.Equal(t, "docs: completed: 3 of 3 files converted, 3 with warnings; 0 B in, 0 B out\n", stderr.String())
	})
	t.Run("quiet has what went wrong", func(t *testing.T) {
		folder(t, "a.md", "b.zip")

		_, _, stderr := command(t.Context(), t, converting(t), Env{}, "", "convert", "a.md", "b.zip", "--to", "html", "-q")

		assert.Equal(t, "b.zip: skipped, zip files are not converted\n", stderr)
	})
}

func TestColors(t *testing.T) {
	for name, c := range map[string]struct {
		terminal term.Screen
		want     string
	}{
		"a terminal that has them": {term.Screen{Colors: true}, "\x1b[33mb.zip: skipped, zip files are not converted\x1b[0m\n"},
		"none":                     {term.Screen{}, "b.zip: skipped, zip files are not converted\n"},
	} {
		t.Run(name, func(t *testing.T) {
			folder(t, "a.md", "b.zip")

			_, _, stderr := command(t.Context(), t, converting(t), Env{Terminal: c.terminal}, "", "convert", "a.md", "b.zip", "--to", "html", "-q")

			assert.Equal(t, c.want, stderr)
		})
	}
}
