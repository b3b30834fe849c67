//go:build race

// Package race runs our worker, conversion service, inbox and commands in one process with the race detector, beside a
// Temporal server in a process of its own. The server is not instrumented: its code is not ours, and would take most of the
// time. Without the race detector the other packages of e2e do the same and more.
package race

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/datafolder"
	"github.com/convilyn/convilyn-temporal/internal/host"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/internal/private"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// namespace is ours alone: the stack that brings the server up has a worker of its own in another one.
const namespace = "race"

// faults make every kind of request fail now and then.
const faults = `
seed: 3
rules:
  - {route: POST /api/v1/jobs/goal, nth: 2, answer: {lose_reply: true}}
  - {route: "* /**", probability: 0.03, answer: {lose_reply: true}}
  - {route: "GET /**", probability: 0.03, answer: {cut_body: true}}
  - {route: "* /api/v1/**", probability: 0.1, answer: {status: 503}}
`

// parts are everything that is ours.
type parts struct {
	t        *testing.T
	dir      string
	service  *testkit.Service
	temporal temporalclient.Client
	address  string // of Temporal
	inbox    string // URL
}

// Everything works at once: conversions, a batch that is steered, a watched folder, and goals that are answered through the
// inbox, by commands and by nobody.
func TestParts_WorkTogether(t *testing.T) {
	p := start(t)

	for name, job := range map[string]func(t *testing.T){
		"convert": p.converts, "batch": p.steersABatch, "watch": p.watches, "goals": p.answersGoals,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job(t)
		})
	}
}

func start(t *testing.T) *parts {
	t.Helper()
	p := &parts{t: t, dir: t.TempDir()}
	options := temporalclient.Options{Namespace: namespace}
	options.HostPort = startTemporal(t, &options)
	p.address = options.HostPort
	p.service = testkit.StartService(t, testkit.WithFaults(t, faults), testkit.WithGoals(testkit.Stumble(0)))

	var err error
	p.temporal, err = temporalconn.Dial(t.Context(), options, nil, logging.ForTemporal(zap.NewNop()))
	require.NoError(t, err)
	t.Cleanup(p.temporal.Close)
	p.run(t, 0, "setup", "--create-namespace")

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", testkit.Loopback+":0")
	require.NoError(t, err)
	p.inbox = "http://" + listener.Addr().String()
	cfg := p.config()
	stop, err := host.ServeInbox(cfg, host.InboxOptions{
		Listener: listener, Temporal: p.temporal, Namespace: namespace, Files: filepath.Join(p.dir, "uploads"), Logger: zap.NewNop(),
	})
	require.NoError(t, err)
	t.Cleanup(stop)

	metrics := host.NewMetrics()
	t.Cleanup(func() { _ = metrics.Close() })
	worker, err := host.New(t.Context(), cfg, p.temporal, namespace, metrics, zap.NewNop())
	require.NoError(t, err)
	require.NoError(t, worker.Start())
	t.Cleanup(worker.Stop)
	return p
}

// startTemporal brings up Temporal's server as a process. CONVILYN_TEST_STANDALONE names a binary of standalone; without it
// one is built.
func startTemporal(t *testing.T, options *temporalclient.Options) (address string) {
	t.Helper()
	binary := os.Getenv("CONVILYN_TEST_STANDALONE")
	if binary == "" {
		binary = filepath.Join(t.TempDir(), "standalone")
		build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", binary, "github.com/convilyn/convilyn-temporal/standalone")
		output, err := build.CombinedOutput()
		require.NoError(t, err, "%s", output)
	}

	data := t.TempDir()
	cmd := exec.CommandContext(t.Context(), binary, "up", "--json", "--data", data,
		"--temporal-port", "0", "--ui-port", "0", "--api-port", "0", "--inbox-port", "0")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})

	var at struct {
		Temporal string `json:"temporal"`
	}
	if err := json.NewDecoder(stdout).Decode(&at); err != nil {
		_ = cmd.Wait() // until then stderr is still being written
		require.NoError(t, err, stderr.String())
	}
	key, err := private.ReadSecret(filepath.Join(data, datafolder.KeyFile))
	require.NoError(t, err)
	datafolder.Present(options, key)
	return at.Temporal
}

func (p *parts) config() config.Config {
	p.t.Helper()
	cfg, err := config.Load(func(string) string { return "" })
	require.NoError(p.t, err)
	cfg.BaseURL, cfg.APIKey, cfg.EventsURL = p.service.URL, config.Secret(p.service.Key()), p.service.EventsURL()
	cfg.PollInterval, cfg.StopTimeout = 200*time.Millisecond, time.Second
	cfg.InboxURL, cfg.InboxSecret = p.inbox, config.Secret(strings.Repeat("s", config.SecretMin))
	return cfg
}

