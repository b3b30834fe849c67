package fidelity_test

import (
	"archive/zip"
	"context"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/fidelity"
)

// pages stands for a reader of PDFs: form feeds are between pages.
func pages(_ context.Context, path string, _ engines.PageRange) ([]string, int, error) {
	data, err := os.ReadFile(path)
	return strings.Split(string(data), "\f"), strings.Count(string(data), "[picture]"), err
}

// document is a Word document with this body.
func document(t *testing.T, body string) string {
	t.Helper()
	return pack(t, map[string]string{
		"_rels/.rels":        `<Relationships><Relationship Id="r1" Type="x/officeDocument" Target="word/document2.xml"/></Relationships>`,
		"word/document2.xml": `<w:document xmlns:w="w" xmlns:m="m" xmlns:r="r"><w:body>` + body + `</w:body></w:document>`,
		"word/_rels/document2.xml.rels": `<Relationships><Relationship Id="s" Type="x/styles" Target="s.xml"/><Relationship Id="n" Type="x/footnotes" Target="n.xml"/>` +
			`<Relationship Id="c" Type="x/aFChunk" Target="c.html"/><Relationship Id="p" Type="x/image" Target="p.png"/></Relationships>`,
		"word/s.xml":  `<w:styles xmlns:w="w"><w:style w:styleId="Veil"><w:rPr><w:vanish/></w:rPr></w:style></w:styles>`,
		"word/n.xml":  `<w:footnotes xmlns:w="w"><w:footnote w:id="1"><w:p><w:r><w:t>below</w:t></w:r></w:p></w:footnote></w:footnotes>`,
		"word/c.html": `<p>middle clause`, "word/p.png": "p",
	})
}

func pack(t *testing.T, parts map[string]string) string {
	t.Helper()
	var out strings.Builder
	writer := zip.NewWriter(&out)
	for name, text := range parts {
		part, err := writer.Create(name)
		require.NoError(t, err)
		_, err = part.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, writer.Close())
	return out.String()
}

func p(runs ...string) string { return "<w:p>" + strings.Join(runs, "") + "</w:p>" }

func r(text string, properties ...string) string {
	return "<w:r><w:rPr>" + strings.Join(properties, "") + "</w:rPr><w:t>" + text + "</w:t></w:r>"
}

func table(rows ...string) string { return "<w:tbl>" + strings.Join(rows, "") + "</w:tbl>" }

func row(cells ...string) string {
	return "<w:tr><w:tc>" + strings.Join(cells, "</w:tc><w:tc>") + "</w:tc></w:tr>"
}

func field(code, result string) string {
	return `<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>` + code + `</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>` +
		r(result) + `<w:r><w:fldChar w:fldCharType="end"/></w:r>`
}

// check compares a source with an output, each given as its bytes.
func check(t *testing.T, from, source, to, output string) fidelity.Report {
	t.Helper()
	dir := t.TempDir()
	in := engines.Request{Source: from, Target: to, InputPath: filepath.Join(dir, "in")}
	require.NoError(t, os.WriteFile(in.InputPath, []byte(source), 0o600))
	made := engines.Result{Files: []engines.File{{Path: filepath.Join(dir, "out")}}}
	require.NoError(t, os.WriteFile(made.Files[0].Path, []byte(output), 0o600))
	report, err := fidelity.Reader{PDF: pages}.Check(t.Context(), in, made)
	require.NoError(t, err)
	return report
}

