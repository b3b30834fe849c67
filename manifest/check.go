package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/convilyn/convilyn-temporal/client"
)

// consider checks a candidate and gives it its place in the plan.
func (p *planner) consider(c candidate) error {
	if p.look != nil {
		return p.look(c)
	}
	if err := p.step(); err != nil {
		return err
	}
	if c.OnExist == "" {
		c.OnExist = p.spec.OnExist
	}
	code, problem := p.unusable(&c)
	switch {
	case errors.Is(problem, errUnsettled):
		if known := p.earlier.find(p.line(c, "")); known != nil {
			return p.keep(*known)
		}
		return nil
	case problem != nil:
		return p.refuseFile(c, code, problem.Error())
	}
	err := client.ValidateParams(client.CreateParams{
		FileID: "local-check", SourceFormat: c.From, TargetFormat: p.plan.Target(c.Item), Quality: c.Quality, PageRange: c.Pages, Options: c.Options,
	})
	if err != nil {
		return p.refuse(c, "BAD_ARGUMENT", "%v", err)
	}
	output := p.plan.DestPath(c.Item) + "." + p.plan.Target(c.Item)
	if other, clash := p.claim(output, c.line); clash {
		as := "another source (upper and lower case count as the same)"
		if other > 0 {
			as = fmt.Sprintf("line %d", other)
		}
		return p.refuse(c, "OUTPUT_CLASH", "its output %s is also that of %s; give them different outputs", output, as)
	}
	if err := p.reachable(filepath.Dir(output)); err != nil {
		return p.refuse(c, "BAD_ARGUMENT", "cannot write its output %s: %v", output, err)
	}
	return p.compare(c, output)
}

// errUnsettled is a file that may still be growing.
var errUnsettled = errors.New("it has changed just now")

// unusable looks at the source itself.
func (p *planner) unusable(c *candidate) (code string, problem error) {
	info, err := os.Stat(c.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "INPUT_MISSING", fmt.Errorf("%s does not exist", c.path)
	case err != nil:
		return "INPUT_UNREADABLE", fmt.Errorf("%s cannot be reached: %w", c.path, err)
	case !info.Mode().IsRegular():
		return "BAD_ARGUMENT", fmt.Errorf("%s is not a regular file", c.path)
	case p.growing(c.path, info):
		return "", errUnsettled
	case info.Size() == 0:
		return "INPUT_EMPTY", fmt.Errorf("%s is empty; there is nothing to convert", c.path)
	case info.Size() > client.MaxUploadBytes:
		return "BAD_ARGUMENT", fmt.Errorf("%s has %d bytes; the API takes %d at most", c.path, info.Size(), int64(client.MaxUploadBytes))
	case unix.Faccessat(unix.AT_FDCWD, c.path, unix.R_OK, unix.AT_EACCESS) != nil:
		return "INPUT_UNREADABLE", fmt.Errorf("%s cannot be read: permission denied", c.path)
	}
	c.Size, c.ModTime = info.Size(), info.ModTime().UTC()
	return "", nil
}

// growing reports whether a file may still be written to. A time far in the future comes from another clock and is
// ignored.
func (p *planner) growing(path string, info fs.FileInfo) bool {
	switch {
	case p.spec.Settle <= 0:
		return false
	case p.stable != nil:
		return !p.stable(path, info)
	}
	age := time.Since(info.ModTime())
	return age < p.spec.Settle && age > -p.spec.Settle
}

// reachable returns why a folder is not inside the output folder, symbolic links followed.
func (p *planner) reachable(folder string) error {
	if folder == p.safe {
		return nil
	}
	root := p.plan.Output
	if !within(root, folder) {
		return fmt.Errorf("it is outside %s", root)
	}
	relative, err := filepath.Rel(root, folder)
	if err != nil {
		return err
	}
	at := root
	for part := range strings.SplitSeq(relative, string(filepath.Separator)) {
		at = filepath.Join(at, part)
		info, err := os.Lstat(at)
		if notThere(err) {
			break // nor is anything below it
		}
		if err != nil {
			return err
		}
		if info.Mode()&os.ModeSymlink != 0 {
			if info, err = p.linked(at); err != nil {
				return err
			}
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is not a folder", at)
		}
	}
	p.safe = folder
	return nil
}

