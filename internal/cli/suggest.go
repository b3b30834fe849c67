package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/convilyn/convilyn-temporal/client"
)

// closest is the word that was probably meant; empty where none is near.
func closest(typed string, words []string) string {
	for i := range len(typed) - 1 { // two letters that changed places are the commonest slip, and two edits to cobra
		swapped := typed[:i] + typed[i+1:i+2] + typed[i:i+1] + typed[i+2:]
		if swapped != typed && slices.Contains(words, swapped) {
			return swapped
		}
	}
	of := &cobra.Command{}
	for _, word := range words {
		of.AddCommand(&cobra.Command{Use: word, Run: func(*cobra.Command, []string) {}})
	}
	for distance := 1; distance <= 2 && len(typed) > distance+1; distance++ {
		of.SuggestionsMinimumDistance = distance
		if near := of.SuggestionsFor(typed); len(near) > 0 {
			return near[0]
		}
	}
	return ""
}

// didYouMean ends a message about a word that is not one of these.
func didYouMean(typed string, words []string) string {
	if near := closest(typed, words); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// notOneOf refuses the value of a flag.
func notOneOf(flag, typed string, values []string) error {
	return Usagef("--%s %q is not %s%s", flag, typed, oneOf(values), didYouMean(typed, values))
}

// oneOf lists values: a, b or c.
func oneOf(values []string) string {
	if len(values) < 2 {
		return strings.Join(values, "")
	}
	return strings.Join(values[:len(values)-1], ", ") + " or " + values[len(values)-1]
}

// checkTarget refuses a format that the API does not have.
func checkTarget(format string) error {
	format = client.NormalizeFormat(format)
	if len(client.Families(format)) > 0 {
		return nil
	}
	return fmt.Errorf("target format %q is not known%s", format, didYouMean(format, client.Formats()))
}

// suggestFor has a command and those below it say what was meant by what they do not know.
func suggestFor(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		suggestFor(sub)
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
			return unknownCommand(cmd, words[0]) // whose flag it would be
		}
		var unknown *pflag.NotExistError
		if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
			return err
		}
		var flags []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				flags = append(flags, f.Name)
			}
		})
		if near := closest(unknown.GetSpecifiedName(), flags); near != "" {
			return fmt.Errorf("%w; did you mean --%s?", err, near)
		}
		return err
	})
	if !cmd.HasSubCommands() {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknownCommand(cmd, args[0])
	}
}

func unknownCommand(cmd *cobra.Command, typed string) error {
	var names, flagged []string
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		names = append(names, sub.Name())
		if f := sub.Flags().Lookup(typed); f != nil && !f.Hidden {
			flagged = append(flagged, sub.Name()+" --"+typed)
		}
	}
	slices.Sort(names)
	meant := didYouMean(typed, names)
	if len(flagged) == 1 { // it is spelt right
		meant = fmt.Sprintf("; did you mean %s?", flagged[0])
	}
	return fmt.Errorf("unknown command %q for %q%s", typed, cmd.CommandPath(), meant)
}
