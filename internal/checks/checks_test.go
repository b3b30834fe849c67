// Package checks holds tests of the project itself.
package checks

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/backend/engines/pdf"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(data)
}

// Temporal's server would make them ten times as large.
func TestWorkerAndStarterCarryNoServer(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./worker", "./starter")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "go.temporal.io/sdk/worker")
	for line := range strings.Lines(string(out)) {
		assert.False(t, strings.HasPrefix(line, "go.temporal.io/server") || strings.HasPrefix(line, "github.com/temporalio/ui-server"), line)
	}
}

// The commands that newcomers copy stand alone in fenced blocks under their marks.
func TestREADMEHasItsTwoCommands(t *testing.T) {
	readme := read(t, "README.md")
	for _, mark := range []string{"<!-- newcomer:run -->", "<!-- newcomer:test -->"} {
		_, after, found := strings.Cut(readme, mark+"\n```")
		require.True(t, found, mark)
		block, _, found := strings.Cut(after, "```")
		require.True(t, found)
		assert.Equal(t, 2, strings.Count(block, "\n"), "one command: %s", block)
	}
	_, run, _ := strings.Cut(readme, "-o bin/ ./standalone && bin/standalone convert ")
	for word := range strings.FieldsSeq(strings.SplitN(run, "\n", 2)[0]) {
		if name, _, ok := strings.Cut(word, ":"); ok {
			assert.FileExists(t, filepath.Join(root, name))
		}
	}
}

// promised are the pairs that a table of docs/engines.md names under a heading; its last two columns count.
func promised(t *testing.T, heading string) map[string]bool {
	t.Helper()
	_, table, found := strings.Cut(read(t, "docs/engines.md"), heading)
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	promised := map[string]bool{}
	for line := range strings.Lines(table) {
		columns := strings.Split(strings.Trim(line, "| \n"), " | ")
		sources, targets := columns[len(columns)-2], columns[len(columns)-1]
		targets, _, _ = strings.Cut(targets, " (")
		for source := range strings.SplitSeq(sources, ", ") {
			for target := range strings.SplitSeq(targets, ", ") {
				if source != target {
					promised[source+" "+target] = true
				}
			}
		}
	}
	return promised
}

// The tables of conversions are what the engines convert, no more and no less: the first the built-in ones, the
// second those that wrap programs.
func TestPapers_EnginesNamesEveryConversion(t *testing.T) {
	offered := map[string]bool{}
	for _, route := range engines.NewRegistry(t.Context(), text.New(), tables.New(), images.New(), pdf.New(t.TempDir())).Offered() {
		offered[route.Source+" "+route.Target] = true
	}
	builtIn := promised(t, "| from | to |\n|---|---|\n")
	assert.Equal(t, offered, builtIn)
	all := promised(t, "| install (Debian) | from | to |\n|---|---|---|\n")
	maps.Copy(all, builtIn)
	registry := backend.DefaultRegistry(t.Context(), backend.EngineSettings{CacheDir: t.TempDir()})
	defer func() { require.NoError(t, registry.Close()) }()
	for _, route := range registry.Offered() {
		offered[route.Source+" "+route.Target] = true
	}
	for _, route := range registry.Unavailable() {
		offered[route.Source+" "+route.Target] = true
	}
	assert.Equal(t, offered, all)
}

// One version of each tool, in one place.
func TestTheGoVersionIsOneAndTheSame(t *testing.T) {
	_, rest, found := strings.Cut(read(t, "go.mod"), "\ngo ")
	require.True(t, found)
	version, _, _ := strings.Cut(rest, "\n")
	assert.Contains(t, read(t, "README.md"), "Go "+version)
}
