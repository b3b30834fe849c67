package term

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	gap           = "  "
	leastOfColumn = 8 // columns of text that a cut cell keeps
)

// Table is rows under a heading, in columns of text that are aligned.
type Table struct {
	Heading []string
	// Whole names the columns that are cut last, by their heading: what people copy.
	Whole []string
	// Paint is the colour of a cell; nil where there are none.
	Paint func(heading, cell string) Color
	Rows  [][]string // each with as many cells as the heading
}

// Print writes the table. It cuts cells so that the rows fit the width; a width of 0 has no bounds.
func (t Table) Print(out io.Writer, width int) error {
	rows := make([][]string, 0, len(t.Rows)+1)
	for _, row := range append([][]string{t.Heading}, t.Rows...) {
		line := make([]string, len(row))
		for i, cell := range row {
			line[i] = OneLine(cell)
		}
		rows = append(rows, line)
	}
	widths := t.widths(rows, width)

	for n, row := range rows {
		var line strings.Builder
		blank := "" // behind the cell before: nothing ends a line with blanks
		for i, cell := range row {
			text := strings.TrimRight(Pad(cell, widths[i]), " ")
			if text != "" {
				line.WriteString(blank + t.paint(n, i, text))
				blank = ""
			}
			blank += strings.Repeat(" ", widths[i]-Width(text)) + gap
		}
		if _, err := fmt.Fprintln(out, line.String()); err != nil {
			return err
		}
	}
	return nil
}

func (t Table) paint(row, column int, text string) string {
	if t.Paint == nil || row == 0 {
		return text
	}
	return t.Paint(t.Heading[column], text).Paint(text)
}

// widths are those of the widest cells. Where they do not fit, the widest columns give way first, and those that people copy
// when nothing else is left.
func (t Table) widths(rows [][]string, most int) []int {
	widths := make([]int, len(t.Heading))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], Width(cell))
		}
	}
	if most == 0 {
		return widths
	}

	total := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for _, whole := range []bool{false, true} {
		for ; total > most; total-- {
			widest := -1
			for i, w := range widths {
				if slices.Contains(t.Whole, t.Heading[i]) != whole || w <= max(leastOfColumn, Width(t.Heading[i])) {
					continue
				}
				if widest < 0 || w >= widths[widest] {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			widths[widest]--
		}
	}
	return widths
}
