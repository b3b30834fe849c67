//go:build deep

package secrets

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
)

// withCores has a command run where cores may be as large as they are, in a folder of its own.
func withCores(t *testing.T, cmd *exec.Cmd) (folder string) {
	t.Helper()
	folder = t.TempDir()
	cmd.Args = append([]string{"sh", "-c", `ulimit -c unlimited; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path, cmd.Dir = "/bin/sh", folder
	return folder
}

// aborted ends a process as a crash would, and returns the cores that are left.
func aborted(t *testing.T, cmd *exec.Cmd, folder string) []string {
	t.Helper()
	require.NoError(t, cmd.Process.Signal(syscall.SIGABRT))
	_ = cmd.Wait()
	cores, err := filepath.Glob(filepath.Join(folder, "*core*"))
	require.NoError(t, err)
	return cores
}

// office stands for LibreOffice: it tells what it was started with, and converts nothing. Into its own folder it can write
// nothing but a pipe.
func (d *scenario) office() (told func() []byte) {
	d.T.Helper()
	folder := d.T.TempDir()
	path := filepath.Join(folder, "told")
	require.NoError(d.T, syscall.Mkfifo(path, 0o600))
	pipe, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(d.T, err)
	d.T.Cleanup(func() { _ = pipe.Close() })

	const end = "that is all\n"
	all := make(chan []byte, 1)
	go func() {
		var said []byte
		for lines := bufio.NewReader(pipe); !bytes.HasSuffix(said, []byte(end)); {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				break
			}
			said = append(said, line...)
		}
		all <- said
	}()

	script := fmt.Sprintf("#!/bin/sh\n{ env; echo \"arguments: $*\"; } > %s\necho LibreOffice 99\n", path)
	require.NoError(d.T, os.WriteFile(filepath.Join(folder, "soffice"), []byte(script), 0o700))
	d.Env = append(d.Env, "PATH="+folder+":"+os.Getenv("PATH"))
	return func() []byte {
		_, err := pipe.WriteString(end)
		require.NoError(d.T, err)
		return <-all
	}
}

// A process that dies in the middle of its work tells where it was, and not what it knew: the goroutines' arguments are
// addresses, and no core is left although there may be one. Neither its arguments nor those and the environment of the
// programs that it starts hold a secret, nor does what it has sealed.
func TestCrash_LeavesNoSecrets(t *testing.T) {
	t.Parallel()
	d := newScenario(t)
	line := fixture.KeyLine("canary")
	d.Keys(line)
	d.Env = append(d.Env, "CONVILYN_ENCRYPTION_KEY_FILE="+filepath.Join(filepath.Dir(d.In), "keys"))
	encoded := strings.Fields(line)[1]
	raw, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	d.planted[encoded], d.planted[string(raw)] = "encryption key", "encryption key in bytes"
	told := d.office()
	faults := d.Write("faults.yaml", `rules: [{route: "GET /storage/**", count: 9, answer: {delay: 1h, status: 503}}]`)
	cmd := d.Command(append(fixture.UpArgs, "--faults", faults)...)
	folder := withCores(t, cmd)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var dump bytes.Buffer
	cmd.Stderr = &dump
	require.NoError(t, cmd.Start())
	var at stack.Addresses
	decoder := json.NewDecoder(stdout)
	require.NoError(t, decoder.Decode(&at))
	require.Equal(t, cmd.Process.Pid, at.PID)

	d.does(cli.ExitJobFailed, "convert", d.Write("people.csv", "a,b\n1,2\n"), "--to", "ods", "-o", d.Out)
	password := randomText("canary-password-", 16)
	d.planted[password] = "password"
	passwords := filepath.Join(t.TempDir(), "password.txt")
	require.NoError(t, os.WriteFile(passwords, []byte(password), 0o600))
	old := d.Write("old.doc", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"+strings.Repeat("\x00", 1024))
	d.does(cli.ExitJobFailed, "convert", old, "--to", "odt", "-o", d.Out, "--password-file", passwords)
	id := strings.TrimSpace(d.does(0, "convert", d.Write("held.md", "# Held"), "--to", "html", "-o", d.Out, "--detach"))
	require.Eventually(t, func() bool { return strings.Contains(d.does(0, "runs", "show", id), "download") }, testkit.Patience, 100*time.Millisecond)
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", at.PID))
	require.NoError(t, err)
	cores := aborted(t, cmd, folder)
	assert.Empty(t, cores, "no core without GOTRACEBACK=crash")

	d.left.add("dump", dump.Bytes())
	d.left.add("arguments", arguments)
	d.left.add("program told", told())
	d.left.add("commands", d.said.Bytes())
	d.left.files("after the crash", d.Data, map[string]string{"access.key": "access key", "backend/key": "API key", "backend/signing.key": "signing key"})
	d.left.files("outputs", d.Out, nil)
	for _, at := range [][2]string{
		{"dump", "SIGABRT"},
		{"dump", "goroutine 1 "},
		{"dump", "net/http.(*persistConn).roundTrip"},
		{"arguments", "--faults"},
		{"program told", "arguments: --version"},
		{"program told", "--convert-to"},
		{"program told", "macro:///"},
		{"program told", "HOME="},
		{"commands", "held.md"},
		{"after the crash temporal.db*", "binary/"},
		{"after the crash stack.log", "request"},
	} {
		d.left.hold(t, at[0], at[1])
	}
	d.left.search(t, d.secrets())
	for _, at := range d.left.all {
		assert.Empty(t, mark.FindString(string(at.data)), at.name)
	}
}

// What a process works with is in its memory: a core holds it. Go leaves one where it is told to by GOTRACEBACK=crash, and
// nowhere else; this shows that the test above would see it.
func TestCore_HoldsTheKey(t *testing.T) {
	t.Parallel()
	d := newScenario(t)
	d.Env = append(d.Env, "GOTRACEBACK=crash")
	cmd := d.Command("bench-service", d.Data)
	folder := withCores(t, cmd)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = io.Discard
	require.NoError(t, cmd.Start())
	_, err = stdout.Read(make([]byte, 1)) // it is up
	require.NoError(t, err)
	cores := aborted(t, cmd, folder)
	if len(cores) == 0 {
		t.Skip("this system leaves no cores in the folder of the process (kernel.core_pattern)")
	}
	core, err := os.ReadFile(cores[0])
	require.NoError(t, err)
	for secret, kind := range d.planted {
		if kind == "API key" {
			assert.True(t, bytes.Contains(core, []byte(secret)), "the key is in a core of %d bytes", len(core)) // which nobody wants printed
		}
	}
}
