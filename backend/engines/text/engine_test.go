package text_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"image"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func convert(t *testing.T, source, target, content string) testkit.Converted {
	t.Helper()
	out, err := testkit.Convert(t, text.New(), source, target, []byte(content))
	require.NoError(t, err)
	require.Len(t, out.Data, 1)
	assert.Equal(t, "stem."+target, out.Names[0])
	return out
}

func refused(t *testing.T, source, target, content, reason string) *engines.Error {
	t.Helper()
	out, err := testkit.Convert(t, text.New(), source, target, []byte(content))
	e, ok := engines.AsError(err)
	require.True(t, ok, "%s→%s: %v", source, target, err)
	assert.Equal(t, reason, e.Reason)
	assert.Empty(t, out.Data)
	return e
}

func hasWarning(warnings []string, part string) bool {
	for _, w := range warnings {
		if strings.Contains(w, part) {
			return true
		}
	}
	return false
}

func TestMarkdownToHTML(t *testing.T) {
	out := convert(t, "md", "html", string(testkit.Examples(t, "report.md")))
	assert.Empty(t, out.Warnings, "the route is exact")
	assert.Equal(t, "text/html", out.Mimes[0])
	for _, part := range []string{
		"<!DOCTYPE html>", `<meta charset="utf-8">`, "<title>Quarterly report: Ærøskøbing ferry</title>", "Quarterly report: Ærøskøbing ferry</h1>",
		`<a href="https://example.org/archive">archive</a>`, "<em>Draft</em>", "<strong>not</strong>", "<table>", `<td style="text-align:right">4 210</td>`, "Αθήνα (Ελλάδα)", "Софія and Владивосток",
		"<ol>", "<li>Boarding takes 6 minutes instead of 11.</li>", `type="checkbox"`, "<blockquote>", `<code class="language-go">`, "// closed boats carry none", "footnote", "€1.62",
	} {
		assert.Contains(t, out.Text(), part)
	}
}

func TestMarkdownKeepsItsWordsEverywhere(t *testing.T) {
	words := []string{"Ærøskøbing", "Łódź", "Þingvellir", "Čačak", "Αθήνα", "Софія", "Владивосток", "Svendborg – Ærø", "4 210", "+42 %", "first boat at 05:40", "Tickets by telephone", "boat.Seats - boat.Empty", "Prices of the terminal"}
	source := string(testkit.Examples(t, "report.md"))
	plain := convert(t, "md", "txt", source).Text()
	for _, word := range words {
		assert.Contains(t, plain, word)
	}
	assert.Contains(t, plain, "- [x] Tickets by telephone\n- [ ] A roof")
	assert.Contains(t, plain, "Quarterly report: Ærøskøbing ferry\n==================================")
	reader := testkit.PDF(t)
	document := convert(t, "md", "pdf", source).Data[0]
	inPDF := testkit.PDFText(t, reader, document)
	for _, word := range words {
		assert.Contains(t, strings.ReplaceAll(inPDF, "\n", " "), word)
	}
	assert.Less(t, strings.Index(inPDF, "Passengers"), strings.Index(inPDF, "What went well"), "in order")
}

// A text layer says nothing of what can be seen: each script must leave its own ink on the page.
func TestEveryScriptCanBeSeen(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	reader := testkit.PDF(t)
	draw := func(word string) (image.Image, int) {
		out, err := testkit.Convert(t, text.New(), "txt", "pdf", []byte(word))
		require.NoError(t, err)
		pages := testkit.PDFPages(t, reader, out.Data[0])
		require.Len(t, pages, 1)
		b := pages[0].Bounds()
		body := image.Rect(0, 0, b.Dx(), b.Dy()/2) // without the page number
		return pages[0], testkit.Ink(pages[0], body)
	}
	_, blank := draw(".")
	seen := map[string]string{}
	for _, word := range []string{"AAAAAAAA", "ΩΩΩΩΩΩΩΩ", "ЖЖЖЖЖЖЖЖ", "ØØØØØØØØ", "ŁŁŁŁŁŁŁŁ", "€€€€€€€€"} {
		page, ink := draw(word)
		assert.Greater(t, ink, blank+300, "%s left its ink", word)
		picture := string(pixels(page))
		assert.Empty(t, seen[picture], "%s does not look like %s", word, seen[picture])
		seen[picture] = word
	}
}

