//go:build deep

package secrets

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"

	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/host"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/loopback"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// scenario is everything that people do, with secrets that are known, and everything that it leaves behind.
type scenario struct {
	*fixture.Workspace
	s       *fixture.Stack
	o       stack.Options
	echo    *echoServer
	hook    *echoHook
	metrics string // address
	left    *places
	planted map[string]string // kind of a secret, by what it says
	said    bytes.Buffer      // by all commands
}

func randomText(prefix string, size int) string {
	random := make([]byte, size)
	_, _ = rand.Read(random)
	return prefix + hex.EncodeToString(random)
}

// newScenario plants secrets where the stack looks for its own.
func newScenario(t *testing.T) *scenario {
	t.Helper()
	d := &scenario{Workspace: fixture.New(t), echo: newEchoServer(), hook: newEchoHook(t), left: &places{t: t}, planted: map[string]string{}}
	backend := filepath.Join(d.Data, "backend")
	require.NoError(t, os.MkdirAll(backend, 0o700))
	key, signing := randomText("ck_canary_", 16), randomText("canary-signing-", 16)
	require.NoError(t, os.WriteFile(filepath.Join(backend, "key"), []byte(key), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(backend, "signing.key"), []byte(signing), 0o600))
	access := randomText("canary-access-", 16)
	require.NoError(t, os.WriteFile(filepath.Join(d.Data, "access.key"), []byte(access), 0o600))
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	settings := map[string]string{
		"CONVILYN_WEBHOOK_SECRET": "whsec_" + base64.StdEncoding.EncodeToString(raw),
		"CONVILYN_INBOX_TOKEN":    randomText("canary-inbox-", 16), "CONVILYN_INBOX_SECRET": randomText("canary-links-", 16),
	}
	path, query := randomText("canary-path-", 8), randomText("canary-query-", 8)
	for kind, secret := range map[string]string{
		"API key": key, "access key": access, "signing key": signing, "webhook path": path, "webhook query": query, "webhook secret in bytes": string(raw),
		"webhook secret": settings["CONVILYN_WEBHOOK_SECRET"], "inbox token": settings["CONVILYN_INBOX_TOKEN"], "inbox secret": settings["CONVILYN_INBOX_SECRET"],
	} {
		d.planted[secret] = kind
	}
	settings["CONVILYN_WEBHOOK_URL"] = d.hook.URL + "/" + path + "?token=" + query
	settings["CONVILYN_LOG_LEVEL"] = "debug"
	for name, value := range settings {
		d.Env = append(d.Env, name+"="+value)
	}
	d.o = d.Options(func(name string) string { return settings[name] })
	return d
}

// begin brings the stack up, and in place of its worker one that is connected as the worker's main connects it.
func (d *scenario) begin() {
	d.T.Helper()
	d.o.Around = d.echo.around
	d.s = d.OpenOptions(d.o)
	d.s.Worker.Stop()
	listener, err := net.Listen("tcp", loopback.Host+":0")
	require.NoError(d.T, err)
	d.metrics = listener.Addr().String()
	require.NoError(d.T, listener.Close())
	metrics := host.NewMetrics()
	d.T.Cleanup(func() { _ = metrics.Close() })
	require.NoError(d.T, metrics.Serve(d.T.Context(), d.metrics))
	options := d.s.TemporalOptions()
	options.MetricsHandler = metrics.Handler()
	temporal, err := temporalconn.Dial(d.T.Context(), options, nil, logging.ForTemporal(d.s.Logger))
	require.NoError(d.T, err)
	cfg := d.s.WorkerConfig(d.o)
	cfg.EventsURL, cfg.StopTimeout = "ws"+strings.TrimPrefix(d.s.At.API, "http")+"/ws", time.Second
	worker, err := host.New(d.T.Context(), cfg, temporal, stack.Namespace, metrics, d.s.Logger.Named("worker"))
	require.NoError(d.T, err)
	require.NoError(d.T, worker.Start())
	d.s.OnClose(func() { worker.Stop(); temporal.Close() })
}

// does runs a command and keeps what it says.
func (d *scenario) does(wants int, args ...string) (stdout string) {
	d.T.Helper()
	code, stdout, stderr := d.Run(args...)
	assert.Equal(d.T, wants, code, "%v: %s%s", args, stdout, stderr)
	d.said.WriteString(strings.Join(args, " ") + "\n" + stdout + stderr)
	return stdout
}

