//go:build crash && linux && amd64

package crash

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Every change of files goes through one of these. The kernel stops the process at each of them and asks, so that no
// effect on disk is left out, whoever's code has it.
var fileCalls = map[int32]fileCall{
	unix.SYS_RENAMEAT:  {"rename", 3}, // told by the new name
	unix.SYS_RENAMEAT2: {"rename", 3},
	unix.SYS_LINKAT:    {"link", 3},
	unix.SYS_UNLINKAT:  {"remove", 1},
	unix.SYS_MKDIRAT:   {"mkdir", 1},
	unix.SYS_OPENAT:    {"create", 1}, // with O_CREAT
}

type fileCall struct {
	verb string
	path int // which argument
}

// anonymous is what differs from run to run in a name: ids, hashes, random endings, numbers.
var anonymous = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}|[0-9]{2,}`)

// Of <linux/seccomp.h> and <linux/audit.h>.
const (
	seccompSetModeFilter  = 1
	seccompNewListener    = 1 << 3
	seccompRetUserNotify  = 0x7fc00000
	seccompRetAllow       = 0x7fff0000
	seccompContinue       = 1
	ioctlNotifyReceive    = 0xc0502100
	ioctlNotifySend       = 0xc0182101
	offsetNumber          = 0
	offsetThirdArgument   = 16 + 2*8
	instructionsAfterOpen = 2
)

type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	call  int32
	arch  uint32
	at    uint64
	args  [6]uint64
}

type notificationReply struct {
	id    uint64
	value int64
	fault int32
	flags uint32
}

// watchSyscalls says every change of files below root before it happens.
func watchSyscalls(root string, say *sayer) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := filter()
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	// All threads of a Go process run the same code; the filter is for each of them.
	const allThreads, evenWithListener = 1 << 0, 1 << 4
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, seccompSetModeFilter, seccompNewListener|allThreads|evenWithListener, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return errno
	}
	go func() {
		for {
			if err := answerOne(fd, root, say); err != nil {
				panic(err)
			}
		}
	}()
	return nil
}

// filter asks about fileCalls and lets everything else pass.
func filter() []unix.SockFilter {
	jump := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: yes, Jf: no, K: k}
	}
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	ret := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	program := []unix.SockFilter{load(offsetNumber)}
	for number := range fileCalls {
		if number != unix.SYS_OPENAT {
			program = append(program, jump(uint32(number), 0, 1), ret(seccompRetUserNotify))
		}
	}
	return append(program,
		jump(unix.SYS_OPENAT, 0, instructionsAfterOpen+1),
		load(offsetThirdArgument),
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jt: 0, Jf: 1, K: unix.O_CREAT},
		ret(seccompRetUserNotify),
		ret(seccompRetAllow),
	)
}

func answerOne(fd uintptr, root string, say *sayer) error {
	var n notification
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, ioctlNotifyReceive, uintptr(unsafe.Pointer(&n))); errno != 0 {
		if errors.Is(errno, unix.EINTR) || errors.Is(errno, unix.ENOENT) {
			return nil // the call was interrupted; it comes again
		}
		return fmt.Errorf("receive: %w", errno)
	}
	call := fileCalls[n.call]
	go func() {
		// The calling thread stands still, and its memory is ours.
		if path := textAt(uintptr(n.args[call.path])); strings.HasPrefix(path, root) {
			say.say("file", call.verb+" "+fileLabel(root, path))
		}
		reply := notificationReply{id: n.id, flags: seccompContinue}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, fd, ioctlNotifySend, uintptr(unsafe.Pointer(&reply)))
	}()
	return nil
}

// textAt reads a C string of this very process.
func textAt(address uintptr) string {
	data := make([]byte, 4096)
	local := []unix.Iovec{{Base: &data[0], Len: uint64(len(data))}}
	n, err := unix.ProcessVMReadv(unix.Getpid(), local, []unix.RemoteIovec{{Base: address, Len: int(4096 - address%4096)}}, 0)
	if err != nil {
		return ""
	}
	if end := bytes.IndexByte(data[:n], 0); end >= 0 {
		return string(data[:end])
	}
	// It goes on in the next page.
	more, err := unix.ProcessVMReadv(unix.Getpid(), []unix.Iovec{{Base: &data[n], Len: uint64(len(data) - n)}}, []unix.RemoteIovec{{Base: address + uintptr(n), Len: len(data) - n}}, 0)
	if err != nil {
		return ""
	}
	text, _, _ := bytes.Cut(data[:n+more], []byte{0})
	return string(text)
}
