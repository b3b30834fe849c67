package tables

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	maxFormulaText  = 2_000  // bytes
	maxFormulaRange = 50_000 // cells
)

var (
	formulaName  = regexp.MustCompile(`[A-Za-z_\\][A-Za-z0-9_.]*\s*\(?`)
	formulaText  = regexp.MustCompile(`"[^"]*"|'[^']*'!`)
	formulaCell  = regexp.MustCompile(`^[A-Za-z]{1,3}[0-9]{1,7}$`)
	formulaRange = regexp.MustCompile(`\$?([A-Za-z]{1,3})\$?([0-9]{1,7})\s*:\s*\$?([A-Za-z]{1,3})\$?([0-9]{1,7})`)
)

// harmless functions take time and room by what they are given alone.
var harmless = strings.Fields(`ABS AND AVERAGE AVERAGEIF CEILING COUNT COUNTA COUNTBLANK COUNTIF DATE DAY FALSE FLOOR HLOOKUP HOUR IF IFERROR IFNA INDEX INT
	ISBLANK ISERROR ISNUMBER ISTEXT LARGE LEFT LEN LOWER MATCH MAX MEDIAN MID MIN MINUTE MOD MONTH NOT NOW OR PI POWER PRODUCT RANK RIGHT ROUND
	ROUNDDOWN ROUNDUP SECOND SIGN SMALL SQRT SUM SUMIF SUMPRODUCT TODAY TRIM TRUE TRUNC UPPER VALUE VLOOKUP WEEKDAY YEAR`)

// isHarmless reports whether a formula can be computed without running for ever or growing without bound: cells, ranges of
// bounded size, numbers, texts and harmless functions, but nothing that joins texts, and no names, which may stand
// for anything.
func isHarmless(formula string) bool {
	formula = formulaText.ReplaceAllString(formula, `""`)
	if len(formula) > maxFormulaText || strings.ContainsAny(formula, "&{}[]#@") || !rangesFit(formula) {
		return false
	}
	for _, name := range formulaName.FindAllString(strings.ReplaceAll(formula, "$", ""), -1) {
		function, isCall := strings.CutSuffix(name, "(")
		if isCall && !slices.Contains(harmless, strings.ToUpper(strings.TrimSpace(function))) || !isCall && !isOperand(strings.TrimSpace(name)) {
			return false
		}
	}
	return true
}

func isOperand(name string) bool {
	return formulaCell.MatchString(name) || strings.EqualFold(name, "true") || strings.EqualFold(name, "false")
}

func rangesFit(formula string) bool {
	found := formulaRange.FindAllStringSubmatch(formula, -1)
	if len(found) != strings.Count(formula, ":") {
		return false // whole columns or rows
	}
	cells := 0
	for _, m := range found {
		top, _ := strconv.Atoi(m[2])
		bottom, _ := strconv.Atoi(m[4])
		cells += (abs(columnOf(m[3])-columnOf(m[1])) + 1) * (abs(bottom-top) + 1)
	}
	return cells <= maxFormulaRange
}

func abs(n int) int { return max(n, -n) }

// columnOf is the number of a column's letters; too large a one for what is none.
func columnOf(letters string) int {
	n := 0
	for _, r := range strings.ToUpper(letters) {
		if r < 'A' || r > 'Z' || n > maxColumns {
			return maxColumns + 1
		}
		n = n*26 + int(r-'A') + 1
	}
	return n
}