// converts goes through every way in which steps are tried again, and those in which they fail.
func (d *scenario) converts() {
	d.T.Helper()
	d.echo.commit(
		&fault{"POST", "/api/v1/upload/presign", 9, flat(500, "INTERNAL")}, &fault{"POST", "/storage/upload", 5, xml403},
		&fault{"POST", "/api/v1/jobs", 2, page502}, &fault{"GET", "/api/v1/jobs/*", 9, garbled},
		&fault{"GET", "/storage/results/*/*", 2, xml403}, &fault{"GET", "/storage/results/*/*", 1, redirected}, &fault{"GET", "/storage/results/*/*", 1, misdirected},
		&fault{"GET", "/storage/results/*/*", 1, garbled}, &fault{"GET", "/storage/results/*/*", 1, halved},
	)
	d.echo.speak(true)
	documents := d.Documents(4)
	d.does(0, append([]string{"convert", "--to", "html", "-o", d.Out, "--json"}, documents...)...)
	d.echo.spent(d.T)
	d.echo.speak(false)
	d.echo.commit(
		&fault{"POST", "/api/v1/upload/presign", 1, flat(401, "AUTH_REQUIRED")}, &fault{"POST", "/api/v1/upload/presign", 1, detailed(422)},
		&fault{"POST", "/api/v1/jobs", 1, failedJob}, &fault{"GET", "/api/v1/jobs/*", 1, failedJob}, &fault{"POST", "/api/v1/jobs", 1, flat(402, "QUOTA_EXCEEDED")},
	)
	d.does(cli.ExitJobFailed, append([]string{"convert", "--to", "txt", "-o", d.Out}, documents...)...)
	d.echo.commit(&fault{"GET", "/api/v1/document/support", 1, flat(401, "AUTH_REQUIRED")})
	d.does(cli.ExitAPI, "doctor", "--json")
	d.echo.spent(d.T)
	d.echo.commit()
	d.does(0, "doctor", "--json")
}

// passwords locks an output and opens it again, with a service that repeats what it is sent, and by a wrong password.
func (d *scenario) passwords() {
	d.T.Helper()
	right, wrong := randomText("canary-password-", 16), randomText("canary-wrong-", 16)
	d.planted[right], d.planted[wrong] = "password", "wrong password"
	secret, other := filepath.Join(d.T.TempDir(), "password.txt"), filepath.Join(d.T.TempDir(), "wrong.txt")
	require.NoError(d.T, errors.Join(os.WriteFile(secret, []byte(right+"\n"), 0o600), os.WriteFile(other, []byte(wrong), 0o600)))

	d.echo.commit(&fault{"POST", "/api/v1/jobs", 2, flat(503, "UNAVAILABLE")})
	d.does(0, "convert", d.Write("sealed.md", "# Sealed\n\nletters"), "--to", "pdf", "-o", d.Out, "--encrypt-file", secret)
	sealed := filepath.Join(d.Out, "sealed.pdf")
	d.echo.commit(&fault{"POST", "/api/v1/jobs", 1, flat(422, "REFUSED")})
	d.does(cli.ExitJobFailed, "convert", sealed, "--to", "txt", "-o", d.Out, "--password-file", secret)
	d.echo.commit()
	d.does(cli.ExitJobFailed, "convert", sealed, "--to", "txt", "-o", d.Out)
	d.does(cli.ExitJobFailed, "convert", sealed, "--to", "txt", "-o", d.Out, "--password-file", other)
	d.does(0, "convert", sealed, "--to", "txt", "-o", filepath.Join(d.Out, "opened"), "--password-file", secret, "--json")
	d.does(0, "batch", filepath.Dir(sealed), "--include", "sealed.pdf", "--to", "png", "-o", filepath.Join(d.Out, "drawn"),
		"--option", "password=@"+secret, "--name", "sealed")
	d.does(0, "runs", "report", "batch-sealed", "--json")
}

// batches asks about a refused key, and fails two of its files.
func (d *scenario) batches() (id string) {
	d.T.Helper()
	d.echo.commit(&fault{"POST", "/api/v1/upload/presign", 1, flat(401, "AUTH_REQUIRED")}, &fault{"POST", "/api/v1/jobs", 2, detailed(422)})
	id = strings.TrimSpace(d.does(0, "batch", d.In, "--include", "*.md", "--to", "html", "-o", filepath.Join(d.Out, "batch"), "--name", "papers", "--detach"))
	d.s.AwaitQuestion(id, questions.SlotTrouble)
	d.does(0, "slots", "list", "--json")
	d.does(0, "runs", "show", id, "--json")
	d.fetch("/runs/"+id, nil)
	d.s.Give(id, map[string]any{questions.SlotTrouble: questions.TroubleRetry})
	require.NoError(d.T, d.s.Client.GetWorkflow(d.T.Context(), id, "").Get(d.T.Context(), nil))
	d.echo.spent(d.T)
	d.does(0, "runs", "report", id, "--json")
	d.does(0, "runs", "show", id)
	d.does(0, "runs", "verify", id)
	return id
}

