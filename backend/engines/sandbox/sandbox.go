// Package sandbox runs the outside programs that engines wrap: confined, bounded, and so that nothing of one
// outlives its conversion.
package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Command is one call of a program.
type Command struct {
	Name string
	Args []string
	// Title is what people call the program, for errors; Name where it is empty.
	Title string
	// Home is a private folder of the call: its HOME, where it works, and for its temporary files. The caller
	// removes it.
	Home string
	// Env stands beside PATH, the locale and HOME; nothing else of our environment reaches the program.
	Env []string
	// Folders are further ones that the program writes to; they count with Home.
	Folders []string
	Limits  Limits
}

const (
	checkTimeout = 20 * time.Second
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

// Check says whether a program is the one that an engine means: many are called alike, so what counts is its
// version output, which has to contain the given words.
func Check(ctx context.Context, name, versionFlag, words string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	home, err := os.MkdirTemp("", "convilyn-check-*")
	if err != nil {
		return fmt.Errorf("make a folder for %s: %w", name, err)
	}
	defer os.RemoveAll(home) //nolint:errcheck // in the system's temporary folder
	said, err := Run(ctx, Command{Name: name, Args: []string{versionFlag}, Home: home})
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
