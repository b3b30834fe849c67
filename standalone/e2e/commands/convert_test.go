package commands

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/host"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
)

// The README's main job, and what its lines of JSON say.
func TestConvertTheExamples(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	var args []string
	for _, spec := range []string{"report.md:pdf,html", "letter.docx:pdf,md", "people.csv:xlsx", "budget.xlsx:csv", "photo.png:jpg,webp", "brochure.pdf:png,txt"} {
		name, formats, _ := strings.Cut(spec, ":")
		args = append(args, b.Write(name, string(testkit.Examples(t, name)))+":"+formats)
	}
	code, stdout, stderr := b.Run(append([]string{"convert", "-o", b.Out, "--json"}, args...)...)
	require.Equal(t, 0, code, stderr)
	assert.Empty(t, stderr, "with --json, stderr is for trouble")
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(strings.SplitN(stdout, "\n", 2)[0]), &line))
	for _, field := range []string{"source", "status", "outputs", "job_id", "file_id", "warnings", "error", "workflow_id", "run_id", "attempts"} {
		assert.Contains(t, line, field)
	}
	files, jobs := map[string]string{}, map[string]bool{}
	for _, r := range fixture.Results(t, stdout) {
		assert.Equal(t, "completed", r.Status)
		assert.Nil(t, r.Error)
		assert.Positive(t, r.Attempts, "a busy machine may take several")
		assert.NotEmpty(t, r.FileID)
		assert.NotEmpty(t, r.RunID)
		assert.NotEmpty(t, r.JobID)
		assert.False(t, jobs[r.JobID], "each conversion has a job of its own")
		jobs[r.JobID] = true
		assert.NotNil(t, r.Warnings)
		for _, output := range r.Outputs {
			data, err := os.ReadFile(output.Path)
			require.NoError(t, err)
			sum := sha256.Sum256(data)
			assert.Equal(t, hex.EncodeToString(sum[:]), output.SHA256)
			assert.EqualValues(t, len(data), output.Size)
			files[filepath.Base(output.Path)] = output.Mimetype
		}
	}
	assert.Len(t, jobs, b.Jobs(), "none was made twice, whatever the attempts")
	assert.Equal(t, map[string]string{
		"report.pdf": "application/pdf", "report.html": "text/html", "letter.pdf": "application/pdf", "letter.md": "text/markdown", "budget.csv": "text/csv",
		"people.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "photo.jpg": "image/jpeg", "photo.webp": "image/webp",
		"brochure-1.png": "image/png", "brochure-2.png": "image/png", "brochure.txt": "text/plain",
	}, files)
}

func TestTheSameCommandDoesNothingTwice(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	path := b.Write("a.md", "# A")
	args := []string{"convert", path, "--to", "html", "-o", b.Out, "--json"}
	code, first, stderr := b.Run(args...)
	require.Equal(t, 0, code, stderr)
	code, again, stderr := b.Run(args...)
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, first, again, "the same run, the same job, the same output")
	output := filepath.Join(b.Out, "a.html")
	b.Open("") // the others join it

	require.NoError(t, os.Remove(output))
	code, third, stderr := b.Run(args...)
	require.Equal(t, 0, code, stderr)
	assert.NotEqual(t, fixture.Results(t, first)[0].RunID, fixture.Results(t, third)[0].RunID, "its output is gone, so it is made again")
	require.FileExists(t, output)

	require.NoError(t, os.WriteFile(output, []byte("somebody's own"), 0o600))
	code, stdout, stderr := b.Run(args...)
	assert.Equal(t, cli.ExitUsage, code)
	assert.Contains(t, stderr, "a.html exists; use --on-exist skip or overwrite, or another -o; nothing was started")
	assert.Empty(t, stdout)
	code, stdout, _ = b.Run(append(args, "--on-exist", "skip")...)
	assert.Equal(t, 0, code)
	assert.Equal(t, "skipped", fixture.Results(t, stdout)[0].Status)
	data, _ := os.ReadFile(output)
	assert.Equal(t, "somebody's own", string(data))
	code, _, stderr = b.Run(append(args, "--on-exist", "overwrite")...)
	assert.Equal(t, 0, code, stderr)
	data, _ = os.ReadFile(output)
	assert.Contains(t, string(data), ">A</h1>")
}

