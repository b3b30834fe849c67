package chromium

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHasWideTable(t *testing.T) {
	row := func(cells int, word string) string {
		return "<tr>" + strings.Repeat("<td>"+word+"</td>", cells) + "</tr>"
	}
	long := strings.Repeat("w", 40) // 280 pixels

	for name, test := range map[string]struct {
		page string
		want bool
	}{
		"a few columns":            {"<table>" + row(3, long) + "</table>", false},
		"many columns":             {"<table><tbody>" + row(5, long) + "</tbody></table>", true},
		"a wide one in a cell":     {"<table><tr><td><table>" + row(5, long) + "</table></td></tr></table>", true},
		"beside a table in a cell": {"<table><tr><td>" + long + "</td><td>" + long + "</td><td><table>" + row(2, long) + "</table></td></tr></table>", true},
		"a long first column above a narrow table": {
			"<table><tr><td>a</td><td>" + long + "</td><td>" + long + "</td></tr><tr><td colspan=3><table>" + row(4, "a") + row(1, long) + "</table></td></tr></table>", false,
		},
		// They were taken for columns of the outer one.
		"columns that are wide in different tables": {
			"<table><tr><td><table><tr><td>" + long + "</td><td>a</td></tr></table><table><tr><td>a</td><td>" + long + "</td></tr></table>" +
				"<table><tr><td>a</td><td>a</td><td>" + long + "</td></tr></table><table><tr><td>a</td><td>a</td><td>a</td><td>" + long + "</td></tr></table></td></tr></table>", false,
		},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, hasWideTable([]byte(test.page))) })
	}
}
