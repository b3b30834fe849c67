// Package cli is the command tree that starter and standalone share. It talks to Temporal and to the
// terminal; what brings Temporal about is the main's business.
package cli

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/build"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// Run executes a command line and returns its exit code.
func Run(ctx context.Context, env Env, args []string) int {
	root := newRoot(&env)
	root.SetArgs(args)
	err := onlyText(args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	var failure *Failure
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &failure):
		if failure.Err != nil {
			env.printState(workflows.StateFailed, "%s: %v", env.Program, failure.Err)
		}
		return failure.Code
	case ctx.Err() != nil:
		_, _ = fmt.Fprintf(env.Stderr, "%s: interrupted\n", env.Program)
		return ExitInterrupted
	default:
		// What cobra itself refuses is usage.
		env.printf("%s: %v\nSee '%s --help'.", env.Program, err, root.CommandPath())
		return ExitUsage
	}
}

// onlyText refuses what Temporal could not keep: it takes UTF-8 alone, and would be asked for ever.
func onlyText(args []string) error {
	for _, arg := range args {
		if !utf8.ValidString(arg) {
			return Usagef("%s", notText(arg))
		}
	}
	return nil
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
	root.AddCommand(newConvert(env), newBatch(env), newGoal(env), newSlots(env), newRuns(env), newSchedules(env), newNotifications(env), newSetup(env), newDoctor(env), newGC(env))
	root.AddCommand(env.Commands...)
	if env.AddFlags != nil {
		env.AddFlags(root)
	}
	build.AddFlags(root)
	root.InitDefaultHelpFlag() // before it is there, cobra takes what follows --help for its value
	env.addCompletions(root)
	suggestFor(root)
	return root
}
