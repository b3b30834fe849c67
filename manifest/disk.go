package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// within reports whether a path is the folder or below it. Links are not followed.
func within(folder, path string) bool {
	relative, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(relative)
}

func rebase(path, from, to string) string {
	relative, err := filepath.Rel(from, path)
	if err != nil || !filepath.IsLocal(relative) {
		return path
	}
	return filepath.Join(to, relative)
}

func escapeGlob(path string) string {
	var out []rune
	for _, r := range path {
		if r == '*' || r == '?' || r == '[' || r == '\\' {
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
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

// firstMissing is the highest folder that has to be made for this one; empty where it is there.
func firstMissing(folder string) (top string) {
	for at := folder; !exists(at); at = filepath.Dir(at) {
		top = at
	}
	return top
}

// readDir lists a folder, sorted by name.
func (d Disk) readDir(path string) ([]fs.DirEntry, error) {
	folder, err := d.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer folder.Close() //nolint:errcheck // read only
	entries, err := folder.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// stance is how the file of an output compares with its line in a report.
type stance int

const (
	intact stance = iota
	gone
	altered
)

// compareOutput compares an output with its file. The file is hashed only if it was written to after since.
func compareOutput(output Output, since time.Time) stance {
	info, err := os.Lstat(output.Path)
	if notThere(err) {
		return gone
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() != output.Size {
		return altered
	}
	const slack = 2 * time.Second // file systems round times
	if info.ModTime().After(since.Add(slack)) {
		if sum, err := hashFile(output.Path); err != nil || sum != output.SHA256 {
			return altered
		}
	}
	return intact
}
