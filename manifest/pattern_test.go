package manifest

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMatch(t *testing.T) {
	for name, c := range map[string]struct {
		pattern, path string
		want          bool
	}{
		"star":                      {"*.md", "a.md", true},
		"star holds at a folder":    {"*.md", "a/b.md", false},
		"any folders":               {"a/**/b.md", "a/x/y/b.md", true},
		"no folder":                 {"a/**/b.md", "a/b.md", true},
		"all below":                 {"a/**", "a/x/y.md", true},
		"a folder is not its name":  {"a/**/b.md", "ax/b.md", false},
		"class":                     {"[a-c].md", "b.md", true},
		"class turned round":        {"[^a-c].md", "b.md", false},
		"class turned as in shells": {"[!a-c].md", "d.md", true},
		"escaped":                   {`\*.md`, "*.md", true},
		"escaped takes no others":   {`\*.md`, "a.md", false},
		"braces are characters":     {"a{b,c}.md", "a{b,c}.md", true},
		"braces are no choice":      {"a{b,c}.md", "ab.md", false},
		"escaped braces":            {`a\{b\}.md`, "a{b}.md", true},
		"braces in a class":         {"[{}]*", "{a", true},
		"invalid":                   {"[a", "a", false},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, match(c.pattern, c.path)) })
	}
}

// TestMatch_ManyStars ends in a moment or not within a day: folder by folder there are 10^12 ways to share 60 folders
// out among 12 double stars.
func TestMatch_ManyStars(t *testing.T) {
	pattern := strings.Repeat("**/a/", 12) + "b.md"
	assert.False(t, match(pattern, strings.Repeat("a/", 60)+"c.md"))
	assert.True(t, match(pattern, strings.Repeat("a/", 60)+"b.md"))
}

// FuzzMatch: a pattern without double stars means what it means to path.Match.
func FuzzMatch(f *testing.F) {
	for _, seed := range [][2]string{{"a/*.md", "a/b.md"}, {"[a-c]?", "bx"}, {`\{a\}`, "{a}"}, {"{a,b}", "a"}, {"[^{]", "a"}, {`[\]]`, "]"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if strings.Contains(pattern, "**") || strings.Contains(pattern, "[!") || !utf8.ValidString(pattern) || !utf8.ValidString(name) {
			return
		}
		want, err := path.Match(pattern, name)
		if err != nil {
			return
		}
		require.Equal(t, want, match(pattern, name), "%q %q", pattern, name)
	})
}
