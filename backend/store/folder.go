// Package store keeps what the service must not lose: its records in SQLite, and the files of uploads, results and goals
// beside them. It knows jobs, and neither HTTP nor how anything is converted.
package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/google/renameio/v2"

	"github.com/convilyn/convilyn-temporal/internal/private"
)

// Folders below the data folder.
const (
	folderInputs  = "inputs"
	folderResults = "results"
	folderGoals   = "goals" // a folder a goal job, with steps and artifacts
	folderWork    = "work"  // half-made things; emptied at every start
)

// Folders below a goal job's own.
const (
	folderSteps     = "steps"
	folderArtifacts = "artifacts"
)

// ours is what a service keeps in its data folder, with the temporary names of files that are being written.
var ours = private.Ours{
	folderInputs, folderResults, folderGoals, folderWork, "cache", "backend.db*", "lock", markFile, "key", "signing.key", ".key[0-9]*", ".signing.key[0-9]*", "." + markFile + "[0-9]*",
}

// Folder is the data folder.
type Folder string

// Tighten keeps from others what is in the folder. An error names what stays open.
func (f Folder) Tighten() error { return private.Tighten(string(f), ours) }

func (f Folder) path(parts ...string) string {
	return filepath.Join(append([]string{string(f)}, parts...)...)
}

// Work is for half-made things. It is emptied at every start.
func (f Folder) Work() string { return f.path(folderWork) }

// Shown are the folders that work on files may read, and those that it may also write to. The records, the results of
// others and the rest of the data folder are not among them.
func (f Folder) Shown() (reads, writes []string) {
	return []string{f.path(folderInputs)}, []string{f.path(folderWork), f.path(folderGoals)}
}

// InputPath is where the content of an upload is.
func (f Folder) InputPath(fileID string) string { return f.path(folderInputs, fileID) }

// ResultPath is where a result of a job is.
func (f Folder) ResultPath(jobID string, r Result) string {
	return f.path(folderResults, jobID, filepath.Base(r.Stored))
}

// ArtifactPath is where a file of a goal job is.
func (f Folder) ArtifactPath(jobID string, a Artifact) string {
	return f.path(folderGoals, jobID, a.Stored)
}

// StepsPath is where the steps of a goal job are.
func (f Folder) StepsPath(jobID string) string { return f.path(folderGoals, jobID, folderSteps) }

// Result is a file that a conversion has made. Stored is its name in the job's folder.
type Result struct {
	Filename, Mimetype, SHA256, Stored string
	Size                               int64
}

// Artifact is a file of a goal job. Stored is below the job's folder.
type Artifact struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Mime        string `json:"mime"`
	Type        string `json:"type"`
	Description string `json:"description"`
	Primary     bool   `json:"primary"`
	Size        int64  `json:"size"`
	SHA256      string `json:"sha256"`
	Stored      string `json:"stored"`
}

// lock keeps the data folder for one process: a second one would clear away what the first is making.
// The lock ends with its process, so that one that was killed leaves nothing to clean up.
func (f Folder) lock() (*os.File, error) {
	file, err := os.OpenFile(f.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}

	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	_ = file.Close()

	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("another service runs on %s; end it, or choose another folder", f)
	}
	return nil, fmt.Errorf("lock the data folder: %w", err)
}

// prepare makes the folders, and empties the one for half-made things.
func (f Folder) prepare() error {
	if err := os.RemoveAll(f.Work()); err != nil {
		return fmt.Errorf("clear the work folder: %w", err)
	}
	for _, name := range []string{folderInputs, folderResults, folderGoals, folderWork} {
		if err := os.MkdirAll(f.path(name), 0o700); err != nil {
			return fmt.Errorf("make the data folders: %w", err)
		}
	}
	return nil
}

// Secret reads a secret of the data folder, or makes one of size random bytes and keeps it.
func (f Folder) Secret(name, prefix string, size int) (string, error) {
	path := f.path(name)
	data, err := os.ReadFile(path) //nolint:gosec // inside the data folder
	if err == nil {
		if secret := strings.TrimSpace(string(data)); secret != "" {
			return secret, nil
		}
		return "", fmt.Errorf("%s is empty; remove it to have a new one made", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read a secret: %w", err)
	}

	secret := prefix + RandomHex(size)
	if err := renameio.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	return secret, nil
}

// RandomHex is size random bytes in hexadecimal digits.
func RandomHex(size int) string {
	data := make([]byte, size)
	_, _ = rand.Read(data) // never fails
	return hex.EncodeToString(data)
}

// seal reads a file of the work folder itself, and syncs it. A link would have us read for an engine what it may not, and
// a pipe would keep us waiting for ever.
func seal(path string) (size int64, sum string, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0) //nolint:gosec // inside the work folder
	if err != nil {
		return 0, "", fmt.Errorf("read an output: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only

	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return 0, "", errors.Join(fmt.Errorf("output %s is not a regular file", path), err)
	}
	hash := sha256.New()
	if size, err = io.Copy(hash, file); err != nil {
		return 0, "", fmt.Errorf("read an output: %w", err)
	}
	if err := file.Sync(); err != nil {
		return 0, "", fmt.Errorf("sync an output: %w", err)
	}
	return size, hex.EncodeToString(hash.Sum(nil)), nil
}

// linkOrCopy leaves the original, which a repeated pass needs. Not every file system has links.
func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}

	in, err := os.Open(from) //nolint:gosec // inside the job's folder
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // read only

	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // inside the job's folder
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a stored file: %w", err)
	}
	return nil
}

func syncFolder(path string) error {
	dir, err := os.Open(path) //nolint:gosec // inside the data folder
	if err != nil {
		return fmt.Errorf("sync a folder: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("sync a folder: %w", err)
	}
	return nil
}

const safeNameMost = 200 // bytes; what a conversion appends must fit into the 255 of file systems

// reservedNames are devices on Windows, with any extension.
var reservedNames = regexp.MustCompile(`(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)

// SafeName keeps a name readable and makes it harmless everywhere: no path, no control characters, none that change the
// direction of writing, nothing that hides a file, names a device or reads as an option.
func SafeName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return '_'
		}
		return r
	}, name)
	if extension := filepath.Ext(name); len(name) > safeNameMost && len(extension) < safeNameMost {
		name = strings.ToValidUTF8(name[:safeNameMost-len(extension)], "") + extension
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") || reservedNames.MatchString(name) {
		name = "_" + name
	}
	return name
}

// Stem is a name without its extension, safe for an output.
func Stem(name string) string {
	base := filepath.Base(SafeName(name))
	if s := strings.TrimSuffix(base, filepath.Ext(base)); s != "" && s != "." {
		return s
	}
	return "result"
}
