package tables

import (
	"context"
	"fmt"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
)

// readXLSX reads all sheets as displayed.
func readXLSX(ctx context.Context, path string, helped bool) (sheets []sheet, warnings []string, err error) {
	if scratch.IsLocked(path) {
		return nil, nil, scratch.Locked()
	}
	facts, err := checkBook(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	book, err := excelize.OpenFile(path, excelize.Options{
		UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: maxSheetInRAM, ShortDatePattern: shortDate,
	})
	if err != nil {
		return nil, nil, notWorkbook()
	}
	defer book.Close() //nolint:errcheck // read only
	names := book.GetSheetList()
	losses := newLosses()
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		s, err := readSheet(book, name, &facts, losses)
		if err != nil {
			return nil, nil, err
		}
		sheets = append(sheets, s)
	}
	if len(sheets) == 0 {
		return nil, nil, notWorkbook()
	}
	if err := fillFormulas(ctx, book, sheets, &facts, helped, losses); err != nil {
		return nil, nil, err
	}
	facts.nameParts(losses)
	return sheets, losses.list(), nil
}

func readSheet(book *excelize.File, name string, facts *bookFacts, losses *losses) (sheet, error) {
	rows, err := book.GetRows(name)
	if err == nil && len(rows) == 0 {
		_, err = book.GetCellValue(name, "A1") // tells an empty sheet from a chart, which reads as empty, too
	}
	if err != nil && strings.HasSuffix(err.Error(), "is not a worksheet") {
		losses.add("best_effort: sheet %q is a chart and was left out", name)
		return sheet{name: name}, nil
	}
	if err != nil {
		return sheet{}, notWorkbook()
	}
	s := sheet{name: name, rows: rows}
	if found := facts.sheet(name); found != nil {
		facts.setFormatted(&s, found)
		found.name(name, losses)
	}
	if visible, err := book.GetSheetVisible(name); err == nil && !visible {
		losses.add("best_effort: sheet %q is hidden in the workbook", name)
	}
	if !facts.holds() {
		losses.add("best_effort: the workbook is too large to look for merged cells, comments, pictures, and formulas without a stored value")
		return s, nil
	}
	if merged, err := book.GetMergeCells(name); err == nil && len(merged) > 0 {
		losses.add("layout_degraded: merged cells of sheet %q show their value in the first cell only", name)
	}
	if comments, err := book.GetComments(name); err == nil && len(comments) > 0 {
		losses.add("best_effort: %d comments of sheet %q were left out", len(comments), name)
	}
	if pictures, err := book.GetPictureCells(name); err == nil && len(pictures) > 0 {
		losses.add("best_effort: pictures of sheet %q were left out", name)
	}
	return s, nil
}

// losses gathers warnings, each once.
type losses struct {
	seen map[string]bool
	all  []string
}

func newLosses() *losses { return &losses{seen: map[string]bool{}} }

func (l *losses) add(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !l.seen[text] {
		l.seen[text] = true
		l.all = append(l.all, text)
	}
}

const warningsMax = 20

func (l *losses) list() []string {
	if len(l.all) > warningsMax {
		return append(l.all[:warningsMax:warningsMax], fmt.Sprintf("best_effort: %d more notes of the same kinds", len(l.all)-warningsMax))
	}
	return l.all
}
