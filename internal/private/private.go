// Package private keeps what we write for its owner alone.
package private

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"
)

// others is what everybody but the owner may do.
const others fs.FileMode = 0o077

const write fs.FileMode = 0o222

// Ours tells by their names which entries of a folder are ours.
type Ours []string // patterns of filepath.Match

func (o Ours) holds(name string) bool {
	for _, pattern := range o {
		if matched, err := filepath.Match(pattern, name); err == nil && matched {
			return true
		}
	}
	return false
}

// Tighten takes from everybody but the owner what they may do in a folder of ours. A folder that holds something else, such as
// a home folder, keeps its mode, and only what is ours in it is tightened. What lies in a closed folder is left as it is. An error
// names what stays open.
func Tighten(dir string, ours Ours) error {
	found, err := exposed(dir, ours)
	for _, e := range found {
		if e.Shared != "" || e.Stranger {
			continue
		}
		info, statErr := os.Lstat(e.Path)
		if errors.Is(statErr, fs.ErrNotExist) {
			continue
		}
		if statErr == nil && e.Owner != "" {
			statErr = errors.New(e.Text())
		} else if statErr == nil {
			statErr = os.Chmod(e.Path, info.Mode().Perm()&^others)
		}
		err = errors.Join(err, statErr)
	}
	if err != nil {
		return fmt.Errorf("keep %s from others: %w", dir, err)
	}
	return nil
}

// Exposure is a file or folder that others may use.
type Exposure struct {
	Path string
	// Owner is whose it is; empty for the owner of the folder, who lets others in by its mode.
	Owner string
	// Shared is something else that the folder holds, for which it keeps its mode; empty for what Tighten would close.
	Shared string
	// Stranger is true for a file of somebody else that is none of ours: the folder stays open to others for its sake.
	Stranger bool
}

// Text says who may use it.
func (e Exposure) Text() string {
	switch {
	case e.Stranger:
		return fmt.Sprintf("%s belongs to %s and is none of ours, so the folder is left open to others", e.Path, e.Owner)
	case e.Owner != "":
		return fmt.Sprintf("%s belongs to %s", e.Path, e.Owner)
	case e.Shared != "":
		return fmt.Sprintf("others may replace files in %s, which also holds %s", e.Path, e.Shared)
	}
	return "others may use " + e.Path
}

// Remedy is a command that ends it, or what else does.
func (e Exposure) Remedy() string {
	switch {
	case e.Stranger:
		return fmt.Sprintf("move %s elsewhere and start again, or choose a folder of its own with --data", e.Path)
	case e.Owner != "":
		return fmt.Sprintf("have an administrator run: chown -R %s %s", nameOf(os.Geteuid()), e.Path)
	case e.Shared != "":
		return fmt.Sprintf("chmod go-w %s, or choose a folder of its own with --data", e.Path)
	}
	return "chmod -R go= " + e.Path
}

// Exposed are the files and folders that Tighten would tighten, those that belong to somebody else, and a folder in which others
// may replace what is ours.
func Exposed(dir string, ours Ours) ([]Exposure, error) {
	found, err := exposed(dir, ours)
	if err != nil {
		return nil, fmt.Errorf("look who may read %s: %w", dir, err)
	}
	return found, nil
}

func exposed(dir string, ours Ours) ([]Exposure, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}

	var found []Exposure
	mode := info.Mode()
	open := mode&fs.ModeSticky == 0 && mode.Perm()&others != 0
	more := "" // the first entry that is not ours
	for _, entry := range entries {
		if !ours.holds(entry.Name()) {
			more = cmp.Or(more, entry.Name())
			if of, err := entry.Info(); err == nil && open && foreign(of, info) {
				found = append(found, Exposure{Path: filepath.Join(dir, entry.Name()), Owner: nameOf(uid(of)), Stranger: true})
			}
			continue
		}
		below, walkErr := exposedBelow(filepath.Join(dir, entry.Name()), info)
		found, err = append(found, below...), errors.Join(err, walkErr)
	}

	switch {
	case !open:
	case more == "":
		found = append([]Exposure{{Path: dir}}, found...)
	case mode.Perm()&others&write != 0:
		found = append([]Exposure{{Path: dir, Shared: more}}, found...)
	}
	return found, err
}

// exposedBelow goes into open folders alone: a closed one guards what it holds.
func exposedBelow(path string, of fs.FileInfo) (found []Exposure, err error) {
	err = filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && entry.Type()&fs.ModeSymlink != 0 {
			return nil
		}
		if err != nil {
			if len(found) > 0 && found[len(found)-1].Path == path && found[len(found)-1].Owner != "" {
				return nil // a folder of somebody else, which is named
			}
			return err
		}

		info, err := entry.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case foreign(info, of):
			found = append(found, Exposure{Path: path, Owner: nameOf(uid(info))})
		case info.Mode().Perm()&others != 0:
			found = append(found, Exposure{Path: path})
		case entry.IsDir():
			return fs.SkipDir
		}
		return nil
	})
	return found, err
}

// foreign reports whether something in a folder belongs to somebody else: neither to the folder's owner nor to us. Root may use
// everything in any case.
func foreign(info, folder fs.FileInfo) bool {
	owner := uid(info)
	return owner != 0 && owner != uid(folder) && owner != os.Geteuid()
}

func uid(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return os.Geteuid()
}

func nameOf(id int) string {
	if known, err := user.LookupId(strconv.Itoa(id)); err == nil {
		return known.Username
	}
	return "user " + strconv.Itoa(id)
}

// Create makes an empty file that its owner alone may read, for programs that make theirs as everybody may read them. A
// file that exists is left as it is.
func Create(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the caller's own folder
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return fmt.Errorf("make a file that others cannot read: %w", err)
	}
	return nil
}

// SecretSize is the length of a secret, in random bytes.
const SecretSize = 32

// Secret reads the secret in a file, or makes one and keeps it.
func Secret(path string) (string, error) {
	secret, err := ReadSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}

	random := make([]byte, SecretSize)
	_, _ = rand.Read(random) // never fails
	secret = hex.EncodeToString(random)
	if err := renameio.WriteFile(path, []byte(secret+"\n"), 0o600, renameio.WithTempDir(filepath.Dir(path))); err != nil {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	return secret, nil
}

// ReadSecret reads the secret in a file. The error is fs.ErrNotExist where there is none.
func ReadSecret(path string) (string, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the caller's own folder
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	secret := strings.TrimSpace(string(data))
	if len(secret) < SecretSize {
		return "", fmt.Errorf("%s holds no secret of at least %d characters; remove it, and the next start makes one", path, SecretSize)
	}
	return secret, nil
}
