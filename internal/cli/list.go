package cli

import (
	"slices"

	"github.com/convilyn/convilyn-temporal/internal/term"
)

// list is how rows are printed: aligned under a heading for people, one JSON object each for programs.
type list[T any] struct {
	none    string // said on stderr where there are none
	heading []string
	whole   []string         // columns that are cut last: what people copy into other commands
	cells   func(T) []string // for each row, as many as the heading has
}

// with is the list with one more column.
func (l list[T]) with(heading string, cell func(T) string) list[T] {
	before := l.cells
	l.heading = append(slices.Clone(l.heading), heading)
	l.cells = func(row T) []string { return append(before(row), cell(row)) }
	return l
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
		e.printf("%s", l.none)
		return nil
	}

	table := term.Table{Heading: l.heading, Whole: l.whole}
	if e.Terminal.TableColors {
		table.Paint = func(heading, cell string) term.Color {
			if heading != "STATUS" {
				return term.Plain
			}
			return colorOf(cell)
		}
	}
	for _, row := range rows {
		table.Rows = append(table.Rows, l.cells(row))
	}
	width := 0
	if e.Terminal.TableWidth != nil {
		width = e.Terminal.TableWidth()
	}
	return table.Print(e.Stdout, width)
}
