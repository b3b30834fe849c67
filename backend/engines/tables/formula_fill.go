package tables

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// cellAt is a cell of a workbook.
type cellAt struct {
	sheet       string
	row, column int
}

func (c cellAt) name() string {
	name, _ := excelize.CoordinatesToCellName(c.column, c.row) // within the bounds of a sheet, as it was read from one
	return name
}

// area is what a formula refers to.
type area struct {
	sheet                    string
	top, left, bottom, right int
}

func (a area) has(c cellAt) bool {
	return c.row >= a.top && c.row <= a.bottom && c.column >= a.left && c.column <= a.right && strings.EqualFold(a.sheet, c.sheet)
}

// missing is a formula without a stored value.
type missing struct {
	at    cellAt
	refs  []area
	joins bool
	lost  bool // it is not computed, or uses one that is not
}

var formulaRef = regexp.MustCompile(`(?:(?:'((?:[^']|'')+)'|([A-Za-z0-9_.]+))!)?\$?([A-Za-z]{1,3})\$?([0-9]{1,7})(?::\$?([A-Za-z]{1,3})\$?([0-9]{1,7}))?`)

// areasOf are the cells that a formula of a sheet names.
func areasOf(sheet, formula string) []area {
	var out []area
	for _, m := range formulaRef.FindAllStringSubmatch(formula, -1) {
		a := area{sheet: sheet}
		if named := strings.ReplaceAll(m[1], "''", "'") + m[2]; named != "" {
			a.sheet = named
		}
		a.top, _ = strconv.Atoi(m[4])
		a.left = columnOf(m[3])
		a.bottom, a.right = a.top, a.left
		if m[5] != "" {
			a.bottom, _ = strconv.Atoi(m[6])
			a.right = columnOf(m[5])
		}
		a.top, a.bottom = min(a.top, a.bottom), max(a.top, a.bottom)
		a.left, a.right = min(a.left, a.right), max(a.left, a.right)
		out = append(out, a)
	}
	return out
}

// fillFormulas computes what a formula shows where the workbook does not hold it. What it does hold is used as it is. What
// cannot be computed is left to another engine where helped, and named where not.
func fillFormulas(ctx context.Context, book *excelize.File, sheets []sheet, facts *bookFacts, helped bool, losses *losses) error {
	all, stored, empty := facts.formulaCells(sheets)
	if empty == 0 {
		return nil
	}
	if !facts.computes() {
		return notComputed(empty, nil, "the workbook has too many formulas, or cells, to compute them here", helped, losses)
	}
	for _, at := range stored {
		if err := book.SetCellFormula(at.sheet, at.name(), ""); err != nil { // its value stays, and is what others get
			return fmt.Errorf("keep the value of a formula: %w", err)
		}
	}

	formulas := make([]missing, 0, len(all))
	for _, cell := range all {
		f, err := missingOf(book, cell)
		if err != nil {
			return err
		}
		formulas = append(formulas, f)
	}
	if err := markLost(ctx, formulas); err != nil {
		return err
	}
	for _, f := range formulas {
		if f.lost {
			_ = book.SetCellFormula(f.at.sheet, f.at.name(), "") // so that nothing computes it
		}
	}
	return compute(book, sheets, formulas, helped, losses)
}

// formulaCells are the formulas whose cells hold no value, those that have a value, and the number of the first.
func (f *bookFacts) formulaCells(sheets []sheet) (all []formulaOf, stored []cellAt, empty int) {
	for i, s := range sheets {
		found := f.sheet(s.name)
		if found == nil {
			continue
		}
		for _, cell := range found.formulas {
			at := cellAt{sheet: s.name, row: cell.row, column: cell.column}
			if cell.row < 1 || cell.column < 1 {
				continue
			}
			if cell.stored || cell.row <= len(s.rows) && s.cell(cell.row-1, cell.column-1) != "" {
				stored = append(stored, at)
				continue
			}
			empty++
			all = append(all, formulaOf{cellAt: at, array: cell.array, sheet: i})
		}
	}
	return all, stored, empty
}

// formulaOf is a formula of one of the sheets.
type formulaOf struct {
	cellAt
	array bool
	sheet int
}