// linked is the target of a link in the output folder. It has to be inside the output folder too.
func (p *planner) linked(link string) (os.FileInfo, error) {
	root, err := filepath.EvalSymlinks(p.plan.Output)
	if err != nil {
		return nil, err
	}
	end, err := filepath.EvalSymlinks(link)
	if notThere(err) {
		return nil, fmt.Errorf("%s is a broken link", link)
	}
	if err != nil {
		return nil, err
	}
	if !within(root, end) {
		return nil, fmt.Errorf("%s points outside %s", link, p.plan.Output)
	}
	return os.Stat(end)
}

// compare decides by what is there already.
func (p *planner) compare(c candidate, output string) error {
	known := p.earlier.find(p.line(c, ""))
	switch {
	case p.itself(known, c):
		return p.keep(*known)
	case known != nil && isCurrent(*known, c):
		line := *known
		line.Status, line.Source, line.Size, line.ModTime = StatusCurrent, c.path, c.Size, c.ModTime
		p.plan.Current++
		return p.settle(line)
	case known != nil && known.Status == StatusFailed && p.spec.SkipFailed && isUnchanged(*known, c):
		p.plan.Faulty++
		return p.settle(*known)
	}
	there, exists := existing(output, c.From)
	it := planned{Asked: c.OnExist == onExistOverwrite}
	if exists && known != nil && ours(*known) {
		c.OnExist = onExistOverwrite // it came from this source, and nobody has touched it since
		it.Former = known.left()
	}
	if exists && c.OnExist == onExistSkip {
		p.plan.Skipped++
		return p.settle(p.line(c, StatusSkipped))
	}
	if exists && c.OnExist != onExistOverwrite {
		return p.refuse(c, "OUTPUT_EXISTS", "%s exists; use --on-exist skip or overwrite, or another -o", there)
	}
	if c.OnExist != onExistOverwrite {
		c.OnExist = ""
	}
	if c.To == p.plan.To {
		c.To = ""
	}
	it.Item = c.Item
	return p.take(it)
}

// product reports whether a file was made by an earlier batch out of another one. Converting it to its own format would
// never end.
func (p *planner) product(c candidate) bool {
	own, found := p.made.find(c.path)
	return found && !own
}

// itself reports whether the source was replaced by its own output and has not changed since.
func (p *planner) itself(known *Line, c candidate) bool {
	own, found := p.made.find(c.path)
	if known == nil || !found || !own {
		return false
	}
	return slices.ContainsFunc(known.left(), func(o Output) bool { return exists(o.Path) && compareOutput(o, known.EndedAt) == intact })
}

// existing finds the file that is in the way of an output. The pages of a document become stem-1, stem-2, ...
func existing(output, from string) (string, bool) {
	if exists(output) {
		return output, true
	}
	if from != "pdf" {
		return "", false
	}
	extension := filepath.Ext(output)
	for _, first := range []string{"-1", "-01", "-001"} {
		if page := strings.TrimSuffix(output, extension) + first + extension; exists(page) {
			return page, true
		}
	}
	return "", false
}

func isUnchanged(known Line, c candidate) bool {
	return known.Size == c.Size && known.ModTime.Equal(c.ModTime)
}

// isCurrent reports whether the outputs of an earlier run are complete and of this very source.
func isCurrent(known Line, c candidate) bool {
	if known.Status != StatusCompleted && known.Status != StatusCurrent || known.Size != c.Size {
		return false
	}
	if !isUnchanged(known, c) || known.Source != c.path {
		if sum, err := hashFile(c.path); err != nil || sum != known.SHA256 {
			return false
		}
	}
	for _, output := range known.Outputs {
		if compareOutput(output, known.EndedAt) != intact {
			return false
		}
	}
	return len(known.Outputs) > 0
}