func pixels(m image.Image) []byte {
	b := m.Bounds()
	out := make([]byte, 0, b.Dx()*b.Dy())
	for y := b.Min.Y; y < b.Max.Y/2; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, _, _, _ := m.At(x, y).RGBA()
			out = append(out, byte(r>>8))
		}
	}
	return out
}

func TestWritingThatNoFontHereDrawsIsRefused(t *testing.T) {
	for name, content := range map[string]string{"Chinese": "# 报告", "Arabic": "تقرير", "Hebrew": "דו״ח", "Thai": "รายงาน"} {
		t.Run(name, func(t *testing.T) {
			e := refused(t, "md", "pdf", content, "MISSING_GLYPHS")
			assert.NotEmpty(t, e.FaithfulTargets, name)
			assert.Contains(t, convert(t, "md", "html", content).Text(), strings.TrimPrefix(content, "# "), "%s: as HTML it is whole", name)
		})
	}
}

func TestSymbolsThatNoFontHereDrawsAreNamed(t *testing.T) {
	out := convert(t, "md", "pdf", "done 😀")
	assert.Contains(t, testkit.PDFText(t, testkit.PDF(t), out.Data[0]), "done [U+1F600]")
	assert.True(t, hasWarning(out.Warnings, "U+1F600"), "%v", out.Warnings)
}

func TestHTMLToMarkdown(t *testing.T) {
	out := convert(t, "html", "md", string(testkit.Examples(t, "page.html"))).Text()
	for _, part := range []string{"# Winter timetable", "**1 November**", "*free*", "| Svendborg", "| Ærøskøbing | 05:40", "- Be there 10 minutes early.", "[the harbour office](tel:+4500000000)"} {
		assert.Contains(t, out, part)
	}
	nested := convert(t, "html", "md", `<ul><li>a<ul><li>b</li></ul></li><li><input type="checkbox" checked disabled> c</li><li><input disabled type=checkbox> d</li></ul><ol start="3"><li>e</li></ol><pre><code>x &lt; y</code></pre>`).Text()
	for _, part := range []string{"- a", "  - b", "- [x] c", "- [ ] d", "3. e", "x < y"} {
		assert.Contains(t, nested, part)
	}
	assert.NotContains(t, nested, "THE END")
}

func TestHTMLThatIsNotSafeStaysText(t *testing.T) {
	page := convert(t, "docx", "html", wordFile(`<w:p><w:r><w:t>&lt;script&gt;alert(1)&lt;/script&gt; &amp; more</w:t></w:r></w:p>`)).Text()
	assert.NotContains(t, page, "<script>")
	assert.Contains(t, page, "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more")
}

func TestTextToHTMLAndPDFKeepLines(t *testing.T) {
	source := string(testkit.Examples(t, "notes.txt"))
	page := convert(t, "txt", "html", source).Text()
	assert.Contains(t, page, "  1. The roof over the bicycle stand\n  2. Winter timetable", "columns and lines stand")
	inPDF := testkit.PDFText(t, testkit.PDF(t), convert(t, "txt", "pdf", source).Data[0])
	assert.Contains(t, inPDF, "Ελένη, Юрий")
	assert.Contains(t, inPDF, "18 000 €")
}

