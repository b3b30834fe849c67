package tables

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// shortDate is how the format shows dates that is the machine's own in Excel.
const shortDate = "mm/dd/yyyy"

// The library takes the first days of workbooks that count from 1904 for days of 1900.
const (
	earlyDays      = 62
	from1900to1904 = 1462
)

func isEarly(days float64) bool { return days >= 0 && days < earlyDays }

// earlyDates shows such days as those of a workbook that counts from 1900, in which they are later.
type earlyDates struct {
	book   *excelize.File
	styles map[string]int
}

var (
	notInDates = regexp.MustCompile(`"[^"]*"|\\.|\[[^\]]*\]`)
	dateParts  = regexp.MustCompile(`[yYdD]`)
	clockParts = regexp.MustCompile(`[hHsS]`)
)

// dateFormat is the code of a format that shows days, or its number where the workbook has no code for it; empty for others.
func dateFormat(number int, code string) string {
	switch number {
	case 14, 15, 16, 17, 22:
		if code == "" {
			return strconv.Itoa(number)
		}
	}
	bare := notInDates.ReplaceAllString(code, "")
	if strings.EqualFold(bare, "general") {
		return ""
	}
	if dateParts.MatchString(bare) || strings.ContainsAny(bare, "mM") && !clockParts.MatchString(bare) {
		return code
	}
	return ""
}

// show is a day as its cell shows it.
func (e *earlyDates) show(format string, days float64) (string, bool) {
	if e.book == nil {
		e.book, e.styles = excelize.NewFile(excelize.Options{ShortDatePattern: shortDate}), map[string]int{}
	}
	style, known := e.styles[format]
	if !known {
		look := excelize.Style{CustomNumFmt: &format}
		if number, err := strconv.Atoi(format); err == nil {
			look = excelize.Style{NumFmt: number}
		}
		var err error
		if style, err = e.book.NewStyle(&look); err != nil {
			return "", false
		}
		e.styles[format] = style
	}
	const at = "A1"
	sheet := e.book.GetSheetName(0)
	if e.book.SetCellValue(sheet, at, days+from1900to1904) != nil || e.book.SetCellStyle(sheet, at, at, style) != nil {
		return "", false
	}
	text, err := e.book.GetCellValue(sheet, at)
	return text, err == nil
}
