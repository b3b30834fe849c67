// Package program runs the outside programs that engines wrap, so that nothing of one outlives its conversion.
package program

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Command is one call of a program.
type Command struct {
	Name string
	Args []string
	// Home is a private folder of the call: its HOME, and where it works. The caller removes it.
	Home string
	// Env stands beside PATH, the locale and HOME; nothing else of our environment reaches the program.
	Env []string
}

const (
	checkTimeout = 20 * time.Second
	// linger is how long the pipes of a program that has ended may stay open.
	linger = 5 * time.Second
	// saidLimit is how much of what a program says is kept, in bytes; the last of it.
	saidLimit = 4096
)

// Run calls a program in a process group of its own, and ends the whole group with the call: many programs are
// but launchers. It returns the last that the program said; err is nil where it exited with 0.
func Run(ctx context.Context, c Command) (said string, err error) {
	cmd := exec.CommandContext(ctx, c.Name, c.Args...) //nolint:gosec // engines choose the program; arguments are paths of ours
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = linger
	cmd.Dir, cmd.Env = c.Home, append(environment(c.Home), c.Env...)
	output := &tail{limit: saidLimit}
	cmd.Stdout, cmd.Stderr = output, output
	err = cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // nothing of it outlives the call
	}
	return output.String(), err
}

// Check says whether a program is the one that an engine means: many are called alike, so what counts is its
// version output, which has to contain the given words.
func Check(ctx context.Context, name, versionFlag, words string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	said, err := Run(ctx, Command{Name: name, Args: []string{versionFlag}, Home: os.TempDir()})
	if err != nil {
		return fmt.Errorf("run %s %s: %w", name, versionFlag, err)
	}
	if !strings.Contains(said, words) {
		return fmt.Errorf("%s is not %s", name, words)
	}
	return nil
}

// environment keeps our keys and addresses from programs that read strangers' files.
func environment(home string) []string {
	env := []string{"HOME=" + home}
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
		t.buffer = t.buffer[over:]
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.buffer) }
