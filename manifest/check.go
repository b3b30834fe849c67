package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
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
	if err := p.step(); err != nil {
		return err
	}
	if c.OnExist == "" {
		c.OnExist = p.spec.OnExist
	}
	code, problem := p.unusable(&c)
	switch {
	case errors.Is(problem, errUnsettled):
		return nil
	case problem != nil:
		return p.refuse(c, code, "%v", problem)
	}
	output := p.plan.DestPath(c.Item) + "." + p.plan.Target(c.Item)
	if other, clash := p.claim(output, c.line); clash {
		as := "another source"
		if other > 0 {
			as = fmt.Sprintf("line %d", other)
		}
		return p.refuse(c, "OUTPUT_CLASH", "it would become %s, as %s does; give them different outputs", output, as)
	}
	if !p.inside(filepath.Dir(output)) {
		return p.refuse(c, "BAD_ARGUMENT", "its output %s lies outside %s", output, p.plan.Output)
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
	case p.spec.Settle > 0 && time.Since(info.ModTime()) < p.spec.Settle:
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

// claim takes an output for a candidate. Names that differ in case alone are one name on many disks.
func (p *planner) claim(output string, line int32) (other int32, clash bool) {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(strings.ToLower(output)))
	key := hash.Sum64()
	if other, clash = p.taken[key]; clash {
		return other, true
	}
	p.taken[key] = line
	return 0, false
}

// inside says that a folder lies in the output folder, symbolic links followed.
func (p *planner) inside(folder string) bool {
	if folder == p.safe {
		return true
	}
	relative, err := filepath.Rel(p.plan.Output, folder)
	if err != nil || !filepath.IsLocal(relative) {
		return false
	}
	root, err := filepath.EvalSymlinks(p.plan.Output)
	if err != nil { // it is yet to be made, and holds no links
		p.safe = folder
		return true
	}
	for at := folder; ; at = filepath.Dir(at) {
		followed, err := filepath.EvalSymlinks(at)
		if errors.Is(err, fs.ErrNotExist) && at != p.plan.Output {
			continue
		}
		if err != nil {
			return false
		}
		relative, err = filepath.Rel(root, followed)
		if err != nil || !filepath.IsLocal(relative) {
			return false
		}
		p.safe = folder
		return true
	}
}

// compare decides by what is there already.
func (p *planner) compare(c candidate, output string) error {
	known := p.earlier.find(p.line(c, ""))
	switch {
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
	if exists && known != nil && ours(*known) {
		c.OnExist = onExistOverwrite // it came from this source, and nobody has touched it since
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
	return p.take(c.Item)
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
	if !unchanged(known, c) {
		if sum, err := hashFile(c.path); err != nil || sum != known.SHA256 {
			return false
		}
	}
	return ours(known)
}

// ours says that all outputs that a line names are as they were left.
func ours(known Line) bool {
	for _, output := range known.Outputs {
		info, err := os.Lstat(output.Path)
		if err != nil || !info.Mode().IsRegular() || info.Size() != output.Size {
			return false
		}
		const slack = 2 * time.Second // file systems round times
		if info.ModTime().After(known.EndedAt.Add(slack)) {
			if sum, err := hashFile(output.Path); err != nil || sum != output.SHA256 {
				return false
			}
		}
	}
	return len(known.Outputs) > 0
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
