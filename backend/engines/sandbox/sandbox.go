// Package sandbox runs the outside programs that engines wrap: confined, bounded, and so that nothing of one
// outlives its conversion.
package sandbox

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

const (
	// linger is how long the pipes of a program that has ended may stay open.
	linger = 5 * time.Second
	// saidLimit is how much of what a program says is kept, in bytes.
	saidLimit = 4096
)

// Run calls a program and ends everything that came of it with the call: many programs are but launchers. It
// returns the last that the program said; err is nil where it exited with 0, ctx's error where that ended it,
// and an *engines.Error where the program went over one of its limits.
func Run(ctx context.Context, c Command) (said string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	output := &tail{limit: saidLimit}
	p, err := start(c, allowance(ctx), func(cmd *exec.Cmd) error {
		cmd.Stdout, cmd.Stderr = output, output
		return nil
	})
	if err != nil {
		return "", err
	}
	err = p.Guard(ctx, p.ended, Watch{Folders: c.Folders})
	if err == nil {
		err = p.verdict(c.Folders)
	}
	return output.String(), err
}

// environment keeps our keys and addresses from programs that read strangers' files.
func environment(home string) []string {
	env := []string{"HOME=" + home, "TMPDIR=" + home}
	for _, name := range []string{"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// tail keeps the last bytes of what a program says.
type tail struct {
	buffer []byte
	limit  int
}

func (t *tail) Write(p []byte) (int, error) {
	t.buffer = append(t.buffer, p...)
	if over := len(t.buffer) - t.limit; over > 0 {
		t.buffer = append(t.buffer[:0], t.buffer[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.buffer) }

// head keeps the first bytes of it.
type head struct {
	buffer []byte
	limit  int
}

func (h *head) Write(p []byte) (int, error) {
	h.buffer = append(h.buffer, p[:min(len(p), h.limit-len(h.buffer))]...)
	return len(p), nil
}

func (h *head) String() string { return string(h.buffer) }

// look is how often a running program is looked at.
const look = 200 * time.Millisecond

// callVariable marks the processes of a call in their environment.
const callVariable = "CONVILYN_CALL"

// Process is a confined program that runs.
type Process struct {
	// In and Out are its standard input and output, where Start started it.
	In  io.WriteCloser
	Out io.ReadCloser

	command Command
	limits  Limits
	mark    string
	pid     int
	ended   chan struct{}
	cpu     time.Duration // of processor time for each of its processes; 0 for no bound
	said    *head         // for those who have seen ended closed, as are the next two
	err     error
	state   *os.ProcessState
}

// Start starts a program that goes on until it ends by itself or by Kill.
func Start(c Command) (*Process, error) {
	said := &head{limit: saidLimit}
	var in io.WriteCloser
	var out io.ReadCloser
	p, err := start(c, 0, func(cmd *exec.Cmd) (err error) {
		cmd.Stderr = said
		if in, err = cmd.StdinPipe(); err != nil {
			return err
		}
		out, err = cmd.StdoutPipe()
		return err
	})
	if err != nil {
		return nil, err
	}
	p.In, p.Out, p.said = in, out, said
	return p, nil
}

func start(c Command, cpu time.Duration, pipes func(*exec.Cmd) error) (*Process, error) {
	if c.Title == "" {
		c.Title = c.Name
	}
	p := &Process{command: c, limits: c.Limits.WithDefaults(), cpu: cpu, mark: callVariable + "=" + rand.Text(), ended: make(chan struct{})}
	// No context: Guard ends the process, with all that came of it.
	cmd := exec.CommandContext(context.Background(), c.Name, c.Args...) //nolint:gosec // engines choose the program; arguments are paths of ours
	cmd.WaitDelay = linger
	cmd.Dir, cmd.Env = c.Home, append(append(environment(c.Home), c.Env...), p.mark)
	if err := pipes(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Title, err)
	}
	started := make(chan error)
	go p.live(cmd, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Title, err)
	}
	return p, nil
}

// live stays on one thread: the kernel ends the program with the thread that started it, and only that thread
// may let it go on once its limits are set.
func (p *Process) live(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := begin(cmd, p.command, p.limits, p.cpu); err != nil {
		started <- err
		return
	}
	p.pid = cmd.Process.Pid
	started <- nil
	p.err = cmd.Wait()
	p.state = cmd.ProcessState
	if !namespaced() {
		p.Kill() // nothing of it outlives the call
	}
	close(p.ended)
}

// Ended is closed when the program and all that came of it are gone.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Said is the first that an ended program said on its standard error: a runtime that dies names the cause there.
func (p *Process) Said() string { return p.said.String() }

// Kill ends the program and all that came of it.
func (p *Process) Kill() {
	select {
	case <-p.ended: // its number may be another's by now
	default:
		killAll(p.pid, p.mark)
	}
}

// Watch is what Guard looks at.
type Watch struct {
	Title   string   // what people call the work, for errors; the command's where it is empty
	Folders []string // further ones that the program writes to; they count with its Home
	Disk    int64    // bytes that they may hold; as in Limits where it is 0
}

// watched are the words and the limits of a Watch.
func (p *Process) watched(w Watch) (title string, l Limits) {
	title, l = w.Title, p.limits
	if title == "" {
		title = p.command.Title
	}
	if w.Disk > 0 {
		l.Disk = w.Disk
	}
	return title, l
}

// OutOfMemory is the error of a program that says that it got no more.
func (p *Process) OutOfMemory(w Watch) error {
	title, l := p.watched(w)
	return l.over(title, use{memory: l.Memory + 1})
}

// FileTooLarge is the error of a program that the kernel kept from writing a larger file.
func (p *Process) FileTooLarge(w Watch) error {
	title, _ := p.watched(w)
	return p.limits.over(title, use{disk: p.limits.Disk})
}

// Guard waits for done. Before that it kills the program, and waits for its end, where ctx ends, whose error it
// returns, and where the program goes over a limit, which is an *engines.Error and ErrLimit.
func (p *Process) Guard(ctx context.Context, done <-chan struct{}, w Watch) error {
	title, limits := p.watched(w)
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			err = ctx.Err()
		case <-ticker.C:
			err = limits.over(title, p.use(w.Folders))
		}
		if err != nil {
			p.Kill()
			<-p.ended
			return err
		}
	}
}

