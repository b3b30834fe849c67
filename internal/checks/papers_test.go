package checks

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/backend/faults"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/internal/testkit/papers"
)

// allPapers are the Markdown files of the project, relative to its root, but for those to convert.
func allPapers(t *testing.T) []string {
	t.Helper()
	var all []string

	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." {
			return filepath.SkipDir
		}
		if name, err := filepath.Rel(root, path); err == nil && strings.HasSuffix(name, ".md") && !strings.HasPrefix(name, "examples/") {
			all = append(all, name)
		}
		return nil
	})
	require.NoError(t, err)
	require.Contains(t, all, "README.md")

	return all
}

func TestPapers_READMEIsShort(t *testing.T) {
	assert.LessOrEqual(t, strings.Count(read(t, "README.md"), "\n"), 150)
}

func TestPapers_ProseIsWrapped(t *testing.T) {
	for _, paper := range allPapers(t) {
		t.Run(paper, func(t *testing.T) {
			lines, fenced := 0, false

			for i, line := range strings.Split(read(t, paper), "\n") {
				if strings.HasPrefix(strings.TrimSpace(line), "```") {
					fenced = !fenced
				}
				prose := !fenced && !regexp.MustCompile("^(#|\\||<|!\\[|```)").MatchString(line)
				if prose && len([]rune(line)) > 100 {
					t.Errorf("line %d has %d characters, more than 100", i+1, len([]rune(line)))
				}

				isItem := regexp.MustCompile(`^\s*([-*]|\d+\.) `).MatchString(line)
				if lines++; !prose || strings.TrimSpace(line) == "" {
					lines = 0
				} else if isItem {
					lines = 1
				}
				if lines == 6 {
					t.Errorf("line %d: a paragraph of more than five lines; a list, a table or two paragraphs?", i+1)
				}
			}
		})
	}
}

// anchor is what GitHub makes of a heading.
func anchor(heading string) string {
	heading = strings.ToLower(strings.TrimSpace(strings.TrimLeft(heading, "#")))
	heading = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(heading, "")
	return strings.ReplaceAll(heading, " ", "-")
}

func TestPapers_LinksResolve(t *testing.T) {
	links := 0
	for _, paper := range allPapers(t) {
		for _, found := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(read(t, paper), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			links++
			target, part, _ := strings.Cut(found[1], "#")
			if target == "" {
				target = paper
			} else {
				target = filepath.Join(filepath.Dir(paper), target)
			}
			if !assert.FileExists(t, filepath.Join(root, target), "%s links to it", paper) || part == "" {
				continue
			}

			var anchors []string
			for line := range strings.Lines(read(t, target)) {
				if strings.HasPrefix(line, "#") {
					anchors = append(anchors, anchor(line))
				}
			}
			assert.Contains(t, anchors, part, "%s links to %s", paper, found[1])
		}
	}
	assert.Greater(t, links, 15)
}

// Files of the project that the papers name are there.
func TestPapers_PathsExist(t *testing.T) {
	path := regexp.MustCompile("`((?:\\.ci|activities|backend|client|deploy|docs|examples|inbox|internal|manifest|standalone|starter|storage|worker|workflows)/[a-z0-9_./-]*)`")
	for _, paper := range allPapers(t) {
		if paper == "CHANGELOG.md" {
			continue // it tells of what was, too
		}
		for _, found := range path.FindAllStringSubmatch(read(t, paper), -1) {
			_, err := os.Stat(filepath.Join(root, found[1]))
			assert.NoError(t, err, "%s names %s", paper, found[1])
		}
	}
}

func TestPapers_ConfigurationNamesEveryVariable(t *testing.T) {
	text := read(t, "docs/configuration.md")
	_, table, found := strings.Cut(text, "\n## Variables\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n## ")

	named := map[string]bool{}
	for line := range strings.Lines(table) {
		if columns := strings.Split(line, "|"); len(columns) > 1 {
			for _, name := range regexp.MustCompile("`(CONVILYN_\\w+)`").FindAllStringSubmatch(columns[1], -1) {
				named[name[1]] = true
			}
		}
	}

	for _, variable := range config.Variables() {
		assert.True(t, named[variable.Name], "%s is not in the table", variable.Name)
		assert.NotEmpty(t, variable.Help, variable.Name)
		delete(named, variable.Name)

		if variable.Default != "" {
			assert.Regexp(t, "(?m)^\\| `"+variable.Name+"` \\| `"+regexp.QuoteMeta(variable.Default)+"`", table)
		}
	}
	assert.Empty(t, named, "nothing reads these")
}

