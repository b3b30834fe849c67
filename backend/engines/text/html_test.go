package text_test

import (
	"fmt"
	"image"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// What a page becomes, and what is said of that.
func TestPages(t *testing.T) {
	const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	for _, test := range []struct{ name, page, md, txt, note string }{
		{
			"superscript", "<p>10<sup>6</sup> N, x<sub>2</sub>, a note<sup>[3]</sup>, the 1<sup>st</sup>, 2<sup>k+1</sup>, v<sub>max</sub>",
			"10<sup>6</sup> N, x<sub>2</sub>, a note<sup>\\[3]</sup>, the 1<sup>st</sup>, 2<sup>k+1</sup>, v<sub>max</sub>\n",
			"10⁶ N, x₂, a note[3], the 1st, 2^(k+1), v_(max)\n", "",
		},
		{"struck out", "<p>was <del>100</del> 80", "was ~~100~~ 80\n", "was 100 80\n", ""},
		{
			"hidden", `<p>shown<p hidden>no 1<p style="display : none">no 2<p style="visibility:hidden">no 3</p><dialog>no 4</dialog><dialog open>open</dialog><template>no 5</template>`,
			"shown\n\nopen\n", "shown\n\nopen\n", "4 hidden elements were left out",
		},
		{"hidden by a style sheet", `<style>.x{display: none}</style><p class=x>kept`, "kept\n", "kept\n", "style sheets hide some elements"},
		{"no scripts", `<p>a<noscript><p>turn them on</noscript>`, "a\n", "a\n", "1 noscript"},
		{
			"objects", `<p>Before<svg><text>no 1</text></svg><math><mn>2</mn></math><canvas>no 3</canvas><iframe>no 4</iframe><video>no 5</video><object>no 6</object><audio>no 7</audio>`,
			"Before\n", "Before\n", "embedded objects (1 svg, 1 math, 1 canvas, 1 iframe, 1 video, 1 object, 1 audio) were left out",
		},
		{
			"formula with its source", `<p>Half is <math alttext="\frac{1}{2}"><mfrac><mn>1</mn><mn>2</mn></mfrac></math> of it`,
			"Half is `\\frac{1}{2}` of it\n", "Half is \\frac{1}{2} of it\n", "1 formula is kept as TeX source",
		},
		{"quotation marks", `<p>She said <q>yes, <q>maybe</q></q>.`, "She said “yes, ‘maybe’”.\n", "She said “yes, ‘maybe’”.\n", ""},
		{
			"terms", "<dl><dt>Term<dd>Meaning<dd>Other<dt>Next<dd>Last</dl>",
			"**Term**\n\n- Meaning\n- Other\n\n**Next**\n\n- Last\n", "Term\n\n- Meaning\n- Other\n\nNext\n\n- Last\n", "",
		},
		{"details", "<details><summary>Sum</summary>Body</details>after", "**Sum**\n\nBody\n\nafter\n", "Sum\n\nBody\n\nafter\n", ""},
		{"ruby", "<p><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>", "漢 (kan)\n", "漢 (kan)\n", ""},
		{
			"base", `<base href="https://ex.org/docs/"><p><a href="page.html">rel</a> <a href="https://o.org/">abs</a>`,
			"[rel](https://ex.org/docs/page.html) [abs](https://o.org/)\n", "rel <https://ex.org/docs/page.html> abs <https://o.org/>\n", "",
		},
		{
			"places", `<p><a href="#end">to the end</a><h2 id=end>End</h2><p id=unused>x`,
			"[to the end](#end)\n\n## <a id=\"end\"></a>End\n\nx\n", "to the end\n\nEnd\n---\n\nx\n", "",
		},
		{"an anchor between words", `<p>one <a name=x></a>two <a href="#x">x</a>`, "one <a id=\"x\"></a>two [x](#x)\n", "one two x\n", ""},
		{"a link that runs a script", `<p><a href="javascript:x()">text</a>`, "text\n", "text\n", "1 link that runs a script"},
		{
			"form", `<form><label>Name <input name=a value="Ann"></label> <input type=hidden value=no><select><option>one<option selected>two</select> <textarea>a
b</textarea> <input type=radio checked>yes <button>Go</button></form>`,
			"Name Ann two a  \nb \\[x] yes Go\n", "Name Ann two a\nb [x] yes Go\n", "form controls (2 input, 1 select, 1 textarea, 1 button)",
		},
		{"unknown elements", "<p>a <my-part>b</my-part> <u>c</u>", "a b c\n", "a b c\n", "(1 my-part) are kept as the text in them"},
		{"looks", "<p><u>a</u> <mark>b</mark> <u>c</u>", "a b c\n", "a b c\n", "2 underlined, 1 highlighted"},
		{
			"lists that neighbour", "<ol><li>a</ol><ol><li>b</ol><ul><li>c</ul>", "1. a\n\n<!-- -->\n\n1. b\n\n- c\n", "1. a\n\n1. b\n\n- c\n", "",
		},
		{
			"numbers of their own", "<ol type=a start=3><li>x<li>y</ol><ol><li>p<li value=7>q</ol><ol reversed><li>r<li>s</ol>",
			"- c. x\n- d. y\n\n<!-- -->\n\n- 1\\. p\n- 7\\. q\n\n<!-- -->\n\n- 2\\. r\n- 1\\. s\n", "c. x\nd. y\n\n1. p\n7. q\n\n2. r\n1. s\n", "",
		},
		{
			"a long list", "<ol><li>a" + strings.Repeat("<li>b", 8) + "<li><p>j<p>k<li></ol>",
			"1.  a\n" + "2.  b\n3.  b\n4.  b\n5.  b\n6.  b\n7.  b\n8.  b\n9.  b\n" + "10. j\n    \n    k\n11.\n",
			"1. a\n2. b\n3. b\n4. b\n5. b\n6. b\n7. b\n8. b\n9. b\n10. j\n    k\n11.\n", "",
		},
		{
			"a long list in a list", "<ul><li>x<ol start=99><li>a<li><code>01. b</code></ol></ul>",
			"- x\n  \n  99.  a\n  100. `01. b`\n", "- x\n  99. a\n  100. 01. b\n", "",
		},
		{"numbers by style", `<ol style="list-style-type: lower-roman" start=4><li>x</ol>`, "- iv. x\n", "iv. x\n", ""},
		{"a list in a list that is no item", "<ul><li>a<ul><li>b</ul><ul><li>c</ul></ul>", "- a\n  \n  - b\n  \n  <!-- -->\n  \n  - c\n", "- a\n  - b\n  - c\n", ""},
		{"code with a link", `<p><code>see <a href="https://e.org">f()</a></code>`, "`see` [`f()`](https://e.org)\n", "see f() <https://e.org>\n", ""},
		{"what looks like an entity", "<p>write &amp;copy; &amp; &lt;b&gt;", "write &amp;copy; & &lt;b&gt;\n", "write &copy; & <b>\n", ""},
		{"a picture in a line", `<p>a <img alt=dot src="data:image/png;base64,` + png + `"> b`, "a ![dot](data:image/png;base64," + png + ") b\n", "a [dot] b\n", ""},
		{"spaces that are kept", "<p>a&nbsp;b c\t\n d", "a\u00a0b c d\n", "a\u00a0b c d\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			md, txt := convert(t, "html", "md", test.page), convert(t, "html", "txt", test.page)
			assert.Equal(t, test.md, md.Text())
			assert.Equal(t, test.txt, txt.Text())
			if test.note != "" {
				assert.True(t, hasWarning(md.Warnings, test.note), "%v", md.Warnings)
				assert.True(t, hasWarning(txt.Warnings, test.note), "%v", txt.Warnings)
			}
		})
	}
}

