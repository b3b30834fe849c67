package tables

import (
	"fmt"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// Bounds on a table; beyond them no reader of the result would be served.
const (
	maxRows    = 1_048_576 // what a sheet of Excel holds
	maxColumns = 16_384
	maxCells   = 10_500_000 // every row as wide as the widest, since it is set so
	maxResult  = 256 << 20  // bytes of text
)

func tooLarge(format string, args ...any) error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "TABLE_TOO_LARGE", Message: fmt.Sprintf(format, args...)}
}

// checkSheets refuses tables that are small as a file and huge when they are set: a cell far off pads every row, and
// a text that is stored once may be shown in every cell.
func checkSheets(sheets []sheet) error {
	cells, size := 0, 0
	for _, s := range sheets {
		cells += len(s.rows) * s.width()
		if cells > maxCells {
			return tooLarge("the tables have more than %d cells with those that fill up their rows", maxCells)
		}
		for _, row := range s.rows {
			for _, text := range row {
				size += len(text)
			}
			if size > maxResult {
				return tooLarge("the tables hold more than %d MB of text", maxResult>>20)
			}
		}
	}
	return nil
}

// checkRecords looks for rows that are too wide before anything is kept of them.
func checkRecords(content string, delimiter rune) error {
	quoted, columns, cells := false, 1, 1
	for i := range len(content) {
		switch c := content[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n':
			columns = 1
			cells++
		case rune(c) == delimiter:
			columns++
			cells++
		}
		if columns > maxColumns || cells > maxCells {
			return tooLarge("the CSV has more than %d columns or %d cells", maxColumns, maxCells)
		}
	}
	return nil
}

// page gathers a result until it is too large.
type page struct {
	strings.Builder
	full bool
}

// put adds a text; once the page is full, nothing more comes to it.
func (p *page) put(text string) {
	if p.full = p.full || p.Len()+len(text) > maxResult; !p.full {
		_, _ = p.WriteString(text) // never fails
	}
}

func (p *page) whole() (string, error) {
	if p.full {
		return "", &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "RESULT_TOO_LARGE", Message: fmt.Sprintf("the tables would become larger than %d MB", maxResult>>20),
		}
	}
	return p.String(), nil
}
