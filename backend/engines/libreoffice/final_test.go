package libreoffice_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines/libreoffice"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

const wordSpaces = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"`

func wordDocument(body string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><w:document ` + wordSpaces + `><w:body>` + body + `</w:body></w:document>`
}

func docx(t *testing.T, body string, parts ...string) []byte {
	t.Helper()
	return testkit.Zip(t, append([]string{
		"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
			`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`,
		"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" ` +
			`Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`,
		"word/document.xml", wordDocument(body),
	}, parts...)...)
}

// What a document comes to once its changes are accepted. Bytes beside the marks stay as they are.
func TestFinalPart(t *testing.T) {
	for name, test := range map[string]struct{ body, want, notes string }{
		"no changes":   {`<w:p  a='1'><w:r><w:t>a &amp; b</w:t></w:r></w:p>`, `<w:p  a='1'><w:r><w:t>a &amp; b</w:t></w:r></w:p>`, ""},
		"an insertion": {`<w:p><w:ins w:id="1"><w:r><w:t>new</w:t></w:r></w:ins></w:p>`, `<w:p><w:r><w:t>new</w:t></w:r></w:p>`, "1 insertions are in the pdf as plain text, and 0 deletions"},
		"a deletion":   {`<w:p><w:del><w:r><w:delText>old</w:delText></w:r></w:del>b</w:p>`, `<w:p>b</w:p>`, "1 deletions"},
		"a move":       {`<w:moveFrom><w:r>x</w:r></w:moveFrom><w:moveTo><w:r>x</w:r></w:moveTo>`, `<w:r>x</w:r>`, "1 insertions are in the pdf as plain text, and 1 deletions"},
		"a change of a format": {
			`<w:rPr><w:b/><w:rPrChange><w:rPr><w:i/></w:rPr></w:rPrChange></w:rPr>`, `<w:rPr><w:b/></w:rPr>`, "",
		},
		"a deleted row": {
			`<w:tbl><w:tr><w:tc>1</w:tc></w:tr><w:tr><w:trPr><w:del/></w:trPr><w:tc>2</w:tc></w:tr></w:tbl>`, `<w:tbl><w:tr><w:tc>1</w:tc></w:tr></w:tbl>`, "1 deletions",
		},
		"a deleted table":     {`a<w:tbl><w:tblPr/><w:tr><w:trPr><w:del/></w:trPr><w:tc>2</w:tc></w:tr></w:tbl>b`, `ab`, "1 deletions"},
		"a table in a row":    {`<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc><w:tbl><w:tr><w:tc/></w:tr></w:tbl></w:tc></w:tr><w:tr/></w:tbl>`, `<w:tbl><w:tr/></w:tbl>`, "1 deletions"},
		"an inserted row":     {`<w:tbl><w:tr><w:trPr><w:ins/></w:trPr><w:tc/></w:tr></w:tbl>`, `<w:tbl><w:tr><w:trPr></w:trPr><w:tc/></w:tr></w:tbl>`, "1 insertions"},
		"a comment":           {`<w:r><w:commentReference w:id="1"/></w:r>`, `<w:r><w:commentReference w:id="1"/></w:r>`, "1 comments of the document are not in the pdf"},
		"a name of other use": {`<x:del xmlns:x="urn:x">a</x:del>`, `<x:del xmlns:x="urn:x">a</x:del>`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			final, notes, err := libreoffice.FinalPart([]byte(wordDocument(test.body)))
			require.NoError(t, err)
			assert.Equal(t, wordDocument(test.want), string(final))
			if test.notes == "" {
				assert.Empty(t, notes)
			} else {
				assert.Contains(t, strings.Join(notes, "\n"), test.notes)
			}
		})
	}
	_, _, err := libreoffice.FinalPart([]byte("<w:p"))
	require.Error(t, err)
}

