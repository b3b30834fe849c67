package activities

import (
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
)

// Documents opens what people look at before they decide about an output: its source, and what is held.
type Documents struct{ steps *Activities }

// NewDocuments holds what is opened to the same roots as the steps.
func NewDocuments(roots Roots) Documents { return Documents{&Activities{roots: roots}} }

// Open opens a source, or what is held in a folder of outputs. Whoever calls it closes it.
func (d Documents) Open(path string, held bool) (io.ReadCloser, error) {
	if held {
		return d.openHeld(filepath.Clean(path))
	}
	address := (&url.URL{Scheme: "file", Path: path}).String()
	source, err := d.steps.openSource(address)
	if err != nil {
		return nil, err
	}
	return source.file, nil
}

// openHeld opens nothing in a folder of outputs but what our steps have left there to wait.
func (d Documents) openHeld(path string) (io.ReadCloser, error) {
	folder, name := filepath.Split(path)
	if !isPart(name) {
		return nil, fmt.Errorf("%s is no output that waits: %w", path, fs.ErrNotExist)
	}
	root, err := d.steps.open(filepath.Clean(folder), false)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // holds the folder only
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file: %w", path, fs.ErrNotExist)
	}
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if opened, err := file.Stat(); err != nil || !os.SameFile(info, opened) { // a link to another file has taken its place
		_ = file.Close()
		return nil, fmt.Errorf("%s has changed: %w", path, fs.ErrNotExist)
	}
	return file, nil
}
