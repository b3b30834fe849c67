package tables_test

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// FuzzSheet puts a sheet into a workbook that is sound otherwise.
func FuzzSheet(f *testing.F) {
	for _, seed := range []string{
		`<row r="1"><c r="A1"><v>1</v></c></row></sheetData>`, `<row r="9"><c r="C9"><f>A1*2</f></c></row></sheetData>`,
		`<row><c t="s"><v>0</v></c><c t="inlineStr"><is><t>x</t></is></c></row></sheetData><mergeCells><mergeCell ref="A1:B2"/></mergeCells>`,
		`<row r="1"><c r="A1"><f t="shared" ref="A1:A9" si="0">B1</f></c></row></sheetData>`, `<row r="-1"><c r="ZZZZ1"/></row></sheetData>`, `</sheetData><row r="3"/>`,
	} {
		f.Add(seed)
	}
	whole := testkit.Examples(f, "budget.xlsx")
	f.Fuzz(func(t *testing.T, sheet string) {
		const head = `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`
		data := withPart(t, whole, "xl/worksheets/sheet1.xml", head+sheet+"</worksheet>")
		for _, target := range []string{"csv", "md"} {
			_, err := testkit.Convert(t, tables.New(), "xlsx", target, data)
			if _, known := engines.AsError(err); err != nil && !known {
				t.Fatal(err)
			}
		}
	})
}

func withPart(t *testing.T, whole []byte, name, content string) []byte {
	t.Helper()
	from, err := zip.NewReader(bytes.NewReader(whole), int64(len(whole)))
	require.NoError(t, err)
	var out bytes.Buffer
	to := zip.NewWriter(&out)
	for _, part := range from.File {
		if part.Name != name {
			require.NoError(t, to.Copy(part))
			continue
		}
		w, err := to.Create(name)
		require.NoError(t, err)
		_, err = io.WriteString(w, content)
		require.NoError(t, err)
	}
	require.NoError(t, to.Close())
	return out.Bytes()
}