func FuzzFinalPart(f *testing.F) {
	f.Add([]byte(wordDocument(`<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc>2</w:tc></w:tr></w:tbl>`)))
	f.Add([]byte(`<w:ins ` + wordSpaces + `><w:tr/></w:ins>`))
	f.Fuzz(func(t *testing.T, part []byte) {
		final, _, err := libreoffice.FinalPart(part)
		if err == nil && len(final) > len(part) {
			t.Fatalf("%q grew to %q", part, final)
		}
	})
}

// Tracked changes are printed as final text. LibreOffice printed the marks, and the rows that were deleted.
func TestConvert_PrintsFinalText(t *testing.T) {
	engine := need(t)
	out, err := testkit.Convert(t, engine, "docx", "pdf", docx(t, `<w:p><w:r><w:t xml:space="preserve">Price </w:t></w:r><w:ins w:id="1" w:author="A"><w:r><w:t>80</w:t></w:r></w:ins>`+
		`<w:del w:id="2" w:author="A"><w:r><w:delText>100</w:delText></w:r></w:del></w:p>`+
		`<w:tbl><w:tblPr/><w:tblGrid><w:gridCol w:w="2000"/></w:tblGrid><w:tr><w:tc><w:p><w:r><w:t>kept</w:t></w:r></w:p></w:tc></w:tr>`+
		`<w:tr><w:trPr><w:del w:id="3" w:author="A"/></w:trPr><w:tc><w:p><w:r><w:t>dropped</w:t></w:r></w:p></w:tc></w:tr></w:tbl><w:p/>`))
	require.NoError(t, err)
	text := testkit.PDFText(t, testkit.PDF(t), out.Data[0])
	assert.Contains(t, text, "Price 80")
	assert.Contains(t, text, "kept")
	assert.NotContains(t, text, "100")
	assert.NotContains(t, text, "dropped")
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "1 insertions are in the pdf as plain text, and 2 deletions are left out")
}

// What LibreOffice leaves out without a word is counted.
func TestUnseen(t *testing.T) {
	formula := `<w:p><m:oMath><m:r><m:t>x</m:t></m:r></m:oMath></w:p>`
	for name, test := range map[string]struct {
		source, target string
		data           []byte
		math           bool
		want           []string
	}{
		"a formula with math":    {"docx", "pdf", docx(t, formula), true, nil},
		"a formula without math": {"docx", "pdf", docx(t, formula), false, []string{"1 formulas are blank in the pdf; LibreOffice draws them where libreoffice-math-nogui is installed"}},
		"a formula in an odt": {
			"odt", "txt", testkit.Zip(t, "META-INF/manifest.xml", `<m:file-entry m:media-type="application/vnd.oasis.opendocument.formula"/>`), true,
			[]string{"1 formulas are not in the txt"},
		},
		"an embedded document": {"docx", "odt", docx(t, `<w:altChunk r:id="r1"/>`), true, []string{"1 documents that are embedded"}},
		"a watermark": {
			"docx", "pdf", testkit.Zip(t, "word/header1.xml", `<w:hdr><v:shape><v:textpath string="DRAFT"/></v:shape></w:hdr>`), true,
			[]string{"1 texts that are drawn as shapes (watermarks, WordArt) may be missing in the pdf"},
		},
		"conditional fields": {
			"docx", "pdf", docx(t, `<w:p><w:r><w:instrText xml:space="preserve"> IF </w:instrText></w:r><w:fldSimple w:instr=" IF 1 = 1 &quot;a&quot;"/><w:instrText>IFELSE</w:instrText></w:p>`), true,
			[]string{"2 conditional fields (IF) are computed again"},
		},
		"raised in an odt": {"odt", "txt", testkit.Zip(t, "content.xml", `<p style:text-position="super 58%"/>`), true, []string{"10⁶ is 106"}},
		"plain in an odt":  {"odt", "txt", testkit.Zip(t, "content.xml", `<p style:text-position="0% 100%"/>`), true, nil},
		"raised in an rtf": {"rtf", "txt", []byte(`{\rtf1 10{\super 6}}`), true, []string{"10⁶ is 106"}},
		"notes and a hidden slide": {
			"pptx", "pdf", testkit.Zip(t, "ppt/slides/slide1.xml", `<p:sld xmlns:p="p" show="0"/>`, "ppt/slides/slide2.xml", `<p:sld xmlns:p="p"/>`, "ppt/notesSlides/notesSlide1.xml", "<n/>"), true,
			[]string{"speaker's notes of 1 slides", "1 hidden slides"},
		},
		"a hidden sheet and a comment": {
			"xlsx", "pdf", testkit.Zip(t, "xl/workbook.xml", `<sheets><sheet name="a"/><sheet name="b" state="hidden"/></sheets>`, "xl/comments1.xml", `<comments><comment ref="A1"/></comments>`), true,
			[]string{"1 hidden sheets", "1 comments on cells"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			notes := libreoffice.Unseen(t, test.data, test.source, test.target, test.math)
			require.Len(t, notes, len(test.want), strings.Join(notes, "\n"))
			for i, want := range test.want {
				assert.Contains(t, notes[i], want)
			}
		})
	}
}

