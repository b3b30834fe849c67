package tables_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func convert(tb testing.TB, source, target string, data []byte) testkit.Converted {
	tb.Helper()
	out, err := testkit.Convert(tb, tables.New(), source, target, data)
	require.NoError(tb, err)
	require.Len(tb, out.Data, 1)
	return out
}

func warns(c testkit.Converted, part string) bool {
	return strings.Contains(strings.Join(c.Warnings, "\n"), part)
}

// workbook builds one by hand.
func workbook(t *testing.T, build func(f *excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	build(f)
	var out bytes.Buffer
	require.NoError(t, f.Write(&out))
	return out.Bytes()
}

func TestCSVToXLSXKeepsWhatItShows(t *testing.T) {
	out := convert(t, "csv", "xlsx", testkit.Examples(t, "people.csv"))
	assert.Empty(t, out.Warnings, "the route is exact")
	f, err := excelize.OpenReader(bytes.NewReader(out.Data[0]))
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, []string{"stem"}, f.GetSheetList())
	for at, want := range map[string]string{
		"A2": "Åse Nørgård", "A3": "Ελένη Παπαδοπούλου", "A4": "Юрий Коваленко", "C2": "1984-02-29",
		"D2": "007", "D3": "012", "E2": "12.50", "E4": "0.00", "F2": "sea-sick, sits outside", "F4": `says "aye" twice`, "F5": "=half fare",
	} {
		t.Run(at, func(t *testing.T) {
			got, err := f.GetCellValue("stem", at)
			require.NoError(t, err)
			assert.Equal(t, want, got, at)
		})
	}
	formula, err := f.GetCellFormula("stem", "F5")
	require.NoError(t, err)
	assert.Empty(t, formula, "a text that begins with = runs nowhere")
	kind, err := f.GetCellType("stem", "E2")
	require.NoError(t, err)
	assert.NotEqual(t, excelize.CellTypeSharedString, kind, "numbers are numbers, to be summed")
	kind, err = f.GetCellType("stem", "D2")
	require.NoError(t, err)
	assert.Contains(t, []excelize.CellType{excelize.CellTypeSharedString, excelize.CellTypeInlineString}, kind, "a code with leading zeros is none")
}

