// Package tables converts between CSV and Excel workbooks, and sets both as HTML, Markdown or text.
package tables

// sheet is a table as people see it: every value as it is displayed.
type sheet struct {
	name string
	rows [][]string
}

// width is the number of columns of the widest row.
func (s sheet) width() int {
	w := 0
	for _, row := range s.rows {
		w = max(w, len(row))
	}
	return w
}

// cell is "" beyond the end of a short row.
func (s sheet) cell(row, column int) string {
	if column < len(s.rows[row]) {
		return s.rows[row][column]
	}
	return ""
}
