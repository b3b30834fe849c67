package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
)

func run(t *testing.T, env Env, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env.Program, env.Stdout, env.Stderr, env.Getenv = "starter", &out, &errs, func(string) string { return "" }
	code = Run(t.Context(), env, args)
	return code, out.String(), errs.String()
}

func TestCompletions(t *testing.T) {
	temporal := runstest.New()
	temporal.Add(
		&runstest.Run{Kind: runs.Goal, ID: "goal-日本語-1", StartedAt: time.Now()},
		&runstest.Run{Kind: runs.Goal, ID: "goal-b-2", StartedAt: time.Now().Add(-time.Hour)},
	)
	opened := 0
	env := Env{
		Open: func(context.Context) (*Session, error) {
			opened++
			return &Session{Temporal: temporal, Close: func() {}}, nil
		},
		Catalog: func(context.Context) (*client.Catalog, error) {
			return &client.Catalog{Workflows: []client.CatalogEntry{{WorkflowID: "local.contact_sheet", Name: "Contact sheet"}}}, nil
		},
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"runs":               {[]string{"runs", "show", ""}, "goal-日本語-1\trunning\ngoal-b-2\trunning\n:4\n"},
		"runs that begin so": {[]string{"runs", "cancel", "goal-b"}, "goal-b-2\trunning\n:4\n"},
		"runs not yet given": {[]string{"runs", "cancel", "goal-b-2", "goal-b"}, ":4\n"},
		"goals":              {[]string{"goal", "start", "lo"}, "local.contact_sheet\tContact sheet\n:4\n"},
		"files of a goal":    {[]string{"goal", "start", "local.contact_sheet", ""}, ":0\n"},
		"targets":            {[]string{"convert", "a.mp4", "--to", "m"}, "m4a\nmkv\nmov\nmp3\n:4\n"},
		"formats":            {[]string{"batch", "docs", "--to", "od"}, "odp\nods\nodt\n:4\n"},
		"states":             {[]string{"runs", "list", "--state", "pa"}, "paused\npartial\n:4\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, _ := run(t, env, append([]string{"__complete"}, c.args...)...)

			assert.Equal(t, ExitOK, code)
			assert.Equal(t, c.want, stdout)
		})
	}
	t.Run("nothing is started for it", func(t *testing.T) {
		opened = 0
		idle := env
		idle.Running = func(context.Context) bool { return false }

		_, stdout, _ := run(t, idle, "__complete", "runs", "show", "")

		assert.Equal(t, ":4\n", stdout)
		assert.Zero(t, opened)
	})
	t.Run("shown in help", func(t *testing.T) {
		_, stdout, _ := run(t, env, "--help")
		assert.Contains(t, stdout, "\n  completion ")
	})
}

func TestVersion(t *testing.T) {
	for name, args := range map[string][]string{"text": {"--version"}, "JSON": {"--version", "--json"}} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := run(t, Env{}, args...)

			assert.Equal(t, ExitOK, code)
			assert.Contains(t, stdout, "starter")
			assert.Contains(t, stdout, runtime.Version())
			assert.Empty(t, stderr)
			assert.Equal(t, name == "JSON", json.Valid([]byte(stdout)))
		})
	}
	t.Run("JSON of nothing", func(t *testing.T) {
		code, _, stderr := run(t, Env{}, "--json")
		assert.Equal(t, ExitUsage, code)
		assert.Contains(t, stderr, "--json must come with --version")
	})
}