// Tables keep their shape in Markdown, whatever is in their cells.
func TestPages_Tables(t *testing.T) {
	for _, test := range []struct{ name, page, want, note string }{
		{
			"paragraphs, lists, breaks", "<table><tr><th>a<th>b<th>c<tr><td><p>1</p><p>2</p><td><ul><li>3<li>4</ul><td>5<br>6</table>",
			"| a      | b          | c      |\n|--------|------------|--------|\n| 1<br>2 | • 3<br>• 4 | 5<br>6 |\n", "cells with several paragraphs",
		},
		{
			"headings, code, rules", "<table><tr><th>a<tr><td><h3>H</h3><pre>x\n  y</pre><hr><blockquote>q</blockquote></table>",
			"| a                        |\n|--------------------------|\n| **H**<br>`x`<br>`y`<br>q |\n", "",
		},
		{
			"pipes", `<table><tr><th>a<th>b<tr><td>x|y<td>1<tr><td><code>x|y</code><td>2<tr><td><a href="/?q=a|b" title="t|u">l|k</a><td>3</table>`,
			"", "",
		},
		{
			"a table in a table", "<table><tr><th>k<th>v<tr><td>x<td><table><tr><td>in1<td>in2</table></table>",
			"<table><tbody><tr><th>k</th><th>v</th></tr><tr><td>x</td><td><table><tbody><tr><td>in1</td><td>in2</td></tr></tbody></table></td></tr></tbody></table>\n", "1 table with tables in cells stayed HTML",
		},
		{
			"a table that places another", "<table><tr><td>before<tr><td><table><tr><th>a<th>b<tr><td>1<td>2</table></table>",
			"before\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", "",
		},
		{
			"cells over rows and columns", "<table><tr><th colspan=2>ab<th rowspan=2>c<tr><td>1<td>2<tr><td>3<td>4<td>5</table>",
			"| ab |   | c |\n|----|---|---|\n| 1  | 2 |   |\n| 3  | 4 | 5 |\n", "1 cell that spans several rows",
		},
		{
			"headings at the side", "<table><tr><td>x<td>1<tr><th>y<td>2</table>",
			"|       |   |\n|-------|---|\n| x     | 1 |\n| **y** | 2 |\n", "",
		},
		{
			"feet before bodies", "<table><thead><tr><td>h</thead><tfoot><tr><td>f</tfoot><tbody><tr><td>b</tbody></table>",
			"| h |\n|---|\n| b |\n| f |\n", "",
		},
		{
			"alignment by style", `<table><tr><th>a<th style="text-align: right">b<tr><td>1<td>2</table>`, "| a | b |\n|---|--:|\n| 1 | 2 |\n", "",
		},
		{"in bold", "<b><table><tr><th>a<tr><td>1</table></b>", "| a |\n|---|\n| 1 |\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := convert(t, "html", "md", test.page)
			if test.want != "" {
				assert.Equal(t, test.want, out.Text())
			}
			if test.note != "" {
				assert.True(t, hasWarning(out.Warnings, test.note), "%v", out.Warnings)
			}
			assertSameWords(t, test.page, out.Text())
		})
	}
}

