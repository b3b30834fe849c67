package libreoffice_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/libreoffice"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// sizes are those of the pages of a PDF, in millimetres.
func sizes(t *testing.T, document []byte) (out [][2]int) {
	t.Helper()
	dims, err := api.PageDims(bytes.NewReader(document), nil)
	require.NoError(t, err)
	for _, dim := range dims {
		out = append(out, [2]int{int(dim.Width*25.4/72 + 0.5), int(dim.Height*25.4/72 + 0.5)})
	}
	return out
}

func asking(options option.Values) func(*engines.Request) {
	return func(in *engines.Request) { in.Options = options }
}

func TestOptions_OfPages(t *testing.T) {
	engine := need(t)
	for name, test := range map[string]struct {
		source, example string
		options         option.Values
		want            [2]int
		more            bool // pages than without
	}{
		"paper":             {source: "docx", example: "letter.docx", options: option.Values{"paper": "A5"}, want: [2]int{148, 210}},
		"landscape":         {source: "docx", example: "letter.docx", options: option.Values{"landscape": "true"}, want: [2]int{297, 210}},
		"both":              {source: "xlsx", example: "budget.xlsx", options: option.Values{"landscape": "true", "paper": "A5"}, want: [2]int{210, 148}},
		"wide paper":        {source: "csv", example: "people.csv", options: option.Values{"paper": "200x100mm"}, want: [2]int{200, 100}},
		"margins":           {source: "docx", example: "letter.docx", options: option.Values{"paper": "A4", "margins": "100mm,95mm,100mm,95mm"}, want: [2]int{210, 297}, more: true},
		"scale of a sheet":  {source: "xlsx", example: "budget.xlsx", options: option.Values{"paper": "A5", "scale": "400"}, want: [2]int{148, 210}, more: true},
		"paper of archives": {source: "docx", example: "letter.docx", options: option.Values{"paper": "A5", "pdfa": "2b"}, want: [2]int{148, 210}},
	} {
		t.Run(name, func(t *testing.T) {
			if !test.more {
				testkit.SkipLong(t, "margins and scale set the size of pages, too")
			}
			content := testkit.Examples(t, test.example)
			plain, err := testkit.Convert(t, engine, test.source, "pdf", content)
			require.NoError(t, err)
			made, err := testkit.Convert(t, engine, test.source, "pdf", content, asking(test.options))
			require.NoError(t, err)
			got := sizes(t, made.Data[0])
			for _, size := range got {
				assert.Equal(t, test.want, size)
			}
			if test.more {
				assert.Greater(t, len(got), len(sizes(t, plain.Data[0])))
			}
			if test.options["pdfa"] != "" {
				assert.Contains(t, made.Text(), "pdfaid:part>2<")
			}
		})
	}
}

// A password with what Basic and XML have marks for opens a document of each kind of old Office.
func TestPassword_OpensOldOffice(t *testing.T) {
	engine := need(t)
	const password = `p"ä& <ß>'`
	for _, test := range []struct{ source, filter, example, from, target, word string }{
		{source: "doc", filter: "MS Word 97", example: "letter.docx", from: "docx", target: "txt", word: "To the harbour office"},
		{source: "xls", filter: "MS Excel 97", example: "budget.xlsx", from: "xlsx", target: "csv", word: "Svendborg"},
	} {
		t.Run(test.source, func(t *testing.T) {
			if test.source != "doc" {
				testkit.SkipLong(t, "its macro is that of doc")
			}
			locked := libreoffice.LockedBy(t, testkit.Examples(t, test.example), test.from, test.source, test.filter, password)
			_, err := testkit.Convert(t, engine, test.source, test.target, locked)
			known, _ := engines.AsError(err)
			require.NotNil(t, known, "%v", err)
			assert.Equal(t, engines.ReasonEncrypted, known.Reason)

			_, err = testkit.Convert(t, engine, test.source, test.target, locked, asking(option.Values{"password": "another"}))
			known, _ = engines.AsError(err)
			require.NotNil(t, known, "%v", err)
			assert.Equal(t, engines.CodeWrongPassword, known.Code)

			made, err := testkit.Convert(t, engine, test.source, test.target, locked, asking(option.Values{"password": password}))
			require.NoError(t, err)
			assert.Contains(t, made.Text(), test.word)

			pdf, err := testkit.Convert(t, engine, test.source, "pdf", locked, asking(option.Values{"password": password, "paper": "A6"}))
			require.NoError(t, err)
			assert.Equal(t, [2]int{105, 148}, sizes(t, pdf.Data[0])[0])
		})
	}
}

// An engine that another one uses may work in a process that sees the folder of the job alone.
func TestStep_WorksInTheFolderOfTheJob(t *testing.T) {
	need(t)
	seen := 0
	var folder string
	engine := libreoffice.New(func(ctx context.Context, in engines.Request) (engines.Result, error) {
		seen++
		for _, path := range []string{in.InputPath, in.OutDir} {
			relative, err := filepath.Rel(folder, path)
			require.NoError(t, err)
			assert.True(t, filepath.IsLocal(relative), path)
		}
		return tables.New().Convert(ctx, in)
	})
	defer engine.Close()
	made, err := testkit.Convert(t, engine, "csv", "ods", []byte("a,b\n1,2\n"), func(in *engines.Request) { folder = in.OutDir })
	require.NoError(t, err)
	assert.Equal(t, []string{"stem.ods"}, made.Names)
	assert.Equal(t, 1, seen)
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, left, 1)
}
