package tables

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

const formulasChecked = 200_000 // empty cells that are asked whether they hold a formula

// readXLSX reads all sheets as displayed.
func readXLSX(ctx context.Context, path string) (sheets []sheet, warnings []string, err error) {
	if isLocked(path) {
		return nil, nil, &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "ENCRYPTED", Message: "the workbook is protected by a password; save it without one"}
	}
	facts, err := checkBook(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	book, err := excelize.OpenFile(path, excelize.Options{UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: maxSheetInRAM})
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
		s, err := readSheet(book, name, facts, losses)
		if err != nil {
			return nil, nil, err
		}
		sheets = append(sheets, s)
	}
	if len(sheets) == 0 {
		return nil, nil, notWorkbook()
	}
	return sheets, losses.list(), nil
}

// isLocked knows the container that Office puts around an encrypted workbook by the name of its stream.
func isLocked(path string) bool {
	file, err := os.Open(path) //nolint:gosec // the service's own input
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // read only
	head, err := io.ReadAll(io.LimitReader(file, 1<<20))
	name := strings.Join(strings.Split("EncryptedPackage", ""), "\x00") // in UTF-16
	return err == nil && bytes.HasPrefix(head, []byte("\xD0\xCF\x11\xE0")) && bytes.Contains(head, []byte(name))
}

func readSheet(book *excelize.File, name string, facts bookFacts, losses *losses) (sheet, error) {
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
	return s, fillFormulas(book, &s, facts, losses)
}

// fillFormulas computes what a formula shows where the workbook does not hold it; what cannot be computed is named.
func fillFormulas(book *excelize.File, s *sheet, facts bookFacts, losses *losses) error {
	checked := 0
	for r, row := range s.rows {
		for c, value := range row {
			if value != "" {
				continue
			}
			if checked++; checked > formulasChecked {
				losses.add("best_effort: sheet %q is too large to look for formulas without a stored value", s.name)
				return nil
			}
			at, err := excelize.CoordinatesToCellName(c+1, r+1)
			if err != nil {
				return fmt.Errorf("name a cell: %w", err)
			}
			formula, err := book.GetCellFormula(s.name, at)
			if err != nil || formula == "" {
				continue
			}
			if !facts.computes() {
				losses.add("best_effort: formulas of sheet %q have no stored value, and are too many or of a kind that is not computed here", s.name)
				return nil
			}
			if s.rows[r][c], err = book.CalcCellValue(s.name, at); err != nil {
				losses.add("best_effort: the formula in %s!%s has no stored value and could not be computed", s.name, at)
				s.rows[r][c] = ""
			}
		}
	}
	return nil
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
