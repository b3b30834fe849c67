package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox/launch"
)

// means are what this system lets a program be confined by.
type means struct {
	user      bool // a user namespace, for those who are not root
	namespace bool // PID, network and IPC namespaces
	root      bool // a mount namespace with a root of its own
}

const namespaces = syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC

// mounting is the capability to mount, which the launcher has until it becomes the program.
const mounting = 21

// given is probed once; containers often forbid namespaces, or mounts in them.
var given = sync.OnceValue(func() means {
	for _, m := range []means{
		{user: true, namespace: true, root: true}, {namespace: true, root: true}, {user: true, namespace: true}, {namespace: true},
	} {
		if m.work() {
			return m
		}
	}
	return means{}
})

// work tries all that comes before a program.
func (m means) work() bool {
	cmd := exec.CommandContext(context.Background(), launcher)
	cmd.SysProcAttr = m.attributes()
	spec := launch.Spec{Root: m.root, Size: 1 << 20, Dir: "/"}
	if m.root {
		spec.Binds, spec.Links = ofSystem()
	}
	cmd.Args, cmd.Env = spec.Arguments(), []string{}
	return cmd.Run() == nil
}

func (m means) attributes() *syscall.SysProcAttr {
	out := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if m.namespace {
		out.Cloneflags = namespaces
	}
	if m.root {
		out.Cloneflags |= syscall.CLONE_NEWNS
		out.AmbientCaps = []uintptr{mounting}
	}
	if m.user {
		out.Cloneflags |= syscall.CLONE_NEWUSER
		out.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		out.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
	return out
}

func namespaced() bool { return given().namespace }

// Rooted reports whether programs have a root of their own, where nobody else reaches what they make but their folders.
func Rooted() bool { return given().root }

// Confinement says in one line what this system lets conversions be confined by.
func Confinement() string {
	m := given()
	bounds := "limits of memory, processor time, file size and open files"
	if !m.namespace {
		return bounds + "; ended as a group; the network and the files of this user are open to them (namespaces are not allowed here)"
	}
	files := "no files but their own, the system's programs and fonts"
	if !m.root {
		files = "the files of this user are open to them (mount namespaces are not allowed here)"
	}
	return strings.Join([]string{"no network", files, "no process outlives its conversion", bounds}, "; ")
}

// launcher is this very program, also where its file was replaced meanwhile.
const launcher = "/proc/self/exe"

// begin starts a program by way of the launcher: Go cannot mount or set limits between fork and exec. It comes back
// when the program has its limits and its root, and has begun. Passed over: limits that are set from outside while the
// kernel holds the program at its first instruction, which has no way to mount.
func begin(cmd *exec.Cmd, c Command, limits Limits, cpu time.Duration) error {
	if cmd.Err != nil {
		return cmd.Err
	}
	m := given()
	report, theirs, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	defer report.Close() //nolint:errcheck // read only

	spec := launch.Spec{Root: m.root, Size: limits.Memory / privateShare, Limits: m.bounds(limits, cpu), Dir: cmd.Dir, Path: cmd.Path, Args: cmd.Args}
	if spec.Binds, spec.Links, err = view(c, cmd.Path); err != nil {
		return errors.Join(err, theirs.Close())
	}
	cmd.Path, cmd.Args, cmd.Dir = launcher, spec.Arguments(), ""
	cmd.SysProcAttr, cmd.ExtraFiles = m.attributes(), []*os.File{theirs}
	if err := errors.Join(cmd.Start(), theirs.Close()); err != nil {
		return err
	}
	why, err := io.ReadAll(report)
	if err != nil || len(why) > 0 {
		return fmt.Errorf("confine it: %w", errors.Join(err, errors.New(string(why)), cmd.Process.Kill(), reaped(cmd)))
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

// privateShare is which part of the memory may lie as files in a program's own root, such as in its /tmp.
const privateShare = 8

// bounds are those of each process. Data is bounded rather than address space, which browsers and garbage
// collectors reserve by the terabyte; twice what the whole call may hold, since what is mapped is not yet held.
func (m means) bounds(l Limits, cpu time.Duration) map[int]uint64 {
	out := map[int]uint64{
		unix.RLIMIT_DATA: uint64(2 * l.Memory), unix.RLIMIT_FSIZE: uint64(l.Disk), //nolint:gosec // positive by WithDefaults
		unix.RLIMIT_NOFILE: openFiles, unix.RLIMIT_CORE: 0,
	}
	if cpu > 0 {
		out[unix.RLIMIT_CPU] = uint64(max(cpu/time.Second, 1))
	}
	if m.user {
		// Only in a namespace of its own; elsewhere all that this user runs would count.
		out[unix.RLIMIT_NPROC] = uint64(threadsEach * l.Processes) //nolint:gosec // positive by WithDefaults
	}
	return out
}

// peak is the most memory that an ended program or one of its own held, in bytes.
func peak(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss << 10
}
