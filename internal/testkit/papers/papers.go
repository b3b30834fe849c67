// Package papers compares what the README and docs/ tell users to type with the help texts of the programs.
package papers

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ForUsers are the papers that tell users what to type.
var ForUsers = []string{
	"README.md", "docs/configuration.md", "docs/batches.md", "docs/goals.md", "docs/inbox.md", "docs/engines.md",
	"docs/faults.md", "docs/operations.md", "docs/compose.md", "docs/encryption.md", "docs/bench.md",
}

// Program is a program that the papers name.
type Program struct {
	Name string
	// Help returns what the program prints for --help after these words.
	Help func(t *testing.T, words ...string) string

	texts map[string]string // what Help returned, by its words
}

func (p *Program) help(t *testing.T, words ...string) string {
	t.Helper()
	key := strings.Join(words, " ")
	text, known := p.texts[key]

	if !known {
		text = p.Help(t, words...)
		if p.texts == nil {
			p.texts = map[string]string{}
		}
		p.texts[key] = text
	}

	return text
}

var (
	fence       = regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```")
	quoted      = regexp.MustCompile(`'[^']*'|"[^"]*"`)
	longFlag    = regexp.MustCompile(`--[a-z][a-z-]*`)
	subcommand  = regexp.MustCompile(`(?m)^  ([a-z][a-z-]*) +[A-Z]`)
	commandWord = regexp.MustCompile(`^[a-z][a-z-]*$`)
	mention     = regexp.MustCompile("`(--[a-z][a-z-]*)[^`]*`")
)

// Read returns the text of a paper.
func Read(t *testing.T, root, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)

	return string(text)
}

// CheckCommands fails where a command line in a fenced block of the papers names a command or a flag that the program
// does not have. It returns the number of lines that it has checked.
func CheckCommands(t *testing.T, root string, program *Program) int {
	t.Helper()
	call := regexp.MustCompile(`(?:^|[ $(])(?:bin/)?` + regexp.QuoteMeta(program.Name) + ` ([^;&|)]+)`)
	checked := 0

	for _, paper := range ForUsers {
		for _, block := range fence.FindAllStringSubmatch(Read(t, root, paper), -1) {
			for line := range strings.Lines(block[1]) {
				line, _, _ = strings.Cut(strings.TrimSpace(line), " #")

				for _, found := range call.FindAllStringSubmatch(quoted.ReplaceAllString(line, "TEXT"), -1) {
					checked++
					t.Run(paper+"/"+line, func(t *testing.T) { program.check(t, strings.Fields(found[1])) })
				}
			}
		}
	}

	return checked
}

// check follows the words into the tree of commands, and looks for the flags there.
func (p *Program) check(t *testing.T, fields []string) {
	t.Helper()
	help := p.help(t)
	depth := 0

	for depth < len(fields) && commandWord.MatchString(fields[depth]) {
		deeper := p.help(t, fields[:depth+1]...)
		usage := "\n  " + p.Name + " " + strings.Join(fields[:depth+1], " ")
		if !strings.Contains(deeper, usage+" ") && !strings.Contains(deeper, usage+"\n") {
			break
		}
		depth, help = depth+1, deeper
	}

	if names := subcommands(help); len(names) > 0 {
		rest := append(fields[depth:], "--nothing")[0]
		assert.True(t, strings.HasPrefix(rest, "-"), "%q is none of the commands %v", rest, names)
	}
	for _, field := range fields[depth:] {
		if name := longFlag.FindString(field); name != "" && strings.HasPrefix(field, "--") {
			known := regexp.MustCompile(regexp.QuoteMeta(name) + `[^a-z-]`).MatchString(help)
			assert.True(t, known, "%s %s has no %s", p.Name, strings.Join(fields[:depth], " "), name)
		}
	}
}

func subcommands(help string) []string {
	_, list, found := strings.Cut(help, "\nAvailable Commands:\n")
	if !found {
		return nil
	}
	list, _, _ = strings.Cut(list, "\n\n")

	var names []string
	for _, match := range subcommand.FindAllStringSubmatch(list, -1) {
		names = append(names, match[1])
	}

	return names
}

// Flags are the long flags of all commands of the program, and of hidden ones that are named here.
func (p *Program) Flags(t *testing.T, hidden ...string) []string {
	t.Helper()
	var flags []string

	var walk func(words []string)
	walk = func(words []string) {
		help := p.help(t, words...)
		flags = append(flags, longFlag.FindAllString(help, -1)...)
		for _, name := range subcommands(help) {
			if name != "help" && name != "completion" {
				walk(append(slices.Clone(words), name))
			}
		}
	}
	walk(nil)
	for _, name := range hidden {
		walk([]string{name})
	}
	slices.Sort(flags)

	return slices.Compact(flags)
}

// CheckMentions fails where the prose of the papers names, in backquotes, a flag that is none of these.
func CheckMentions(t *testing.T, root string, flags []string) {
	t.Helper()
	for _, paper := range ForUsers {
		prose := fence.ReplaceAllString(Read(t, root, paper), "")
		for _, found := range mention.FindAllStringSubmatch(prose, -1) {
			assert.True(t, slices.Contains(flags, found[1]), "%s names %s, which no command has", paper, found[0])
		}
	}
}
