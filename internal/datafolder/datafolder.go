// Package datafolder finds the stack of standalone that runs on a data folder, and what lets its owner in.
package datafolder

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	temporalclient "go.temporal.io/sdk/client"
)

// Files in the data folder that other programs look for.
const (
	KeyFile       = "access.key" // lets its owner in everywhere
	AddressesFile = "stack.json" // of the stack that runs
	OwnerLock     = "owner.lock" // held by the process that runs the stack
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

// Temporal is where the stack that runs on dir has its Temporal; empty where none runs. The address that a dead stack has left
// may be somebody else's by now.
func Temporal(dir string) string {
	if !held(filepath.Join(dir, OwnerLock)) {
		return ""
	}

	var at struct {
		Temporal string `json:"temporal"`
	}
	data, err := os.ReadFile(filepath.Join(dir, AddressesFile)) //nolint:gosec // inside the data folder
	if err != nil || json.Unmarshal(data, &at) != nil {
		return ""
	}
	return at.Temporal
}

// held reports whether a process has the lock. It ends with the process, however that ends.
func held(path string) bool {
	file, err := os.Open(path) //nolint:gosec // inside the data folder
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // read only, and it releases
	return errors.Is(syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// Present has a connection show the key of a data folder. It goes over this machine alone, without TLS.
func Present(options *temporalclient.Options, key string) {
	if key == "" {
		return // the stack of a version that had none
	}
	options.Credentials = temporalclient.NewAPIKeyStaticCredentials(key)
	options.ConnectionOptions.TLS, options.ConnectionOptions.TLSDisabled = nil, true
}
