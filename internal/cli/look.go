package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// colorOf is the colour of a state.
func colorOf(state string) term.Color {
	switch state {
	case workflows.StateCompleted:
		return term.Green
	case workflows.StateFailed, "terminated", "timedout":
		return term.Red
	case workflows.StateWaiting, workflows.StatePaused, workflows.StatePartial, batch.ResultStopped, workflows.StateCancelled, statusSkipped:
		return term.Yellow
	}
	return term.Plain
}

// paintOut colours a text on standard output by a state.
func (e *Env) paintOut(state, text string) string {
	if !e.Terminal.TableColors {
		return text
	}
	return colorOf(state).Paint(text)
}

// printState prints a message in the colour of a state.
func (e *Env) printState(state, format string, args ...any) {
	text := term.Printable(fmt.Sprintf(format, args...))
	if e.Terminal.Colors && state != workflows.StateCompleted {
		text = colorOf(state).Paint(text)
	}
	_, _ = fmt.Fprintln(e.Stderr, text)
}

// progressFlags are for commands that show progress.
func (e *Env) progressFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&e.looks.quiet, "quiet", "q", false, "no progress and no remarks: only results, notes on what was lost, and what went wrong")
	cmd.Flags().BoolVarP(&e.looks.verbose, "verbose", "v", false, "name each run and its page; where no terminal shows it, say every 10 s how it goes")
	cmd.MarkFlagsMutuallyExclusive("quiet", "verbose")
}

// remark is a message that --quiet leaves out. What a conversion has lost is none.
func (e *Env) remark(format string, args ...any) {
	if !e.looks.quiet {
		e.printf(format, args...)
	}
}

// lineEvery is how often progress is printed where lines cannot be redrawn.
func (e *Env) lineEvery() time.Duration {
	if e.looks.verbose {
		return 10 * time.Second
	}
	return time.Minute
}

// introduce names the runs that are followed.
func (e *Env) introduce(s *Session, all []*watched) {
	if !e.looks.verbose {
		return
	}
	for _, w := range all {
		text := fmt.Sprintf("%s: run %s", w.label(), w.id())
		if s.UI != "" {
			text += ", " + s.RunURL(w.id(), w.runID)
		}
		e.printf("%s", text)
	}
}

// silent shows nothing.
type silent struct{}

func (silent) interval() time.Duration { return time.Minute }
func (silent) refresh(context.Context) {}
func (silent) draw()                   {}
func (silent) clear()                  {}
func (silent) done(int, result)        {}
