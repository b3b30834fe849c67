package tables_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func TestOptions_OfTables(t *testing.T) {
	book := workbook(t, func(f *excelize.File) {
		require.NoError(t, f.SetSheetRow("Sheet1", "A1", &[]string{"Ærø", "a,b"}))
		_, err := f.NewSheet("Second")
		require.NoError(t, err)
		require.NoError(t, f.SetSheetRow("Second", "A1", &[]string{"Ω", "2"}))
	})
	for name, test := range map[string]struct {
		source, target string
		content        []byte
		options        option.Values
		want, says     string // the output, or the refusal
	}{
		"delimiter":              {"xlsx", "csv", book, option.Values{"delimiter": "semicolon"}, "Ærø;a,b\n", ""},
		"sheet by name":          {"xlsx", "csv", book, option.Values{"sheet": "second"}, "Ω,2\n", ""},
		"sheet by number":        {"xlsx", "csv", book, option.Values{"sheet": "2", "delimiter": "tab"}, "Ω\t2\n", ""},
		"no such sheet":          {"xlsx", "csv", book, option.Values{"sheet": "third"}, "", `no sheet "third"; it has "Sheet1", "Second"`},
		"written for Excel":      {"xlsx", "csv", book, option.Values{"encoding": "UTF-8-BOM"}, "\xef\xbb\xbfÆrø,\"a,b\"\n", ""},
		"written in one byte":    {"xlsx", "csv", book, option.Values{"encoding": "windows-1252"}, "\xc6r\xf8,\"a,b\"\n", ""},
		"letters that it lacks":  {"xlsx", "csv", book, option.Values{"encoding": "windows-1252", "sheet": "Second"}, "", "letters that windows-1252 lacks"},
		"written in two":         {"xlsx", "csv", book, option.Values{"encoding": "UTF-16LE", "sheet": "2"}, "\xff\xfe\xa9\x03,\x002\x00\n\x00", ""},
		"read in an encoding":    {"csv", "md", []byte("\xcf\xf0\xe8;1\n2;3\n"), option.Values{"encoding": "windows-1251"}, "При", ""},
		"read with a delimiter":  {"csv", "md", []byte("a,b;c\nd,e;f\n"), option.Values{"delimiter": "comma"}, "| b;c |", ""},
		"not in that encoding":   {"csv", "md", []byte("a,\xff\n"), option.Values{"encoding": "UTF-8"}, "", "the CSV is not in UTF-8"},
		"a sheet of other forms": {"xlsx", "md", book, option.Values{"sheet": "Second"}, "Ω", ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, tables.New(), test.source, test.target, test.content, func(in *engines.Request) { in.Options = test.options })
			if test.says != "" {
				require.ErrorContains(t, err, test.says)
				return
			}
			require.NoError(t, err)
			if test.target == "csv" {
				assert.Equal(t, test.want, out.Text())
			}
			assert.Contains(t, out.Text(), test.want)
			if test.options["sheet"] != "" {
				assert.NotContains(t, out.Text(), "Ærø")
				assert.False(t, warns(out, "left out"), "what was not asked for is no loss")
			}
		})
	}
}

// Every encoding of the schema is one that is known here.
func TestOptions_EncodingsAreKnown(t *testing.T) {
	book := workbook(t, func(f *excelize.File) { require.NoError(t, f.SetCellStr("Sheet1", "A1", "a")) })
	for _, name := range option.Of(option.NameEncoding)[0].Values {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, tables.New(), "xlsx", "csv", book, func(in *engines.Request) { in.Options = option.Values{"encoding": name} })
			require.NoError(t, err)
			back, err := testkit.Convert(t, tables.New(), "csv", "txt", out.Data[0], func(in *engines.Request) { in.Options = option.Values{"encoding": name} })
			require.NoError(t, err)
			assert.Equal(t, "a\n", back.Text())
		})
	}
}
