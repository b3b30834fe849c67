package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/client"
)

// TestMain lets the test binary be the child that the service has convert.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == backend.EnginesCommand {
		main()
	}
	m.Run()
}

func TestStartsThatAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty, file := filepath.Join(dir, "empty"), filepath.Join(dir, "faults.yaml")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	require.NoError(t, os.WriteFile(file, []byte("rules: [{route: POST /x, answer: {staus: 503}}]"), 0o600))
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no folder":        {nil, exitUsage, "--data"},
		"an argument":      {[]string{"--data", dir, "now"}, exitUsage, `unknown command "now"`},
		"no such key file": {[]string{"--data", dir, "--key-file", filepath.Join(dir, "none")}, exitUsage, "read the keys"},
		"no key in it":     {[]string{"--data", dir, "--key-file", empty}, exitUsage, "holds no key"},
		"bad faults":       {[]string{"--data", dir, "--faults", file}, exitUsage, "staus"},
		"bad level":        {[]string{"--data", dir, "--log-level", "loud"}, exitUsage, `--log-level "loud"`},
		"bad format":       {[]string{"--data", dir, "--log-format", "xml"}, exitUsage, `--log-format "xml"`},
		"workers":          {[]string{"--data", dir, "--workers", "-1"}, exitUsage, "--workers -1"},
		"no address":       {[]string{"--data", dir, "--listen", "nowhere"}, exitFault, "--listen"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			assert.Equal(t, test.code, run(t.Context(), test.args, &stdout, &stderr), name)
			assert.Contains(t, stderr.String(), test.says, name)
			assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), "%s: one line: %s", name, stderr.String())
			assert.Empty(t, stdout.String(), name)
		})
	}
}

func TestItServesUntilItIsToldToEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	require.NoError(t, os.WriteFile(keys, []byte("ck_one\nck_two\n"), 0o600))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	ended := make(chan int)
	var stderr bytes.Buffer
	go func() {
		ended <- run(ctx, []string{"--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0", "--key-file", keys}, in, &stderr)
	}()
	line := make([]byte, 100)
	n, err := out.Read(line)
	require.NoError(t, err)
	address := strings.TrimSpace(string(line[:n]))
	for key, status := range map[string]int{"ck_one": http.StatusOK, "ck_two": http.StatusOK, "ck_three": http.StatusUnauthorized} {
		t.Run(key, func(t *testing.T) {
			api, err := client.New(address, key)
			require.NoError(t, err)
			_, err = api.Convert.List(t.Context(), client.ListParams{Limit: 1})
			if status == http.StatusOK {
				assert.NoError(t, err, key)
			} else {
				assert.ErrorContains(t, err, "401", key)
			}
			api.CloseIdleConnections()
		})
	}
	api, err := client.New(address, "ck_one")
	require.NoError(t, err)
	file, err := api.Files.Upload(t.Context(), client.UploadParams{Name: "a.md", Size: 3, ContentType: "text/markdown", Body: strings.NewReader("# A")})
	require.NoError(t, err)
	job, err := api.Convert.Create(t.Context(), client.CreateParams{FileID: file.FileID, SourceFormat: "md", TargetFormat: "html"})
	require.NoError(t, err)
	job, err = api.Convert.Wait(t.Context(), job.JobID, client.WaitOptions{Interval: 200 * time.Millisecond})
	require.NoError(t, err)
	assert.Len(t, job.ResultFiles, 1)
	api.CloseIdleConnections()
	stop()
	assert.Equal(t, exitOK, <-ended, stderr.String())
	assert.NotContains(t, stderr.String(), "ck_one")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"text": {"--version"}, "JSON": {"--version", "--json"}} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer

			code := run(t.Context(), args, &stdout, &stderr)

			assert.Equal(t, exitOK, code)
			assert.Contains(t, stdout.String(), "backend")
			assert.Contains(t, stdout.String(), runtime.Version())
			assert.Empty(t, stderr.String())
			assert.Equal(t, name == "JSON", json.Valid(stdout.Bytes()))
		})
	}
}
