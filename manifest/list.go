package manifest

import (
	"fmt"
	"os"
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

// walk considers the files of a folder, then those of its folders, in the order of their names. Hidden names, links and
// what batches leave in their output folders are passed over.
func (p *planner) walk(root, rel string, wants func(rel string) (wanted, named bool)) error {
	entries, err := os.ReadDir(filepath.Join(root, rel))
	if err != nil {
		return fmt.Errorf("list the folder: %w", err)
	}
	var files, folders []os.DirEntry
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case strings.HasPrefix(name, "."), strings.HasSuffix(name, reportSuffix), strings.HasSuffix(name, summarySuffix):
		case entry.IsDir() && filepath.Join(root, rel, name) != p.plan.Output:
			folders = append(folders, entry)
		case entry.Type().IsRegular():
			files = append(files, entry)
		}
	}
	if err := p.folder(root, rel, files, wants); err != nil {
		return err
	}
	for _, entry := range folders {
		if err := p.walk(root, path.Join(rel, entry.Name()), wants); err != nil {
			return err
		}
	}
	return nil
}

// folder considers the files of one folder. Where several would have the same output, all of them keep their
// extension in its name.
func (p *planner) folder(root, rel string, files []os.DirEntry, wants func(rel string) (wanted, named bool)) error {
	var found []candidate
	sharing := map[string]map[string]bool{} // stem and target, then names
	for _, entry := range files {
		name := path.Join(rel, entry.Name())
		wanted, named := wants(name)
		if !wanted {
			continue
		}
		for _, target := range p.targets {
			c, ok := p.candidate(root, name, target, named)
			if !ok {
				continue
			}
			found = append(found, c)
			key := strings.ToLower(c.Dest) + "." + target
			if sharing[key] == nil {
				sharing[key] = map[string]bool{}
			}
			sharing[key][name] = true
		}
	}
	for _, c := range found {
		if len(sharing[strings.ToLower(c.Dest)+"."+p.plan.Target(c.Item)]) > 1 {
			c.Dest = c.Source
		}
		if err := p.consider(c); err != nil {
			return err
		}
	}
	return nil
}

// candidate is a file of a folder. One that nobody named and that cannot be converted is none.
func (p *planner) candidate(root, rel, target string, named bool) (candidate, bool) {
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
		where: filepath.Join(root, rel), path: filepath.Join(root, rel), named: named,
		Item: Item{
			Source: rel, From: from, To: target, Quality: p.spec.Quality, Pages: p.spec.Pages,
			Dest: strings.TrimSuffix(rel, path.Ext(rel)),
		},
	}, true
}
