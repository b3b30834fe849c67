package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/datafolder"
	"github.com/convilyn/convilyn-temporal/internal/term"
)

func TestEnginesAreATable(t *testing.T) {
	var out bytes.Buffer
	e := &Env{Stdout: &out, Terminal: term.Screen{TableWidth: func() int { return 100 }}, Engines: func(context.Context) []Engine {
		return []Engine{
			{Name: "text", Found: true, Routes: 12, Serves: 10, Adds: 9},
			{Name: "vips", Version: "vips-8.14\x1b[2J" + strings.Repeat(".", 99), Found: true, Install: "libvips-tools", Routes: 80, Serves: 44, Adds: 44},
			{Name: "pandoc", Install: "pandoc", Routes: 42, Adds: 25},
		}
	}}
	require.NoError(t, e.printEngines(t.Context(), false))
	lines := strings.Split(out.String(), "\n")
	assert.Equal(t, []string{"ENGINE", "VERSION", "SERVES", "ALONE", "INSTALL"}, strings.Fields(lines[1]))
	assert.Equal(t, []string{"text", "built", "in", "10", "pairs", "9", "-"}, strings.Fields(lines[2]))
	assert.NotContains(t, lines[3], "\x1b")
	assert.LessOrEqual(t, term.Width(lines[3]), 100)
	assert.Equal(t, []string{"pandoc", "missing", "-", "would", "add", "25,", "help", "with", "17", "pandoc"}, strings.Fields(lines[4]))
	out.Reset()
	require.NoError(t, e.printEngines(t.Context(), true))
	assert.JSONEq(t, `{"engine":"pandoc","found":false,"install":"pandoc","routes":42,"serves":0,"adds":25}`, strings.Split(out.String(), "\n")[2])
	out.Reset()
	require.NoError(t, (&Env{Stdout: &out}).printEngines(t.Context(), false))
	assert.Empty(t, out.String(), "a main without a service has no engines")
}

func TestDoctor_saysWhatIsWrongWithTheAPI(t *testing.T) {
	reply := func(status int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, test := range map[string]struct {
		handler func(http.ResponseWriter, *http.Request) // nil where nobody listens
		says    string
		key     bool // the key is named as the cause
	}{
		"a refused key":         {reply(401, `{"code":"AUTH_REQUIRED","message":"no"}`), "check the key", true},
		"a refused key, by 403": {reply(403, `{"code":"UNAUTHORIZED","message":"no"}`), "check the key", true},
		"503":                   {reply(503, ""), "the service, or a proxy in front of it, has a fault of its own", false},
		"502":                   {reply(502, "<html>"), "the service, or a proxy in front of it, has a fault of its own", false},
		"429":                   {reply(429, `{"code":"RATE_LIMITED"}`), "takes fewer requests", false},
		"another server":        {reply(404, "<html>"), "there is no Convilyn API at this address", false},
		"a login page":          {reply(200, "<html>"), "no proper answer", false},
		"forbidden":             {reply(403, `{"code":"FORBIDDEN","message":"no"}`), "it refuses the request", false},
		"refused connections":   {nil, "nothing can be reached there", false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(test.handler))
			t.Cleanup(server.Close)
			if test.handler == nil {
				server.Close()
			}
			said := 0
			for _, check := range APIChecks(t.Context(), config.Config{BaseURL: server.URL, APIKey: "ck_test_key"}) {
				if check.OK || check.Remedy == "" {
					continue
				}
				said++
				assert.Equal(t, test.key, strings.Contains(check.Remedy, "check the key"), "%+v", check)
				assert.Contains(t, check.Remedy, test.says)
			}
			assert.Equal(t, 1, said, "one fault is named once")
		})
	}
}

func TestDoctor_RemedyWhereNothingCanBeOpened(t *testing.T) {
	own := func(context.Context) bool { return false }
	for name, test := range map[string]struct {
		err     error
		running func(context.Context) bool
		remedy  string
	}{
		"somebody else's data folder": {
			fmt.Errorf("open: %w", &datafolder.ForeignError{Dir: "/srv/x", Owner: "ann"}), own,
			"run the command as ann, or name a folder of your own with --data",
		},
		"somebody else's Temporal": {fmt.Errorf("dial: %w", serviceerror.NewPermissionDenied("no", "")), nil, "show what lets its owner in"},
		"a stack of one's own":     {errors.New("the database is damaged"), own, "do what it says, or choose another data folder with --data"},
		"no Temporal":              {errors.New("refused"), nil, "set TEMPORAL_ADDRESS, or use standalone"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			e := &Env{Stdout: &out, Getenv: func(string) string { return "" }, Running: test.running}
			e.Open = func(context.Context) (*Session, error) { return nil, test.err }
			if test.running != nil {
				e.Checks = func(context.Context, *Session) []Check { return nil }
			}

			require.Error(t, e.doctor(t.Context(), false))

			assert.Contains(t, out.String(), "remedy: "+test.remedy)
			if test.running != nil {
				assert.NotContains(t, out.String(), "CONVILYN_API_KEY", "the stack has a service of its own")
				assert.Contains(t, out.String(), "not looked at")
			}
		})
	}
}

func TestDoctor_NamesAFaultOfTheAPIOnce(t *testing.T) {
	refuse := func(status int, paths ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for _, path := range paths {
				if strings.Contains(r.URL.String(), path) {
					w.WriteHeader(status)
					return
				}
			}
			_, _ = io.WriteString(w, `{"conversions":[]}`)
		}
	}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		prints  []string // by line; a remedy has one of its own
	}{
		"the API is down": {refuse(503, "/"), []string{
			"FAIL api", "remedy: wait", "- document routes not looked at: the API is down", "- image routes not looked at: the API is down",
			"- media routes not looked at: the API is down",
		}},
		"the key is refused": {refuse(401, "/support"), []string{
			"ok api", "FAIL document routes", "remedy: check the key", "FAIL image routes the same fault as of document routes",
			"FAIL media routes the same fault as of document routes",
		}},
		"all is well": {refuse(0), []string{"ok api", "ok document routes", "ok image routes", "ok media routes"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			t.Cleanup(server.Close)
			var out bytes.Buffer
			_ = (&Env{Stdout: &out}).printChecks(APIChecks(t.Context(), config.Config{BaseURL: server.URL, APIKey: "ck_test_key"}), false)
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			require.Len(t, lines, len(test.prints), out.String())
			for i, line := range lines {
				assert.True(t, strings.HasPrefix(strings.Join(strings.Fields(line), " "), test.prints[i]), "%q, want %q", line, test.prints[i])
			}
		})
	}
}
