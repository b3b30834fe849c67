package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/client"
)

// partPrefix begins the names of partly downloaded files: the same for each attempt, and of this run's part alone.
func partPrefix(ctx context.Context, part string) string {
	if part != "" {
		part += "-"
	}
	return ".convilyn-" + runID(ctx) + "-" + part
}

// partName names a part: never too long, never the server's choice.
func partName(prefix string, index int) string { return fmt.Sprintf("%s%d.part", prefix, index) }

func (a *Activities) discardParts(folder, prefix string) {
	root, err := a.open(folder, false)
	if err != nil {
		return
	}
	defer root.Close() //nolint:errcheck // holds the folder only
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix) {
			_ = root.Remove(entry.Name())
		}
	}
}

// outputNames names the outputs: stem.ext for one, stem-1.ext, stem-2.ext (zero-padded, so that they sort) for several.
func outputNames(to Destination, results []client.ResultFile) []string {
	width := len(fmt.Sprint(len(results)))
	names := make([]string, len(results))
	for i, result := range results {
		name := to.Stem
		if len(results) > 1 {
			name = fmt.Sprintf("%s-%0*d", to.Stem, width, i+1)
		}
		names[i] = name + "." + outputExtension(result.Filename, to.Format)
	}
	return names
}

var plainExtension = regexp.MustCompile(`^[A-Za-z0-9]{1,8}$`)

// outputExtension takes the service's extension, which may differ from the target where results come
// bundled, as long as it is nothing but an extension.
func outputExtension(filename, format string) string {
	extension := strings.TrimPrefix(filepath.Ext(filename), ".")
	if plainExtension.MatchString(extension) {
		return strings.ToLower(extension)
	}
	return format
}

// results are the files that come of a job, in a folder that is held open.
type results struct {
	root    *os.Root
	folder  string // its path as it was asked for
	names   []string
	onExist string
	former  map[string]Output // that an earlier run has left, by name
}

// place puts all parts in place, or none when one of the places is taken. Of former outputs it removes those in whose place
// nothing came.
func (r *results) place(parts []*client.Downloaded) ([]Output, error) {
	if err := isInPlace(r.root); err != nil {
		return nil, err
	}
	overwrite := make([]bool, len(r.names))
	for i, name := range r.names {
		if r.onExist == OnExistOverwrite || r.asLeft(name) {
			overwrite[i] = true
			continue
		}
		if err := r.free(name, parts[i]); err != nil {
			return nil, err
		}
	}

	placed := make([]Output, len(parts))
	for i, part := range parts {
		if err := r.placeOne(part, r.names[i], overwrite[i]); err != nil {
			return nil, err
		}
		placed[i] = Output{Path: r.path(r.names[i]), Size: part.Size, SHA256: part.SHA256, Mimetype: part.Mimetype}
	}
	for name := range r.former {
		if !slices.Contains(r.names, name) && r.asLeft(name) {
			_ = r.root.Remove(name) // such as the last pages of a document that has become shorter
		}
	}
	return placed, nil
}

func (r *results) path(name string) string { return filepath.Join(r.folder, name) }

// asLeft reports whether the file of a name is an output of the earlier run, and nobody has changed it since.
func (r *results) asLeft(name string) bool {
	former, known := r.former[name]
	return known && r.has(name, former.Size, former.SHA256)
}

func (r *results) placeOne(part *client.Downloaded, name string, overwrite bool) error {
	err := client.PlaceIn(r.root, part.Path, name, overwrite)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist) && r.has(name, part.Size, part.SHA256):
		return nil // by an attempt that died before it could say so
	case errors.Is(err, fs.ErrExist):
		if err := r.free(name, part); err != nil {
			return err
		}
		return client.RemovePartIn(r.root, part.Path)
	case errors.Is(err, client.ErrSymlinkTarget):
		return outputError(CodeOutputExists, "%s is a symbolic link; remove it or choose another output", r.path(name))
	default:
		return err
	}
}

// free is an error where something other than this very content has a name.
func (r *results) free(name string, part *client.Downloaded) error {
	_, err := r.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &fs.PathError{Op: "lstat", Path: r.path(name), Err: rootCause(err)}
	case !r.has(name, part.Size, part.SHA256):
		return outputError(CodeOutputExists, "%s exists; use --on-exist overwrite or skip, or another output", r.path(name))
	}
	return nil
}

// has reports whether a regular file of this content has a name.
func (r *results) has(name string, size int64, sum string) bool {
	info, err := r.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() != size {
		return false
	}
	file, err := r.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe that has taken its place is not waited for
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // read only
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return false
	}
	return hex.EncodeToString(hash.Sum(nil)) == sum
}

// isFinal reports whether Temporal will not try the step again.
func isFinal(err error) bool {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.NonRetryable()
	}
	return errors.Is(err, context.Canceled)
}

// What to do where an output already exists.
const (
	OnExistFail      = "fail"
	OnExistOverwrite = "overwrite"
)

// Destination says where the outputs of one input go.
type Destination struct {
	Folder  string `json:"folder"` // URL, file:// for now
	Stem    string `json:"stem"`   // file name without extension
	Format  string `json:"format"` // normalised target format
	OnExist string `json:"on_exist,omitempty"`
	// Replace are outputs that an earlier run has left at this place. They give way where they are still as it left them.
	Replace []Output `json:"replace,omitempty"`
}
