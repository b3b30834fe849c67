package tables

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// FuzzFormula: a formula that is let through has no range that is larger than allowed, and calls nothing that is not
// known to be harmless.
func FuzzFormula(f *testing.F) {
	for _, seed := range []string{"A1*B1", "SUM(A1:B9)", "SUM(A1:XFD1048576)", "SUM(A:A)", "INDIRECT(\"A1\")", "'S 1'!A1+2", "REPT(A1,9)", "A1&A1", "sum (a1:a2)", "Name", "1E9", "_xlfn.SEQUENCE(9)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, formula string) {
		if !isHarmless(formula) {
			return
		}
		require.NotContains(t, formulaText.ReplaceAllString(formula, ""), "&")
		for _, word := range []string{"INDIRECT(", "OFFSET(", "REPT(", "CONCAT("} {
			require.NotContains(t, formulaText.ReplaceAllString(formula, ""), word)
		}
	})
}

// FuzzRecords: what the count of records lets through, the parser reads within the bounds.
func FuzzRecords(f *testing.F) {
	f.Add("a,b\n1,2", ",")
	f.Add("\"a\n,\",b\r\n", ";")
	f.Fuzz(func(t *testing.T, content, separators string) {
		delimiter := delimiterOf(content + separators)
		if checkRecords(content, delimiter) != nil {
			return
		}
		s, err := parseCSV(content, delimiter)
		var known *engines.Error
		require.True(t, err == nil || errors.As(err, &known), "%v", err)
		require.LessOrEqual(t, s.width(), maxColumns)
	})
}
