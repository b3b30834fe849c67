package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// means are what this system lets a program be confined by.
type means struct {
	user      bool // a user namespace, for those who are not root
	namespace bool // PID, network and IPC namespaces
	stopped   bool // a program can be held at its first instruction
}

const namespaces = syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC

// given is probed once; containers often forbid namespaces.
var given = sync.OnceValue(func() means {
	for _, m := range []means{{user: true, namespace: true}, {namespace: true}, {}} {
		m.stopped = true
		if m.work() {
			return m
		}
		m.stopped = false
		if m.work() {
			return m
		}
	}
	return means{}
})

// work tries to start a program that does not exist: where that is all that is wrong, the rest is allowed.
func (m means) work() bool {
	_, err := syscall.ForkExec("/proc/self/nothing", nil, &syscall.ProcAttr{Sys: m.attributes()}) //nolint:gosec // it cannot be started
	return errors.Is(err, syscall.ENOENT)
}

func (m means) attributes() *syscall.SysProcAttr {
	out := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Ptrace: m.stopped}
	if m.namespace {
		out.Cloneflags = namespaces
	}
	if m.user {
		out.Cloneflags |= syscall.CLONE_NEWUSER
		out.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		out.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
	return out
}

func namespaced() bool { return given().namespace }

// Confinement says in one line what this system lets conversions be confined by.
func Confinement() string {
	m := given()
	out := []string{"limits of memory, processor time, file size and open files", "ended as a group"}
	if m.namespace {
		out = []string{"no network", "no process outlives its conversion", out[0]}
	} else {
		out = append(out, "the network is open to them (namespaces are not allowed here)")
	}
	return strings.Join(out, "; ")
}

// launch starts a program under its limits. Go cannot set limits between fork and exec, and after exec a
// program may have forked already. So it is traced for its first instruction: the kernel holds it there, the
// limits are set from outside, and it is let go. Where tracing is forbidden, limits are set right after the
// start. Passed over: a launcher of our own, which would have this large program load once more for every call,
// and prlimit of util-linux, which is not everywhere.
func launch(cmd *exec.Cmd, limits Limits, cpu time.Duration) error {
	m := given()
	cmd.SysProcAttr = m.attributes()
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	if m.stopped {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || !status.Stopped() {
			return fmt.Errorf("it ended at once: %w", errors.Join(err, cmd.Process.Release()))
		}
	}
	err := setLimits(pid, limits, cpu)
	if m.stopped {
		err = errors.Join(err, syscall.PtraceDetach(pid))
	}
	if err != nil {
		return fmt.Errorf("limit it: %w", errors.Join(err, cmd.Process.Kill(), reaped(cmd)))
	}
	return nil
}

// reaped waits for a program that was killed; how it ended is known.
func reaped(cmd *exec.Cmd) error {
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		return err
	}
	return nil
}

// setLimits bounds each process. Data is bounded rather than address space, which browsers and garbage
// collectors reserve by the terabyte; twice what the whole call may hold, since what is mapped is not yet held.
func setLimits(pid int, l Limits, cpu time.Duration) error {
	wanted := map[int]uint64{
		unix.RLIMIT_DATA: uint64(2 * l.Memory), unix.RLIMIT_FSIZE: uint64(l.Disk), //nolint:gosec // positive by WithDefaults
		unix.RLIMIT_NOFILE: openFiles, unix.RLIMIT_CORE: 0,
	}
	if cpu > 0 {
		wanted[unix.RLIMIT_CPU] = uint64(max(cpu/time.Second, 1))
	}
	if given().user {
		// Only in a namespace of its own; elsewhere all that this user runs would count.
		wanted[unix.RLIMIT_NPROC] = uint64(threadsEach * l.Processes) //nolint:gosec // positive by WithDefaults
	}
	for resource, most := range wanted {
		var now unix.Rlimit
		if err := unix.Prlimit(pid, resource, nil, &now); err != nil {
			return fmt.Errorf("read a limit: %w", err)
		}
		most = min(most, now.Max)
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
			return fmt.Errorf("set a limit: %w", err)
		}
	}
	return nil
}

// peak is the most memory that an ended program or one of its own held, in bytes.
func peak(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss << 10
}