// assertSameWords compares the words of a page with those of its Markdown, which is read by another reader.
func assertSameWords(t *testing.T, page, markdown string) {
	t.Helper()
	words := func(source, content string) []string {
		text := strings.ReplaceAll(convert(t, source, "txt", content).Text(), "%7C", "|")
		return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \n/|-+•", r) })
	}
	assert.Equal(t, words("html", page), words("md", markdown), markdown)
}

// Two rows of headings, and cells of a table that lie below another one, have their columns in every format.
func TestPages_CellsOverRowsKeepColumns(t *testing.T) {
	const page = "<table><tr><th rowspan=2>k<th colspan=2>v<tr><th>a<th>b<tr><td>x<td>1<td>2</table>"
	assert.Equal(t, "k | v | \n  | a | b\n--+---+--\nx | 1 | 2\n", convert(t, "html", "txt", page).Text())
}

func TestPages_TooManyCellsAreRefused(t *testing.T) {
	testkit.SkipIfShort(t, "it reads a long table")
	page := "<table>" + strings.Repeat("<tr><td colspan=100 rowspan=0>", 2000)
	_, err := testkit.Convert(t, text.New(), "html", "md", []byte(page))
	require.ErrorContains(t, err, "cells")
}

// What stands before a text is about it: its title heads it, and the rest is named.
func TestFrontMatter(t *testing.T) {
	for _, test := range []struct{ name, source, want, note string }{
		{"YAML", "---\ntitle: Pump manual\nauthor: QA\ndraft: false\n---\n\n# Start\n\ntext\n", "Pump manual\n===========\n\nStart\n=====\n\ntext\n", "“author”, “draft”"},
		{"the title is the heading", "---\ntitle: \"Start\"\n...\n# Start\n\ntext\n", "Start\n=====\n\ntext\n", ""},
		{"TOML", "+++\ntitle = 'T'\nweight = 3\n[menu]\nmain = 1\n+++\ntext\n", "T\n=\n\ntext\n", "“weight”, “menu”"},
		{"a rule and text", "---\n\nno front matter\n\n---\n\ntext\n", strings.Repeat("-", 40) + "\n\nno front matter\n\n" + strings.Repeat("-", 40) + "\n\ntext\n", ""},
		{"no end", "---\ntitle: x\n\ntext\n", strings.Repeat("-", 40) + "\n\ntitle: x\n\ntext\n", ""},
		{"in the middle", "text\n\n---\na: b\n---\n", "text\n\n" + strings.Repeat("-", 40) + "\n\na: b\n----\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := convert(t, "md", "txt", test.source)
			assert.Equal(t, test.want, out.Text())
			if test.note == "" {
				assert.Empty(t, out.Warnings)
			}
			assert.True(t, test.note == "" || hasWarning(out.Warnings, test.note), "%v", out.Warnings)
		})
	}
	page := convert(t, "md", "html", "---\ntitle: A & B\nauthor: Ann\ntags: [x, y]\nnested: {a: 1}\n---\ntext")
	for _, part := range []string{"<title>A &amp; B</title>", `<h1 class="title">A &amp; B</h1>`, `<meta name="author" content="Ann">`, `<meta name="tags" content="x, y">`} {
		assert.Contains(t, page.Text(), part)
	}
	assert.Equal(t, []string{"best_effort: the front matter was left out, but for its title: “nested”"}, page.Warnings)
}

