package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// folder is where parts grow and become outputs: an open folder, or the file system.
type folder interface {
	Lstat(name string) (fs.FileInfo, error)
	OpenFile(name string, flags int, mode fs.FileMode) (*os.File, error)
	Link(from, to string) error
	Rename(from, to string) error
	Remove(name string) error
}

func folderOf(root *os.Root) folder {
	if root == nil {
		return paths{}
	}
	return held{root}
}

// paths are names anywhere.
type paths struct{}

func (paths) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }
func (paths) Link(from, to string) error             { return os.Link(from, to) }
func (paths) Rename(from, to string) error           { return os.Rename(from, to) }
func (paths) Remove(name string) error               { return os.Remove(name) }

func (paths) OpenFile(name string, flags int, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, flags, mode) //nolint:gosec // the caller's output, under the umask
}

// held are names in an open folder, wherever that is by now. Its errors have paths.
type held struct{ root *os.Root }

func (h held) Lstat(name string) (fs.FileInfo, error) {
	info, err := h.root.Lstat(name)
	return info, h.located(err)
}

// OpenFile follows no symbolic link: a root follows those that stay in it, whatever the flags.
func (h held) OpenFile(name string, flags int, mode fs.FileMode) (*os.File, error) {
	info, err := h.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && flags&os.O_CREATE != 0:
		flags |= os.O_EXCL
	case err == nil && info.Mode()&fs.ModeSymlink != 0:
		err = &fs.PathError{Op: "open", Path: name, Err: syscall.ELOOP}
		fallthrough
	case err != nil:
		return nil, h.located(err)
	}
	file, err := h.root.OpenFile(name, flags, mode)
	if err != nil {
		return nil, h.located(err)
	}
	opened, err := file.Stat()
	if err == nil && info != nil && !os.SameFile(info, opened) {
		err = &fs.PathError{Op: "open", Path: name, Err: syscall.ESTALE}
	}
	if err != nil {
		return nil, errors.Join(h.located(err), file.Close())
	}
	return file, nil
}

func (h held) Link(from, to string) error   { return h.located(h.root.Link(from, to)) }
func (h held) Rename(from, to string) error { return h.located(h.root.Rename(from, to)) }
func (h held) Remove(name string) error     { return h.located(h.root.Remove(name)) }

func (h held) located(err error) error {
	var one *fs.PathError
	var two *os.LinkError
	switch {
	case errors.As(err, &one):
		return &fs.PathError{Op: one.Op, Path: filepath.Join(h.root.Name(), one.Path), Err: one.Err}
	case errors.As(err, &two):
		return &os.LinkError{Op: two.Op, Old: filepath.Join(h.root.Name(), two.Old), New: filepath.Join(h.root.Name(), two.New), Err: two.Err}
	}
	return err
}

// ErrSymlinkTarget is an output path that is a symbolic link. It is never written to.
var ErrSymlinkTarget = errors.New("the output path is a symbolic link")

const noFollow = syscall.O_NOFOLLOW

// Place moves a fetched part to its path in one step, and makes that last. Without overwrite an existing file
// is fs.ErrExist; a symbolic link is ErrSymlinkTarget either way.
func Place(partPath, path string, overwrite bool) error {
	return place(paths{}, partPath, path, overwrite)
}

// PlaceIn is Place for names in an open folder, which nothing that becomes of the folder's path can lead elsewhere.
func PlaceIn(root *os.Root, part, name string, overwrite bool) error {
	return place(held{root}, part, name, overwrite)
}

func place(in folder, part, path string, overwrite bool) error {
	if err := checkPlace(in, path, overwrite); err != nil {
		return err
	}
	var err error
	if overwrite {
		err = in.Rename(part, path)
	} else {
		err = moveNew(in, part, path)
	}
	if err != nil {
		return fmt.Errorf("put %s in place: %w", path, err)
	}
	if err := ignoreMissing(in.Remove(etagPath(part))); err != nil {
		return err
	}
	return syncFolder(in, filepath.Dir(path))
}

func checkPlace(in folder, path string, overwrite bool) error {
	info, err := in.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at the output path: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s: %w", path, ErrSymlinkTarget)
	case info.IsDir():
		return fmt.Errorf("%s is a folder: %w", path, fs.ErrExist)
	case !overwrite:
		return fmt.Errorf("%s: %w", path, fs.ErrExist)
	}
	return nil
}

// moveNew renames only onto a name that is free. A hard link decides that in one step; where the file system
// has none, an exclusive placeholder does.
func moveNew(in folder, from, to string) error {
	err := in.Link(from, to)
	if err == nil {
		return in.Remove(from)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	placeholder, err := in.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := placeholder.Close(); err != nil {
		return errors.Join(err, in.Remove(to))
	}
	if err := in.Rename(from, to); err != nil {
		return errors.Join(err, in.Remove(to))
	}
	return nil
}

func syncFolder(in folder, name string) error {
	dir, err := in.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("sync the output folder: %w", err)
	}
	defer dir.Close() //nolint:errcheck // read only
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("sync the output folder: %w", err)
	}
	return nil
}

// RemovePart drops what Fetch has left; nothing there is fine.
func RemovePart(partPath string) error { return removePart(paths{}, partPath) }

// RemovePartIn is RemovePart for a name in an open folder.
func RemovePartIn(root *os.Root, part string) error { return removePart(held{root}, part) }

func removePart(in folder, part string) error {
	return errors.Join(ignoreMissing(in.Remove(part)), ignoreMissing(in.Remove(etagPath(part))))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