func TestBadInputStartsNothing(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	good, picture := b.Write("a.md", "# A"), b.Write("p.png", "x")
	for name, test := range map[string]struct {
		args []string
		env  []string
		says string
	}{
		"missing file":    {[]string{"convert", "none.md", "--to", "html"}, nil, "none.md does not exist"},
		"empty file":      {[]string{"convert", b.Write("empty.md", ""), "--to", "html"}, nil, "is empty"},
		"folder":          {[]string{"convert", b.In, "--to", "html"}, nil, "is a folder"},
		"unknown format":  {[]string{"convert", good, "--to", "foo"}, nil, "is not known"},
		"impossible pair": {[]string{"convert", good, "--to", "png"}, nil, "does not convert"},
		"bad quality":     {[]string{"convert", picture, "--to", "jpg", "--quality", "200"}, nil, "from 1 to 100"},
		"pages of image":  {[]string{"convert", picture, "--to", "jpg", "--pages", "1"}, nil, "has no pages"},
		"nothing":         {[]string{"convert"}, nil, "nothing to convert"},
		"unknown flag":    {[]string{"convert", good, "--two", "html"}, nil, "unknown flag: --two"},
		"unknown command": {[]string{"convrt"}, nil, `unknown command "convrt"`},
		"remote, no key":  {[]string{"convert", good, "--to", "html"}, []string{"CONVILYN_BASE_URL=https://api.example.org"}, "there is no API key; set CONVILYN_API_KEY"},
		"bad settings":    {[]string{"convert", good, "--to", "html"}, []string{"CONVILYN_API_RATE=fast", "CONVILYN_LOG_LEVEL=loud"}, "CONVILYN_API_RATE"},
		"no keys":         {[]string{"convert", good, "--to", "html", "--encryption-key-file", "/none"}, nil, "CONVILYN_ENCRYPTION_KEY_FILE: read the keys: open /none"},
		"bad faults":      {[]string{"convert", good, "--to", "html", "--faults", b.Write("f.yaml", "rules: 7")}, nil, "f.yaml"},
	} {
		c := *b
		c.Env, c.Data = test.env, filepath.Join(filepath.Dir(b.Data), "data-"+strings.ReplaceAll(name, " ", "-"))
		code, stdout, stderr := c.Run(test.args...)
		assert.Equal(t, cli.ExitUsage, code, "%s: %s", name, stderr)
		assert.Empty(t, stdout, name)
		assert.Contains(t, stderr, test.says, name)
		if name != "unknown command" { // which adds what may have been meant
			assert.LessOrEqual(t, strings.Count(stderr, "\n"), 2, "%s: %s", name, stderr)
		}
		assert.True(t, strings.HasPrefix(stderr, "standalone: "), name)
		assert.NoDirExists(t, c.Data, "%s: nothing was started", name)
	}
	entries, err := os.ReadDir(b.In)
	require.NoError(t, err)
	assert.Len(t, entries, 4, "no outputs, no parts") // those that this test wrote
}

func TestFailuresHaveNamesAndExitCodes(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	b.Open("")
	code, stdout, stderr := b.Run("convert", b.Write("a.docx", "no docx"), b.Write("b.md", "# B"), "--to", "txt", "-o", b.Out, "--json")
	assert.Equal(t, cli.ExitJobFailed, code, stderr)
	all := fixture.Results(t, stdout)
	require.Len(t, all, 2)
	for _, r := range all {
		if strings.HasSuffix(r.Source, "b.md") {
			assert.Equal(t, "completed", r.Status, "one bad file does not spoil the others")
			continue
		}
		assert.Equal(t, "failed", r.Status)
		assert.Equal(t, "UNSUPPORTED_INPUT", r.Error.Code)
		assert.NotEmpty(t, r.JobID)
	}
	code, _, stderr = b.Run("convert", b.Write("c.md", "# C"), "--to", "xlsx", "-o", b.Out)
	assert.Equal(t, cli.ExitJobFailed, code)
	assert.Regexp(t, `c\.md: failed: UNSUPPORTED_CONVERSION: the service does not convert md to xlsx; it makes .*html.* of it`, stderr)
}