// What differs and is no loss.
func TestCheck_PassesOverDifferencesThatAreNoLoss(t *testing.T) {
	for name, test := range map[string]struct{ from, source, to, output string }{
		"case, punctuation, white space": {"txt", "It’s “DONE” – now\n", "md", "It's *\"done\"* -\n\nnow"},
		"ligatures, accents, full width": {"txt", "ﬁnal cafe\u0301 ＡＢ", "html", "<p>final caf\u00e9 AB"},
		"soft hyphen":                    {"html", "<p>Donau&shy;dampf", "txt", "Donaudampf"},
		"broken at the end of a line":    {"html", "<p>Donaudampfschiff 12345", "pdf", "Donaudampf-\nschiff 123\n45"},
		"numbers of lists":               {"docx", document(t, p(r("One"))+p(r("Two"))), "txt", "1. One\n2. Two"},
		"page header":                    {"docx", document(t, p(r("Text"))), "pdf", "Header\nText\n1"},
		"page number, date":              {"docx", document(t, p(field(" PAGE ", "17"), field("DATE", "May"), r("Text"))), "pdf", "Text 3"},
		"word in two runs":               {"docx", document(t, p(r("Wo"), r("rd", "<w:b/>"))), "md", "Wo**rd**"},
		"deleted":                        {"docx", document(t, p(r("kept"), "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del>")), "txt", "kept"},
		"hidden":                         {"docx", document(t, p(r("seen"), r("secret", "<w:vanish/>"), r("veil", `<w:rStyle w:val="Veil"/>`))), "txt", "seen"},
		"exponent":                       {"docx", document(t, p(r("10"), r("6", `<w:vertAlign w:val="superscript"/>`))), "txt", "10^6"},
		"raised letters":                 {"docx", document(t, p(r("19"), r("th", `<w:vertAlign w:val="superscript"/>`))), "md", "19^th^"},
		"subscript":                      {"html", "<p>H<sub>2</sub>O", "md", "H~2~O"},
		"not shown":                      {"html", "<title>T</title><p>seen<p hidden>a<b>c</b></p><script>x</script><p style='display: none'>b", "txt", "seen"},
		"front matter":                   {"md", "---\ntitle: T\n---\ntext", "txt", "text"},
		"reordered":                      {"html", "<p>left<p>right", "txt", "right left"},
		"layout table":                   {"html", "<table><tr><td>a</td></tr><tr><td>b</td></tr></table>", "md", "a\n\nb"},
		"right to left, in part":         {"txt", "salam سلام", "pdf", "salam مالس"},
		"numbers as values":              {"csv", "a,1.50,50%,\"1,234\",007\n", "xlsx", workbook(t, "", `<c t="s"><v>0</v></c><c><v>1.5</v></c><c><v>0.5</v></c><c t="s"><v>1</v></c>`, "a", "007")},
		"formatted numbers":              {"xlsx", workbook(t, "", `<c s="1"><v>41000</v></c><c><v>7</v></c>`), "csv", "2012-04-01,7"},
		"hidden column":                  {"xlsx", workbook(t, `<cols><col min="2" max="2" hidden="1"/></cols>`, `<c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c>`, "seen", "veiled"), "pdf", "seen"},
		"Chinese":                        {"txt", "你好世界", "pdf", "你好\n世界"},
		"nothing at all":                 {"html", "<p>", "md", ""},
		"rich text":                      {"rtf", `{\rtf1\ansi{\fonttbl Arial;}{\header top}caf\'e9 \u8364?uro\par{\v hidden}end}`, "txt", "café €uro\nend"},
	} {
		t.Run(name, func(t *testing.T) {
			report := check(t, test.from, test.source, test.to, test.output)
			assert.Empty(t, report.Losses)
			assert.Empty(t, report.Skipped)
		})
	}
}

func workbook(t *testing.T, before, cells string, shared ...string) string {
	t.Helper()
	return pack(t, map[string]string{
		"_rels/.rels": `<Relationships><Relationship Id="r1" Type="x/officeDocument" Target="xl/wb.xml"/></Relationships>`,
		"xl/wb.xml":   `<workbook><sheets><sheet id="a"/><sheet id="b" state="hidden"/></sheets></workbook>`,
		"xl/_rels/wb.xml.rels": `<Relationships><Relationship Id="a" Type="x/worksheet" Target="/xl/s.xml"/><Relationship Id="s" Type="x/sharedStrings" Target="ss.xml"/>` +
			`<Relationship Id="t" Type="x/styles" Target="t.xml"/></Relationships>`,
		"xl/s.xml":  `<worksheet>` + before + `<sheetData><row>` + cells + `</row></sheetData></worksheet>`,
		"xl/ss.xml": `<sst><si><t>` + strings.Join(shared, `</t></si><si><t>`) + `</t></si></sst>`,
		"xl/t.xml":  `<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>`,
	})
}

