package tables

import (
	"context"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// Table is a sheet for those who do more with it than convert it: its name, and every value as it is displayed.
// Rows may be of different lengths.
type Table struct {
	Name string
	Rows [][]string
}

// Open reads a CSV as one table named so, or all sheets of an Excel workbook, and says what that lost.
func Open(ctx context.Context, path, source, name string) ([]Table, []string, error) {
	sheets, warnings, err := read(ctx, engines.Request{Source: source, InputPath: path, Stem: name})
	if err != nil {
		return nil, nil, err
	}
	out := make([]Table, len(sheets))
	for i, s := range sheets {
		out[i] = Table{Name: s.name, Rows: s.rows}
	}
	return out, warnings, nil
}

// Markdown is the table in GitHub's dialect; its first row heads it.
func (t Table) Markdown() (string, error) {
	p := &page{}
	writeMarkdown(p, []sheet{{name: t.Name, rows: t.Rows}})
	return p.whole()
}

// Number is the value of a text that is a number and nothing else; identifiers with leading zeros are none.
func Number(text string) (value float64, ok bool) {
	value, _, ok = numberOf(text)
	return value, ok
}