// stops leaves a download half done.
func (d *scenario) stops() (id string) {
	d.T.Helper()
	d.echo.commit(&fault{"GET", "/storage/results/*/*", 1, halved}, &fault{"GET", "/storage/results/*/*", 99, later})
	folder := filepath.Join(d.Out, "stopped")
	id = strings.TrimSpace(d.does(0, "convert", d.Write("stopped.md", "# Stopped"), "--to", "html", "-o", folder, "--detach"))
	require.Eventually(d.T, func() bool { return strings.Contains(d.does(0, "runs", "show", id, "--json"), "SlowDown") }, testkit.Patience, 100*time.Millisecond)
	d.left.files("half done", folder, nil)
	d.left.hold(d.T, "half done *.etag", "of-the-half")
	d.left.hold(d.T, "half done *.part", "the first words")
	return id
}

// asks runs a goal whose questions are answered by page, link and API, and whose webhook echoes.
func (d *scenario) asks() {
	d.T.Helper()
	d.echo.commit(&fault{"POST", "/api/v1/jobs/goal", 1, flat(503, "UNAVAILABLE")}, &fault{"GET", "/api/v1/jobs/goal/*", 4, flat(500, "INTERNAL")},
		&fault{"PATCH", "/api/v1/jobs/goal/*/slots", 1, page502}, &fault{"GET", "/storage/goals/*/*", 1, xml403})
	d.echo.speak(true)
	input := d.GoalInput(2)
	input.To.OnExist = "overwrite"
	run := d.s.StartGoal("papers-bound", input)
	files := d.s.Order("papers-bound")
	d.fetch("/", nil)
	d.fetch("/runs/papers-bound", nil)
	d.fetch("/api/questions", nil)
	d.fetch("/api/runs/papers-bound/questions", nil)
	status, text := d.fetch("/api/runs/papers-bound/answers", map[string]any{"slot_id": "title", "value": "Papers"})
	require.Equal(d.T, http.StatusOK, status, text)
	link := ""
	require.Eventually(d.T, func() bool { link = d.hook.answerLink("paper"); return link != "" || d.resends() }, testkit.Patience, 300*time.Millisecond)
	for _, form := range []url.Values{nil, {"v:paper": {"papyrus"}}, {"v:paper": {"a4"}}} {
		_, text := fixture.Page(d.T, link, form)
		d.left.add("link page", []byte(text), "answer link")
	}
	d.s.Give("papers-bound", map[string]any{"order": files})
	cover := d.s.AwaitQuestion("papers-bound", "cover")
	d.fetch("/previews/papers-bound/"+cover.Previews[0].ArtifactID, nil) // once in vain
	status, _ = d.fetch("/previews/papers-bound/"+cover.Previews[0].ArtifactID, nil)
	assert.Equal(d.T, http.StatusOK, status)
	d.s.Give("papers-bound", map[string]any{"cover": "approve"})
	var result goal.Result
	require.NoError(d.T, run.Get(d.T.Context(), &result))
	assert.Equal(d.T, goal.ResultCompleted, result.Status)
	d.echo.spent(d.T)
	d.does(0, "runs", "show", "papers-bound", "--json")
	d.fetch("/runs/papers-bound", nil)
	d.does(0, "notifications", "list", "--json")
}

// resends sends dead letters again, and is never done with it.
func (d *scenario) resends() bool {
	d.does(0, "notifications", "list", "--dead", "--json")
	d.does(0, "notifications", "resend", "--all-dead")
	return false
}

// fetch gets or posts something of the inbox: the API by its token, pages after a login.
func (d *scenario) fetch(path string, body any) (status int, text string) {
	d.T.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(d.T, err)
	browser := &http.Client{Jar: jar}
	method, data := http.MethodGet, []byte(nil)
	if body != nil {
		method = http.MethodPost
		data, err = json.Marshal(body)
		require.NoError(d.T, err)
	}
	request, err := http.NewRequestWithContext(d.T.Context(), method, d.s.At.Inbox+path, bytes.NewReader(data))
	require.NoError(d.T, err)
	if strings.HasPrefix(path, "/api/") {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+string(d.o.Config.InboxToken))
	} else {
		response, err := browser.PostForm(d.s.At.Inbox+"/login", url.Values{"token": {string(d.o.Config.InboxToken)}, "name": {"Ada"}, "next": {"/nowhere"}})
		require.NoError(d.T, err)
		_ = response.Body.Close()
		for _, cookie := range jar.Cookies(request.URL) {
			d.planted[cookie.Value] = "login"
		}
	}
	response, err := browser.Do(request)
	require.NoError(d.T, err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	require.NoError(d.T, err)
	d.left.add("inbox "+strings.ReplaceAll(path, "/", " "), page)
	return response.StatusCode, string(page)
}