// A variable that a paper misspells would be ignored in silence.
func TestPapers_VariablesAreRead(t *testing.T) {
	known := map[string]bool{}
	for _, variable := range config.Variables() {
		known[variable.Name] = true
	}
	for _, name := range regexp.MustCompile(`\$\{(CONVILYN_\w+)`).FindAllStringSubmatch(read(t, "docker-compose.yml"), -1) {
		known[name[1]] = true
	}
	for _, paper := range papers.ForUsers {
		for _, name := range regexp.MustCompile(`CONVILYN_[A-Z][A-Z_]+`).FindAllString(read(t, paper), -1) {
			assert.True(t, known[name], "%s: nothing reads %s", paper, name)
		}
	}
}

func TestPapers_Commands(t *testing.T) {
	testkit.SkipIfShort(t, "it builds programs")
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/", "./starter", "./backend/cmd/backend")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))

	for _, program := range []*papers.Program{{Name: "starter"}, {Name: "backend"}} {
		t.Run(program.Name, func(t *testing.T) {
			program.Help = func(t *testing.T, words ...string) string {
				t.Helper()
				help, err := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(bin, program.Name), append(words, "--help")...).Output()
				require.NoError(t, err)
				return string(help)
			}
			assert.Positive(t, papers.CheckCommands(t, root, program))
		})
	}
}

func TestPapers_FaultsAreUnderstood(t *testing.T) {
	_, block, found := strings.Cut(read(t, "docs/faults.md"), "```yaml\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "```")

	faults, err := faults.Parse([]byte(block))
	require.NoError(t, err)
	assert.NotEmpty(t, faults.ID())
}

// The table of codes and the constants in the code are the same list.
func TestPapers_OperationsNamesEveryCode(t *testing.T) {
	_, table, found := strings.Cut(read(t, "docs/operations.md"), "\n## Codes of failures\n")
	require.True(t, found)
	var named []string
	for _, code := range regexp.MustCompile("`([A-Z_]+)`").FindAllStringSubmatch(table, -1) {
		named = append(named, code[1])
	}

	var defined []string
	for _, room := range []string{"activities", "backend", "client", "manifest", "workflows"} {
		err := filepath.WalkDir(filepath.Join(root, room), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			data, err := os.ReadFile(path)
			for _, code := range regexp.MustCompile(`(?m)^\s*(?:const )?Code\w+\s*=\s*"([A-Z_]+)"`).FindAllStringSubmatch(string(data), -1) {
				defined = append(defined, code[1])
			}
			return err
		})
		require.NoError(t, err)
	}

	slices.Sort(defined)
	slices.Sort(named)
	assert.Equal(t, slices.Compact(defined), slices.Compact(named))
}

// firstColumn are the names in backquotes that begin the rows of tables below a heading.
func firstColumn(t *testing.T, paper, heading string) []string {
	t.Helper()
	_, section, found := strings.Cut(read(t, paper), "\n"+heading+"\n")
	require.True(t, found, heading)
	section, _, _ = strings.Cut(section, "\n#")

	var names []string
	for line := range strings.Lines(section) {
		if columns := strings.Split(line, "|"); len(columns) > 2 {
			for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(columns[1], -1) {
				names = append(names, name[1])
			}
		}
	}

	return names
}

func TestPapers_GoalsNamesEveryGoal(t *testing.T) {
	var offered []string
	for _, goal := range goals.All() {
		offered = append(offered, strings.TrimPrefix(goal.ID, "goal_lane."))
	}
	assert.ElementsMatch(t, offered, firstColumn(t, "docs/goals.md", "## The goals of the local service"))
}

func TestPapers_GoalsNamesEveryTypeOfSlot(t *testing.T) {
	var types []string
	for _, known := range slot.Types() {
		types = append(types, string(known))
	}
	assert.ElementsMatch(t, types, firstColumn(t, "docs/goals.md", "### Types of questions"))
}

func TestPapers_ArchitectureNamesEveryActivity(t *testing.T) {
	text := read(t, "docs/architecture.md")
	steps := reflect.TypeFor[*activities.Activities]()
	require.Positive(t, steps.NumMethod())

	for i := range steps.NumMethod() {
		name := steps.Method(i).Name
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/architecture.md does not name %s", name)
		}
	}
}

// Every room has a line in the tables of docs/architecture.md. What engines there are is in docs/engines.md.
func TestPapers_ArchitectureNamesEveryRoom(t *testing.T) {
	text := read(t, "docs/architecture.md")
	rooms := 0

	for _, pattern := range []string{"*", "backend/*", "client/*", "internal/*", "standalone/*", "workflows/*"} {
		folders, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)

		for _, folder := range folders {
			sources, err := filepath.Glob(filepath.Join(folder, "*.go"))
			require.NoError(t, err)
			if len(sources) == 0 {
				continue
			}
			rooms++
			name, err := filepath.Rel(root, folder)
			require.NoError(t, err)
			if !strings.Contains(text, "`"+name+"/`") {
				t.Errorf("docs/architecture.md does not name %s/", name)
			}
		}
	}
	assert.Greater(t, rooms, 20)
}
