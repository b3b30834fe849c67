package commands

import (
	"crypto/tls"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
)

// Everybody on this machine can reach loopback, and so can every page in the owner's browser under a name of its own. The table
// of what listens is complete, and everything in it refuses both.
func TestListeners_RefuseStrangers(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := openSealed(b, b.Keys(fixture.KeyLine("first")))

	names := map[string]bool{}
	for _, listener := range s.Listeners {
		names[listener.Name] = true
		t.Run(listener.Name, func(t *testing.T) {
			switch listener.Guard {
			case stack.GuardKey:
				refusesCalls(t, listener.Addr, b.AccessKey())
			case stack.GuardCertificate:
				refusesConnections(t, listener.Addr)
			case stack.GuardLogin:
				refusesReaders(t, listener.Addr, b.AccessKey())
			case stack.GuardAPIKey:
				refusesCallers(t, listener.Addr)
			default:
				t.Errorf("nothing looks at the guard %q", listener.Guard)
			}
		})
	}
	assert.Len(t, names, 8, "five services of Temporal, its page, the inbox, the conversion service")
}

const getSystemInfo = "/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo"

// refusesCalls asks a frontend with several kinds of wrong tokens.
func refusesCalls(t *testing.T, addr, key string) {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })

	for _, token := range []string{"", "Bearer ", "Bearer x", key, "Bearer " + key + "x", "Bearer " + key[1:]} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", token)
		err := conn.Invoke(ctx, getSystemInfo, &workflowservice.GetSystemInfoRequest{}, &workflowservice.GetSystemInfoResponse{})
		assert.Equal(t, codes.PermissionDenied, status.Code(err), "%v", err)
		assert.NotContains(t, err.Error(), key)
		err = conn.Invoke(ctx, strings.Replace(getSystemInfo, "GetSystemInfo", "StartWorkflowExecution", 1),
			&workflowservice.StartWorkflowExecutionRequest{Namespace: stack.Namespace}, &workflowservice.StartWorkflowExecutionResponse{})
		assert.Equal(t, codes.PermissionDenied, status.Code(err), "%v", err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+key)
	assert.NoError(t, conn.Invoke(ctx, getSystemInfo, &workflowservice.GetSystemInfoRequest{}, &workflowservice.GetSystemInfoResponse{}))
}

// refusesConnections comes without a certificate, and without TLS.
func refusesConnections(t *testing.T, addr string) {
	t.Helper()
	for name, way := range map[string]credentials.TransportCredentials{
		"plain": insecure.NewCredentials(), "TLS": credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}),
	} {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(way))
		require.NoError(t, err)
		err = conn.Invoke(t.Context(), "/grpc.health.v1.Health/Check", &workflowservice.GetSystemInfoRequest{}, &workflowservice.GetSystemInfoResponse{})
		assert.Equal(t, codes.Unavailable, status.Code(err), "%s: %v", name, err)
		_ = conn.Close()
	}
}

// refusesReaders knocks at pages.
func refusesReaders(t *testing.T, addr, key string) {
	t.Helper()
	root := "http://" + addr
	owner := map[string]string{"Authorization": "Bearer " + key, "Host": "evil.example:8233"}
	for _, path := range []string{"/", "/api/v1/settings", "/api/v1/namespaces", "/api/questions", "/codec/decode", "/login", "/login?token=" + key} {
		code, body := fixture.Fetch(t, http.MethodGet, root+path, "", owner)
		assert.Equal(t, http.StatusForbidden, code, "%s under another name: %s", path, body)
	}

	for _, request := range [][2]string{
		{http.MethodGet, "/api/v1/settings"},
		{http.MethodPost, "/api/v1/namespaces/default/workflows/r1"},
		{http.MethodPost, "/codec/decode"},
		{http.MethodGet, "/api/questions"},
		{http.MethodPost, "/api/runs/x/answers"},
		{http.MethodPost, "/runs/x/answers"},
		{http.MethodGet, "/login?token=x"},
		{http.MethodGet, "/metrics"},
	} {
		code, body := fixture.Fetch(t, request[0], root+request[1], "{}", nil)
		assert.Contains(t, []int{http.StatusUnauthorized, http.StatusNotFound}, code, "%s without a login: %s", request[1], body)
		assert.NotContains(t, body, key)
	}
	code, body := fixture.Fetch(t, http.MethodGet, root+"/", "", nil)
	assert.NotContains(t, body, "Temporal UI", "%d", code)
	assert.NotContains(t, body, "cards", "%d", code)
}

// refusesCallers asks the conversion service for what its API tells.
func refusesCallers(t *testing.T, addr string) {
	t.Helper()
	for _, request := range [][2]string{
		{http.MethodGet, "/api/v1/jobs/x"},
		{http.MethodPost, "/api/v1/jobs"},
		{http.MethodPost, "/api/v1/files/presign"},
		{http.MethodGet, "/storage/x"},
		{http.MethodPut, "/storage/x"},
	} {
		for _, host := range []string{"", "evil.example:8980"} {
			code, body := fixture.Fetch(t, request[0], "http://"+addr+request[1], "{}", map[string]string{"Host": host})
			assert.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed}, code, "%s: %s", request[1], body)
		}
	}
}