func TestPagesBreakAndLongLinesWrap(t *testing.T) {
	testkit.SkipIfShort(t, "it draws many pages")
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	reader := testkit.PDF(t)
	var lines strings.Builder
	for range 300 {
		lines.WriteString("A line of text that is here to fill pages.\n\n")
	}
	lines.WriteString(strings.Repeat("unbroken", 100) + "\n\nlast words\n\n| a | b |\n|---|---|\n" + strings.Repeat("| "+strings.Repeat("cell ", 40)+"| x |\n", 60))
	document := convert(t, "md", "pdf", lines.String()).Data[0]
	pages := testkit.PDFPages(t, reader, document)
	assert.Greater(t, len(pages), 5)
	for i, page := range pages {
		b := page.Bounds()
		margin := b.Dx() / 20
		assert.Zero(t, testkit.Ink(page, image.Rect(b.Max.X-margin, 0, b.Max.X, b.Max.Y)), "page %d: nothing runs over the right edge", i+1)
		assert.Positive(t, testkit.Ink(page, image.Rectangle{}), "page %d is not empty", i+1)
	}
	all := testkit.PDFText(t, reader, document)
	assert.Equal(t, 300, strings.Count(strings.Join(strings.Fields(all), " "), "A line of text that is here to fill pages."))
	assert.Equal(t, 100, strings.Count(strings.Join(strings.Fields(all), ""), "unbroken"))
	assert.Equal(t, 60*40, strings.Count(all, "cell"))
}

func TestEncodings(t *testing.T) {
	utf16 := []byte{0xFF, 0xFE, 'H', 0, 0xE9, 0, '!', 0}
	for name, test := range map[string]struct{ content, want string }{
		"UTF-8 with BOM": {"\xef\xbb\xbfHé!", "Hé!"}, "UTF-16": {string(utf16), "Hé!"}, "CRLF": {"a\r\nb", "a\nb"},
	} {
		t.Run(name, func(t *testing.T) {
			out := convert(t, "txt", "html", test.content)
			assert.Contains(t, out.Text(), test.want, name)
			assert.Empty(t, out.Warnings, name)
		})
	}
	for name, test := range map[string]struct{ content, want string }{
		"ISO-8859-2":  {"<meta charset=iso-8859-2><p>P\xf8\xedli\xb9", "Příliš"},
		"Shift_JIS":   {`<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS"><p>` + "\x93\xfa\x96\x7b", "日本"},
		"ISO-2022-JP": {"<meta charset=iso-2022-jp><p>\x1b$BF|K\\\x1b(B", "日本"},
		"UTF-8":       {"<meta charset=iso-8859-1><p>Př", "Př"}, // whatever it names: nothing else is valid UTF-8 by chance
	} {
		t.Run(name, func(t *testing.T) {
			out := convert(t, "html", "txt", test.content)
			assert.Contains(t, out.Text(), test.want)
			assert.Empty(t, out.Warnings)
		})
	}
	old := convert(t, "txt", "html", "H\xe9!")
	assert.Contains(t, old.Text(), "Hé!")
	assert.True(t, hasWarning(old.Warnings, "Windows-1252"))
	refused(t, "txt", "html", "\x00\x01\x02binary", "NOT_TEXT")
	refused(t, "md", "html", "  \n", "NO_CONTENT")
}

func TestLossesOfHTMLAreNamed(t *testing.T) {
	for content, says := range map[string]string{
		`<style>p{color:red}</style><p>x</p>`:           "style sheets",
		`<p style="color:red">x</p>`:                    "style sheets",
		`<p>x</p><img src="https://example.org/a.png">`: "picture",
		`<p>x</p><video src="a.mp4"></video>`:           "video",
		`<p>x</p><form><input name="a"></form>`:         "form",
		`<p>x</p><svg><text>drawn</text></svg>`:         "svg",
	} {
		out := convert(t, "html", "pdf", content)
		assert.True(t, hasWarning(out.Warnings, says), "%s: %v", content, out.Warnings)
	}
	hidden := convert(t, "html", "txt", `<p>seen</p><script>var unseen = 1</script><template>unseen</template><!-- unseen -->`).Text()
	assert.Equal(t, "seen\n", hidden)
}

func TestPagesOfATextAreRefused(t *testing.T) {
	_, err := testkit.Convert(t, text.New(), "md", "html", []byte("x"), func(in *engines.Request) { in.Pages, _ = engines.ParsePageRange("1") })
	e, ok := engines.AsError(err)
	require.True(t, ok)
	assert.Equal(t, engines.CodeInvalidParameters, e.Code)
}

