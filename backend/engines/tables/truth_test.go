package tables_test

import (
	"archive/zip"
	"bytes"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// styled puts a value with a number format into a cell.
func styled(t *testing.T, f *excelize.File, at string, value any, style excelize.Style) {
	t.Helper()
	id, err := f.NewStyle(&style)
	require.NoError(t, err)
	require.NoError(t, f.SetCellValue("Sheet1", at, value))
	require.NoError(t, f.SetCellStyle("Sheet1", at, at, id))
}

func TestNumbersAsExcelShowsThem(t *testing.T) {
	phone, nothing := "[<=9999999]###-####;(###) ###-####", ";;;"
	data := workbook(t, func(f *excelize.File) {
		styled(t, f, "A1", 5551234567, excelize.Style{CustomNumFmt: &phone})
		styled(t, f, "B1", 0, excelize.Style{NumFmt: 43})
		styled(t, f, "C1", 123456, excelize.Style{NumFmt: 48})
		styled(t, f, "D1", 1.005, excelize.Style{NumFmt: 2})
		require.NoError(t, f.SetCellValue("Sheet1", "E1", 4006381333931))
		styled(t, f, "A2", 11324, excelize.Style{NumFmt: 14}) // 1931-01-01
		styled(t, f, "B2", 47849, excelize.Style{NumFmt: 14}) // 2031-01-01
		styled(t, f, "C2", 7, excelize.Style{CustomNumFmt: &nothing})
		styled(t, f, "D2", 0.5, excelize.Style{NumFmt: 20})
	})
	out := convert(t, "xlsx", "csv", data)
	assert.Equal(t, "(555) 123-4567,-,123.5E+3,1.01,4006381333931\n01/01/1931,01/01/2031,,12:00,\n", out.Text())
	assert.True(t, warns(out, "1 cells of sheet \"Sheet1\" have a number format that shows nothing"), "%v", out.Warnings)
}

// Workbooks that count days from 1904, as Excel for Macintosh made them.
func TestDatesFrom1904(t *testing.T) {
	stamp := "yyyy-mm-dd hh:mm"
	data := workbook(t, func(f *excelize.File) {
		require.NoError(t, f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: new(true)}))
		for i, days := range []float64{0, 1, 30.5, 60, 61, 62, 40000, 45000.25} {
			styled(t, f, "A"+strconv.Itoa(i+1), days, excelize.Style{NumFmt: 14})
			styled(t, f, "B"+strconv.Itoa(i+1), days, excelize.Style{CustomNumFmt: &stamp})
		}
	})
	assert.Equal(t, "01/01/1904,1904-01-01 00:00\n01/02/1904,1904-01-02 00:00\n01/31/1904,1904-01-31 12:00\n03/01/1904,1904-03-01 00:00\n"+
		"03/02/1904,1904-03-02 00:00\n03/03/1904,1904-03-03 00:00\n07/07/2013,2013-07-07 00:00\n03/16/2027,2027-03-16 06:00\n", convert(t, "xlsx", "csv", data).Text())
}

// Markdown reads some signs of a cell's text as its own.
func TestMarkdownOfCellsReadsBack(t *testing.T) {
	data := workbook(t, func(f *excelize.File) {
		require.NoError(t, f.SetSheetName("Sheet1", "R&amp;D _x_ #"))
		require.NoError(t, f.SetSheetRow("R&amp;D _x_ #", "A1", &[]any{"R&amp;D", "a & b", "~~kept~~", "&#65;"}))
		_, err := f.NewSheet("Other")
		require.NoError(t, err)
	})
	md := convert(t, "xlsx", "md", data).Text()
	page, err := testkit.Convert(t, text.New(), "md", "html", []byte(md))
	require.NoError(t, err)
	for _, want := range []string{"<th>R&amp;amp;D</th>", "<th>a &amp; b</th>", "<th>~~kept~~</th>", "<th>&amp;#65;</th>", ">R&amp;amp;D _x_ #</h2>"} {
		assert.Contains(t, page.Text(), want, md)
	}
}

func TestWhatASheetHoldsBesidesValuesIsNamed(t *testing.T) {
	data := workbook(t, func(f *excelize.File) {
		styled(t, f, "A1", 100, excelize.Style{Font: &excelize.Font{Strike: true}})
		require.NoError(t, f.SetCellValue("Sheet1", "B1", "see"))
		require.NoError(t, f.SetCellHyperLink("Sheet1", "B1", "https://example.org", "External"))
		require.NoError(t, f.SetSheetRow("Sheet1", "A2", &[]any{1, 2, 3}))
		require.NoError(t, f.SetRowVisible("Sheet1", 2, false))
		require.NoError(t, f.SetColVisible("Sheet1", "C", false))
		require.NoError(t, f.AddChart("Sheet1", "E5", &excelize.Chart{Type: excelize.Col, Series: []excelize.ChartSeries{{Name: "a", Values: "Sheet1!$A$2:$B$2"}}}))
		require.NoError(t, f.AddShape("Sheet1", &excelize.Shape{Cell: "E9", Type: "rect", Paragraph: []excelize.RichTextRun{{Text: "boxed"}}}))
		require.NoError(t, f.SetConditionalFormat("Sheet1", "A1:A2", []excelize.ConditionalFormatOptions{{Type: "data_bar", MinType: "min", MaxType: "max", Criteria: "="}}))
		require.NoError(t, f.SetHeaderFooter("Sheet1", &excelize.HeaderFooterOptions{OddHeader: "&CDraft"}))
	})
	out := convert(t, "xlsx", "md", data)
	for _, note := range []string{
		"1 cells of sheet \"Sheet1\" are struck through", "1 links of sheet", "1 rows of sheet \"Sheet1\" are hidden", "columns of sheet \"Sheet1\" are hidden",
		"1 charts of the workbook", "1 text boxes and shapes", "1 rules of conditional formatting", "1 headers and footers",
	} {
		assert.True(t, warns(out, note), "%s: %v", note, out.Warnings)
	}
	odd := changed(t, data, "xl/worksheets/sheet1.xml", "</sheetData>", "</sheetData><novelty/>")
	assert.True(t, warns(convert(t, "xlsx", "csv", odd), `1 elements "novelty"`), "what is not known is named, too")
}