// A table that is too wide gets smaller type, then a page that is turned, then parts; its words are never broken, and
// nothing is off the page.
func TestPDF_WideTables(t *testing.T) {
	testkit.SkipIfShort(t, "it draws pages")
	reader := testkit.PDF(t)
	row := func(cell string, columns int) string {
		var b strings.Builder
		for i := range columns {
			fmt.Fprintf(&b, "|%s%d", cell, i)
		}
		return b.String() + "|\n"
	}
	for _, test := range []struct {
		name    string
		columns int
		turned  bool
		note    string
	}{{"upright", 8, false, ""}, {"smaller", 11, false, ""}, {"turned", 14, true, ""}, {"parts", 60, true, "60 columns"}} {
		t.Run(test.name, func(t *testing.T) {
			source := "# Heading\n\n" + row("Column", test.columns) + strings.Repeat("|-", test.columns) + "|\n" + row("12345", test.columns) + "\nafter\n"
			out := convert(t, "md", "pdf", source)
			assert.Equal(t, test.note != "", hasWarning(out.Warnings, "is too wide"), "%v", out.Warnings)
			assert.True(t, test.note == "" || hasWarning(out.Warnings, test.note), "%v", out.Warnings)
			words := strings.Fields(testkit.PDFText(t, reader, out.Data[0]))
			for i := range test.columns {
				assert.Contains(t, words, fmt.Sprintf("Column%d", i))
				assert.Contains(t, words, fmt.Sprintf("12345%d", i))
			}
			pages := testkit.PDFPages(t, reader, out.Data[0])
			b := pages[0].Bounds()
			assert.Equal(t, test.turned, b.Dx() > b.Dy())
			assert.Zero(t, testkit.Ink(pages[0], image.Rect(b.Max.X-b.Dx()/20, 0, b.Max.X, b.Max.Y)), "nothing runs over the right edge")
			last := pages[len(pages)-1].Bounds()
			assert.Less(t, last.Dx(), last.Dy(), "what follows is upright again")
		})
	}
}

func TestPDF_TableWithoutEndIsRefused(t *testing.T) {
	cells := strings.Repeat("|abcdefgh", 5000) + "|\n"
	refused(t, "md", "pdf", cells+strings.Repeat("|-", 5000)+"|\n"+cells, "DOCUMENT_TOO_LARGE")
}
