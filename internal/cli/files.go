package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/term"
)

// What to do where an output exists, as typed.
const (
	onExistFail      = activities.OnExistFail
	onExistOverwrite = activities.OnExistOverwrite
	onExistSkip      = "skip"
)

func readableFile(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	shown := term.OneLine(path)
	if !utf8.ValidString(absolute) {
		return "", errors.New(notText(absolute))
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s does not exist", shown)
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("%s cannot be reached: permission denied", shown)
	case err != nil:
		return "", err
	case info.IsDir():
		return "", fmt.Errorf("%s is a folder; name the files in it", shown)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a regular file", shown)
	case info.Size() == 0:
		return "", fmt.Errorf("%s is empty; there is nothing to convert", shown)
	case info.Size() > client.MaxUploadBytes:
		return "", fmt.Errorf("%s has %s; the API takes %s at most", shown, term.Bytes(info.Size()), term.Bytes(client.MaxUploadBytes))
	}
	if unix.Access(path, unix.R_OK) != nil {
		return "", fmt.Errorf("%s cannot be read: permission denied", shown)
	}
	return absolute, nil
}

// writableFolder checks the nearest folder that exists: the rest is made when it is needed.
func writableFolder(folder string) error {
	if !utf8.ValidString(folder) {
		return errors.New("output folder " + notText(folder))
	}
	shown := term.OneLine(folder)
	for at := folder; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case (errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)) && at != filepath.Dir(at):
			continue
		case err != nil:
			return fmt.Errorf("output folder %s: %w", shown, rootCause(err))
		case !info.IsDir():
			return fmt.Errorf("output folder %s cannot be made: %s is a file", shown, term.OneLine(at))
		case unix.Access(at, unix.W_OK|unix.X_OK) != nil:
			return fmt.Errorf("output folder %s is not writable; name another with -o", term.OneLine(at))
		}
		return takesFolders(at)
	}
}

// takesFolders makes a folder and removes it: /proc is writable to some, and takes none. A disk that is full now may have room by
// then.
func takesFolders(at string) error {
	probe, err := os.MkdirTemp(at, ".convilyn-*")
	switch {
	case err == nil:
		return os.Remove(probe)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return nil
	}
	return fmt.Errorf("nothing can be made in the output folder %s: %w; name another with -o", term.OneLine(at), rootCause(err))
}

// rootCause is what the system said, without the path.
func rootCause(err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}

func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

func hashFile(path string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the user names the input
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", path, err)
	}
	defer file.Close() //nolint:errcheck // read only
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// shortPath is for people: relative to the current folder where that is shorter, in one line.
func shortPath(path string) string {
	cwd, err := os.Getwd()
	if err != nil {
		return term.OneLine(path)
	}
	relative, err := filepath.Rel(cwd, path)
	if err != nil || len(relative) > len(path) {
		return term.OneLine(path)
	}
	return term.OneLine(relative)
}

func outputsInPlace(outputs []activities.Output) bool {
	for _, output := range outputs {
		info, err := os.Lstat(output.Path)
		if err != nil || !info.Mode().IsRegular() || info.Size() != output.Size {
			return false
		}
		if sum, err := hashFile(output.Path); err != nil || sum != output.SHA256 {
			return false
		}
	}
	return len(outputs) > 0
}

// slug keeps what is safe in ids, shells and URLs.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 40 {
			break
		}
	}
	if text := strings.Trim(b.String(), "-"); text != "" {
		return text
	}
	return "file"
}

func notText(name string) string {
	return term.OneLine(name) + " is not UTF-8, which Temporal cannot keep; rename it; nothing was started"
}
