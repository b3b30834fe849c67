package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/convilyn/convilyn-temporal/client"
)

// What to do where an output exists.
const (
	onExistSkip      = "skip"
	onExistOverwrite = "overwrite"
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
		return p.refuse(c, code, "%v", problem)
	}
	output := p.plan.DestPath(c.Item) + "." + p.plan.Target(c.Item)
	if other, clash := p.claim(output, c.line); clash {
		as := "another source (capitals are no difference)"
		if other > 0 {
			as = fmt.Sprintf("line %d", other)
		}
		return p.refuse(c, "OUTPUT_CLASH", "it would become %s, as %s does; give them different outputs", output, as)
	}
	if err := p.reachable(filepath.Dir(output)); err != nil {
		return p.refuse(c, "BAD_ARGUMENT", "its output %s cannot be made: %v", output, err)
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
		return "BAD_ARGUMENT", fmt.Errorf("%s is no regular file", c.path)
	case p.growing(c.path, info):
		return "", errUnsettled
	case info.Size() == 0:
		return "INPUT_EMPTY", fmt.Errorf("%s is empty; there is nothing to convert", c.path)
	case info.Size() > client.MaxUploadBytes:
		return "BAD_ARGUMENT", fmt.Errorf("%s has %d bytes; the API takes %d at most", c.path, info.Size(), int64(client.MaxUploadBytes))
	case unix.Access(c.path, unix.R_OK) != nil:
		return "INPUT_UNREADABLE", fmt.Errorf("%s may not be read", c.path)
	}
	c.Size, c.ModTime = info.Size(), info.ModTime().UTC()
	err = client.ValidateParams(client.CreateParams{
		FileID: "local-check", SourceFormat: c.From, TargetFormat: p.plan.Target(c.Item), Quality: c.Quality, PageRange: c.Pages,
	})
	return "BAD_ARGUMENT", err
}

// compare decides by what is there already.
func (p *planner) compare(c candidate, output string) error {
	known := p.earlier.find(p.line(c, ""))
	switch {
	case p.itself(known, c):
		return p.keep(*known)
	case known != nil && current(*known, c):
		line := *known
		line.Status, line.Source, line.Size, line.ModTime = StatusCurrent, c.path, c.Size, c.ModTime
		p.plan.Current++
		return p.settle(line)
	case known != nil && known.Status == StatusFailed && p.spec.SkipFailed && unchanged(*known, c):
		p.plan.Faulty++
		return p.settle(*known)
	}
	standing, exists := existing(output, c.From)
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
		return p.refuse(c, "OUTPUT_EXISTS", "%s exists; use --on-exist skip or overwrite, or another -o", standing)
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

// existing finds what stands where an output would go; the pages of a document become stem-1, stem-2, ...
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

func unchanged(known Line, c candidate) bool {
	return known.Size == c.Size && known.ModTime.Equal(c.ModTime)
}

// current says that the outputs of an earlier run are still those of this very source.
func current(known Line, c candidate) bool {
	if known.Status != StatusCompleted && known.Status != StatusCurrent || known.Size != c.Size {
		return false
	}
	if !unchanged(known, c) || known.Source != c.path {
		if sum, err := hashFile(c.path); err != nil || sum != known.SHA256 {
			return false
		}
	}
	for _, output := range known.Outputs {
		if standing(output, known.EndedAt) != stands {
			return false
		}
	}
	return len(known.Outputs) > 0
}

// left is what a line's item, or an earlier batch for it, has made.
func (l Line) left() []Output {
	if len(l.Outputs) > 0 {
		return l.Outputs
	}
	return l.Former
}

// ours says that of the outputs that a line names all that are there are as they were left.
func ours(known Line) bool {
	since := known.EndedAt
	if len(known.Outputs) == 0 {
		since = time.Time{} // that was the end of something else
	}
	for _, output := range known.left() {
		if standing(output, since) == altered {
			return false
		}
	}
	return len(known.left()) > 0
}

// How an output stands.
type stance int

const (
	stands stance = iota
	gone
	altered
)

// standing compares an output with its file. One that was not written to since it was made is not hashed.
func standing(output Output, made time.Time) stance {
	info, err := os.Lstat(output.Path)
	if notThere(err) {
		return gone
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() != output.Size {
		return altered
	}
	const slack = 2 * time.Second // file systems round times
	if info.ModTime().After(made.Add(slack)) {
		if sum, err := hashFile(output.Path); err != nil || sum != output.SHA256 {
			return altered
		}
	}
	return stands
}

func hashFile(path string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the user's own file
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // read only
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