// wordFile is a Word document with this body, and parts by name and content. Their relations are named after them, where
// there are none among the parts.
func wordFile(body string, parts ...string) string {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	add := func(name, content string) {
		w, err := archive.Create(name)
		if err == nil {
			_, _ = w.Write([]byte(content))
		}
	}
	const ns = ` xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"`
	const relation = `<Relationship Id="%s" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/%s" Target="%s"/>`
	add("_rels/.rels", `<Relationships>`+fmt.Sprintf(relation, "m", "officeDocument", "word/document.xml")+`</Relationships>`)
	add("word/document.xml", `<w:document`+ns+`><w:body>`+body+`</w:body></w:document>`)
	if !slices.Contains(parts, "word/_rels/document.xml.rels") {
		relations := ""
		for i := 0; i+1 < len(parts); i += 2 {
			relations += fmt.Sprintf(relation, parts[i], strings.TrimSuffix(path.Base(parts[i]), ".xml"), strings.TrimPrefix(parts[i], "word/"))
		}
		add("word/_rels/document.xml.rels", `<Relationships>`+relations+`</Relationships>`)
	}
	for i := 0; i+1 < len(parts); i += 2 {
		add(parts[i], strings.ReplaceAll(parts[i+1], " NS", ns))
	}
	_ = archive.Close()
	return out.String()
}

func TestWordLetter(t *testing.T) {
	letter := string(testkit.Examples(t, "letter.docx"))
	md := convert(t, "docx", "md", letter).Text()
	for _, part := range []string{"# To the harbour office\n", "## What we ask for\n", "**bicycle stand**", "[timetable](https://example.org/timetable)", "*before Whitsun*", "- a date\n- a price", "1. first the posts\n2. then the roof", "| Posts", "13 800 €", "дорогой Юрий"} {
		assert.Contains(t, md, part)
	}
	page := convert(t, "docx", "html", letter).Text()
	for _, part := range []string{"<h1", "<h2", "<ul>", "<ol>", "<table>", "<strong>bicycle stand</strong>"} {
		assert.Contains(t, page, part)
	}
	plain := convert(t, "docx", "txt", letter).Text()
	assert.Contains(t, plain, "- a date\n- a price, without tax\n\n1. first the posts\n2. then the roof")
	out := convert(t, "docx", "pdf", letter)
	assert.True(t, hasWarning(out.Warnings, "LibreOffice"), "%v", out.Warnings)
	assert.Contains(t, testkit.PDFText(t, testkit.PDF(t), out.Data[0]), "дорогой Юрий")
}

func TestWordOddities(t *testing.T) {
	run := func(text string) string { return `<w:r><w:t xml:space="preserve">` + text + `</w:t></w:r>` }
	for name, test := range map[string]struct{ body, want, warns string }{
		"drawn twice for old readers": {`<w:p><mc:AlternateContent><mc:Choice>` + run("once") + `</mc:Choice><mc:Fallback>` + run("once") + `</mc:Fallback></mc:AlternateContent></w:p>`, "once\n", ""},
		"tracked changes":             {`<w:p>` + run("kept ") + `<w:ins>` + run("new") + `</w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del></w:p>`, "kept new\n", "tracked changes"},
		"tabs and breaks":             {`<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r></w:p>`, "a\tb\nc\n", ""},
		"toggles that are off":        {`<w:p><w:r><w:rPr><w:b w:val="false"/></w:rPr><w:t>plain</w:t></w:r></w:p>`, "plain\n", ""},
		"a table in a table":          {`<w:tbl><w:tr><w:tc><w:p>` + run("x") + `</w:p><w:tbl><w:tr><w:tc><w:p>` + run("y") + `</w:p></w:tc></w:tr></w:tbl></w:tc></w:tr></w:tbl>`, "x / y\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			out := convert(t, "docx", "txt", wordFile(test.body))
			assert.Equal(t, test.want, out.Text(), name)
			if test.warns != "" {
				assert.True(t, hasWarning(out.Warnings, test.warns), "%s: %v", name, out.Warnings)
			}
		})
	}
	notes := wordFile(`<w:p>`+run("text")+`<w:r><w:footnoteReference w:id="2"/></w:r></w:p>`, "word/footnotes.xml", `<w:footnotes NS><w:footnote w:id="2"><w:p>`+run("below")+`</w:p></w:footnote></w:footnotes>`)
	assert.Contains(t, convert(t, "docx", "txt", notes).Text(), "below")
}