// Pictures are part of a page. They were files beside it, which were left out.
func TestConvert_PageHasItsPictures(t *testing.T) {
	engine := need(t)
	picture := `{\rtf1 A picture: {\pict\pngblip\picw16\pich12\picwgoal240\pichgoal180 ` + hexOf(testkit.Examples(t, "photo.png")) + `} here.}`
	out, err := testkit.Convert(t, engine, "rtf", "html", []byte(picture))
	require.NoError(t, err)
	assert.Contains(t, out.Text(), `src="data:image/`)
	assert.NotContains(t, strings.Join(out.Warnings, "\n"), "beside")
}

func hexOf(data []byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for _, b := range data {
		out.WriteByte(digits[b>>4])
		out.WriteByte(digits[b&15])
	}
	return out.String()
}

// Of a page without a beginning it printed the tags.
func TestConvert_AFragmentOfAPage(t *testing.T) {
	engine := need(t)
	out, err := testkit.Convert(t, engine, "html", "docx", []byte("<details><summary>Sum</summary>Body</details><p>café 4711</p>"))
	require.NoError(t, err)
	text, err := testkit.Convert(t, engine, "docx", "odt", out.Data[0])
	require.NoError(t, err)
	archive, err := zip.NewReader(bytes.NewReader(text.Data[0]), int64(len(text.Data[0])))
	require.NoError(t, err)
	content, err := archive.Open("content.xml")
	require.NoError(t, err)
	all, err := io.ReadAll(content)
	require.NoError(t, err)
	assert.Contains(t, string(all), "4711")
	assert.NotContains(t, string(all), "&lt;")
}

// Parts that are rewritten are held until the document is written, so that their sum is bounded. Each alone fits here.
func TestAccept_BoundsWhatItHolds(t *testing.T) {
	const body = `<w:p><w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:r><w:t>kept</w:t></w:r></w:p>`
	part := wordDocument(body)
	for name, test := range map[string]struct {
		most, marked int
	}{
		"room for all":     {4 * len(part), 0},
		"room for one":     {len(part) + len(part)/4, 2},
		"no room for them": {len(part) / 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "letter.docx")
			require.NoError(t, os.WriteFile(path, docx(t, body, "word/footnotes.xml", part, "word/header1.xml", part), 0o600))
			kept, err := libreoffice.Accept(path, "docx", test.most)
			require.NoError(t, err)
			assert.Equal(t, test.marked > 0, kept)

			archive, err := zip.OpenReader(path)
			require.NoError(t, err)
			defer archive.Close()
			marked := 0
			for _, file := range archive.File {
				r, err := file.Open()
				require.NoError(t, err)
				content, err := io.ReadAll(r)
				require.NoError(t, err)
				marked += strings.Count(string(content), "<w:del>")
			}
			assert.Equal(t, test.marked, marked)
			left, err := os.ReadDir(filepath.Dir(path))
			require.NoError(t, err)
			assert.Len(t, left, 1)
		})
	}
}