// run runs a command in this process; it must end with that code.
func (p *parts) run(t *testing.T, wants int, args ...string) (stdout string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Run(t.Context(), cli.Env{
		Program: "starter", Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" },
		Open: func(context.Context) (*cli.Session, error) {
			return &cli.Session{Temporal: p.temporal, Namespace: namespace, Address: p.address, Stays: true, Close: func() {}}, nil
		},
	}, args)
	require.Equal(t, wants, code, "%v: %s%s", args, &out, &errs)
	return out.String()
}

// folder is one of a job's own, with so many documents.
func (p *parts) folder(t *testing.T, files int) (in, out string) {
	t.Helper()
	dir := t.TempDir()
	in, out = filepath.Join(dir, "in"), filepath.Join(dir, "out")
	require.NoError(t, os.Mkdir(in, 0o755))
	for i := range files {
		write(t, filepath.Join(in, fmt.Sprintf("doc-%02d.md", i)), fmt.Sprintf("# %s %d", t.Name(), i))
	}
	return in, out
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func (p *parts) converts(t *testing.T) {
	in, out := p.folder(t, 20)
	paths, err := filepath.Glob(filepath.Join(in, "*.md"))
	require.NoError(t, err)

	stdout := p.run(t, cli.ExitOK, append([]string{"convert", "--to", "html", "-o", out, "--json"}, paths...)...)
	assert.Equal(t, len(paths), strings.Count(stdout, `"status":"completed"`))
}

func (p *parts) steersABatch(t *testing.T) {
	const files = 80
	in, out := p.folder(t, files)

	id := strings.TrimSpace(p.run(t, cli.ExitOK, "batch", in, "--to", "html", "-o", out, "--concurrency", "4", "--shard-files", "20", "--detach"))
	p.run(t, cli.ExitOK, "runs", "pause", id)
	p.run(t, cli.ExitOK, "runs", "set-concurrency", id, "30")
	p.run(t, cli.ExitOK, "runs", "resume", id)
	status, _ := p.fetch(t, http.MethodGet, "/runs/"+id, "")
	assert.Equal(t, http.StatusOK, status)

	p.run(t, cli.ExitOK, "runs", "watch", id)
	p.run(t, cli.ExitOK, "runs", "verify", id)
	outputs, err := filepath.Glob(filepath.Join(out, "*.html"))
	require.NoError(t, err)
	assert.Len(t, outputs, files)
}

func (p *parts) watches(t *testing.T) {
	in, out := p.folder(t, 2)
	p.run(t, cli.ExitOK, "batch", in, "--to", "html", "-o", out, "--watch", "--settle", "1s", "--name", "race", "--detach")

	has := func(name string) func() bool {
		return func() bool {
			_, err := os.Stat(filepath.Join(out, name))
			return err == nil
		}
	}
	require.Eventually(t, has("doc-01.html"), testkit.Patience, 50*time.Millisecond)
	write(t, filepath.Join(in, "late.md"), "# Late")
	require.Eventually(t, has("late.html"), testkit.Patience, 50*time.Millisecond)
	p.run(t, cli.ExitOK, "runs", "cancel", "watch-race")
}

func (p *parts) answersGoals(t *testing.T) {
	const each = 4
	in, out := p.folder(t, 3*each)
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, policy, "default:\n  default: by itself\n")

	goals := func(first int, flags ...string) (ids []string) {
		for i := first; i < first+each; i++ {
			args := []string{"goal", "start", testkit.StumbleID, filepath.Join(in, fmt.Sprintf("doc-%02d.md", i)), "-o", filepath.Join(out, fmt.Sprint(i)), "--detach", "--json"}
			var line struct {
				WorkflowID string `json:"workflow_id"`
			}
			require.NoError(t, json.Unmarshal([]byte(p.run(t, cli.ExitOK, append(args, flags...)...)), &line))
			ids = append(ids, line.WorkflowID)
		}
		return ids
	}
	byInbox, byCommand := goals(0), goals(each)
	byNobody := goals(2*each, "--policy", policy, "--deadline", "1s", "--on-deadline", "default")

	for _, id := range byInbox {
		require.Eventually(t, func() bool {
			status, _ := p.fetch(t, http.MethodPost, "/api/runs/"+id+"/answers", `{"slot_id":"word","value":"inbox","answer_id":"a"}`)
			return status == http.StatusOK
		}, testkit.Patience, 100*time.Millisecond)
	}
	for _, id := range byCommand {
		p.run(t, cli.ExitOK, "slots", "answer", id, "word=command", "--early")
	}

	for i, id := range append(append(byInbox, byCommand...), byNobody...) {
		require.NoError(t, p.temporal.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
		data, err := os.ReadFile(filepath.Join(out, fmt.Sprint(i), "word.txt"))
		require.NoError(t, err)
		assert.Equal(t, []string{"inbox", "command", "by itself"}[i/each], string(data))
	}
}

// fetch asks the inbox.
func (p *parts) fetch(t *testing.T, method, path, body string) (status int, reply string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.inbox+path, strings.NewReader(body))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var out bytes.Buffer
	_, err = out.ReadFrom(response.Body)
	require.NoError(t, err)
	return response.StatusCode, out.String()
}
