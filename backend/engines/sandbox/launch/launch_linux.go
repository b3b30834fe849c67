package launch

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// name is what the launcher is called in its arguments; nobody calls a program like this.
const name = "convilyn-launch: "

// Report is the descriptor on which the launcher says why it could not become the program. It is closed when it has.
const Report = 3

// Bind is a file or folder of the system in the new root, under its own path.
type Bind struct {
	Path  string
	Write bool
}

// Spec is what the launcher does before it becomes the program.
type Spec struct {
	// Root has everything but Binds, Links, /proc and a few devices out of reach.
	Root  bool
	Size  int64 // bytes that may lie in the new root itself, as in /tmp
	Binds []Bind
	Links map[string]string // symbolic links in the new root: path to target
	// Limits are set as both bounds, or as near as they may be.
	Limits map[int]uint64

	Dir  string
	Path string // of the program; empty to end at once
	Args []string
}

// Arguments are those by which this program is started as the launcher.
func (s Spec) Arguments() []string {
	out := []string{name, strconv.FormatBool(s.Root), strconv.FormatInt(s.Size, 10), strconv.Itoa(len(s.Binds))}
	for _, bind := range s.Binds {
		out = append(out, bind.Path, strconv.FormatBool(bind.Write))
	}
	out = append(out, strconv.Itoa(len(s.Links)))
	for path, target := range s.Links {
		out = append(out, path, target)
	}
	out = append(out, strconv.Itoa(len(s.Limits)))
	for resource, most := range s.Limits {
		out = append(out, strconv.Itoa(resource), strconv.FormatUint(most, 10))
	}
	return append(append(out, s.Dir, s.Path), s.Args...)
}

// parse reads Arguments back. What it is given comes from this very program.
func parse(args []string) Spec {
	next := func() string {
		first := args[0]
		args = args[1:]
		return first
	}
	number := func() int {
		n, _ := strconv.Atoi(next())
		return n
	}
	var s Spec
	_ = next()
	s.Root = next() == "true"
	s.Size = int64(number())
	for range number() {
		s.Binds = append(s.Binds, Bind{Path: next(), Write: next() == "true"})
	}
	s.Links = map[string]string{}
	for range number() {
		path := next()
		s.Links[path] = next()
	}
	s.Limits = map[int]uint64{}
	for range number() {
		resource := number()
		s.Limits[resource], _ = strconv.ParseUint(next(), 10, 64)
	}
	s.Dir, s.Path = next(), next()
	s.Args = args
	return s
}

// init and not a call from main: this package needs little, so that it comes up before nearly all others of a large
// program. That is a few milliseconds in place of sixty.
func init() {
	if len(os.Args) == 0 || os.Args[0] != name {
		return
	}
	unix.CloseOnExec(Report)
	err := parse(os.Args).run()
	if err == nil {
		os.Exit(0) //nolint:forbidigo // this is a main
	}
	_, _ = unix.Write(Report, []byte(err.Error()))
	os.Exit(1) //nolint:forbidigo // this is a main
}

// failure is a step and what the system said; errno stays to be compared.
func failure(step string, err error) error {
	if err == nil {
		return nil
	}
	return errors.New(step + ": " + err.Error())
}

// run comes back only where it failed, or where no program is named.
func (s Spec) run() error {
	if s.Root {
		if err := s.newRoot(); err != nil {
			return err
		}
	}
	// What was needed for the mounts is not handed on to the program.
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return failure("drop capabilities", err)
	}
	if err := unix.Chdir(s.Dir); err != nil {
		return failure("enter the folder of the call", err)
	}
	if s.Path == "" {
		return nil
	}
	for resource, most := range s.Limits {
		if err := limit(resource, most); err != nil {
			return failure("set a limit", err)
		}
	}
	return failure("start it", unix.Exec(s.Path, s.Args, os.Environ()))
}

func limit(resource int, most uint64) error {
	var now unix.Rlimit
	if err := unix.Getrlimit(resource, &now); err != nil {
		return err
	}
	most = min(most, now.Max)
	return unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most})
}

