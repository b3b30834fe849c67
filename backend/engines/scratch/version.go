package scratch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
)

const versionTimeout = 20 * time.Second

// Version is the line of a program's version output that has the words, by which the program is known: many are
// called alike. A program is asked once in the life of this process, and again when its file has changed.
func Version(ctx context.Context, name, flag, words string) (string, error) {
	return asked.version(ctx, program{name: name, flag: flag, words: words})
}

var asked = versions{ask: askVersion}

type program struct{ name, flag, words string }

// versions are those of programs that have been asked. Only answers are kept: what is not there may be installed.
type versions struct {
	ask   func(context.Context, program) (string, error)
	known sync.Map // of lines, by knownProgram
}

type knownProgram struct {
	program
	path     string
	size     int64
	modified int64
}

func (v *versions) version(ctx context.Context, p program) (string, error) {
	path, err := exec.LookPath(p.name)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", p.name, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("look at %s: %w", p.name, err)
	}

	key := knownProgram{program: p, path: path, size: info.Size(), modified: info.ModTime().UnixNano()}
	if line, known := v.known.Load(key); known {
		return line.(string), nil
	}
	line, err := v.ask(ctx, p)
	if err == nil {
		v.known.Store(key, line)
	}
	return line, err
}

func askVersion(ctx context.Context, p program) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	home, remove, err := sandbox.Home("version")
	if err != nil {
		return "", err
	}
	defer remove()

	said, err := sandbox.Run(ctx, sandbox.Command{Name: p.name, Args: []string{p.flag}, Home: home})
	if err != nil {
		return "", fmt.Errorf("run %s %s: %w", p.name, p.flag, err)
	}
	for line := range strings.Lines(said) {
		if strings.Contains(line, p.words) {
			return strings.TrimSpace(line), nil
		}
	}
	return "", fmt.Errorf("%s is not %s", p.name, p.words)
}
