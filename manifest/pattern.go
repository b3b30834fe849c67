package manifest

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// splitPattern cuts a pattern into the folder that holds all that it can match, and the rest.
func splitPattern(source string) (root, pattern string, ok bool) {
	if !strings.ContainsAny(source, "*?[") || exists(source) {
		return "", "", false
	}
	parts := strings.Split(filepath.ToSlash(source), "/")
	for i, part := range parts {
		if strings.ContainsAny(part, "*?[") {
			return path.Clean("/" + strings.Join(parts[:i], "/")), strings.Join(parts[i:], "/"), true
		}
	}
	return "", "", false
}

// CheckPattern returns what is wrong with a pattern of paths, if anything.
func CheckPattern(pattern string) error {
	switch {
	case pattern == "":
		return errors.New("empty pattern")
	case doublestar.ValidatePattern(literalBraces(pattern)):
		return nil
	case strings.Contains(pattern, "["):
		return fmt.Errorf("invalid pattern %q: unclosed or empty [", pattern)
	}
	return fmt.Errorf("invalid pattern %q: nothing follows its last \\", pattern)
}

// match compares a whole relative path with a pattern, in which ** is any number of folders.
func match(pattern, name string) bool {
	return doublestar.MatchUnvalidated(literalBraces(pattern), name)
}

// literalBraces keeps braces from being a choice, as which doublestar takes them: they are in names that people have.
func literalBraces(pattern string) string {
	if !strings.ContainsAny(pattern, "{}") {
		return pattern
	}
	var out strings.Builder
	escaped := false
	for _, r := range pattern {
		if !escaped && (r == '{' || r == '}') {
			out.WriteByte('\\')
		}
		escaped = r == '\\' && !escaped
		out.WriteRune(r)
	}
	return out.String()
}

// matchAny takes a pattern without a slash for a name in any folder.
func matchAny(patterns []string, rel string) bool {
	for _, pattern := range patterns {
		subject := rel
		if !strings.Contains(pattern, "/") {
			subject = path.Base(rel)
		}
		if match(strings.TrimPrefix(pattern, "/"), subject) {
			return true
		}
	}
	return false
}
