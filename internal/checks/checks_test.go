// Package checks holds tests of the project itself.
package checks

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
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

// Temporal's server would make worker and starter ten times as large, and every test of the root module slow to build.
func TestRootModule_RequiresNoServer(t *testing.T) {
	versions := required(t, "go.mod")
	assert.Contains(t, versions, "go.temporal.io/sdk")
	assert.NotContains(t, versions, "go.temporal.io/server")
	assert.NotContains(t, versions, "github.com/temporalio/ui-server/v2")
}

// A server without bounds gives all descriptors of its process to whoever asks: only httpserver makes them.
func TestServers_AreMadeInOnePlace(t *testing.T) {
	made := regexp.MustCompile(`http\.Server\{|http\.(ListenAndServe|Serve)(TLS)?\(|new\(http\.Server\)`)
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && path != root):
			return filepath.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "internal/httpserver/"):
			return nil
		}
		code, err := os.ReadFile(path)
		assert.Empty(t, made.Find(code), path)
		return err
	}))
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

// One version of Go, and of each module that both of ours require.
func TestModules_AgreeOnVersions(t *testing.T) {
	goVersion := regexp.MustCompile(`(?m)^go (\S+)$`)
	version := goVersion.FindStringSubmatch(read(t, "go.mod"))
	require.Len(t, version, 2)
	assert.Contains(t, read(t, "README.md"), "Go "+version[1])
	for _, file := range []string{"go.work", "standalone/go.mod"} {
		assert.Equal(t, version, goVersion.FindStringSubmatch(read(t, file)), file)
	}

	root, ours := required(t, "go.mod"), required(t, "standalone/go.mod")
	both := 0
	for path, version := range root {
		if other, ok := ours[path]; ok {
			both++
			assert.Equal(t, version, other, path)
		}
	}
	assert.Greater(t, both, 30)
}

// required are the versions of the modules that a go.mod names.
func required(t *testing.T, file string) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^\t(\S+) (v\S+)`).FindAllStringSubmatch(read(t, file), -1) {
		versions[line[1]] = line[2]
	}
	return versions
}