func missingOf(book *excelize.File, cell formulaOf) (missing, error) {
	formula, err := book.GetCellFormula(cell.cellAt.sheet, cell.name())
	if err != nil {
		return missing{}, fmt.Errorf("read a formula: %w", err)
	}
	f := missing{at: cell.cellAt, joins: joinsTexts(formula)}
	f.lost = formula == "" || cell.array || !isHarmless(withoutJoins(formula))
	if !f.lost { // what a lost one uses does not matter, and may be very much
		f.refs = areasOf(cell.cellAt.sheet, formula)
	}
	return f, nil
}

// markLost follows what formulas use. One that joins texts may use no other that does: what grows by each step has no bound.
func markLost(ctx context.Context, formulas []missing) error {
	usedBy := make([][]int, len(formulas))
	for i := range formulas {
		if err := ctx.Err(); err != nil {
			return err
		}
		for j := range formulas {
			switch {
			case !formulas[i].uses(formulas[j].at):
			case i == j:
				formulas[i].lost = true
			default:
				usedBy[j] = append(usedBy[j], i)
			}
		}
	}
	joined := reached(usedBy, func(i int) bool { return formulas[i].joins })
	lost := reached(usedBy, func(i int) bool { return formulas[i].lost || formulas[i].joins && joined[i] })
	for i := range formulas {
		formulas[i].lost = formulas[i].lost || formulas[i].joins && joined[i] || lost[i]
	}
	return nil
}

// reached are those that use one that is, directly or by others.
func reached(usedBy [][]int, is func(int) bool) []bool {
	out := make([]bool, len(usedBy))
	var next []int
	for i := range usedBy {
		if is(i) {
			next = append(next, i)
		}
	}
	for len(next) > 0 {
		i := next[len(next)-1]
		next = next[:len(next)-1]
		for _, user := range usedBy[i] {
			if !out[user] {
				out[user] = true
				next = append(next, user)
			}
		}
	}
	return out
}

func (f *missing) uses(at cellAt) bool {
	for _, a := range f.refs {
		if a.has(at) {
			return true
		}
	}
	return false
}

func compute(book *excelize.File, sheets []sheet, formulas []missing, helped bool, losses *losses) error {
	index := map[string]int{}
	for i, s := range sheets {
		index[s.name] = i
	}
	var lost []string
	for _, f := range formulas {
		value, err := "", error(nil)
		if !f.lost {
			value, err = book.CalcCellValue(f.at.sheet, f.at.name())
		}
		if f.lost || err != nil || len(value) > cellTextMax {
			lost = append(lost, f.at.sheet+"!"+f.at.name())
			continue
		}
		sheets[index[f.at.sheet]].set(f.at.row-1, f.at.column-1, value)
	}
	if len(lost) == 0 {
		return nil
	}
	return notComputed(len(lost), lost, "they are of kinds that are not computed here, or use such", helped, losses)
}

// set puts a value where it is, also beyond the end of a row.
func (s *sheet) set(row, column int, value string) {
	if value == "" {
		return
	}
	for len(s.rows) <= row {
		s.rows = append(s.rows, nil)
	}
	for len(s.rows[row]) <= column {
		s.rows[row] = append(s.rows[row], "")
	}
	s.rows[row][column] = value
}

// notComputed refuses where another engine computes more, and else names what is empty.
func notComputed(count int, cells []string, why string, helped bool, losses *losses) error {
	const shown = 5
	where := ""
	if len(cells) > 0 {
		where = " (" + strings.Join(cells[:min(len(cells), shown)], ", ")
		if more := len(cells) - shown; more > 0 {
			where += fmt.Sprintf(" and %d more", more)
		}
		where += ")"
	}
	text := fmt.Sprintf("%d formulas%s have no stored value: %s; LibreOffice (Debian package libreoffice-calc-nogui) computes them", count, where, why)
	if helped {
		return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "FORMULAS_NOT_COMPUTED", Message: text}
	}
	losses.add("best_effort: %s, and their cells are empty", text)
	return nil
}

var joining = regexp.MustCompile(`(?i)\b(CONCATENATE|CONCAT)\s*\(`)

// joinsTexts reports whether what a formula makes may be longer than what it is given.
func joinsTexts(formula string) bool {
	formula = formulaText.ReplaceAllString(formula, `""`)
	return strings.Contains(formula, "&") || joining.MatchString(formula)
}

// withoutJoins is a formula for the question whether all else of it is harmless.
func withoutJoins(formula string) string {
	formula = formulaText.ReplaceAllString(formula, `""`)
	return joining.ReplaceAllString(strings.ReplaceAll(formula, "&", "+"), "SUM(")
}