// Whatever the cells say, they say it again after both ways.
func TestCSVToXLSXAndBack(t *testing.T) {
	cell := rapid.OneOf(rapid.StringMatching(`[a-zA-Zäß€Жλ ,"'=+@-]{0,12}`), rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,6})?`), rapid.SampledFrom([]string{"007", "1e5", "+1", "0.10", "-0", "-0.00", "TRUE", "1/2", "=1+1", "a\nb", " x ", "1,5", "#REF!"}))
	rapid.Check(t, func(r *rapid.T) {
		width := rapid.IntRange(1, 5).Draw(r, "width")
		rows := rapid.SliceOfN(rapid.SliceOfN(cell, width, width), 1, 8).Draw(r, "rows")
		for _, row := range rows {
			row[0] = "x" + row[0] // so that no row is empty
			row[width-1] += "x"
		}
		var in bytes.Buffer
		require.NoError(r, csv.NewWriter(&in).WriteAll(rows))
		sheet := convert(t, "csv", "xlsx", in.Bytes())
		back := convert(t, "xlsx", "csv", sheet.Data[0])
		got, err := csv.NewReader(bytes.NewReader(back.Data[0])).ReadAll()
		require.NoError(r, err)
		assert.Equal(r, rows, got)
	})
}

func TestThreeSheetsToCSV(t *testing.T) {
	out := convert(t, "xlsx", "csv", testkit.Examples(t, "budget.xlsx"))
	assert.Equal(t, "Route,April,May,Sum\nSvendborg – Ærø,4210,5987,10197\nFynshav – Søby,1033,1210.5,2243.5\nRudkøbing – Marstal,418,512,930\n", out.Text())
	require.Len(t, out.Warnings, 1)
	assert.Equal(t, `truncated: a CSV holds one sheet; "Income" was converted and "Costs" (4 rows), "Notes" (3 rows) left out`, out.Warnings[0])
}

func TestAllSheetsToHTMLAndMarkdown(t *testing.T) {
	page := convert(t, "xlsx", "html", testkit.Examples(t, "budget.xlsx")).Text()
	md := convert(t, "xlsx", "md", testkit.Examples(t, "budget.xlsx")).Text()
	plain := convert(t, "xlsx", "txt", testkit.Examples(t, "budget.xlsx")).Text()
	for _, part := range []string{"Income", "Costs", "Notes", "18250.75", "Проверено: Ελένη", "Rudkøbing – Marstal"} {
		assert.Contains(t, page, part)
		assert.Contains(t, md, part)
		assert.Contains(t, plain, part)
	}
	assert.Contains(t, page, "<table>")
	assert.Contains(t, page, `<meta charset="utf-8">`)
}

func TestCellsCannotBreakOut(t *testing.T) {
	const evil = "a|b,\"<script>x</script>\nsecond line\",*c*\n1,2,3\n"
	page := convert(t, "csv", "html", []byte(evil)).Text()
	assert.NotContains(t, page, "<script>")
	md := convert(t, "csv", "md", []byte(evil)).Text()
	assert.Contains(t, md, `a\|b`)
	for line := range strings.Lines(strings.TrimSpace(md)) {
		assert.True(t, strings.HasPrefix(line, "|"), "a line break in a cell does not break the table: %q", line)
	}
}

func TestSeparatorsAreFound(t *testing.T) {
	for name, content := range map[string]string{
		"comma": "a,b\n1,2\n", "semicolon": "a;b\n1;2\n", "tab": "a\tb\n1\t2\n", "bar": "a|b\n1|2\n",
		"comma in semicolon": "a;b\n\"1,5\";2\n", "one column": "a\nb\n", "BOM": "\xef\xbb\xbfa,b\n1,2\n", "CRLF": "a,b\r\n1,2\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			made := convert(t, "csv", "md", []byte(content))
			out := made.Text()
			guessed := !strings.Contains(content, ",") && name != "one column" || name == "comma in semicolon"
			assert.Equal(t, guessed, warns(made, "taken to be separated by"), "%s: %v", name, made.Warnings)
			want := 2
			if name == "one column" {
				want = 1
			}
			first, _, _ := strings.Cut(out, "\n")
			assert.Equal(t, want+1, strings.Count(first, "|"), "%s: %s", name, out)
		})
	}
}

func TestFormulasShowTheirValue(t *testing.T) {
	data := workbook(t, func(f *excelize.File) {
		require.NoError(t, f.SetSheetRow("Sheet1", "A1", &[]any{2, 3}))
		require.NoError(t, f.SetCellFormula("Sheet1", "C1", "A1*B1")) // at the end of its row, and without a stored value
		require.NoError(t, f.SetCellValue("Sheet1", "A3", "below"))
		require.NoError(t, f.SetCellFormula("Sheet1", "A2", "SUM(A1:B1)"))
	})
	out := convert(t, "xlsx", "csv", data)
	assert.Equal(t, "2,3,6\n5,,\nbelow,,\n", out.Text())
}

func TestLossesOfAWorkbookAreNamed(t *testing.T) {
	data := workbook(t, func(f *excelize.File) {
		require.NoError(t, f.SetSheetRow("Sheet1", "A1", &[]any{"a", "b"}))
		require.NoError(t, f.MergeCell("Sheet1", "A2", "B2"))
		require.NoError(t, f.SetCellValue("Sheet1", "A2", "wide"))
		require.NoError(t, f.AddComment("Sheet1", excelize.Comment{Cell: "A1", Author: "x", Text: "hm"}))
		require.NoError(t, f.AddPictureFromBytes("Sheet1", "D1", &excelize.Picture{Extension: ".png", File: testkit.Examples(t, "photo.png")}))
		_, err := f.NewSheet("Secret")
		require.NoError(t, err)
		require.NoError(t, f.SetCellValue("Secret", "A1", "x"))
		require.NoError(t, f.SetSheetVisible("Secret", false))
		require.NoError(t, f.AddChartSheet("Drawn", &excelize.Chart{Type: excelize.Col, Series: []excelize.ChartSeries{{Name: "a", Values: "Sheet1!$A$1:$B$1"}}}))
	})
	out := convert(t, "xlsx", "html", data)
	for _, part := range []string{"merged cells", "comments", "pictures", `"Secret" is hidden`, `"Drawn" is a chart`} {
		assert.True(t, warns(out, part), "%s: %v", part, out.Warnings)
	}
}

func TestTablesThatAreRefused(t *testing.T) {
	whole := testkit.Examples(t, "budget.xlsx")
	locked := func() []byte {
		f := excelize.NewFile()
		defer f.Close()
		var out bytes.Buffer
		require.NoError(t, f.Write(&out, excelize.Options{Password: "secret"}))
		return out.Bytes()
	}
	for name, test := range map[string]struct {
		source string
		data   []byte
		reason string
	}{
		"text":           {"xlsx", []byte("garbage that is text"), "DAMAGED_DOCUMENT"},
		"random":         {"xlsx", []byte{0x13, 0x37, 0, 1, 2}, "DAMAGED_DOCUMENT"},
		"cut":            {"xlsx", whole[:len(whole)/2], "DAMAGED_DOCUMENT"},
		"locked":         {"xlsx", locked(), "ENCRYPTED"},
		"no cells":       {"xlsx", workbook(t, func(*excelize.File) {}), "NO_CONTENT"},
		"empty csv":      {"csv", []byte("\n\n"), "NO_CONTENT"},
		"open quote":     {"csv", []byte("a,b\n\"open,2\n"), "MALFORMED_CSV"},
		"binary":         {"csv", []byte("a,b\n\x00\x00\x00"), "NOT_TEXT"},
		"too many wide":  {"csv", []byte(strings.Repeat(",", 20_000)), "TABLE_TOO_LARGE"},
		"quote in field": {"csv", []byte("a,b\"c\nx,y\n"), "MALFORMED_CSV"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, tables.New(), test.source, "html", test.data)
			e, ok := engines.AsError(err)
			require.True(t, ok, "%s: %v", name, err)
			assert.Equal(t, test.reason, e.Reason, name)
			assert.NotEmpty(t, e.Message)
			assert.Empty(t, out.Data, name)
		})
	}
}

func TestLongCellsAreCutWithAWord(t *testing.T) {
	out := convert(t, "csv", "xlsx", []byte(strings.Repeat("ä", 40_000)+",b\n"))
	assert.True(t, warns(out, "truncated: 1 cells"), "%v", out.Warnings)
}

func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"a,b\n1,2", "\"a\nb\";c", "\x0b\x0c\u0001,x", "=cmd|' /C calc'!A0", strings.Repeat("a\n", 40), "\ufffe,\U0010ffff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, target := range []string{"xlsx", "html", "md", "txt"} {
			_, err := testkit.Convert(t, tables.New(), "csv", target, data)
			if _, known := engines.AsError(err); err != nil && !known {
				t.Fatal(fmt.Errorf("%s: %w", target, err))
			}
		}
	})
}

func FuzzXLSX(f *testing.F) {
	f.Add(testkit.Examples(f, "budget.xlsx"))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := testkit.Convert(t, tables.New(), "xlsx", "csv", data)
		if _, known := engines.AsError(err); err != nil && !known {
			t.Fatal(err)
		}
	})
}
