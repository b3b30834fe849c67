package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"github.com/convilyn/convilyn-temporal/client"
)

func load(pairs ...string) (Config, error) {
	values := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return Load(func(name string) string { return values[name] })
}

func TestDefaults(t *testing.T) {
	c, err := load()
	require.NoError(t, err)
	assert.Equal(t, Config{
		BaseURL: client.DefaultBaseURL, MaxActivities: 50, PollInterval: time.Second, HTTPAddr: "127.0.0.1:9464",
		LogLevel: zapcore.InfoLevel, LogFormat: "json", StopTimeout: 30 * time.Second,
	}, c)
}

func TestEveryVariable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte("ck_file\n"), 0o600))
	c, err := load("CONVILYN_API_KEY_FILE", file, "CONVILYN_BASE_URL", "https://h/ ", "CONVILYN_PRIVATE_HOST", "true", "CONVILYN_MAX_ACTIVITIES", "7", "CONVILYN_API_RATE", "2.5",
		"CONVILYN_POLL_INTERVAL", "300ms", "CONVILYN_HTTP_ADDR", "off", "CONVILYN_LOG_LEVEL", "debug", "CONVILYN_LOG_FORMAT", "console", "CONVILYN_STOP_TIMEOUT", "5s", "CONVILYN_CONFIRM", "ask")
	require.NoError(t, err)
	assert.Equal(t, Config{
		APIKey: "ck_file", BaseURL: "https://h", PrivateHost: true, MaxActivities: 7, APIRate: 2.5, PollInterval: 300 * time.Millisecond,
		LogLevel: zapcore.DebugLevel, LogFormat: "console", StopTimeout: 5 * time.Second, Confirm: "ask",
	}, c)
}

func TestFaultsAreToldAllAtOnceAndByName(t *testing.T) {
	bad := map[string]string{
		"CONVILYN_MAX_ACTIVITIES": "0", "CONVILYN_API_RATE": "-1", "CONVILYN_POLL_INTERVAL": "1ms", "CONVILYN_HTTP_ADDR": "nowhere",
		"CONVILYN_LOG_LEVEL": "loud", "CONVILYN_LOG_FORMAT": "xml", "CONVILYN_STOP_TIMEOUT": "soon", "CONVILYN_API_KEY_FILE": "/none", "CONVILYN_PRIVATE_HOST": "yes",
		"CONVILYN_CONFIRM": "no",
	}
	_, err := Load(func(name string) string { return bad[name] })
	require.Error(t, err)
	assert.Equal(t, len(bad), strings.Count(err.Error(), "CONVILYN_"), "%v", err)
	for name := range bad {
		t.Run(name, func(t *testing.T) {
			assert.Contains(t, err.Error(), name+": ")
		})
	}
	_, err = load("CONVILYN_API_KEY", "ck_a", "CONVILYN_API_KEY_FILE", "/none")
	require.ErrorContains(t, err, "keep one of them")
	empty := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(empty, []byte(" \n"), 0o600))
	_, err = load("CONVILYN_API_KEY_FILE", empty)
	require.ErrorContains(t, err, "is empty")
	_, err = load("CONVILYN_API_KEY_FILE", "ck_live_CANARY")
	require.EqualError(t, err, "CONVILYN_API_KEY_FILE: read the file that it names: no such file or directory", "a key in the wrong variable is not repeated")
}

func TestAWebhookNeedsASecret(t *testing.T) {
	_, err := load("CONVILYN_WEBHOOK_URL", "https://hooks.example/?t=CANARY")
	require.ErrorContains(t, err, "CONVILYN_WEBHOOK_URL: nothing would sign what is posted; set CONVILYN_WEBHOOK_SECRET")
	require.NotContains(t, err.Error(), "CANARY")
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("whsec_x"), 0o600))
	for _, url := range []string{"https://hooks.example/", "http://hooks.internal:8080/"} {
		_, err = load("CONVILYN_WEBHOOK_URL", url, "CONVILYN_WEBHOOK_SECRET_FILE", file)
		require.NoError(t, err)
	}
}

// A file is taken as the variable itself would be, and what is wrong with it tells nothing of what it holds.
func TestAFileIsNoWayAroundARule(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	for variable, bad := range map[string][2]string{
		"CONVILYN_WEBHOOK_URL":  {"ftp://CANARY.example/hook?t=CANARY", "it is not an http:// or https:// URL"},
		"CONVILYN_INBOX_SECRET": {"CANARY of no length", "it has 19 characters; 32 are needed"},
	} {
		t.Run(variable, func(t *testing.T) {
			require.NoError(t, os.WriteFile(file, []byte(bad[0]+"\n"), 0o600))
			for name, value := range map[string]string{variable: bad[0], variable + "_FILE": file} {
				_, err := load(name, value, "CONVILYN_WEBHOOK_SECRET", "whsec_x")
				require.EqualError(t, err, name+": "+bad[1])
			}
		})
	}
}

func TestAWebhookComesByFile(t *testing.T) {
	const url = "https://hooks.example/CANARY?t=CANARY"
	file := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(file, []byte(url+"\n"), 0o600))
	c, err := load("CONVILYN_WEBHOOK_URL_FILE", file, "CONVILYN_WEBHOOK_SECRET", "whsec_x")
	require.NoError(t, err)
	assert.Equal(t, Secret(url), c.WebhookURL)
	_, err = load("CONVILYN_WEBHOOK_URL_FILE", file)
	require.ErrorContains(t, err, "nothing would sign what is posted")
	require.NotContains(t, err.Error(), "CANARY")
	_, err = load("CONVILYN_WEBHOOK_URL", url, "CONVILYN_WEBHOOK_URL_FILE", file, "CONVILYN_WEBHOOK_SECRET", "whsec_x")
	require.EqualError(t, err, "CONVILYN_WEBHOOK_URL_FILE: set together with CONVILYN_WEBHOOK_URL; keep one of them")
	_, err = load("CONVILYN_WEBHOOK_URL_FILE", url, "CONVILYN_WEBHOOK_SECRET", "whsec_x")
	require.EqualError(t, err, "CONVILYN_WEBHOOK_URL_FILE: read the file that it names: no such file or directory", "a URL in the wrong variable is not repeated")
}

func TestTheKeyNeverPrints(t *testing.T) {
	c, err := load("CONVILYN_API_KEY", "ck_CANARY")
	require.NoError(t, err)
	encoded, err := json.Marshal(c)
	require.NoError(t, err)
	text := fmt.Sprintf("%v %+v %#v %s %q %x %d", c, c, c, c.APIKey, c.APIKey, c.APIKey, c.APIKey) + string(encoded)
	assert.NotContains(t, text, "CANARY")
	assert.NotContains(t, strings.ToLower(text), fmt.Sprintf("%x", "CANARY"))
}

func TestAPrivateHostIsAskedFor(t *testing.T) {
	c, err := load("CONVILYN_API_KEY", "ck_a", "CONVILYN_BASE_URL", "http://backend:8980")
	require.NoError(t, err)
	_, err = c.API()
	require.ErrorContains(t, err, "must be https")
	c.PrivateHost = true
	_, err = c.API()
	require.NoError(t, err)
}
