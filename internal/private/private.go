// Package private keeps what we write for its owner alone.
package private

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

// others is what everybody but the owner may do.
const others fs.FileMode = 0o077

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
	open, err := exposed(dir, ours)
	for _, path := range open {
		info, statErr := os.Lstat(path)
		if errors.Is(statErr, fs.ErrNotExist) {
			continue
		}
		if statErr == nil {
			statErr = os.Chmod(path, info.Mode().Perm()&^others)
		}
		err = errors.Join(err, statErr)
	}
	if err != nil {
		return fmt.Errorf("keep %s from others: %w", dir, err)
	}
	return nil
}

// Exposed are the files and folders that Tighten would tighten.
func Exposed(dir string, ours Ours) ([]string, error) {
	open, err := exposed(dir, ours)
	if err != nil {
		return nil, fmt.Errorf("look who may read %s: %w", dir, err)
	}
	return open, nil
}

func exposed(dir string, ours Ours) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}

	var open []string
	foreign := false
	for _, entry := range entries {
		if !ours.holds(entry.Name()) {
			foreign = true
			continue
		}
		below, walkErr := exposedBelow(filepath.Join(dir, entry.Name()))
		open, err = append(open, below...), errors.Join(err, walkErr)
	}

	info, statErr := os.Stat(dir)
	if statErr == nil && !foreign && info.Mode().Perm()&others != 0 && info.Mode()&fs.ModeSticky == 0 {
		open = append([]string{dir}, open...)
	}
	return open, errors.Join(err, statErr)
}

// exposedBelow goes into open folders alone: a closed one guards what it holds.
func exposedBelow(path string) (open []string, err error) {
	err = filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && entry.Type()&fs.ModeSymlink != 0 {
			return nil
		}
		if err != nil {
			return err
		}

		info, err := entry.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case info.Mode().Perm()&others != 0:
			open = append(open, path)
		case entry.IsDir():
			return fs.SkipDir
		}
		return nil
	})
	return open, err
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