// runs adds the history of every run, and what Temporal tells of it.
func (d *scenario) runs(moment string) {
	d.T.Helper()
	var next []byte
	for first := true; first || len(next) > 0; first = false {
		list, err := d.s.Client.ListWorkflow(d.T.Context(), &workflowservice.ListWorkflowExecutionsRequest{NextPageToken: next})
		require.NoError(d.T, err)
		next = list.GetNextPageToken()
		for _, run := range list.GetExecutions() {
			id, runID := run.GetExecution().GetWorkflowId(), run.GetExecution().GetRunId()
			description, err := d.s.Client.DescribeWorkflowExecution(d.T.Context(), id, runID)
			require.NoError(d.T, err)
			for kind, message := range map[string]proto.Message{"history": d.s.History(id, runID), "description": description, "row": run} {
				raw, err := proto.Marshal(message)
				require.NoError(d.T, err)
				d.left.add(moment+" "+kind+" "+id, raw)
			}
		}
	}
}

func (d *scenario) measure() {
	d.T.Helper()
	response, err := http.Get("http://" + d.metrics + "/metrics")
	require.NoError(d.T, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(d.T, err)
	d.left.add("metrics", text)
}

// secrets are all that were planted, handed out and sent.
func (d *scenario) secrets() *search {
	h := newSearch()
	all := maps.Clone(d.planted)
	d.echo.mu.Lock()
	defer d.echo.mu.Unlock()
	d.hook.mu.Lock()
	defer d.hook.mu.Unlock()
	for _, more := range []map[string]string{d.echo.secrets, d.hook.secrets} {
		for secret, kind := range more {
			if _, planted := all[secret]; !planted {
				all[secret] = kind
			}
		}
	}
	for secret, kind := range all {
		h.add(kind, secret)
	}
	return h
}

// mark is a signature that no list has.
var mark = regexp.MustCompile(`(?i)signature(=|%3D)[0-9a-f]{16}`)

// Everything that people do leaves no secret behind, whatever is echoed: not in histories, databases, logs, metrics, outputs,
// reports, pages, or what commands print.
func TestScenario_LeavesNoSecrets(t *testing.T) {
	t.Parallel()
	d := newScenario(t)
	d.begin()
	d.converts()
	d.passwords()
	batch := d.batches()
	stopped := d.stops()
	d.runs("in the middle")
	d.left.hold(t, "in the middle description "+stopped, "SlowDown")
	d.does(0, "runs", "cancel", stopped)
	d.asks()
	d.does(0, "runs", "list", "--json")
	d.measure()
	d.runs("at the end")
	d.left.files("while it runs", d.Data, map[string]string{"access.key": "access key", "backend/key": "API key", "backend/signing.key": "signing key"})
	d.s.Close()
	d.left.files("when it has ended", d.Data, map[string]string{"access.key": "access key", "backend/key": "API key", "backend/signing.key": "signing key"})
	d.left.files("outputs", d.Out, nil)
	d.left.tables("tables of temporal", filepath.Join(d.Data, "temporal.db"))
	d.left.tables("tables of backend", filepath.Join(d.Data, "backend", "backend.db"))
	d.left.add("commands", d.said.Bytes())
	d.hook.mu.Lock()
	d.left.add("webhook", d.hook.posts.Bytes(), "answer link")
	d.hook.mu.Unlock()

	for _, at := range [][2]string{
		{"commands", `"workflow_id"`},
		{"commands", "AUTH_REQUIRED"},
		{"commands", "(redacted)"},
		{"metrics", "(storage download)"},
		{"metrics", "temporal_"},
		{"at the end history " + batch, "papers"},
		{"at the end history notify-*", "answered 410"},
		{"while it runs temporal.db-wal", "papers-bound"},
		{"when it has ended temporal.db", "papers-bound"},
		{"tables of temporal", "papers-bound"},
		{"tables of backend", "goal_lane.document_binder"},
		{"when it has ended stack.log", "SignatureDoesNotMatch"},
		{"when it has ended stack.log", `"level":"debug"`},
		{"outputs batch/papers.report.jsonl", "(redacted)"},
		{"inbox  runs papers-bound", "Papers"},
		{"inbox  api runs papers-bound questions", "paper"},
		{"webhook", "question.asked"},
		{"link page", "papyrus"},
	} {
		d.left.hold(t, at[0], at[1])
	}
	d.left.search(t, d.secrets())
	for _, at := range d.left.all {
		assert.Empty(t, mark.FindString(string(at.data)), at.name)
	}
}