// newRoot replaces the root of this mount namespace. Each source is taken hold of before anything is put over it.
func (s Spec) newRoot() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return failure("detach mounts", err)
	}
	binds := slices.Clone(s.Binds)
	for _, device := range []string{"null", "zero", "full", "random", "urandom"} {
		binds = append(binds, Bind{Path: "/dev/" + device, Write: true})
	}
	slices.SortFunc(binds, func(a, b Bind) int { return strings.Compare(a.Path, b.Path) }) // outer ones first
	held := make([]int, len(binds))
	for i, bind := range binds {
		fd, err := hold(bind)
		if err != nil {
			return failure("reach "+bind.Path, err)
		}
		held[i] = fd
	}
	const root = "/proc" // a folder that is everywhere; in this namespace alone it is covered
	proc, err := procFS()
	if err != nil {
		return failure("mount /proc", err)
	}
	if err := unix.Mount("tmpfs", root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size="+strconv.FormatInt(s.Size, 10)); err != nil {
		return failure("mount a root", err)
	}
	for i, bind := range binds {
		if err := place(held[i], root, bind.Path); err != nil {
			return failure("show "+bind.Path, err)
		}
	}
	if err := place(proc, root, "/proc"); err != nil {
		return failure("show /proc", err)
	}
	if err := s.furnish(root); err != nil {
		return err
	}
	return enter(root)
}

// hold opens a copy of the mounts at a path.
func hold(bind Bind) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, bind.Path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil || bind.Write {
		return fd, err
	}
	return fd, unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

// procFS is the list of the processes of this PID namespace. Containers that cover parts of theirs allow no new one;
// theirs is used then, whose processes are out of reach of this user namespace all the same.
func procFS() (int, error) {
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return 0, err
	}
	if err := unix.FsconfigCreate(fs); err == nil {
		if fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC); err == nil {
			return fd, nil
		}
	}
	return hold(Bind{Path: "/proc"})
}

// place mounts what is held, in a folder or over an empty file that is made for it.
func place(fd int, root, path string) error {
	var kind unix.Stat_t
	if err := unix.Fstat(fd, &kind); err != nil {
		return err
	}
	if kind.Mode&unix.S_IFMT == unix.S_IFDIR {
		if err := folder(root + path); err != nil {
			return err
		}
	} else {
		if err := folder(root + path[:strings.LastIndexByte(path, '/')]); err != nil {
			return err
		}
		file, err := unix.Open(root+path, unix.O_CREAT|unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o600)
		if err != nil {
			return err
		}
		_ = unix.Close(file)
	}
	err := unix.MoveMount(fd, "", unix.AT_FDCWD, root+path, unix.MOVE_MOUNT_F_EMPTY_PATH)
	_ = unix.Close(fd)
	return err
}

// folder makes one with all above it.
func folder(path string) error {
	err := unix.Mkdir(path, 0o755)
	if errors.Is(err, unix.ENOENT) {
		if err := folder(path[:strings.LastIndexByte(path, '/')]); err != nil {
			return err
		}
		err = unix.Mkdir(path, 0o755)
	}
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// furnish makes what programs expect to find and write to.
func (s Spec) furnish(root string) error {
	for path, target := range s.Links {
		if err := folder(root + path[:strings.LastIndexByte(path, '/')]); err != nil {
			return failure("show "+path, err)
		}
		if err := unix.Symlink(target, root+path); err != nil && !errors.Is(err, unix.EEXIST) {
			return failure("show "+path, err)
		}
	}
	for _, path := range []string{"/tmp", "/var/tmp", "/dev/shm"} {
		if err := folder(root + path); err != nil {
			return failure("make "+path, err)
		}
	}
	for path, target := range map[string]string{"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2"} {
		if err := unix.Symlink(target, root+path); err != nil {
			return failure("make "+path, err)
		}
	}
	return nil
}

// enter makes a mount the root, and lets go of the one before.
func enter(root string) error {
	if err := unix.Chdir(root); err != nil {
		return failure("enter the root", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return failure("change the root", err)
	}
	return failure("leave the root before", unix.Unmount(".", unix.MNT_DETACH))
}
