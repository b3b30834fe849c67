package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"

	"github.com/spf13/cobra"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/roots"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
	"github.com/convilyn/convilyn-temporal/internal/term"
)

// Exit codes, those of the vendor's own command line.
const (
	ExitOK          = 0
	ExitUsage       = 1 // arguments, input files, configuration
	ExitAPI         = 2 // the API, Temporal or the network
	ExitJobFailed   = 3
	ExitInterrupted = 130
)

// Env is what a main lends to its commands.
type Env struct {
	Program  string
	Stdout   io.Writer
	Stderr   io.Writer
	Stdin    io.Reader // asked from only where Terminal.Ask; may be nil
	Getenv   func(string) string
	Terminal term.Screen
	// Interrupts begins to catch those after the first, which ends the context; may be nil.
	Interrupts func() <-chan os.Signal
	// Open connects to Temporal, or brings it up.
	Open func(ctx context.Context) (*Session, error)
	// Running reports whether Temporal is up already, where Open would bring it up; nil where it would not.
	Running func(ctx context.Context) bool
	// Catalog reads the goals on offer; nil where there is no key to ask with. It may be called before Open, and after.
	Catalog func(ctx context.Context) (*client.Catalog, error)
	// Spool is a folder that workers see, for standard input and output; nil: one in the user's cache folder.
	Spool func() (string, error)
	// AddFlags adds the main's own flags to every command; may be nil.
	AddFlags func(*cobra.Command)
	// Commands are the main's own; they may be nil.
	Commands []*cobra.Command
	// Checks are the main's own for doctor.
	Checks func(ctx context.Context, s *Session) []Check
	// Engines are those of the main's own conversion service, for doctor; nil where it has none.
	Engines func(ctx context.Context) []Engine

	looks looks      // as flags say
	typed chan typed // lines of Stdin, once somebody was asked
}

// typed is one line of Stdin.
type typed struct {
	text string
	err  error
}

// Session is a connection to Temporal.
type Session struct {
	Temporal  temporalclient.Client
	Namespace string
	Address   string
	UI        string // root of Temporal's web page, empty where unknown
	Data      string // data folder of a local stack, empty otherwise
	// Name has the workers allow the files that a command names; nil where they are told in another way.
	Name  func(places ...roots.Place) error
	State string        // where plans of batches are; empty for beside their outputs
	Keys  *sealing.Keys // nil where payloads stay plain
	// Stays reports whether the work goes on when this command ends.
	Stays bool
	Close func()
}

// RunURL is where Temporal's page shows a run.
func (s *Session) RunURL(workflowID, runID string) string {
	return fmt.Sprintf("%s/namespaces/%s/workflows/%s/%s", s.UI, s.Namespace, workflowID, runID)
}

// runs is where runs are read and written.
func (s *Session) runs() *runs.Client {
	return &runs.Client{Temporal: s.Temporal, Namespace: s.Namespace, Name: s.Name}
}

// Check is one finding of doctor.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
	// NotLooked reports that nothing is known, because of a fault that an earlier check names. It is not OK, either.
	NotLooked bool `json:"not_looked_at,omitempty"`
}

// Engine is one of the local conversion service, as doctor tells of it.
type Engine struct {
	Name    string `json:"engine"`
	Version string `json:"version,omitempty"` // empty for built-ins, and where it is missing
	Found   bool   `json:"found"`
	Install string `json:"install,omitempty"` // what brings it; empty for built-ins
	Routes  int    `json:"routes"`            // pairs that it converts, alone or where others refuse
	Serves  int    `json:"serves"`            // pairs that come to it first
	Adds    int    `json:"adds"`              // pairs that nothing else here converts
}

// Failure carries the exit code of a failed command. Without Err everything has been said already.
type Failure struct {
	Code int
	Err  error
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return fmt.Sprintf("exit %d", f.Code)
	}
	return f.Err.Error()
}

func (f *Failure) Unwrap() error { return f.Err }

// Usagef is a fault in what the user typed or set.
func Usagef(format string, args ...any) error {
	return &Failure{Code: ExitUsage, Err: fmt.Errorf(format, args...)}
}

// APIError is a fault of the API, of Temporal or of the way to them.
func APIError(err error) error {
	var known *Failure
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &Failure{Code: ExitAPI, Err: err}
}

// open connects; a failure to do so is the API's or the network's.
func (e *Env) open(ctx context.Context) (*Session, error) {
	session, err := e.Open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, APIError(err)
	}
	return session, nil
}

// withSession connects, does its work, and takes its errors for the API's.
func (e *Env) withSession(ctx context.Context, do func(context.Context, *Session) error) error {
	session, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	err = do(ctx, session)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return APIError(err)
}

func (e *Env) printf(format string, args ...any) {
	_, _ = fmt.Fprintln(e.Stderr, term.Printable(fmt.Sprintf(format, args...)))
}

func (e *Env) prompt(format string, args ...any) {
	_, _ = fmt.Fprint(e.Stderr, term.Printable(fmt.Sprintf(format, args...)))
}

func (e *Env) printJSON(v any) error {
	encoder := json.NewEncoder(e.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}

func (e *Env) row(name, value string) {
	if value != "" {
		_, _ = fmt.Fprintf(e.Stdout, "%-8s %s\n", name, term.Printable(value))
	}
}

// userName is by whom answers are given where nobody says so.
func (e *Env) userName() string {
	if known, err := user.Current(); err == nil {
		return known.Username
	}
	if e.Getenv == nil {
		return ""
	}
	return e.Getenv("USER")
}

func (e *Env) counter() *term.Counter {
	if e.looks.quiet {
		return term.NewCounter(e.Stderr, term.Screen{})
	}
	return term.NewCounter(e.Stderr, e.Terminal)
}

// looks are how much a command says of its progress.
type looks struct{ quiet, verbose bool }
