package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Resident is a program that stays open for many pieces of work, one at a time, and sees them in a folder of its own.
type Resident struct {
	*Process
	Home string

	folder *os.Root // Home: no link that the program puts there leads us elsewhere
	remove func()
	bounds Bounds
	uses   int
}

// Bounds say when another program had better take the place of a Resident.
type Bounds struct {
	Uses   int   // after so many pieces of work
	Memory int64 // where it comes to rest with more bytes than that, with all that came of it
}

const (
	workFolder = "work"
	madeFolder = "work/made"
)

// StartResident starts a program in a new folder, which command gets. name is for the folder's.
func StartResident(name string, bounds Bounds, command func(home string) (Command, error)) (*Resident, error) {
	home, remove, err := Home(name)
	if err != nil {
		return nil, err
	}
	folder, err := os.OpenRoot(home)
	if err != nil {
		remove()
		return nil, fmt.Errorf("open the folder of %s: %w", name, err)
	}
	r := &Resident{Home: home, folder: folder, remove: remove, bounds: bounds}
	c, err := command(home)
	if err == nil {
		r.Process, err = Start(c)
	}
	if err != nil {
		r.clear()
		return nil, err
	}
	return r, nil
}

// Begin hands a copy of a file to the program: inside is where it sees it, and made a folder for what it makes.
func (r *Resident) Begin(path string) (inside, made string, err error) {
	r.uses++
	if err := r.folder.RemoveAll(workFolder); err != nil {
		return "", "", fmt.Errorf("clear the folder of work: %w", err)
	}
	for _, name := range []string{workFolder, madeFolder} {
		if err := r.folder.Mkdir(name, 0o700); err != nil {
			return "", "", fmt.Errorf("make a folder for work: %w", err)
		}
	}

	name := workFolder + "/" + filepath.Base(path)
	target, err := r.folder.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", "", fmt.Errorf("hand a file over: %w", err)
	}
	if err := fill(target, func() (*os.File, error) { return os.Open(path) }); err != nil { //nolint:gosec // a path of ours
		return "", "", fmt.Errorf("hand a file over: %w", err)
	}
	return filepath.Join(r.Home, name), filepath.Join(r.Home, madeFolder), nil
}

// Collect copies the files that the program has made into a new folder.
func (r *Resident) Collect(into string) error {
	entries, err := fs.ReadDir(r.folder.FS(), madeFolder)
	if err != nil {
		return fmt.Errorf("list what was made: %w", err)
	}
	if err := os.Mkdir(into, 0o700); err != nil {
		return fmt.Errorf("make a folder for what was made: %w", err)
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		target, err := os.OpenFile(filepath.Join(into, entry.Name()), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // a folder of ours
		if err != nil {
			return fmt.Errorf("take a file over: %w", err)
		}
		if err := fill(target, func() (*os.File, error) { return r.openMade(entry.Name()) }); err != nil {
			return fmt.Errorf("take a file over: %w", err)
		}
	}
	return nil
}

// openMade opens what is a file still: the program goes on, and may have put something else there.
func (r *Resident) openMade(name string) (*os.File, error) {
	file, err := r.folder.OpenFile(madeFolder+"/"+name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, file.Close(), errors.New("it is no file any more"))
	}
	return file, nil
}

// fill copies into a file and closes both.
func fill(target *os.File, open func() (*os.File, error)) error {
	source, err := open()
	if err != nil {
		return errors.Join(err, target.Close())
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, source.Close(), target.Close())
}

// End removes what the work has left.
func (r *Resident) End() { _ = r.folder.RemoveAll(workFolder) } // gone with the program at the latest

// Uses are how many pieces of work it has begun.
func (r *Resident) Uses() int { return r.uses }

// Tired reports whether it is over one of its bounds.
func (r *Resident) Tired() bool {
	if r.uses >= r.bounds.Uses {
		return true
	}
	_, memory := held(r.pid)
	return memory > r.bounds.Memory
}

// Discard ends the program, waits for its end, and removes its folder.
func (r *Resident) Discard() {
	r.Kill()
	<-r.Ended()
	r.clear()
}

func (r *Resident) clear() {
	_ = r.folder.Close()
	r.remove()
}
