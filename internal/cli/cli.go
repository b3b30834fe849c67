// Package cli is the command tree that starter and standalone share. It talks to Temporal and to the
// terminal; what brings Temporal about is the main's business.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/build"
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
	// AddFlags adds the main's own flags to every command; may be nil.
	AddFlags func(*cobra.Command)
	// Commands are the main's own; they may be nil.
	Commands []*cobra.Command
	// Checks are the main's own for doctor.
	Checks func(ctx context.Context, s *Session) []Check
	// Engines are those of the main's own conversion service, for doctor; nil where it has none.
	Engines func(ctx context.Context) []Engine

	typed chan typed // lines of Stdin, once somebody was asked
}

// Session is a connection to Temporal.
type Session struct {
	Temporal  temporalclient.Client
	Namespace string
	Address   string
	UI        string        // root of Temporal's web page, empty where unknown
	Data      string        // data folder of a local stack, empty otherwise
	Keys      *sealing.Keys // nil where payloads stay plain
	// Stays says that the work goes on when this command ends.
	Stays bool
	Close func()
}

// RunURL is where Temporal's page shows a run.
func (s *Session) RunURL(workflowID, runID string) string {
	return fmt.Sprintf("%s/namespaces/%s/workflows/%s/%s", s.UI, s.Namespace, workflowID, runID)
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

// Run executes a command line and returns its exit code.
func Run(ctx context.Context, env Env, args []string) int {
	root := newRoot(&env)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var failure *Failure
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &failure):
		if failure.Err != nil {
			_, _ = fmt.Fprintf(env.Stderr, "%s: %v\n", env.Program, failure.Err)
		}
		return failure.Code
	case ctx.Err() != nil:
		_, _ = fmt.Fprintf(env.Stderr, "%s: interrupted\n", env.Program)
		return ExitInterrupted
	default:
		// What cobra itself refuses is usage.
		_, _ = fmt.Fprintf(env.Stderr, "%s: %v\nSee '%s --help'.\n", env.Program, err, root.CommandPath())
		return ExitUsage
	}
}

func newRoot(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:   env.Program,
		Short: "Durable Convilyn conversions on Temporal",
		Long: "Converts files through the Convilyn API as Temporal workflows: what was begun goes on after a crash,\n" +
			"a deploy or a lost network, and nothing is done twice.",
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.AddCommand(newConvert(env), newBatch(env), newGoal(env), newSlots(env), newRuns(env), newSchedules(env), newNotifications(env), newSetup(env), newDoctor(env))
	root.AddCommand(env.Commands...)
	if env.AddFlags != nil {
		env.AddFlags(root)
	}
	build.AddFlags(root)
	env.addCompletions(root)
	return root
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

func (e *Env) say(format string, args ...any) {
	_, _ = fmt.Fprintln(e.Stderr, term.Printable(fmt.Sprintf(format, args...)))
}
