package roots

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// OpenFile opens a file to read, and never the one that a link leads to which was put into its path after the check. A pipe that
// has taken its place is not waited for.
func (g *Guard) OpenFile(path string) (*os.File, error) {
	place, err := g.place(path, false)
	if err != nil {
		return nil, err
	}
	return openFile(place)
}

// OpenFolder opens a folder to write to, and makes it where that is asked for. As long as it is open its files are reached by no
// path: what is put into the path afterwards leads nowhere.
func (g *Guard) OpenFolder(path string, create bool) (*os.Root, error) {
	place, err := g.place(path, true)
	if err != nil {
		return nil, err
	}
	return openFolder(place, create)
}

// openFile opens what a path names that has no symbolic links; one that has become a link is ESTALE.
func openFile(place string) (*os.File, error) {
	folder, err := walk(filepath.Dir(place), false)
	if err != nil {
		return nil, err
	}
	defer unix.Close(folder) //nolint:errcheck // for the way only
	fd, err := openAt(folder, place, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), place), nil
}

func openFolder(place string, create bool) (*os.Root, error) {
	fd, err := walk(place, create)
	if err != nil {
		return nil, err
	}
	walked := os.NewFile(uintptr(fd), place)
	defer walked.Close() //nolint:errcheck // for its identity only

	// A root is made of a path: it must have led to the same folder.
	root, err := os.OpenRoot(place)
	if err != nil {
		return nil, err
	}
	want, err := walked.Stat()
	if err == nil {
		var got fs.FileInfo
		if got, err = root.Stat("."); err == nil && !os.SameFile(want, got) {
			err = stale(place)
		}
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// walk goes down to a folder name by name, each in the folder before, and through no symbolic link.
func walk(place string, create bool) (fd int, err error) {
	at := "/"
	if fd, err = unix.Open(at, search, 0); err != nil {
		return -1, &fs.PathError{Op: "open", Path: at, Err: err}
	}
	for name := range strings.SplitSeq(strings.Trim(place, "/"), "/") {
		if name == "" {
			continue // of the root alone
		}
		at = filepath.Join(at, name)
		next, err := openAt(fd, at, search)
		if create && errors.Is(err, fs.ErrNotExist) {
			next, err = makeAt(fd, at)
		}
		_ = unix.Close(fd)
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return fd, nil
}

func makeAt(folder int, path string) (fd int, err error) {
	err = unix.Mkdirat(folder, filepath.Base(path), 0o755) // outputs are the user's own files, as readable as any other
	var stat unix.Stat_t
	switch {
	case err == nil, errors.Is(err, fs.ErrExist):
		return openAt(folder, path, search)
	case errors.Is(err, fs.ErrNotExist) && unix.Fstat(folder, &stat) == nil && stat.Nlink > 0:
		err = unix.EOPNOTSUPP // such as /proc: the folder that it should be made in is there
	}
	return -1, &fs.PathError{Op: "mkdir", Path: path, Err: err}
}

// openAt opens the last name of a path in an open folder.
func openAt(folder int, path string, flags int) (fd int, err error) {
	name := filepath.Base(path)
	for {
		fd, err = unix.Openat(folder, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.EINTR) { // as some network file systems say
			break
		}
	}
	if err == nil {
		return fd, nil
	}
	var stat unix.Stat_t
	if unix.Fstatat(folder, name, &stat, unix.AT_SYMLINK_NOFOLLOW) == nil && stat.Mode&unix.S_IFMT == unix.S_IFLNK {
		return -1, stale(path)
	}
	return -1, &fs.PathError{Op: "open", Path: path, Err: err}
}

// stale is a path that has changed since it was checked. Who tries again finds where it leads now.
func stale(path string) error { return &fs.PathError{Op: "open", Path: path, Err: syscall.ESTALE} }
