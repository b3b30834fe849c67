package finish_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/finish"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// registry has a writer of PDF without any option of its own that is under test here.
func registry(t *testing.T) *engines.Registry {
	t.Helper()
	return engines.NewRegistry(t.Context(), text.New(), finish.New())
}

// chapters has a page a chapter, more or less.
func chapters(n int) []byte {
	var b strings.Builder
	for i := range n {
		b.WriteString("# Chapter " + strings.Repeat("I", i+1) + "\n\n" + strings.Repeat("word ", 900) + "\n\n")
	}
	return []byte(b.String())
}

func made(t *testing.T, pages string, options option.Values) (testkit.Converted, error) {
	t.Helper()
	span, err := engines.ParsePageRange(pages)
	require.NoError(t, err)
	in := engines.Request{Pages: span, Options: options}
	engine, _, err := registry(t).Find("md", "pdf", in.Asked()...)
	require.NoError(t, err)
	return testkit.Convert(t, engine, "md", "pdf", chapters(4), func(r *engines.Request) { r.Pages, r.Options = in.Pages, in.Options })
}

func TestFinish_TakesPages(t *testing.T) {
	reader := testkit.PDF(t)
	everything, err := made(t, "", nil)
	require.NoError(t, err)
	all := strings.Split(testkit.PDFText(t, reader, everything.Data[0]), "\f")
	require.Greater(t, len(all), 4)

	some, err := made(t, "2-3", nil)
	require.NoError(t, err)

	assert.Equal(t, strings.TrimSpace(all[1]+"\f"+all[2]), strings.TrimSpace(testkit.PDFText(t, reader, some.Data[0])))
	assert.Contains(t, strings.Join(some.Warnings, "\n"), "4 bookmarks of the document were left out")
	assert.Equal(t, []string{"stem.pdf"}, some.Names)

	_, err = made(t, "90-", nil)
	require.ErrorContains(t, err, "takes none of the document's")
}

// Pages of a document with properties have them, too: Chromium's have the title of the page.
func TestFinish_PagesKeepProperties(t *testing.T) {
	titled, err := made(t, "", option.Values{option.NameTitle: "Ærø", option.NameAuthor: "Anna Ω", option.NameKeywords: "a, b"})
	require.NoError(t, err)
	some, err := testkit.Convert(t, finish.New(), "pdf", "pdf", titled.Data[0], func(in *engines.Request) { in.Pages = engines.PageRange{{First: 2, Last: 2}} })
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"Title": "Ærø", "Author": "Anna Ω", "Keywords": "a, b"}, properties(t, some.Data[0]))
}

func TestFinish_SetsHeaderAndFooter(t *testing.T) {
	out, err := made(t, "1-2", option.Values{option.NameHeader: "{title}: Ærø Ωμέγα", option.NameFooter: "sheet {page} of {pages}", option.NameTitle: "Report"})
	require.NoError(t, err)
	pages := strings.Split(testkit.PDFText(t, testkit.PDF(t), out.Data[0]), "\f")
	require.Len(t, pages, 2)
	assert.Contains(t, pages[0], "Report: Ærø Ωμέγα")
	assert.Contains(t, pages[0], "sheet 1 of 2")
	assert.Contains(t, pages[1], "sheet 2 of 2")
	shown := testkit.PDFPages(t, testkit.PDF(t), out.Data[0])[0]
	strip := shown.Bounds()
	strip.Max.Y = strip.Max.Y / 20
	assert.Positive(t, testkit.Ink(shown, strip), "the line is drawn, at the top")

	_, err = made(t, "", option.Values{option.NameHeader: "日本"})
	require.ErrorContains(t, err, `no font at hand draws "日本"`)
}

func TestFinish_WritesProperties(t *testing.T) {
	out, err := made(t, "", option.Values{option.NameTitle: "Ærø", option.NameAuthor: "Anna Ω", option.NameKeywords: "a, b"})
	require.NoError(t, err)
	got := properties(t, out.Data[0])
	assert.Equal(t, "Ærø", got["Title"])
	assert.Equal(t, "Anna Ω", got["Author"])
	assert.Equal(t, "a, b", got["Keywords"])
}

func properties(t *testing.T, document []byte) map[string]string {
	t.Helper()
	info, err := api.PDFInfo(bytes.NewReader(document), "", nil, false, nil)
	require.NoError(t, err)
	return map[string]string{"Title": info.Title, "Author": info.Author, "Keywords": strings.Join(info.Keywords, ", ")}
}