// changed replaces text in a part of a workbook.
func changed(t *testing.T, book []byte, part, old, now string) []byte {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	require.NoError(t, err)
	file, err := archive.Open(part)
	require.NoError(t, err)
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	require.Contains(t, string(content), old)
	return withPart(t, book, part, strings.ReplaceAll(string(content), old, now))
}

func TestTheFirstSheetThatHasCells(t *testing.T) {
	data := workbook(t, func(f *excelize.File) {
		_, err := f.NewSheet("Data")
		require.NoError(t, err)
		require.NoError(t, f.SetCellValue("Data", "A1", "only here"))
	})
	out := convert(t, "xlsx", "csv", data)
	assert.Equal(t, "only here\n", out.Text())
	assert.Equal(t, []string{`truncated: a CSV holds one sheet; "Data" was converted and "Sheet1" (0 rows) left out`}, out.Warnings)
}

// A formula that is not computed spoils those that use it, and no others.
func TestFormulasWithoutValues(t *testing.T) {
	for name, test := range map[string]struct {
		formulas map[string]string
		text     string
		empty    string // the cells that are named
	}{
		"joined":                   {map[string]string{"A1": `CONCATENATE("a","b")`, "A2": "1+1", "A3": `"x"&A2`}, "ab\n2\nx2\n", ""},
		"one of another kind":      {map[string]string{"A1": `REPT("a",3)`, "A2": "1+1"}, "\n2\n", "1 formulas (Sheet1!A1)"},
		"what uses it":             {map[string]string{"A1": `REPT("a",3)`, "A2": "LEN(A1)", "A3": "IFERROR(A2,7)", "A4": "2*3"}, "\n\n\n6\n", "3 formulas (Sheet1!A1, Sheet1!A2, Sheet1!A3)"},
		"by a range":               {map[string]string{"A1": "SUM(B1:C3)", "B2": `LEN(INDIRECT("D1"))`, "A2": "5"}, ",\n5,\n", "2 formulas"},
		"that grows by each step":  {map[string]string{"A1": `"ab"&"cd"`, "A2": "A1&A1", "A3": "A2&A2"}, "abcd\n\n\n", "2 formulas (Sheet1!A2, Sheet1!A3)"},
		"that uses itself":         {map[string]string{"A1": "A1+1", "A2": "2"}, "\n2\n", "1 formulas (Sheet1!A1)"},
		"at the end of a long row": {map[string]string{"D4": "3*3"}, "\n\n\n,,,9\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			data := workbook(t, func(f *excelize.File) {
				require.NoError(t, f.SetCellValue("Sheet1", "Z60", "far"))
				for at, formula := range test.formulas {
					require.NoError(t, f.SetCellFormula("Sheet1", at, formula))
				}
			})
			out := convert(t, "xlsx", "csv", data)
			var lines []string
			for line := range strings.Lines(out.Text()) {
				lines = append(lines, strings.TrimRight(line, ",\n"))
			}
			for i, want := range strings.Split(strings.TrimRight(test.text, "\n"), "\n") {
				assert.Equal(t, strings.TrimRight(want, ","), lines[i], "row %d of %v", i+1, out.Text())
			}
			if test.empty == "" {
				assert.Empty(t, out.Warnings)
				return
			}
			assert.True(t, warns(out, test.empty), "%v", out.Warnings)
			assert.True(t, warns(out, "libreoffice-calc-nogui"))
			_, err := testkit.Convert(t, tables.New(), "xlsx", "csv", data, func(in *engines.Request) { in.Helped = true })
			e, ok := engines.AsError(err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, "FORMULAS_NOT_COMPUTED", e.Reason, "LibreOffice gets it")
		})
	}
}

// A stored value is what others use, whatever its formula.
func TestStoredValuesAreUsed(t *testing.T) {
	data := workbook(t, func(f *excelize.File) {
		require.NoError(t, f.SetCellFormula("Sheet1", "A1", `LEN(REPT("a",3))`))
		require.NoError(t, f.SetCellFormula("Sheet1", "A2", "A1*2"))
	})
	data = changed(t, data, "xl/worksheets/sheet1.xml", `<f>LEN(REPT(&#34;a&#34;,3))</f>`, `<f>LEN(REPT(&#34;a&#34;,3))</f><v>3</v>`)
	assert.Equal(t, "3\n6\n", convert(t, "xlsx", "csv", data).Text())
}

func TestTheDimensionOfAWorkbookIsThatOfItsCells(t *testing.T) {
	out := convert(t, "csv", "xlsx", []byte("a,b\n1,2\n3,4\n"))
	archive, err := zip.NewReader(bytes.NewReader(out.Data[0]), int64(len(out.Data[0])))
	require.NoError(t, err)
	file, err := archive.Open("xl/worksheets/sheet1.xml")
	require.NoError(t, err)
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	assert.Contains(t, string(content), `<dimension ref="A1:B3"`)
}