func TestWordFilesThatAreNone(t *testing.T) {
	whole := string(testkit.Examples(t, "letter.docx"))
	bomb := func() string {
		var out bytes.Buffer
		archive := zip.NewWriter(&out)
		w, _ := archive.Create("word/document.xml")
		_, _ = w.Write([]byte(`<w:document xmlns:w="w"><w:body>`))
		zeros := bytes.Repeat([]byte(" "), 1<<20)
		for range 70 {
			_, _ = w.Write(zeros)
		}
		_ = archive.Close()
		return out.String()
	}
	for name, content := range map[string]string{
		"text": "this is no docx", "cut": whole[:len(whole)/2], "empty zip": "PK\x05\x06" + strings.Repeat("\x00", 18),
		"not XML": wordFile("<w:p>"), "a bomb": bomb(), "too deep": wordFile(strings.Repeat("<w:sdt>", 500) + strings.Repeat("</w:sdt>", 500)),
		"an entity": strings.Replace(whole, "x", "x", 1)[:100],
	} {
		t.Run(name, func(t *testing.T) {
			e := refused(t, "docx", "txt", content, "DAMAGED_DOCUMENT")
			assert.NotEmpty(t, e.Message, name)
		})
	}
	refused(t, "docx", "txt", wordFile(`<w:p></w:p>`), "NO_CONTENT")
}

func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{"# A\n\n- [x] b\n\n| a | b |\n|--|--|\n| 1 | 2 |", "<table><tr><td rowspan=9999999>x", "> > > q", "```\n\t", "[a](b \"c\")![d](data:image/png;base64,xx)", "1. a\n   1. b", "---\na: [1\n---\nx", "+++\na = 1\n+++\n", "\u202e\u0000x", "a\u00adb\u200bc"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		for _, target := range []string{"html", "txt", "pdf"} {
			_, err := testkit.Convert(t, text.New(), "md", target, []byte(content))
			if _, known := engines.AsError(err); err != nil && !known {
				t.Fatalf("%s: %v", target, err)
			}
		}
	})
}

func FuzzHTML(f *testing.F) {
	for _, seed := range []string{
		"<p>x", "<table><tr><td colspan=99999999>x</table>", "<ol start=-99999999999><li>x", "<svg><foreignObject><p>x", "<img src='data:image/png;base64,iVBORw0KGgo='>", "<select><option>x", "<a href='javascript:x'>y</a>",
		"<table><tr><td rowspan=0 colspan=9>x<table><tr><th>y</table><tr><td><ul><li><pre>|</pre></ul></table>", "<ol reversed type=i><li value=-3>x<li>y</ol><ol><li>z",
		"<p><a href='#x'>l</a><pre id=x><code>a<a href=b>c</a></code></pre><q>s<q>t", "<dl><dt>a<dd>b<div><dt>c</div></dl><details><summary><ruby>d<rt>e",
		"<ul><li><input type=checkbox checked>a<select><option selected>b</select><textarea>c\nd</textarea></ul>", "<sup>1<sub>x</sub></sup><del>d</del>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		for _, target := range []string{"md", "txt", "pdf"} {
			_, err := testkit.Convert(t, text.New(), "html", target, []byte(content))
			if _, known := engines.AsError(err); err != nil && !known {
				t.Fatalf("%s: %v", target, err)
			}
		}
	})
}

func FuzzWordBody(f *testing.F) {
	f.Add(`<w:p><w:r><w:t>x</w:t></w:r></w:p>`)
	f.Add(`<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="99999"/></w:tcPr></w:tc></w:tr></w:tbl>`)
	f.Add(`<w:p><w:pPr><w:numPr><w:ilvl w:val="-5"/><w:numId w:val="1"/></w:numPr></w:pPr></w:p>`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, target := range []string{"md", "pdf"} {
			_, err := testkit.Convert(t, text.New(), "docx", target, []byte(wordFile(body)))
			if _, known := engines.AsError(err); err != nil && !known {
				t.Fatalf("%s: %v", target, err)
			}
		}
	})
}
