package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// Opener opens what batches read and write. What is put into a path while it is opened must lead nowhere else.
type Opener interface {
	// OpenFile opens a file, or a folder to list, and waits for no pipe.
	OpenFile(path string) (*os.File, error)
	// OpenFolder opens a folder to write to, and makes it where that is asked for.
	OpenFolder(path string, create bool) (*os.Root, error)
}

// Disk is where batches are read and written. Its zero value opens anything.
type Disk struct{ opener Opener }

// Anywhere is the disk of somebody who acts for themselves: what they may use is for the system to say.
var Anywhere Disk

// On holds a disk to what an opener opens.
func On(opener Opener) Disk { return Disk{opener} }

// OpenFile opens a file, or a folder to list.
func (d Disk) OpenFile(path string) (*os.File, error) {
	if d.opener != nil {
		return d.opener.OpenFile(path)
	}
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the user's own file
}

// OpenFolder opens a folder to write to, and makes it where that is asked for.
func (d Disk) OpenFolder(path string, create bool) (*os.Root, error) {
	if d.opener != nil {
		return d.opener.OpenFolder(path, create)
	}
	if create {
		mode := fs.FileMode(0o755) // as readable as the outputs
		if inState(path) {
			mode = 0o700
		}
		if err := os.MkdirAll(path, mode); err != nil {
			return nil, err
		}
	}
	return os.OpenRoot(path)
}

func (d Disk) folder(path string, create bool) (*folder, error) {
	root, err := d.OpenFolder(path, create)
	if err != nil {
		return nil, err
	}
	return &folder{root: root, path: path}, nil
}

// removeMade takes back the folders that were made, as far as nothing is in them.
func (d Disk) removeMade(path, top string) {
	for at := path; top != "" && len(at) >= len(top); at = filepath.Dir(at) {
		above, err := d.folder(filepath.Dir(at), false)
		if err != nil {
			return
		}
		err = above.root.Remove(filepath.Base(at))
		above.close()
		if err != nil {
			return
		}
	}
}

// folder is an open folder: its files are those of the folder, wherever its path leads by now. Its errors have paths.
type folder struct {
	root *os.Root
	path string // as it was asked for
}

func (f *folder) close() { _ = f.root.Close() }

func (f *folder) stat(name string) (fs.FileInfo, error) {
	info, err := f.root.Stat(name)
	return info, f.located(err)
}

// open waits for no pipe.
func (f *folder) open(name string) (*os.File, error) {
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	return file, f.located(err)
}

func (f *folder) write(name string, data []byte) error {
	return f.located(f.root.WriteFile(name, data, 0o600))
}

// find lists the names that match a pattern, sorted.
func (f *folder) find(pattern string) ([]string, error) { return fs.Glob(f.root.FS(), pattern) }

// in is a folder of the folder. It is made with the rights of the one that it is in where it is not there.
func (f *folder) in(name string) (*folder, error) {
	info, err := f.root.Stat(".")
	if err == nil {
		if err = f.root.Mkdir(name, info.Mode().Perm()); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	var root *os.Root
	if err == nil {
		root, err = f.root.OpenRoot(name)
	}
	if err != nil {
		return nil, f.located(err)
	}
	return &folder{root: root, path: filepath.Join(f.path, name)}, nil
}

func (f *folder) located(err error) error {
	var one *fs.PathError
	var two *os.LinkError
	switch {
	case errors.As(err, &one) && !filepath.IsAbs(one.Path):
		return &fs.PathError{Op: one.Op, Path: filepath.Join(f.path, one.Path), Err: one.Err}
	case errors.As(err, &two) && !filepath.IsAbs(two.New):
		return &os.LinkError{Op: two.Op, Old: filepath.Join(f.path, two.Old), New: filepath.Join(f.path, two.New), Err: two.Err}
	}
	return err
}

// readIn decodes every line of a file in a folder.
func readIn[T any](f *folder, name string, yield func(offset int64, value T) error) error {
	file, err := f.open(name)
	if err != nil {
		return err
	}
	return readAll(file, filepath.Join(f.path, name), yield)
}

// batchFolder is the open folder of a plan, with the name of the plan file in it.
func (d Disk) batchFolder(planPath string) (in *folder, name string, err error) {
	folderPath, name := path.Split(planPath)
	in, err = d.folder(filepath.Clean(folderPath), false)
	if err == nil {
		_, err = in.root.Lstat(name)
	}
	if err == nil {
		return in, name, nil
	}
	if in != nil {
		in.close()
	}
	return nil, name, planGone(fmt.Errorf("open the plan: %w", err), planPath)
}