// interrupted starts a command that hangs, interrupts it, and returns what it said.
func interrupted(b *fixture.Workspace, args ...string) (code int, stderr string) {
	b.T.Helper()
	cmd := b.Command(args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	stdout, err := cmd.StdoutPipe()
	require.NoError(b.T, err)
	require.NoError(b.T, cmd.Start())
	scanner := bufio.NewScanner(stdout)
	require.True(b.T, scanner.Scan(), "one file is done")
	require.NoError(b.T, cmd.Process.Signal(syscall.SIGINT))
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode(), errs.String()
}

func TestCtrlCSaysHowToComeBack(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	faults := b.Write("f.yaml", `rules: [{route: "GET /storage/**", count: 1, answer: {delay: 1h, status: 503}}]`)
	args := append([]string{"convert", "--to", "html", "-o", b.Out}, b.Documents(2)...)
	code, stderr := interrupted(b, append(args, "--faults", faults)...)
	assert.Equal(t, cli.ExitInterrupted, code)
	assert.Contains(t, stderr, "paused with 1 conversion open. The same command, or 'standalone up', goes on where it stopped.")
	code, stdout, stderr := b.Run(args...)
	assert.Equal(t, 0, code, stderr)
	assert.Equal(t, 2, strings.Count(stdout, "→"))
	assert.Contains(t, stderr, "2 of 2 conversions done")
	b.CheckOutputs(2)
	assert.Equal(t, 2, b.Jobs())
}

// A command that ends holds the stack for as long as it runs: up says so, waits, and takes over.
func TestUp_TakesOverFromACommandThatEnds(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	faults := b.Write("f.yaml", `rules: [{route: "GET /storage/**", count: 1, answer: {delay: 1h, status: 503}}]`)
	args := append([]string{"convert", "--to", "html", "-o", b.Out}, b.Documents(1)...)
	command := b.Begin(nil, append(args, "--faults", faults)...)
	b.Eventually(func() bool { return stack.Answers(t.Context(), b.Data) }, "the command's stack")

	up := b.Command(fixture.UpArgs...)
	stdout, err := up.StdoutPipe()
	require.NoError(t, err)
	stderr, err := up.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, up.Start())
	said := bufio.NewScanner(stderr)
	require.True(t, said.Scan())
	assert.Contains(t, said.Text(), fmt.Sprintf("another command, process %d, runs the stack on %s; waiting for its end to take over", command.Process.Pid, b.Data))

	require.NoError(t, command.Process.Signal(syscall.SIGINT))
	_ = command.Wait()
	var at stack.Addresses
	require.NoError(t, json.NewDecoder(stdout).Decode(&at))
	assert.Equal(t, up.Process.Pid, at.PID)
	code, _, second := b.Run("up")
	assert.Equal(t, cli.ExitUsage, code)
	assert.Contains(t, second, fmt.Sprintf("a stack runs on %s already, as process %d", b.Data, at.PID))
	require.NoError(t, up.Process.Signal(syscall.SIGINT))
	_, _ = io.Copy(io.Discard, stderr)
	require.NoError(t, up.Wait())
}

func TestCommandsShareAStack(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.OpenChanged(func(o *stack.Options) { o.Stays = true })
	documents := b.Documents(2)
	code, stdout, stderr := b.Run("convert", documents[0], "--to", "html", "-o", b.Out, "--detach")
	require.Equal(t, 0, code, stderr)
	id := strings.TrimSpace(stdout)
	assert.Contains(t, stderr, "1 started; see them with 'standalone runs list'")
	code, stdout, stderr = b.Run("runs", "watch", id, "--json")
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, "completed", fixture.Results(t, stdout)[0].Status)
	code, stdout, _ = b.Run("runs", "show", id)
	require.Equal(t, 0, code)
	assert.Contains(t, stdout, "completed")
	require.Eventually(t, func() bool { // lists follow within moments
		_, stdout, _ = b.Run("runs", "list")
		return strings.Contains(stdout, id)
	}, testkit.Patience, 100*time.Millisecond)
	code, stdout, stderr = b.Run("doctor", "--json")
	assert.Equal(t, 0, code, stdout+stderr)
	code, stdout, _ = b.Run("setup", "--json")
	assert.Equal(t, 0, code)
	assert.JSONEq(t, `{"namespace":"default","created":false,"added":[]}`, stdout)
	code, _, stderr = b.Run("up")
	assert.Equal(t, cli.ExitUsage, code)
	assert.Contains(t, stderr, "a stack runs on")
	assert.Contains(t, stderr, s.At.UI)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.Open(`rules: [{route: "GET /storage/**", count: 9, answer: {delay: 1h, status: 503}}]`)
	code, stdout, stderr := b.Run("convert", b.Write("a.md", "# A"), "--to", "html", "-o", b.Out, "--detach")
	require.Equal(t, 0, code, stderr)
	id := strings.TrimSpace(stdout)
	s.AwaitStep(id, "download")
	code, stdout, stderr = b.Run("runs", "cancel", id, "--json")
	require.Equal(t, 0, code, stderr)
	assert.JSONEq(t, `{"workflow_id":"`+id+`","status":"cancelled"}`, stdout)
	_, _, stderr = b.Run("runs", "cancel", id)
	assert.Contains(t, stderr, "has ended already: cancelled")
	code, stdout, stderr = b.Run("runs", "watch", id, "--json")
	assert.Equal(t, cli.ExitJobFailed, code, stderr)
	assert.Equal(t, "cancelled", fixture.Results(t, stdout)[0].Status)
	entries, err := os.ReadDir(b.Out)
	require.NoError(t, err)
	assert.Empty(t, entries, "no half-fetched file is left")
}

