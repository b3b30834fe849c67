package manifest

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/client"
)

// selection reports whether a file of a folder is wanted, and whether somebody named it.
type selection func(rel string) (wanted, named bool)

// walk considers the files of a folder, then those of its folders, in the order of their names. Hidden names, links
// that lead elsewhere and what batches leave in their output folders are passed over.
func (p *planner) walk(rel string, wants selection) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	folder := filepath.Join(p.plan.Root, rel)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return p.unlisted(rel, err)
	}
	var files, folders []string
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case p.spec.Lenient && unfinished(name):
		case strings.HasPrefix(name, "."), strings.HasSuffix(name, reportSuffix), strings.HasSuffix(name, summarySuffix):
		case entry.IsDir() && filepath.Join(folder, name) != p.plan.Output:
			folders = append(folders, name)
		case entry.Type().IsRegular(), entry.Type()&fs.ModeSymlink != 0 && p.followed(filepath.Join(folder, name)):
			files = append(files, name)
		}
	}
	if err := p.files(rel, files, wants); err != nil {
		return err
	}
	for _, name := range folders {
		if err := p.walk(path.Join(rel, name), wants); err != nil {
			return err
		}
	}
	return nil
}

// unfinished reports whether programs use such a name for files that they are still writing or have open.
func unfinished(name string) bool {
	if strings.HasPrefix(name, "~$") || strings.HasSuffix(name, "~") {
		return true
	}
	for _, suffix := range []string{".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp", ".temp"} {
		if strings.HasSuffix(strings.ToLower(name), suffix) {
			return true
		}
	}
	return false
}

// unlisted is for a folder that cannot be listed; one that has gone meanwhile has no files.
func (p *planner) unlisted(rel string, err error) error {
	folder := filepath.Join(p.plan.Root, rel)
	if notThere(err) && rel != "" {
		return nil
	}
	if errors.Is(err, fs.ErrPermission) {
		err = errors.New("permission denied; make it readable or exclude it")
	}
	return p.refuse(candidate{where: folder, path: folder}, "INPUT_UNREADABLE", "the folder cannot be listed: %v", err)
}

// followed reports whether a link leads to a regular file of the listed folder, outside of the outputs.
func (p *planner) followed(link string) bool {
	root, err := filepath.EvalSymlinks(p.plan.Root)
	if err != nil {
		return false
	}
	end, err := filepath.EvalSymlinks(link)
	if err != nil || !within(root, end) {
		return false
	}
	if output, err := filepath.EvalSymlinks(p.plan.Output); err == nil && output != root && within(output, end) {
		return false
	}
	info, err := os.Lstat(end)
	return err == nil && info.Mode().IsRegular()
}

// files considers the files of one folder. Where several would have the same output, all of them keep their extension
// in its name. It goes through them twice rather than hold what it finds: a folder may have a million.
func (p *planner) files(rel string, names []string, wants selection) error {
	sharing := map[uint64]bool{} // outputs: false for one file, true for several
	err := p.eachCandidate(rel, names, wants, func(c candidate) error {
		key := p.stemKey(c)
		_, shared := sharing[key]
		sharing[key] = shared
		return nil
	})
	if err != nil {
		return err
	}
	return p.eachCandidate(rel, names, wants, func(c candidate) error {
		if sharing[p.stemKey(c)] {
			c.Dest = c.Source
		}
		return p.consider(c)
	})
}

func (p *planner) eachCandidate(rel string, names []string, wants selection, do func(candidate) error) error {
	for _, name := range names {
		source := path.Join(rel, name)
		wanted, named := wants(source)
		if !wanted {
			continue
		}
		for _, target := range p.targets {
			c, ok := p.candidate(source, target, named)
			if !ok || p.product(c) {
				continue
			}
			if err := do(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *planner) stemKey(c candidate) uint64 {
	hash := fnv.New64a()
	_, _ = fmt.Fprintf(hash, "%s.%s", strings.ToLower(c.Dest), p.plan.Target(c.Item))
	return hash.Sum64()
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

// included reports whether a file of a folder is wanted, and whether somebody named it.
func (p *planner) included(rel string) (wanted, named bool) {
	if matchAny(p.spec.Exclude, rel) {
		return false, false
	}
	if len(p.spec.Include) == 0 {
		return true, false
	}
	return matchAny(p.spec.Include, rel), true
}