// The line that up prints is for the settings that Temporal's SDKs and command line share. A key alone would have them use TLS.
func TestAccess_ByTemporalsOwnSettings(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.Open("")

	connect := func(env map[string]string) error {
		env["TEMPORAL_ADDRESS"] = s.At.Temporal
		options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{DisableFile: true, EnvLookup: environment(env)})
		require.NoError(t, err)
		options.Logger = logging.ForTemporal(zap.NewNop())
		c, err := temporalclient.DialContext(t.Context(), options)
		if err == nil {
			c.Close()
		}
		return err
	}
	var denied *serviceerror.PermissionDenied
	require.NoError(t, connect(map[string]string{"TEMPORAL_API_KEY": b.AccessKey(), "TEMPORAL_TLS": "false"}))
	require.ErrorAs(t, connect(map[string]string{}), &denied)
	require.ErrorAs(t, connect(map[string]string{"TEMPORAL_API_KEY": b.AccessKey() + "x", "TEMPORAL_TLS": "false"}), &denied)
	require.Error(t, connect(map[string]string{"TEMPORAL_API_KEY": b.AccessKey()}), "with TLS, which is not served")
}

type environment map[string]string

func (e environment) Environ() (all []string) {
	for name, value := range e {
		all = append(all, name+"="+value)
	}
	return all
}

func (e environment) LookupEnv(name string) (string, bool) {
	value, ok := e[name]
	return value, ok
}

// Temporal's page shows the key to Temporal for whoever is logged in, in what it shows and in what it has downloaded.
func TestAccess_ThroughTemporalsPage(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.Open("")
	code, _, stderr := b.Run("convert", b.Write("a.md", "# A"), "--to", "html", "-o", b.Out, "--json")
	require.Zero(t, code, stderr)

	var listed struct {
		Executions []struct {
			Execution struct{ WorkflowID, RunID string }
		}
	}
	b.Eventually(func() bool {
		status, body := fixture.Fetch(t, http.MethodGet, s.At.UI+"/api/v1/namespaces/default/workflows", "", b.Bearer())
		require.Equal(t, http.StatusOK, status, body)
		require.NoError(t, json.Unmarshal([]byte(body), &listed))
		return len(listed.Executions) > 0
	}, "lists follow")
	run := listed.Executions[0].Execution
	status, body := fixture.Fetch(t, http.MethodGet,
		s.At.UI+"/api/v1/namespaces/default/workflows/"+run.WorkflowID+"/run/"+run.RunID+"/history.json", "", b.Bearer())
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "ConvertFile")
}

// A folder that an earlier version has made, open to everybody, goes on, and is closed.
func TestData_IsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	require.NoError(t, os.Mkdir(b.Data, 0o755))
	require.NoError(t, os.Chmod(b.Data, 0o755)) // whatever the umask
	code, _, stderr := b.Run("convert", b.Write("a.md", "# A"), "--to", "html", "-o", b.Out)
	require.Zero(t, code, stderr)
	assert.Empty(t, open(t, b.Data), "what a first start makes")

	require.NoError(t, filepath.WalkDir(b.Data, func(path string, entry fs.DirEntry, err error) error {
		mode := fs.FileMode(0o644)
		if entry.IsDir() {
			mode = 0o755
		}
		return os.Chmod(path, mode)
	}))
	code, _, stderr = b.Run("runs", "list")
	require.Zero(t, code, stderr)
	assert.Empty(t, open(t, b.Data), "what an earlier version has left")

	code, stdout, stderr := b.Run("doctor", "--json")
	require.Zero(t, code, stderr)
	assert.Contains(t, stdout, `{"name":"data folder","ok":true`)

	if os.Geteuid() != 0 {
		return // the rest takes somebody else, which takes root
	}
	require.NoError(t, os.Chmod(b.Data, 0o755))
	given := filepath.Join(b.Data, "stack-old.log")
	require.NoError(t, os.WriteFile(given, nil, 0o600))
	require.NoError(t, os.Chown(given, somebody, somebody))
	code, stdout, _ = b.Run("doctor", "--json")
	assert.Equal(t, cli.ExitAPI, code)
	assert.Contains(t, stdout, `{"name":"data folder","ok":false,"detail":"`+given+` belongs to user 54321"`)
}

// somebody is a user that is nobody's.
const somebody = 54321

// Another user of the machine learns that the folder is not theirs, and nothing is changed in it.
func TestData_OfSomebodyElse(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("runs a command as somebody else, which takes root")
	}
	b := fixture.New(t)
	require.NoError(t, os.Mkdir(b.Data, 0o700))
	for dir := filepath.Dir(b.Data); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	cmd := b.Command("doctor")
	cmd.Path = "/proc/self/exe" // in a folder that is closed to others
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: somebody, Gid: somebody}}
	out, err := cmd.CombinedOutput()

	require.Error(t, err, "%s", out)
	assert.Contains(t, string(out), "the data folder "+b.Data+" belongs to root, and is closed to you")
	assert.Contains(t, string(out), "remedy: run the command as root, or name a folder of your own with --data")
	assert.NotContains(t, string(out), "TEMPORAL_ADDRESS")
	assert.NotContains(t, string(out), "CONVILYN_API_KEY")
	entries, err := os.ReadDir(b.Data)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// open are the files and folders below a folder, and itself, that others may use.
func open(t *testing.T, dir string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			all = append(all, path)
		}
		return nil
	}))
	return all
}
