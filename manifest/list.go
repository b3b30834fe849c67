package manifest

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/client"
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

// match is path.Match over a whole relative path, where ** stands for any folders.
func match(pattern, name string) bool {
	return matchParts(strings.Split(pattern, "/"), strings.Split(name, "/"))
}

func matchParts(patterns, names []string) bool {
	for len(patterns) > 0 {
		if patterns[0] == "**" {
			for skip := range len(names) + 1 {
				if matchParts(patterns[1:], names[skip:]) {
					return true
				}
			}
			return false
		}
		if len(names) == 0 {
			return false
		}
		if ok, err := path.Match(patterns[0], names[0]); err != nil || !ok {
			return false
		}
		patterns, names = patterns[1:], names[1:]
	}
	return len(names) == 0
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

// candidate is a file of the folder that is listed. One that nobody named and that cannot be converted is none.
func (p *planner) candidate(rel, target string, named bool) (candidate, bool) {
	from := client.NormalizeFormat(p.spec.From)
	if from == "" {
		format, ok := client.FormatOf(rel)
		if !ok && !named {
			return candidate{}, false
		}
		from = format
	}
	if _, err := client.FamilyFor(from, target); (err != nil || from == target) && !named {
		return candidate{}, false
	}
	return candidate{
		where: p.plan.SourcePath(Item{Source: rel}), path: p.plan.SourcePath(Item{Source: rel}),
		Item: Item{
			Source: rel, From: from, To: target, Quality: p.spec.Quality, Pages: p.spec.Pages,
			Dest: strings.TrimSuffix(rel, path.Ext(rel)),
		},
	}, true
}