// What is lost, with numbers.
func TestCheck_NamesLosses(t *testing.T) {
	picture := `<w:r><w:drawing><a:blip xmlns:a="a" r:embed="p"/></w:drawing></w:r>`
	for name, test := range map[string]struct {
		from, source, to, output string
		want                     []string
	}{
		"a word":     {"txt", "one two three", "md", "one three", []string{"1 of 3 words of the source is not in the output: two"}},
		"one of two": {"txt", "one one", "md", "one", []string{"1 of 2 words of the source is not in the output: one"}},
		"many words": {"txt", "a b c d e f g h i j", "md", "", []string{"10 of 10 words of the source are not in the output: a, b, c, d, e, f, g, h, …"}},
		"numbers run together": {"docx", document(t, table(row(p(r("Pipe")), p(r("20"))+p(r("24"))), row(p(r("a")), p(r("b"))))), "md", "Pipe 2024 a b", []string{
			"2 of 5 words of the source are not in the output: 20, 24", "1 of 1 tables of the source is no table in the output",
		}},
		"a row": {"html", "<table><tr><td>a<td>b</tr><tr><td>c<td>d</tr><tr><td>e<td>f</tr></table>", "html", "<table><tr><td>a<td>b</tr><tr><td>c<td>d</tr></table>ef e f", []string{
			"1 of 3 rows of tables of the source is no row of a table in the output",
		}},
		"an exponent":       {"docx", document(t, p(r("10"), r("6", `<w:vertAlign w:val="superscript"/>`))), "txt", "106", []string{"2 of 2 words of the source are not in the output: 10, 6"}},
		"a content control": {"docx", document(t, `<w:sdt><w:sdtContent>`+p(r("EUR"))+`</w:sdtContent></w:sdt>`), "txt", "", []string{"1 of 1 words of the source is not in the output: eur"}},
		"a chunk":           {"docx", document(t, p(r("first"))+`<w:altChunk r:id="c"/>`), "pdf", "first", []string{"2 of 3 words of the source are not in the output: middle, clause"}},
		"a note":            {"docx", document(t, p(r("text"), `<w:r><w:footnoteReference w:id="1"/></w:r>`)), "txt", "text", []string{"1 of 2 words of the source is not in the output: below"}},
		"a text box":        {"docx", document(t, p(`<w:r><w:pict><w:txbxContent>`+p(r("boxed"))+`</w:txbxContent></w:pict></w:r>`)), "txt", "", []string{"1 of 1 words of the source is not in the output: boxed"}},
		"a fraction":        {"docx", document(t, p(`<m:oMath><m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath>`)), "txt", "12", []string{"2 of 2 words of the source are not in the output: 1, 2"}},
		"a picture":         {"docx", document(t, p(picture, picture)), "pdf", "[picture]", []string{"1 of 2 pictures of the source is no picture in the output"}},
		"a field":           {"docx", document(t, p(field("HYPERLINK x", "linked"))), "txt", "", []string{"1 of 1 words of the source is not in the output: linked"}},
		"letters on a page": {"txt", "alpha beta 6", "pdf", "alpha beta", []string{"1 of 3 words of the source is not in the output: 6"}},
		"a cell":            {"csv", "a,1.50\n", "xlsx", workbook(t, "", `<c t="s"><v>0</v></c>`, "a"), []string{"2 of 3 words of the source are not in the output: 1, 5"}},
		"a frame":           {"gif", "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff" + frame + frame + ";", "png", onePixel(t, 1), []string{"1 of 2 pages or frames of the source is no page or frame in the output"}},
		"pixels":            {"png", onePixel(t, 2), "png", onePixel(t, 1), []string{"the source has 2 × 1 pixels, the output 1 × 1"}},
		"a page":            {"pdf", "one\ftwo", "png", onePixel(t, 1), []string{"1 of 2 pages or frames of the source is no page or frame in the output"}},
	} {
		t.Run(name, func(t *testing.T) {
			report := check(t, test.from, test.source, test.to, test.output)
			assert.Equal(t, test.want, report.Losses)
		})
	}
}

const frame = ",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00"

func onePixel(t *testing.T, wide int) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, png.Encode(&out, image.NewGray(image.Rect(0, 0, wide, 1))))
	return out.String()
}

func TestCheck_SaysWhatIsNotChecked(t *testing.T) {
	for name, test := range map[string]struct{ from, source, to, output, why string }{
		"formats without text": {"mp3", "a", "wav", "b", "mp3 and wav have nothing in common that is compared"},
		"no such reader":       {"doc", "a", "txt", "b", "doc and txt have nothing in common that is compared"},
		"damaged source":       {"docx", "PK", "txt", "b", "the source cannot be compared: it is no package of its format, or it is locked"},
		"unknown encoding":     {"csv", "\xe8\xec\xff", "html", "b", "the source cannot be compared: its encoding is not known"},
		"right to left":        {"txt", "سلام", "pdf", "مالس", "what is written from right to left cannot be read back from pages for sure"},
		"damaged output":       {"txt", "a", "odt", "b", "the output cannot be compared: it is no package of its format, or it is locked"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, fidelity.Report{Skipped: test.why}, check(t, test.from, test.source, test.to, test.output))
		})
	}
}

// A text that is written as it is has no losses, and each word that is taken out of it is one.
func TestCheck_FindsEachWordThatIsTakenOut(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,6}|[0-9]{1,4}|[а-я]{2,5}|é[a-z]`), 1, 60).Draw(rt, "words")
		out := rapid.IntRange(0, len(words)-1).Draw(rt, "out")
		to := rapid.SampledFrom([]string{"txt", "md", "html"}).Draw(rt, "to")
		text := strings.Join(words, "\n\n")
		assert.Empty(rt, check(t, "txt", text, to, text).Losses)
		report := check(t, "txt", text, to, strings.Join(append(append([]string{}, words[:out]...), words[out+1:]...), "\n\n"))
		assert.Equal(rt, 1, report.Missing)
	})
}

// No bytes make a reader panic, or take it for long.
func FuzzRead(f *testing.F) {
	formats := fidelity.Reader{}.Formats()
	for i, seed := range []string{"a,b", "<table><tr><td>", `{\rtf1 \u-1 {\*\x}\bin9 }`, "GIF89a", "RIFF0000WEBPANMF\xff\xff\xff\xff", "---\n---\n^a^ ~b~", "PK\x03\x04"} {
		f.Add(uint8(i), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		path := filepath.Join(t.TempDir(), "in")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		_, err := fidelity.Reader{}.Read(t.Context(), path, formats[int(which)%len(formats)], nil)
		if err != nil {
			require.ErrorIs(t, err, fidelity.ErrUnreadable)
		}
	})
}
