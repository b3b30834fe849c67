package cli

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// command runs a command line. A typed text makes it a terminal.
func command(ctx context.Context, t *testing.T, temporal temporalclient.Client, env Env, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env.Program, env.Stdout, env.Stderr, env.Getenv = "starter", &out, &errs, func(string) string { return "" }
	env.Open = func(context.Context) (*Session, error) {
		require.NotNil(t, temporal, "nothing may be opened")
		return &Session{Temporal: temporal, Stays: true, Close: func() {}}, nil
	}
	if stdin != "" {
		env.Stdin, env.Terminal = strings.NewReader(stdin), term.Screen{Live: true, Ask: true, Width: func() int { return 100 }}
	}
	code = Run(ctx, env, args)
	return code, out.String(), errs.String()
}

// goals is a Temporal with goals, which end when all their required questions are answered.
type goals struct {
	*runstest.Temporal
	asks   []questions.Question // of runs that are started
	refuse map[string]string    // reasons by value, as JSON
}

func newGoals() *goals {
	f := &goals{Temporal: runstest.New(), refuse: map[string]string{}}
	f.Refuse = func(_ *runstest.Run, a questions.Answer) string { return f.refuse[string(a.Value)] }
	f.Started = func(r *runstest.Run) {
		r.Questions = slices.Clone(f.asks)
		endsWhenAnswered(r)
	}
	return f
}

func endsWhenAnswered(r *runstest.Run) {
	r.Result = goal.Result{Status: goal.ResultCompleted}
	settle := func() {
		if !r.Required() {
			r.End(nil)
		}
	}
	r.OnAnswer = func(questions.Receipt) { settle() }
	settle()
}

func (f *goals) add(id, name string, open ...questions.Question) *runstest.Run {
	r := &runstest.Run{
		Kind: runs.Goal, ID: id, Goal: name, Questions: open,
		Status: goal.Status{State: workflows.StateWaiting, Step: "fill", JobSpecID: "job_1"},
	}
	endsWhenAnswered(r)
	f.Add(r)
	return r
}

func (f *goals) command(t *testing.T, env Env, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return command(t.Context(), t, f.Temporal, env, stdin, args...)
}

// lastList is the query of the last list that was read.
func lastList(f *runstest.Temporal) string {
	lists := f.Lists()
	return lists[len(lists)-1]
}

// batches is a Temporal with one batch in it, or none yet. Batches that are started end with its result.
type batches struct {
	*runstest.Temporal
	run     *runstest.Run // nil where there is none
	result  batch.Result
	started []batch.Input
}

func newBatches(id string) *batches {
	f := &batches{Temporal: runstest.New()}
	f.Started = func(r *runstest.Run) {
		f.started = append(f.started, r.Input.(batch.Input))
		r.End(f.result)
	}
	if id != "" {
		f.run = &runstest.Run{Kind: runs.Batch, ID: id, Batch: batch.Memo{Name: "docs-to-pdf", Source: "/docs", Output: "/out", To: "pdf"}}
		f.run.CancelResult = batch.Result{Status: workflows.StateCancelled}
		f.Add(f.run)
	}
	return f
}

// finished is the batch after its end.
func (f *batches) finished(result batch.Result) *batches {
	f.result = result
	if f.run != nil {
		f.run.End(result)
	}
	return f
}

// attached follows the batch.
func (f *batches) attached(ctx context.Context, t *testing.T) []*watched {
	t.Helper()
	d, err := (&runs.Client{Temporal: f.Temporal}).Describe(context.WithoutCancel(ctx), f.run.ID)
	require.NoError(t, err)
	return []*watched{attach(d.Run)}
}

// command runs a command line against the fake; a nil one may not be opened.
func (f *batches) command(ctx context.Context, t *testing.T, env Env, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	if f == nil {
		return command(ctx, t, nil, env, "", args...)
	}
	return command(ctx, t, f.Temporal, env, "", args...)
}

// watches is a Temporal with one watch in it, or none yet.
type watches struct {
	*runstest.Temporal
	run *runstest.Run
}

func newWatches(id string) *watches {
	f := &watches{Temporal: runstest.New()}
	if id == "" {
		return f
	}
	f.run = &runstest.Run{
		Kind: runs.Watch, ID: id, State: workflows.StateWatching,
		Watch: watch.Memo{Name: "docs-to-pdf", Source: "/docs", Output: "/out", To: "pdf"},
		Input: watch.Input{Name: "docs-to-pdf", Spec: manifest.Spec{Source: "/docs", Output: "/out", To: "pdf"}},
	}
	f.Add(f.run)
	return f
}

func (f *watches) command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return command(t.Context(), t, f.Temporal, Env{}, "", args...)
}

func scheduled(t *testing.T, f *runstest.Temporal, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	if f == nil {
		return command(t.Context(), t, nil, Env{}, "", args...)
	}
	return command(t.Context(), t, f, Env{}, "", args...)
}

var errDown = errors.New("connection refused")
