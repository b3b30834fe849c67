package tables

import (
	"archive/zip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
)

// rawBook is a workbook of one sheet, S, as a program may write it. Style 1 is 0.00.
func rawBook(t *testing.T, sheet string) string {
	t.Helper()
	const head = `<?xml version="1.0" encoding="UTF-8"?>`
	const office, main = "http://schemas.openxmlformats.org/officeDocument/2006/relationships", "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	const types = "application/vnd.openxmlformats-officedocument.spreadsheetml."
	path := filepath.Join(t.TempDir(), "book.xlsx")
	file, err := os.Create(path)
	require.NoError(t, err)
	w := zip.NewWriter(file)
	for _, part := range [][2]string{
		{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
			`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Override PartName="/xl/workbook.xml" ContentType="` + types + `sheet.main+xml"/>` +
			`<Override PartName="/xl/styles.xml" ContentType="` + types + `styles+xml"/>` +
			`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="` + types + `worksheet+xml"/></Types>`},
		{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
			`<Relationship Id="r1" Type="` + office + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
		{"xl/workbook.xml", `<workbook xmlns="` + main + `" xmlns:r="` + office + `"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
			`<Relationship Id="r1" Type="` + office + `/worksheet" Target="worksheets/sheet1.xml"/>` +
			`<Relationship Id="r2" Type="` + office + `/styles" Target="styles.xml"/></Relationships>`},
		{"xl/styles.xml", `<styleSheet xmlns="` + main + `"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills><borders count="1"><border/></borders>` +
			`<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="2" applyNumberFormat="1"/></cellXfs></styleSheet>`},
		{"xl/worksheets/sheet1.xml", `<worksheet xmlns="` + main + `">` + sheet + `</worksheet>`},
	} {
		to, err := w.Create(part[0])
		require.NoError(t, err)
		_, err = to.Write([]byte(head + part[1]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, file.Close())
	return path
}

// Columns are made wider for numbers that would not be shown, and for those alone.
func TestWiden(t *testing.T) {
	row := func(cells string) string { return `<sheetData><row r="1">` + cells + `</row></sheetData>` }
	const narrow = `<cols><col min="1" max="1" width="5" customWidth="1"/></cols>`
	for name, test := range map[string]struct {
		sheet string
		want  int
	}{
		"a number of two decimals":       {narrow + row(`<c r="A1" s="1"><v>1234.5678</v></c>`), 1},
		"decimals of a general number":   {narrow + row(`<c r="A1"><v>1234.5678</v></c>`), 0},
		"digits of a general number":     {narrow + row(`<c r="A1"><v>1234567.5</v></c>`), 1},
		"a cell of several columns":      {narrow + row(`<c r="A1" s="1"><v>1234567</v></c>`) + `<mergeCells count="1"><mergeCell ref="A1:C1"/></mergeCells>`, 0},
		"a cell of several rows":         {narrow + row(`<c r="A1" s="1"><v>1234567</v></c>`) + `<mergeCells count="1"><mergeCell ref="A1:A3"/></mergeCells>`, 1},
		"more ranges than columns exist": {`<cols>` + strings.Repeat(`<col min="1" max="1" width="5"/>`, maxColumns+1) + `</cols>` + row(`<c r="A1" s="1"><v>1234567</v></c>`), 0},
	} {
		t.Run(name, func(t *testing.T) {
			widened, err := Widen(t.Context(), rawBook(t, test.sheet), filepath.Join(t.TempDir(), "wide.xlsx"))
			require.NoError(t, err)
			assert.Equal(t, test.want, widened)
		})
	}
}

// A text without letters is what a formula shows where the workbook holds it.
func TestReadXLSX_StoredEmptyText(t *testing.T) {
	for name, test := range map[string]struct{ cell, want string }{
		"an empty text": {`<c r="B1" t="str"><f>A1+1</f><v></v></c>`, ""},
		"no value":      {`<c r="B1"><f>A1+1</f></c>`, "3"},
		"no number":     {`<c r="B1"><f>A1+1</f><v></v></c>`, "3"},
	} {
		t.Run(name, func(t *testing.T) {
			sheets, notes, err := readXLSX(t.Context(), rawBook(t, `<sheetData><row r="1"><c r="A1"><v>2</v></c>`+test.cell+`<c r="C1"><v>9</v></c></row></sheetData>`), false)
			require.NoError(t, err)
			assert.Equal(t, test.want, sheets[0].cell(0, 1))
			assert.Empty(t, notes)
		})
	}
}

// A formula that is not computed needs no list of what it uses, which may be very long.
func TestReadXLSX_LongFormulas(t *testing.T) {
	long := strings.Repeat("Z9,", maxFormulaText) + "Z9"
	path := rawBook(t, `<sheetData><row r="1"><c r="A1"><f>SUM(`+long+`)</f></c><c r="B1"><f>A1+1</f></c></row></sheetData>`)
	sheets, notes, err := readXLSX(t.Context(), path, false)
	require.NoError(t, err)
	assert.Empty(t, strings.Join(sheets[0].rows[0], ""), "B1 uses what is not computed")
	assert.Contains(t, strings.Join(notes, "\n"), "S!A1, S!B1")

	book, err := excelize.OpenFile(path)
	require.NoError(t, err)
	defer book.Close()
	f, err := missingOf(book, formulaOf{cellAt: cellAt{sheet: "S", row: 1, column: 1}})
	require.NoError(t, err)
	assert.True(t, f.lost)
	assert.Nil(t, f.refs)

	done, cancel := context.WithDeadline(t.Context(), time.Time{})
	defer cancel()
	assert.ErrorIs(t, markLost(done, []missing{f}), context.DeadlineExceeded)
}
