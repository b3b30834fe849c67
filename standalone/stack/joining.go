package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"github.com/convilyn/convilyn-temporal/internal/datafolder"
)

// Files in the data folder by which processes find each other.
const (
	ownerLock     = datafolder.OwnerLock
	usersLock     = "users.lock" // held shared by every process that uses it
	addressesFile = datafolder.AddressesFile
)

// fileLock is an flock: it ends with the process, however that ends.
type fileLock struct{ file *os.File }

func tryLock(path string, how int) (*fileLock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // inside the data folder
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &fileLock{file: file}, nil
}

var errLocked = errors.New("held by another process")

func (l *fileLock) release() {
	if l != nil {
		_ = l.file.Close()
	}
}

// sign writes into the lock whose it is.
func (l *fileLock) sign() error {
	if l == nil {
		return nil
	}
	err := l.file.Truncate(0)
	if err == nil {
		_, err = l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	if err != nil {
		return fmt.Errorf("sign the lock: %w", err)
	}
	return nil
}

// signedBy is the process that has signed a lock; 0 for one of an earlier version.
func signedBy(path string) int {
	data, err := os.ReadFile(path) //nolint:gosec // inside the data folder
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(string(data))
	return pid
}

// Addresses is where a stack that runs is found. Each data folder has those of its own.
type Addresses struct {
	PID      int      `json:"pid"`
	Temporal string   `json:"temporal"`
	UI       string   `json:"ui"`
	API      string   `json:"api"`
	Inbox    string   `json:"inbox"`
	Codec    string   `json:"codec,omitempty"`               // opens payloads for Temporal's page, where they are sealed
	KeyFile  string   `json:"encryption_key_file,omitempty"` // with which they are
	KeyIDs   []string `json:"encryption_key_ids,omitempty"`
	Faults   string   `json:"faults,omitempty"` // id of those that the local service commits
	Stays    bool     `json:"stays,omitempty"`  // it was brought up to stay, and not by a command that ends
}

func (a Addresses) save(dir string) error {
	data, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the addresses: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(dir, addressesFile), append(data, '\n'), 0o600, renameio.WithTempDir(dir)); err != nil {
		return fmt.Errorf("write the addresses: %w", err)
	}
	return nil
}

// LoadAddresses reads where the stack on a data folder listens.
func LoadAddresses(dir string) (Addresses, error) {
	var a Addresses
	data, err := os.ReadFile(filepath.Join(dir, addressesFile)) //nolint:gosec // inside the data folder
	if err != nil {
		return a, fmt.Errorf("read the addresses: %w", err)
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return a, fmt.Errorf("read the addresses: %w", err)
	}
	return a, nil
}

// Answers reports whether a stack on a data folder is up.
func Answers(ctx context.Context, dir string) bool {
	at, err := LoadAddresses(dir)
	if err != nil {
		return false
	}

	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", at.Temporal)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// joinPatience is how long a stack may take to start or to end, on a busy machine that has two hundred others to look after.
const joinPatience = 10 * time.Minute

// noticeAfter is when somebody who waits is told.
const noticeAfter = 5 * time.Second

// claim decides who runs the stack: this process (owner is set) or one that already does (owner is nil).
// Either way this process holds a share of usersLock, which keeps an owner from leaving under its users.
func claim(ctx context.Context, dir string, notice func(string)) (owner, user *fileLock, err error) {
	begun := time.Now()
	for told := false; ; {
		owner, err = tryLock(filepath.Join(dir, ownerLock), syscall.LOCK_EX)
		if err != nil && !errors.Is(err, errLocked) {
			return nil, nil, err
		}
		user, err = tryLock(filepath.Join(dir, usersLock), syscall.LOCK_SH)
		if err == nil && owner != nil {
			if err := owner.sign(); err != nil {
				owner.release()
				user.release()
				return nil, nil, err
			}
			return owner, user, nil
		}
		if err == nil && ofOwner(dir) && Answers(ctx, dir) {
			return owner, user, nil
		}
		owner.release()
		user.release()
		if !told && time.Since(begun) > noticeAfter {
			notice("another process starts or ends the stack on " + dir + "; waiting for it")
			told = true
		}
		if waitErr := pause(ctx, 100*time.Millisecond); waitErr != nil {
			if !errors.Is(waitErr, context.DeadlineExceeded) {
				return nil, nil, waitErr
			}
			return nil, nil, fmt.Errorf("another process holds %s but its stack does not answer; end that process (see %s) or choose another --data",
				dir, filepath.Join(dir, addressesFile))
		}
	}
}

// commandNoticeAfter is when somebody is told who waits for the stack of another command: it may run for hours.
const commandNoticeAfter = time.Second

// awaitCommand waits for the end of a stack that was brought up by a command which ends.
func awaitCommand(ctx context.Context, dir string, notice func(string)) error {
	begun := time.Now()
	for told := false; ; {
		at, err := LoadAddresses(dir)
		if err != nil || at.Stays || !ofOwner(dir) || !Answers(ctx, dir) {
			return nil //nolint:nilerr // there is none to wait for
		}
		if !told && time.Since(begun) > commandNoticeAfter {
			notice(fmt.Sprintf("another command, process %d, runs the stack on %s; waiting for its end to take over (its page is %s)", at.PID, dir, at.UI))
			told = true
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// ofOwner reports whether the addresses are of the process that runs the stack, and not of one that died before it: others may
// listen there by now.
func ofOwner(dir string) bool {
	at, err := LoadAddresses(dir)
	pid := signedBy(filepath.Join(dir, ownerLock))
	return err == nil && (pid == 0 || pid == at.PID)
}

// awaitUsers waits until no other process uses the stack. While the lock that it returns is held, nobody can join.
func awaitUsers(ctx context.Context, dir string, own *fileLock, notice func()) *fileLock {
	own.release()
	for told := false; ; told = true {
		last, err := tryLock(filepath.Join(dir, usersLock), syscall.LOCK_EX)
		if !errors.Is(err, errLocked) {
			return last
		}
		if !told {
			notice()
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			return nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
