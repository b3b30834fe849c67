package scratch

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
)

const versionTimeout = 20 * time.Second

// Version is the line of a program's version output that has the words, by which the program is known: many are
// called alike. A program is asked once a day, or when its file has changed, and by each process where there is no cache
// folder of the user: eight programs asked at every start would be half of its time.
func Version(ctx context.Context, name, flag, words string) (string, error) {
	return asked.version(ctx, program{Name: name, Flag: flag, Words: words})
}

// AskAgain has programs asked that were asked before: they may not start any more, though their files are the same.
func AskAgain(ctx context.Context) context.Context {
	return context.WithValue(ctx, askAgain{}, true)
}

type askAgain struct{}

var asked = versions{ask: askVersion, file: answersFile}

type program struct{ Name, Flag, Words string }

// versions are those of programs that have been asked. Only answers are kept: what is not there may be installed.
type versions struct {
	ask  func(context.Context, program) (string, error)
	file func() string // where answers are kept for other processes; nil or empty for nowhere

	mu    sync.Mutex
	known answers
}

// answers are kept in JSON as they are.
type answers map[string]answer // by program.key

type answer struct {
	Path     string    `json:"path"`
	Size     int64     `json:"size"`
	Modified int64     `json:"modified"` // Unix nanoseconds
	Line     string    `json:"line"`
	Asked    time.Time `json:"asked"`
}

// answersLast is how long an answer holds: a program may break by what it needs, which its file does not show.
const answersLast = 24 * time.Hour

func (p program) key() string { return strings.Join([]string{p.Name, p.Flag, p.Words}, " ") }

// answersFile lies beside the folder of the cache that engines can write to.
func answersFile() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "convilyn-programs.json")
}

func (v *versions) version(ctx context.Context, p program) (string, error) {
	path, err := exec.LookPath(p.Name)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", p.Name, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("look at %s: %w", p.Name, err)
	}

	now := answer{Path: path, Size: info.Size(), Modified: info.ModTime().UnixNano()}
	if line, known := v.look(p, now); known && ctx.Value(askAgain{}) == nil {
		return line, nil
	}
	now.Line, err = v.ask(ctx, p)
	if err == nil {
		now.Asked = time.Now()
		v.keep(p, now)
	}
	return now.Line, err
}

// look finds what the program of this path, size and age has answered.
func (v *versions) look(p program, now answer) (string, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil {
		v.known = v.read()
	}

	kept := v.known[p.key()]
	age := time.Since(kept.Asked)
	now.Line, now.Asked = kept.Line, kept.Asked
	return kept.Line, kept == now && age >= 0 && age < answersLast
}

func (v *versions) keep(p program, now answer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known = v.read() // others may have asked meanwhile
	v.known[p.key()] = now

	if path := v.path(); path != "" {
		if data, err := json.Marshal(v.known); err == nil {
			_ = renameio.WriteFile(path, data, 0o600) // it only saves time
		}
	}
}

func (v *versions) path() string {
	if v.file == nil {
		return ""
	}
	return v.file()
}

// read gives what this process knows where there is no file.
func (v *versions) read() answers {
	if path := v.path(); path != "" {
		var read answers
		if data, err := os.ReadFile(path); err == nil && json.Unmarshal(data, &read) == nil && read != nil { //nolint:gosec // of our own
			return read
		}
	}
	if v.known != nil {
		return v.known
	}
	return answers{}
}

func askVersion(ctx context.Context, p program) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	home, remove, err := sandbox.Home("version")
	if err != nil {
		return "", err
	}
	defer remove()

	said, err := sandbox.Run(ctx, sandbox.Command{Name: p.Name, Args: []string{p.Flag}, Home: home})
	if err != nil {
		return "", fmt.Errorf("run %s %s: %w", p.Name, p.Flag, err)
	}
	for line := range strings.Lines(said) {
		if strings.Contains(line, p.Words) {
			return strings.TrimSpace(line), nil
		}
	}
	return "", fmt.Errorf("%s is not %s", p.Name, p.Words)
}
