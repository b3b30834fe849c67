// Package roots says which files a worker may read and write.
package roots

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Of is how far a place reaches.
type Of string

// A place is one file, a folder and the files in it, or a folder with all below it.
const (
	File   Of = "file"
	Folder Of = "folder"
	Tree   Of = "tree"
)

// Place is something that may be used. Writing includes no reading of other files than one's own outputs.
type Place struct {
	Path  string `json:"path"` // absolute, symbolic links resolved
	Of    Of     `json:"of"`
	Write bool   `json:"write,omitempty"`
}

// Holds reports whether a path, absolute and clean, is in the place. It follows no links.
func (p Place) Holds(path string) bool {
	switch p.Of {
	case Tree:
		relative, err := filepath.Rel(p.Path, path)
		return err == nil && filepath.IsLocal(relative)
	case Folder:
		// Outputs are checked by the folder that they go to: not one below it.
		return path == p.Path || !p.Write && filepath.Dir(path) == p.Path
	case File:
	}
	return path == p.Path
}

// Resolve follows the symbolic links of a path, as far as it is there.
func Resolve(path string) (string, error) {
	rest := ""
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		end, err := filepath.EvalSymlinks(at)
		switch {
		case err == nil:
			return filepath.Join(end, rest), nil
		case !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at):
			return "", fmt.Errorf("follow %s: %w", path, err)
		}
		if info, err := os.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return "", fmt.Errorf("follow %s: the link %s leads to nothing", path, at)
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

// Guard holds a worker to its places. A nil Guard allows all.
type Guard struct {
	trees []string // for everything
	file  *Ledger  // nil for none
}

// New makes a guard of folders that may be used with all below them, and of a ledger. Both may be missing, which allows all.
func New(trees []string, ledger *Ledger) *Guard {
	if len(trees) == 0 && ledger == nil {
		return nil
	}
	return &Guard{trees: trees, file: ledger}
}

// Check is an error where a path may not be used, wherever its symbolic links lead.
func (g *Guard) Check(path string, write bool) error {
	if g == nil {
		return nil
	}
	_, err := g.place(path, write)
	return err
}

// place is where a path leads, which may be used.
func (g *Guard) place(path string, write bool) (string, error) {
	resolved, err := Resolve(path)
	if err != nil || g == nil {
		return resolved, err
	}
	for _, tree := range g.trees {
		root, err := Resolve(tree)
		if err == nil && (Place{Path: root, Of: Tree}).Holds(resolved) {
			return resolved, nil
		}
	}
	if g.file == nil {
		return "", &OutsideError{Path: path, Resolved: resolved}
	}
	allowed, err := g.file.holds(resolved, write)
	if err == nil && !allowed {
		err = &OutsideError{Path: path, Resolved: resolved}
	}
	return resolved, err
}

// OutsideError is a path that may not be used.
type OutsideError struct{ Path, Resolved string }

// OutsideRoots tells it from errors of the disk.
func (e *OutsideError) OutsideRoots() {}

func (e *OutsideError) Error() string {
	text := e.Path
	if e.Resolved != e.Path {
		text += ", which is " + e.Resolved + ","
	}
	return text + " is outside of what this worker may use"
}

// Ledger keeps places in a file, a line each. Several processes read and add to it.
type Ledger struct {
	path string

	mu     sync.Mutex
	read   fs.FileInfo // as it was read last; nil for never
	torn   bool        // its last line has no end
	places []Place
}

// Open opens the ledger in a file, which need not be there.
func Open(path string) *Ledger { return &Ledger{path: path} }

// Exists reports whether anything was ever added.
func (l *Ledger) Exists() bool {
	_, err := os.Stat(l.path)
	return err == nil
}

// Places are those of the ledger.
func (l *Ledger) Places() ([]Place, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.refresh()
	return slices.Clone(l.places), err
}

// Add adds places, and follows their symbolic links.
func (l *Ledger) Add(places ...Place) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(); err != nil {
		return err
	}
	var more bytes.Buffer
	for _, place := range places {
		var err error
		if place.Path, err = Resolve(place.Path); err != nil {
			return err
		}
		if slices.ContainsFunc(l.places, func(known Place) bool { return known.covers(place) }) {
			continue
		}
		l.places = append(l.places, place)
		line, err := json.Marshal(place)
		if err != nil {
			return fmt.Errorf("keep what may be used: %w", err)
		}
		more.Write(append(line, '\n'))
	}
	if more.Len() == 0 && l.read != nil {
		return nil
	}
	if l.torn {
		return l.append(append([]byte("\n"), more.Bytes()...))
	}
	return l.append(more.Bytes())
}

func (p Place) covers(other Place) bool {
	if p.Write != other.Write {
		return false
	}
	return p == other || p.Of == Tree && p.Holds(other.Path)
}

func (l *Ledger) append(lines []byte) error {
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = file.Write(lines) // one call: lines of others come before it or after it
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		return fmt.Errorf("keep what may be used: %w", err)
	}
	return nil
}

func (l *Ledger) holds(path string, write bool) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	find := func() bool {
		return slices.ContainsFunc(l.places, func(p Place) bool { return p.Write == write && p.Holds(path) })
	}
	if find() {
		return true, nil
	}
	err := l.refresh()
	return err == nil && find(), err
}

// refresh reads the file where it has changed.
func (l *Ledger) refresh() error {
	info, err := os.Stat(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.places, l.read = nil, nil
		return nil
	case err != nil:
		return fmt.Errorf("read what may be used: %w", err)
	case l.read != nil && os.SameFile(info, l.read) && info.Size() == l.read.Size() && info.ModTime().Equal(l.read.ModTime()):
		return nil
	}
	data, err := os.ReadFile(l.path)
	if err != nil {
		return fmt.Errorf("read what may be used: %w", err)
	}
	var places []Place
	for line := range strings.Lines(string(data)) {
		var place Place
		if json.Unmarshal([]byte(line), &place) == nil && filepath.IsAbs(place.Path) { // a line that a dying process left half is none
			places = append(places, place)
		}
	}
	l.places, l.read, l.torn = places, info, len(data) > 0 && data[len(data)-1] != '\n'
	return nil
}
