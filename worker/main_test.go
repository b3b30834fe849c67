package main

import (
	"bytes"
	"encoding/json"
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStartsThatAreRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := listener.Addr().String()
	require.NoError(t, listener.Close())
	t.Setenv("TEMPORAL_ADDRESS", nobody)
	for name, test := range map[string]struct {
		args []string
		env  map[string]string
		code int
		says string
	}{
		"an argument":          {[]string{"--fast"}, nil, exitUsage, `unknown argument "--fast"`},
		"bad settings":         {nil, map[string]string{"CONVILYN_API_KEY": "ck_x", "CONVILYN_MAX_ACTIVITIES": "many"}, exitUsage, "CONVILYN_MAX_ACTIVITIES"},
		"no key":               {nil, nil, exitUsage, "set CONVILYN_API_KEY or CONVILYN_API_KEY_FILE"},
		"unsigned webhook":     {nil, map[string]string{"CONVILYN_API_KEY": "ck_x", "CONVILYN_WEBHOOK_URL": "https://h/"}, exitUsage, "CONVILYN_WEBHOOK_URL: nothing would sign"},
		"Temporal is not here": {nil, map[string]string{"CONVILYN_API_KEY": "ck_x"}, exitFault, "no Temporal answers at " + nobody},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), test.args, func(name string) string { return test.env[name] }, &stdout, &stderr)
			assert.Equal(t, test.code, code, name)
			assert.Contains(t, stderr.String(), test.says, name)
			assert.Empty(t, stdout.String(), name)
		})
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	assert.Equal(t, exitOK, run(t.Context(), []string{"--help"}, func(string) string { return "" }, &stdout, &stderr))
	assert.Contains(t, stdout.String(), "CONVILYN_API_KEY")
	assert.Empty(t, stderr.String())
}

func TestVersion(t *testing.T) {
	for name, args := range map[string][]string{"text": {"--version"}, "JSON": {"--version", "--json"}} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer

			code := run(t.Context(), args, func(string) string { return "" }, &stdout, &stderr)

			assert.Equal(t, exitOK, code)
			assert.Contains(t, stdout.String(), "worker")
			assert.Contains(t, stdout.String(), runtime.Version())
			assert.Empty(t, stderr.String())
			assert.Equal(t, name == "JSON", json.Valid(stdout.Bytes()))
		})
	}
}