// Do does something with the program, within its limits: as Guard, until do comes back. The context of do ends with the
// program.
func (p *Process) Do(ctx context.Context, w Watch, do func(ctx context.Context) error) error {
	doing, stop := context.WithCancel(ctx)
	defer stop()
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		failed = do(doing)
	}()
	if err := p.Guard(ctx, done, w); err != nil {
		stop()
		<-done
		return err
	}
	if failed != nil && ctx.Err() != nil { // do saw the end of its time before Guard did
		p.Kill()
		<-p.ended
		return ctx.Err()
	}
	return failed
}

// Memory is how many bytes the program itself holds now, without what came of it.
func (p *Process) Memory() int64 { return ownMemory(p.pid) }

// Root is where what the program sees as / can be found from outside, its /tmp for example; empty where it sees the
// system's own.
func (p *Process) Root() string {
	if !Rooted() {
		return ""
	}
	return fmt.Sprintf("/proc/%d/root", p.pid)
}

func (p *Process) use(folders []string) use {
	var u use
	u.processes, u.memory = held(p.pid)
	u.disk = p.disk(folders)
	return u
}

func (p *Process) disk(folders []string) int64 {
	all := folderSize(p.command.Home)
	for _, folder := range folders {
		all += folderSize(folder)
	}
	return all
}

// verdict is the error of a program that has ended by itself. One that went over a limit between two looks, or
// that the kernel kept from it, is told as one that was caught.
func (p *Process) verdict(folders []string) error {
	if err := p.limits.over(p.command.Title, use{disk: p.disk(folders)}); err != nil {
		return err
	}
	// What failed so near the limit was refused more by the kernel, before anybody looked.
	if p.err != nil && peak(p.state) >= p.limits.Memory/10*9 {
		return p.OutOfMemory(Watch{})
	}
	// The kernel counts the ticks that a program saw, and reports the time that it had: on a busy machine less.
	if p.cpu > 0 && signaled(p.state) && p.state.UserTime()+p.state.SystemTime() >= p.cpu/2 {
		return engines.Errorf(engines.CodeConversionFailed, "%s needed more processor time than it may and was stopped", p.command.Title)
	}
	return p.err
}

func signaled(state *os.ProcessState) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}
