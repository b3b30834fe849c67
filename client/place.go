package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const noFollow = syscall.O_NOFOLLOW

// Place moves a fetched part to its path in one step, and makes that last. Without overwrite an existing file
// is fs.ErrExist; a symbolic link is ErrSymlinkTarget either way.
func Place(partPath, path string, overwrite bool) error {
	if err := checkPlace(path, overwrite); err != nil {
		return err
	}
	move := moveNew
	if overwrite {
		move = os.Rename
	}
	if err := move(partPath, path); err != nil {
		return fmt.Errorf("put %s in place: %w", path, err)
	}
	if err := ignoreMissing(os.Remove(etagPath(partPath))); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func checkPlace(path string, overwrite bool) error {
	info, err := os.Lstat(path)
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
func moveNew(from, to string) error {
	err := os.Link(from, to)
	if err == nil {
		return os.Remove(from)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	placeholder, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the caller's output path
	if err != nil {
		return err
	}
	if err := placeholder.Close(); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	if err := os.Rename(from, to); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

func syncFolder(folder string) error {
	dir, err := os.Open(folder) //nolint:gosec // the caller's output folder
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
func RemovePart(partPath string) error {
	return errors.Join(ignoreMissing(os.Remove(partPath)), ignoreMissing(os.Remove(etagPath(partPath))))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
