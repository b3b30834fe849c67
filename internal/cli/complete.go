package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
)

const (
	completionPatience = 2 * time.Second // somebody waits at a prompt
	completionMost     = 100
	hintWidth          = 60
)

// completer returns the words that may stand where somebody has pressed Tab, each with a hint after a tab.
type completer func(ctx context.Context, args []string) []string

// addCompletions completes arguments and flags of all commands, by what their usage calls them.
func (e *Env) addCompletions(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		e.addCompletions(sub)
	}

	words := strings.Fields(strings.Trim(cmd.Use, "[]"))
	if cmd.ValidArgsFunction == nil && len(words) > 1 {
		first := strings.Trim(words[1], "[]")
		several := strings.HasSuffix(first, "...")
		switch strings.TrimSuffix(first, "...") {
		case "RUN":
			cmd.ValidArgsFunction = completeArgs(several, cobra.ShellCompDirectiveNoFileComp, e.completeRuns(words[0] == "answer"))
		case "WORKFLOW":
			// Files follow the goal.
			cmd.ValidArgsFunction = completeArgs(false, cobra.ShellCompDirectiveDefault, e.completeGoals)
		case "NAME":
			if cmd.HasParent() && cmd.Parent().Name() == "schedules" {
				cmd.ValidArgsFunction = completeArgs(false, cobra.ShellCompDirectiveNoFileComp, e.completeSchedules)
			}
		}
	}

	for name, complete := range map[string]completer{
		"to":       completeFormats,
		"from":     completeFormats,
		"on-exist": fixed(onExistFail, "skip", "overwrite"),
		"lane":     fixed(lanes...),
		"state":    fixed(runs.States...),
	} {
		if cmd.Flags().Lookup(name) == nil {
			continue
		}
		_ = cmd.RegisterFlagCompletionFunc(name, completeFlag(complete)) // it has one already: that one is better
	}
}

func completeArgs(several bool, rest cobra.ShellCompDirective, complete completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 && !several {
			return nil, rest
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
		defer cancel()
		return begins(complete(ctx, args), begun, args), cobra.ShellCompDirectiveNoFileComp
	}
}

func completeFlag(complete completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return begins(complete(cmd.Context(), args), begun, nil), cobra.ShellCompDirectiveNoFileComp
	}
}

// begins picks the words that begin so and are not given yet.
func begins(words []string, begun string, given []string) []cobra.Completion {
	var out []cobra.Completion
	for _, word := range words {
		value, _, _ := strings.Cut(word, "\t")
		if strings.HasPrefix(value, begun) && !slices.Contains(given, value) {
			out = append(out, word)
		}
	}
	return out
}

func hinted(word, hint string) string { return word + "\t" + term.Cell(hint, hintWidth) }

func fixed(words ...string) completer {
	return func(context.Context, []string) []string { return words }
}

// completeFormats are those that the named inputs can be converted to, or all.
func completeFormats(_ context.Context, args []string) []string {
	all := client.Formats()
	if len(args) == 0 {
		return all
	}
	source, known := client.FormatOf(args[0])
	if !known || len(client.Families(source)) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(target string) bool {
		_, err := client.FamilyFor(source, target)
		return err != nil
	})
}

// connected does something with Temporal where that can be had at once. Nothing is started for a completion.
func (e *Env) connected(ctx context.Context, work func(*runs.Client) []string) []string {
	if e.Running != nil && !e.Running(ctx) {
		return nil
	}
	session, err := e.Open(ctx)
	if err != nil {
		return nil
	}
	defer session.Close()
	return work(session.runs())
}

// completeRuns are the latest runs, or only those with open questions.
func (e *Env) completeRuns(waiting bool) completer {
	return func(ctx context.Context, _ []string) []string {
		return e.connected(ctx, func(c *runs.Client) []string {
			list := func() ([]runs.Run, error) { return c.List(ctx, runs.Filter{}, completionMost) }
			if waiting {
				list = func() ([]runs.Run, error) { return c.Waiting(ctx, completionMost) }
			}
			found, err := list()
			if err != nil {
				return nil
			}
			var out []string
			for _, run := range found {
				out = append(out, hinted(run.ID, run.Status+" "+run.Name))
			}
			return out
		})
	}
}

func (e *Env) completeSchedules(ctx context.Context, _ []string) []string {
	return e.connected(ctx, func(c *runs.Client) []string {
		names, err := c.Schedules(ctx)
		if err != nil {
			return nil
		}
		return names
	})
}

func (e *Env) completeGoals(ctx context.Context, _ []string) []string {
	if e.Catalog == nil || e.Running != nil && !e.Running(ctx) {
		return nil
	}
	catalog, err := e.Catalog(ctx)
	if err != nil {
		return nil
	}
	var out []string
	for _, goal := range catalog.Workflows {
		out = append(out, hinted(goal.WorkflowID, goal.Name))
	}
	return out
}
