package cli

import (
	"context"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
)

// work is something to run. Each kind of runs has its own.
type work interface {
	kind() *runs.Kind
	id() string    // of the workflow
	title() string // what it was called by
	label() string // for the screen
	spec() runs.Spec
	// ended is what became of the run, begun what is printed of one that goes on.
	ended(runID string, end runs.End) result
	begun(runID string) result
}

// result is what became of a run; it is the JSON object of its line.
type result interface {
	state() string
	failedAs() string // the kind of a failure, empty where there is none
	// inPlace reports whether the work is done and its outputs are as they were left.
	inPlace() bool
	// render prints it for people: paths on stdout, everything else on stderr.
	render(e *Env) error
	// renderDetail prints all that is known, on stdout, below what is known of every run.
	renderDetail(e *Env)
}

// watched is a run that this command follows.
type watched struct {
	work
	runID string
	fresh bool // started by this command
}

// await waits for the end of a run. Its error is that Temporal could not be asked, which says nothing of the run.
func (s *Session) await(ctx context.Context, w *watched) (result, error) {
	end, err := s.runs().Result(ctx, w.kind(), w.id(), w.runID)
	if err != nil {
		return nil, err
	}
	return w.ended(end.RunID, end), nil
}

// nowWithin is how long a run is asked where it stands, before it is shown without.
const nowWithin = 10 * time.Second

// askNow asks a run where it stands; trouble is why it could not be asked.
func askNow[T any](ctx context.Context, id string, ask func(context.Context, string) (T, error)) (progress *T, trouble string) {
	ctx, cancel := context.WithTimeout(ctx, nowWithin)
	defer cancel()
	now, err := ask(ctx, id)
	if err != nil {
		return nil, err.Error()
	}
	return &now, ""
}

// nouns is what to call these runs.
func nouns(all []*watched) (one, many string) {
	for i, w := range all {
		kind := w.kind()
		if i > 0 && kind.One != one {
			return "run", "runs"
		}
		one, many = kind.One, kind.Many
	}
	return one, many
}

type outcomeError struct {
	Code    string              `json:"code"`
	Message string              `json:"message"`
	Credits *activities.Credits `json:"credits,omitempty"` // what is missing, and where there is more
}

// errorOf is how a fault is printed.
func errorOf(fault *runs.Fault) *outcomeError {
	return &outcomeError{Code: fault.Code, Message: fault.Message, Credits: fault.Detail.Credits}
}

// print writes one result, as JSON or for people.
func (e *Env) print(r result, asJSON bool) error {
	if asJSON {
		return e.printJSON(r)
	}
	return r.render(e)
}

// exitCode sums up: a failed job outweighs a failed API.
func exitCode(results []result) int {
	code := ExitOK
	for _, r := range results {
		switch state := r.state(); {
		case state != workflows.StateFailed && state != workflows.StateCancelled && state != goal.ResultDropped:
		case isAPIKind(r.failedAs()):
			code = max(code, ExitAPI)
		default:
			code = ExitJobFailed
		}
	}
	return code
}

func isAPIKind(kind string) bool {
	switch kind {
	case activities.FailureAuth, activities.FailurePlan, activities.FailureRateLimited, activities.FailureUnavailable, activities.FailureMismatch:
		return true
	}
	return false
}

// exitFor is the end of a command that followed runs; nil where all of them came to their result.
func exitFor(results []result) error {
	if code := exitCode(results); code != ExitOK {
		return &Failure{Code: code}
	}
	return nil
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// Values of outcome.Status beside the states of a run.
const statusSkipped = "skipped"
