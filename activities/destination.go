package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/client"
)

// localFolder is the path of a file:// URL. Parts that resume and outputs that appear at once need a file
// system, so other schemes are refused until they have an equal.
func localFolder(rawURL string) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "file" || !filepath.IsAbs(u.Path) {
		return "", outputError(CodeBadArgument, "%q is not a file:// URL of a folder", rawURL)
	}
	return filepath.Clean(u.Path), nil
}

// partPrefix begins the names of partly downloaded files: the same for each attempt, and of this run's part alone.
func partPrefix(ctx context.Context, part string) string {
	if part != "" {
		part += "-"
	}
	return ".convilyn-" + runID(ctx) + "-" + part
}

// partPath names a part: never too long, never the server's choice.
func partPath(folder, prefix string, index int) string {
	return filepath.Join(folder, fmt.Sprintf("%s%d.part", prefix, index))
}

func discardParts(folder, prefix string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix) {
			_ = os.Remove(filepath.Join(folder, entry.Name()))
		}
	}
}

// outputPaths names the outputs: stem.ext for one, stem-1.ext, stem-2.ext (zero-padded, so that they sort) for several.
func outputPaths(folder string, to Destination, results []client.ResultFile) []string {
	width := len(fmt.Sprint(len(results)))
	paths := make([]string, len(results))
	for i, result := range results {
		name := to.Stem
		if len(results) > 1 {
			name = fmt.Sprintf("%s-%0*d", to.Stem, width, i+1)
		}
		paths[i] = filepath.Join(folder, name+"."+outputExtension(result.Filename, to.Format))
	}
	return paths
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

// placeAll puts all parts in place, or none when one of the places is taken.
func placeAll(parts []*client.Downloaded, paths []string, onExist string) ([]Output, error) {
	overwrite := onExist == OnExistOverwrite
	for i, path := range paths {
		if overwrite {
			break
		}
		if err := free(path, parts[i]); err != nil {
			return nil, err
		}
	}
	outputs := make([]Output, len(parts))
	for i, part := range parts {
		if err := place(part, paths[i], overwrite); err != nil {
			return nil, err
		}
		outputs[i] = Output{Path: paths[i], Size: part.Size, SHA256: part.SHA256, Mimetype: part.Mimetype}
	}
	return outputs, nil
}

func place(part *client.Downloaded, path string, overwrite bool) error {
	err := client.Place(part.Path, path, overwrite)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		if err := free(path, part); err != nil {
			return err
		}
		return client.RemovePart(part.Path)
	case errors.Is(err, client.ErrSymlinkTarget):
		return outputError(CodeOutputExists, "%s is a symbolic link; remove it or choose another output", path)
	default:
		return err
	}
}

func outputExists(path string) error {
	return outputError(CodeOutputExists, "%s exists; use --on-exist overwrite or skip, or another output", path)
}

// free is an error where something other than this very content is at path.
func free(path string, part *client.Downloaded) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at the output path: %w", err)
	case !info.Mode().IsRegular(), info.Size() != part.Size, !sameContent(path, part.SHA256):
		return outputExists(path)
	}
	return nil
}

func sameContent(path, sum string) bool {
	file, err := os.Open(path) //nolint:gosec // the user's own output path
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
}

func makeFolder(folder string) error {
	err := os.MkdirAll(folder, 0o755) //nolint:gosec // outputs are the user's own files, as readable as any other
	if err == nil {
		return nil
	}
	if fault := diskFault(err); fault != nil {
		return fault
	}
	return outputError(CodeOutputFolder, "cannot make the folder %s: %v", folder, err)
}
