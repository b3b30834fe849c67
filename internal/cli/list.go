package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// list is how rows are printed: aligned under a heading for people, one JSON object each for programs.
type list[T any] struct {
	none    string // said on stderr where there are none
	heading []string
	cells   func(T) []string // for each row, as many as the heading has
}

func printList[T any](e *Env, l list[T], rows []T, asJSON bool) error {
	if asJSON {
		for _, row := range rows {
			if err := e.printJSON(row); err != nil {
				return err
			}
		}
		return nil
	}
	if len(rows) == 0 {
		e.say("%s", l.none)
		return nil
	}
	table := tabwriter.NewWriter(e.Stdout, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, strings.Join(l.heading, "\t"))
	for _, row := range rows {
		_, _ = fmt.Fprintln(table, strings.Join(l.cells(row), "\t"))
	}
	return table.Flush()
}
