package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	// homes begins the names of folders of calls.
	homes = "convilyn-call-"
	// unheld is how long a folder may be without its lock when it is made.
	unheld = time.Minute
)

// Home makes a private folder for a call, in the system's temporary folder; remove removes it. A process that is killed
// leaves its own behind: the next one removes them, at its first call or some minutes later.
func Home(name string) (home string, remove func(), err error) {
	sweepOnce()
	home, err = os.MkdirTemp("", homes+name+"-*")
	if err != nil {
		return "", nil, fmt.Errorf("make a folder for %s: %w", name, err)
	}
	lock, err := hold(home)
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("hold the folder for %s: %w", name, err), os.RemoveAll(home))
	}
	return home, func() {
		_ = os.RemoveAll(home) // the next process does what this one cannot
		_ = lock.Close()
	}, nil
}

// hold locks a folder for as long as this process lives, or until the lock is closed. What it starts does not get it.
func hold(folder string) (*os.File, error) {
	lock, err := os.Open(folder) //nolint:gosec // a folder of ours
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// sweepOnce sweeps twice: whoever starts within seconds of a kill finds folders that are young yet.
var sweepOnce = sync.OnceFunc(func() {
	sweep()
	time.AfterFunc(2*unheld, sweep)
})

// sweep removes the folders whose processes are gone. What cannot be removed, such as another user's, stays.
func sweep() {
	left, err := filepath.Glob(filepath.Join(os.TempDir(), homes+"*"))
	if err != nil {
		return
	}
	for _, folder := range left {
		info, err := os.Lstat(folder)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < unheld {
			continue
		}
		if lock, err := hold(folder); err == nil {
			_ = os.RemoveAll(folder)
			_ = lock.Close()
		}
	}
}
