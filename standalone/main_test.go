package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
)

const (
	asMain = "CONVILYN_TEST_AS_MAIN"
	asRole = "CONVILYN_TEST_AS_ROLE"
)

// roles are further processes that the test binary can be; each stays until it is killed.
var roles = map[string]func() error{}

// TestMain lets the test binary be the command: what the tests start and kill is the real process.
func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" || len(os.Args) > 1 && os.Args[1] == backend.EnginesCommand { // the engines get nothing of our environment
		main()
	}
	if role := roles[os.Getenv(asRole)]; role != nil {
		_, _ = fmt.Fprintln(os.Stderr, role())
		os.Exit(1) //nolint:forbidigo // this is a main, too
	}
	m.Run()
}

// bench is a data folder, a folder of inputs and one for outputs.
type bench struct {
	t             *testing.T
	data, in, out string
	env           []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, data: filepath.Join(dir, "data"), in: filepath.Join(dir, "in"), out: filepath.Join(dir, "out")}
	require.NoError(t, os.Mkdir(b.in, 0o755))
	return b
}

func (b *bench) write(name, content string) string {
	b.t.Helper()
	path := filepath.Join(b.in, name)
	require.NoError(b.t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// documents writes n different files and returns their paths.
func (b *bench) documents(n int) []string {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = b.write(fmt.Sprintf("doc-%02d.md", i), fmt.Sprintf("# Document %d\n\nIts own words: %d times Ærø.\n", i, i*i))
	}
	return paths
}

func (b *bench) command(args ...string) *exec.Cmd {
	b.t.Helper()
	self, err := os.Executable()
	require.NoError(b.t, err)
	cmd := exec.CommandContext(b.t.Context(), self, append(args, "--data", b.data)...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "CONVILYN_") && !strings.HasPrefix(variable, "TEMPORAL_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, asMain+"=1")
	cmd.Env = append(cmd.Env, b.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	return cmd
}

// run runs a command to its end.
func (b *bench) run(args ...string) (code int, stdout, stderr string) {
	b.t.Helper()
	var out, errs bytes.Buffer
	cmd := b.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(b.t, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// result is a line of --json.
type result struct {
	Source  string `json:"source"`
	Status  string `json:"status"`
	Outputs []struct {
		Path     string `json:"path"`
		Size     int64  `json:"size"`
		SHA256   string `json:"sha256"`
		Mimetype string `json:"mimetype"`
	} `json:"outputs"`
	JobID    string   `json:"job_id"`
	FileID   string   `json:"file_id"`
	Warnings []string `json:"warnings"`
	Error    *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id"`
	Attempts   int    `json:"attempts"`
}

func results(t *testing.T, stdout string) []result {
	t.Helper()
	var all []result
	for line := range strings.Lines(stdout) {
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		var r result
		require.NoError(t, decoder.Decode(&r), "%s", line)
		all = append(all, r)
	}
	return all
}

// killAfter starts a command and kills it, -9, when it has printed so many lines. It returns how many it printed.
func (b *bench) killAfter(lines int, args ...string) int {
	b.t.Helper()
	cmd := b.command(args...)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b.t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(b.t, cmd.Start())
	scanner := bufio.NewScanner(stdout)
	seen := 0
	for seen < lines && scanner.Scan() {
		seen++
	}
	require.NoError(b.t, cmd.Process.Kill())
	_, _ = io.Copy(io.Discard, stdout)
	_ = cmd.Wait()
	require.Equal(b.t, lines, seen, "the command ended by itself: %s", stderr.String())
	return seen
}
