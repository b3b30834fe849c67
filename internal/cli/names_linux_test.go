package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// What a run cannot keep, or cannot write, is refused before Temporal is asked, in one line that shows it.
func TestNames_RefusedAtOnce(t *testing.T) {
	folder(t, "a.md", "bad\xff.md", "docs/a.md")
	cwd, err := os.Getwd()
	require.NoError(t, err)
	require.NoError(t, os.Mkdir("bad\xff", 0o755))
	for name, row := range map[string]struct {
		dir  string
		args []string
		says string
	}{
		"input":             {"", []string{"convert", "bad\xff.md", "--to", "html"}, `bad\xff.md is not UTF-8`},
		"output":            {"", []string{"convert", "a.md", "--to", "html", "-o", "out\xff"}, `out\xff is not UTF-8`},
		"batch":             {"", []string{"batch", "bad\xff", "--to", "html", "-o", "out"}, `bad\xff is not UTF-8`},
		"label":             {"", []string{"convert", "a.md", "--to", "html", "--label", "l\xff"}, `l\xff is not UTF-8`},
		"text":              {"", []string{"goal", "--text", "say\xff", "a.md"}, `say\xff is not UTF-8`},
		"current folder":    {"bad\xff", []string{"convert", "../bad\xff.md", "--to", "html"}, `is not UTF-8`},
		"output there":      {"bad\xff", []string{"convert", "../a.md", "--to", "html", "-o", "out"}, `bad\xff/out is not UTF-8`},
		"output in /proc":   {"", []string{"convert", "a.md", "--to", "html", "-o", "/proc/x"}, "nothing can be made in the output folder /proc"},
		"batch into /proc":  {"", []string{"batch", "docs", "--to", "html", "-o", "/proc/x/y"}, "nothing can be made in the output folder /proc"},
		"missing with ESC":  {"", []string{"convert", "no\x1b[2J.md", "--to", "html"}, `no\x1b[2J.md does not exist`},
		"missing with line": {"", []string{"convert", "no\nsuch.md", "--to", "html"}, `no\nsuch.md does not exist`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(filepath.Join(cwd, row.dir))
			code, stdout, stderr := command(t.Context(), t, nil, Env{}, "", row.args...)
			assert.Equal(t, ExitUsage, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, row.says)
			assert.NotContains(t, stderr, "\x1b")
			assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
}

// Names that are odd and no fault are shown as Go writes them.
func TestNames_OddOnesAreShownInOneLine(t *testing.T) {
	folder(t, "a\n\x1b[31m\tb.md")
	items, err := plan(request{inputs: []string{"a\n\x1b[31m\tb.md"}, to: "html", onExist: onExistFail})
	require.NoError(t, err)
	o := newOutcome(items[0], "")
	o.Status, o.Outputs = workflows.StateCompleted, []activities.Output{{Path: items[0].target, Size: 1}}
	var stdout bytes.Buffer
	require.NoError(t, o.render(&Env{Stdout: &stdout, Stderr: &stdout}))
	assert.Equal(t, `a\n\x1b[31m\tb.md → a\n\x1b[31m\tb.html  (1 B)`+"\n", stdout.String())
}
