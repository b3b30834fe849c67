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
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/client"
)

// selection reports whether a file of a folder is wanted, and whether somebody named it.
type selection func(rel string) (wanted, named bool)

// walk considers the files of a folder, then those of its folders, in the order of their names. Hidden names and what batches
// leave in their output folders are passed over.
func (p *planner) walk(rel string, wants selection) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	folder := filepath.Join(p.plan.Root, rel)
	entries, err := p.disk.readDir(folder)
	if err != nil {
		return p.unlisted(rel, err)
	}
	var files, folders []string
	var left []leftOut
	for _, entry := range entries {
		switch what, why := p.whatIs(folder, entry); what {
		case aFile:
			files = append(files, entry.Name())
		case aFolder:
			folders = append(folders, entry.Name())
		case anOutsider:
			left = append(left, why)
		case nothing:
		}
	}
	if err := p.files(rel, files, wants); err != nil {
		return err
	}
	if err := p.leaveOut(rel, left, wants); err != nil {
		return err
	}
	for _, name := range folders {
		if err := p.walk(path.Join(rel, name), wants); err != nil {
			return err
		}
	}
	return nil
}

// kind is what an entry of a folder is to a batch.
type kind int

const (
	nothing kind = iota // passed over
	aFile
	aFolder
	anOutsider // left out, and accounted for
)

func (p *planner) whatIs(folder string, entry fs.DirEntry) (kind, leftOut) {
	name := entry.Name()
	switch {
	case isLock(name):
		return anOutsider, leftOut{name: name, reason: "it marks a document that is open in an office program, and is none", fleeting: true}
	case p.spec.Lenient && unfinished(name), strings.HasPrefix(name, "."), strings.HasSuffix(name, reportSuffix), strings.HasSuffix(name, summarySuffix):
		return nothing, leftOut{}
	case entry.IsDir() && filepath.Join(folder, name) == p.plan.Output:
		return nothing, leftOut{}
	case !utf8.ValidString(name):
		return anOutsider, leftOut{name: name, misnamed: true, anyName: entry.IsDir()}
	case entry.IsDir():
		return aFolder, leftOut{}
	case entry.Type().IsRegular():
		return aFile, leftOut{}
	case entry.Type()&fs.ModeSymlink == 0:
		return anOutsider, leftOut{name: name, reason: "it is " + kindOf(entry.Type()) + "; only regular files are converted", anyName: true}
	}
	reason, anyName := p.notFollowed(filepath.Join(folder, name))
	if reason == "" {
		return aFile, leftOut{}
	}
	return anOutsider, leftOut{name: name, reason: reason, anyName: anyName}
}

// leftOut is something in a folder that is not converted, whatever its content.
type leftOut struct {
	name, reason string
	anyName      bool // whatever its name; the others count where files of their names would be converted
	misnamed     bool // its name cannot be kept
	fleeting     bool // it comes and goes, and is no reason to look again
}

// leaveOut accounts for what is left out of a folder.
func (p *planner) leaveOut(rel string, all []leftOut, wants selection) error {
	for _, left := range all {
		source := path.Join(rel, left.name)
		wanted, named := wants(source)
		if !wanted || len(p.targets) == 0 || left.fleeting && p.look != nil {
			continue
		}
		c, ok := p.candidate(source, p.targets[0], named)
		if !ok {
			if !left.anyName {
				continue
			}
			c.path, c.Source, c.To = filepath.Join(p.plan.Root, source), source, p.targets[0]
			c.Dest = source
		}
		if err := p.leave(c, left); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) leave(c candidate, left leftOut) error {
	if p.look != nil {
		return p.look(c)
	}
	if err := p.step(); err != nil {
		return err
	}
	if left.misnamed {
		c.path, c.Source, c.Dest = escaped(c.path), escaped(c.Source), escaped(c.Dest)
		return p.fail(c, CodeInputName, "its name is not UTF-8, which Temporal cannot keep; rename it")
	}
	line := p.line(c, StatusSkipped)
	line.Error = &Fault{Step: "plan", Kind: "InputUnusable", Code: CodeInputLeftOut, Message: left.reason}
	if p.showLeft != nil {
		if err := p.showLeft(line); err != nil {
			return err
		}
	}
	if known := p.earlier.find(line); known != nil {
		line.Former = known.left()
	}
	p.plan.Skipped++
	return p.settle(line)
}

// Codes of lines of which no file was taken.
const (
	CodeInputLeftOut = "INPUT_LEFT_OUT" // a link, a pipe, a mark of an office program; the line is skipped
	CodeInputName    = "INPUT_NAME"     // it is not UTF-8; the line has failed
)

// escaped shows the bytes of a name that are no UTF-8 as Go writes them.
func escaped(name string) string {
	var out strings.Builder
	for len(name) > 0 {
		r, size := utf8.DecodeRuneInString(name)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&out, `\x%02x`, name[0])
		} else {
			out.WriteString(name[:size])
		}
		name = name[size:]
	}
	return out.String()
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "no regular file"
}

// isLock reports whether office programs use such a name for the mark of a document that is open.
func isLock(name string) bool { return strings.HasPrefix(name, "~$") }

// unfinished reports whether programs use such a name for files that they are still writing or have open.
func unfinished(name string) bool {
	if strings.HasSuffix(name, "~") {
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
	c, text := candidate{where: folder, path: folder}, fmt.Sprintf("the folder cannot be listed: %v", err)
	if rel == "" {
		return p.refuse(c, "INPUT_UNREADABLE", "%s", text)
	}
	return p.refuseFile(c, "INPUT_UNREADABLE", text)
}

// notFollowed is why a link is not followed; empty for one to a regular file of the listed folder, outside of the outputs. anyName
// reports whether its name does not matter: it leads, or may once have led, to something other than a document.
func (p *planner) notFollowed(link string) (reason string, anyName bool) {
	root, rootErr := filepath.EvalSymlinks(p.plan.Root)
	end, err := filepath.EvalSymlinks(link)
	var info fs.FileInfo
	if err == nil {
		info, err = os.Lstat(end)
	}
	switch {
	case rootErr != nil:
		return "its folder cannot be reached: " + rootErr.Error(), false
	case notThere(err):
		return "it is a link to something that is not there", filepath.Ext(link) == ""
	case err != nil:
		return "it is a link that cannot be followed: " + cause(err), filepath.Ext(link) == ""
	case info.IsDir():
		return fmt.Sprintf("it is a link to the folder %s, and links to folders are not followed; convert that folder by itself", escaped(end)), true
	case !info.Mode().IsRegular():
		return fmt.Sprintf("it is a link to %s; only regular files are converted", kindOf(info.Mode())), true
	case !within(root, end):
		return fmt.Sprintf("it is a link out of the folder, to %s; convert that file by itself, or name it in a manifest", escaped(end)), false
	}
	if output, err := filepath.EvalSymlinks(p.plan.Output); err == nil && output != root && within(output, end) {
		return "it is a link into the folder of the outputs", false
	}
	return "", false
}

// cause is what the system said, without the path.
func cause(err error) string {
	var named *fs.PathError
	if errors.As(err, &named) {
		return named.Err.Error()
	}
	return err.Error()
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
			Source: rel, From: from, To: target, Quality: p.spec.Quality, Pages: p.spec.Pages, Options: p.spec.Options,
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