// With CONVILYN_BASE_URL the files go to that API, and nothing of a local service is started.
func TestAnotherAPI(t *testing.T) {
	t.Parallel()
	service := testkit.StartService(t)
	b := fixture.New(t)
	b.Env = []string{"CONVILYN_BASE_URL=" + service.URL, "CONVILYN_API_KEY=" + service.Key()}
	path := b.Write("a.md", "# A")
	code, stdout, stderr := b.Run("convert", path, "--to", "html", "-o", b.Out, "--json")
	require.Equal(t, 0, code, stderr)
	_, err := service.Client.Convert.Retrieve(t.Context(), fixture.Results(t, stdout)[0].JobID)
	require.NoError(t, err, "the job is over there")
	assert.NoDirExists(t, filepath.Join(b.Data, "backend"))
	code, stdout, _ = b.Run("doctor")
	assert.Equal(t, 0, code, stdout)
	assert.Contains(t, stdout, "healthy at "+service.URL)

	b.Env[1] = "CONVILYN_API_KEY=ck_wrong"
	code, _, stderr = b.Run("convert", path, "--to", "txt", "-o", b.Out)
	assert.Equal(t, cli.ExitAPI, code)
	assert.Contains(t, stderr, "AUTH_REQUIRED")
	assert.NotContains(t, stderr, "ck_wrong")
}

func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	cmd := b.Command(fixture.UpArgs...)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	var at stack.Addresses
	require.NoError(t, json.NewDecoder(stdout).Decode(&at))
	known, err := stack.LoadAddresses(b.Data)
	require.NoError(t, err)
	known.Stays = false // which up need not say
	assert.Equal(t, known, at)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait()
	assert.Equal(t, 0, cmd.ProcessState.ExitCode(), stderr.String())
	assert.Empty(t, stderr.String())
	for _, address := range []string{at.Temporal, strings.TrimPrefix(at.UI, "http://"), strings.TrimPrefix(at.API, "http://")} {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if assert.Error(t, err, "%s still answers", address) {
			continue
		}
		_ = conn.Close()
	}
	assert.NoFileExists(t, filepath.Join(b.Data, "stack.json"))
}

// A namespace that was not set up: the worker refuses it with the remedy, setup is the remedy.
func TestSearchAttributesThatAreMissing(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.Open("")
	const bare = "bare"
	_, err := s.Client.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{Namespace: bare, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour)})
	require.NoError(t, err)
	quiet := logging.ForTemporal(zap.NewNop())
	options := s.TemporalOptions()
	options.Namespace = bare
	var c temporalclient.Client
	require.Eventually(t, func() bool { // the server's own cache of namespaces
		c, err = temporalconn.Dial(t.Context(), options, nil, quiet)
		return err == nil && temporalconn.CheckSearchAttributes(t.Context(), c, bare) != nil
	}, testkit.Patience, 100*time.Millisecond)
	t.Cleanup(c.Close)
	metrics := host.NewMetrics()
	t.Cleanup(func() { _ = metrics.Close() })
	_, err = host.New(t.Context(), config.Config{APIKey: "ck_x", BaseURL: s.At.API, MaxActivities: 1}, c, bare, metrics, zap.NewNop())
	require.ErrorContains(t, err, "ConvilynState")
	require.ErrorContains(t, err, "starter setup")

	var stdout, stderr bytes.Buffer
	run := func(args ...string) int {
		stdout.Reset()
		stderr.Reset()
		return cli.Run(t.Context(), cli.Env{
			Program: "starter", Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" },
			Open: func(context.Context) (*cli.Session, error) {
				return &cli.Session{Temporal: c, Namespace: bare, Address: s.At.Temporal, Stays: true, Close: func() {}}, nil
			},
		}, args)
	}
	code := run("convert", b.Write("a.md", "# A"), "--to", "html")
	assert.Equal(t, cli.ExitAPI, code)
	assert.Contains(t, stderr.String(), "starter setup")
	require.Equal(t, 0, run("setup"), stderr.String())
	require.NoError(t, temporalconn.CheckSearchAttributes(t.Context(), c, bare))
	require.Equal(t, 0, run("convert", b.Write("a.md", "# A"), "--to", "html", "--detach"), "at once: %s", stderr.String())
	require.Equal(t, 0, run("setup"), "a second time: %s", stderr.String())
}

// Whoever rehearses faults and gets none would take the rehearsal for passed.
func TestFaultsThatTheRunningStackDoesNotCommitAreRefused(t *testing.T) {
	t.Parallel()
	const faults = "rules: [{route: POST /x, count: 1, answer: {status: 503}}]"
	for running, code := range map[string]int{"": 2, faults: 0, faults + " # others": 2} {
		b := fixture.New(t)
		b.Open(running)
		got, _, stderr := b.Run("runs", "list", "--faults", b.Write("named.yaml", faults))
		assert.Equal(t, code, got, "%q: %s", running, stderr)
		if code != 0 {
			assert.Contains(t, stderr, "leave --faults out")
		}
		got, _, stderr = b.Run("runs", "list")
		assert.Zero(t, got, stderr)
	}
}
