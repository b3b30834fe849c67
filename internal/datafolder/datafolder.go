// Package datafolder finds the stack of standalone that runs on a data folder, and what lets its owner in.
package datafolder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	temporalclient "go.temporal.io/sdk/client"
)

// Files in the data folder that other programs look for.
const (
	KeyFile       = "access.key"  // lets its owner in everywhere
	AddressesFile = "stack.json"  // of the stack that runs
	RootsFile     = "roots.jsonl" // what its commands have named, a line each
	PortsFile     = "ports.json"  // that were chosen for it
	OwnerLock     = "owner.lock"  // held by the process that runs the stack
)

// Default is the data folder of who names none.
func Default(getenv func(string) string) (string, error) {
	if state := getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "convilyn"), nil
	}

	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the user's state folder, name one with --data: %w", err)
	}
	return filepath.Join(home, ".local", "state", "convilyn"), nil
}

// ForeignError is a data folder that is somebody else's.
type ForeignError struct {
	Dir   string
	Owner string // empty where it is not known: the folder is in one that is closed
}

func (e *ForeignError) Error() string { return e.Detail() + "; " + e.Remedy() }

// Detail is the fault alone.
func (e *ForeignError) Detail() string {
	if e.Owner == "" {
		return "the data folder " + e.Dir + " is in a folder of somebody else, which is closed to you"
	}
	return "the data folder " + e.Dir + " belongs to " + e.Owner + ", and is closed to you"
}

// Remedy is what helps.
func (e *ForeignError) Remedy() string {
	if e.Owner == "" {
		return "run the command as its owner, or name a folder of your own with --data"
	}
	return "run the command as " + e.Owner + ", or name a folder of your own with --data"
}

// Foreign is a ForeignError where err is that somebody else's data folder, or a file in it, is closed to us; err otherwise.
func Foreign(dir string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	info, statErr := os.Stat(dir)
	switch {
	case errors.Is(statErr, fs.ErrPermission):
		return &ForeignError{Dir: dir}
	case statErr != nil:
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return err
	}
	owner := "user " + strconv.Itoa(int(stat.Uid))
	if known, err := user.LookupId(strconv.Itoa(int(stat.Uid))); err == nil {
		owner = known.Username
	}
	return &ForeignError{Dir: dir, Owner: owner}
}

// Temporal is where the stack that runs on dir has its Temporal; empty where none runs. The address that a dead stack has left
// may be somebody else's by now. A folder that is closed to us is a ForeignError.
func Temporal(dir string) (string, error) {
	held, err := held(filepath.Join(dir, OwnerLock))
	if err != nil || !held {
		return "", Foreign(dir, err)
	}

	var at struct {
		Temporal string `json:"temporal"`
	}
	data, err := os.ReadFile(filepath.Join(dir, AddressesFile)) //nolint:gosec // inside the data folder
	if err != nil || json.Unmarshal(data, &at) != nil {
		return "", nil //nolint:nilerr // it starts, or ends
	}
	return at.Temporal, nil
}

// held reports whether a process has the lock. It ends with the process, however that ends. The error is a missing permission.
func held(path string) (bool, error) {
	file, err := os.Open(path) //nolint:gosec // inside the data folder
	if errors.Is(err, fs.ErrPermission) {
		return false, fmt.Errorf("look for a stack: %w", err)
	}
	if err != nil {
		return false, nil
	}
	defer file.Close() //nolint:errcheck // read only, and it releases
	return errors.Is(syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK), nil
}

// Present has a connection show the key of a data folder. It goes over this machine alone, without TLS.
func Present(options *temporalclient.Options, key string) {
	if key == "" {
		return // the stack of a version that had none
	}
	options.Credentials = temporalclient.NewAPIKeyStaticCredentials(key)
	options.ConnectionOptions.TLS, options.ConnectionOptions.TLSDisabled = nil, true
}
