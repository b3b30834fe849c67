package text_test

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func wordItem(list, level, text string) string {
	return `<w:p><w:pPr><w:numPr><w:ilvl w:val="` + level + `"/><w:numId w:val="` + list + `"/></w:numPr></w:pPr>` + wordRun(text) + `</w:p>`
}

func wordStyled(id, text string) string {
	return `<w:p><w:pPr><w:pStyle w:val="` + id + `"/></w:pPr>` + wordRun(text) + `</w:p>`
}

func wordField(kind string) string {
	return `<w:r><w:fldChar w:fldCharType="` + kind + `"/></w:r>`
}

func wordInstruction(text string) string {
	return `<w:r><w:instrText xml:space="preserve">` + text + `</w:instrText></w:r>`
}

const wordNumbering = `<w:numbering NS>
	<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
		<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="(%2)"/></w:lvl></w:abstractNum>
	<w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:start w:val="4"/><w:numFmt w:val="upperRoman"/><w:lvlText w:val="Article %1"/></w:lvl></w:abstractNum>
	<w:abstractNum w:abstractNumId="2"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="o"/></w:lvl></w:abstractNum>
	<w:abstractNum w:abstractNumId="3"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:pStyle w:val="H1"/><w:lvlText w:val="%1"/></w:lvl>
		<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:pStyle w:val="H2"/><w:lvlText w:val="%1.%2"/></w:lvl></w:abstractNum>
	<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num><w:num w:numId="3"><w:abstractNumId w:val="2"/></w:num>
	<w:num w:numId="4"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="9"/></w:lvlOverride></w:num>
	<w:num w:numId="5"><w:abstractNumId w:val="3"/></w:num></w:numbering>`

const wordStyles = `<w:styles NS>
	<w:style w:type="paragraph" w:styleId="H1"><w:name w:val="heading 1"/><w:pPr><w:numPr><w:numId w:val="5"/></w:numPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
	<w:style w:type="paragraph" w:styleId="H2"><w:name w:val="heading 2"/><w:pPr><w:numPr><w:numId w:val="5"/></w:numPr></w:pPr></w:style>
	<w:style w:type="character" w:styleId="Secret" w:customStyle="1"><w:name w:val="Secret"/><w:rPr><w:vanish/></w:rPr></w:style>
	<w:style w:type="paragraph" w:styleId="SecretP" w:customStyle="1"><w:name w:val="Secret paragraph"/><w:rPr><w:vanish/></w:rPr></w:style>
	<w:style w:type="character" w:styleId="Red" w:customStyle="1"><w:name w:val="Red"/><w:rPr><w:color w:val="FF0000"/></w:rPr></w:style>
	<w:style w:type="paragraph" w:styleId="Code" w:customStyle="1"><w:name w:val="Source code"/></w:style></w:styles>`

// TestWordReader holds the kinds of things that documents have, what becomes of them, and what is said of it.
func TestWordReader(t *testing.T) {
	numbers := []string{"word/numbering.xml", wordNumbering, "word/styles.xml", wordStyles}
	for name, test := range map[string]struct {
		body  string
		parts []string
		want  string // as text
		notes []string
	}{
		"a list that goes on after a paragraph": {body: wordItem("1", "0", "one") + wordItem("1", "0", "two") + wordParagraph("between") + wordItem("1", "0", "three"), parts: numbers, want: "1. one\n2. two\n\nbetween\n\n3. three\n"},
		"a list that starts elsewhere":          {body: wordItem("4", "0", "nine") + wordItem("4", "0", "ten"), parts: numbers, want: "9. nine\n10. ten\n"},
		"letters below digits": {
			body:  wordItem("1", "0", "one") + wordItem("1", "1", "a") + wordItem("1", "1", "b") + wordItem("1", "0", "two") + wordItem("1", "1", "a again"),
			parts: numbers, want: "1. one\n   (a) a\n   (b) b\n2. two\n   (a) a again\n",
		},
		"Roman numbers with a word":  {body: wordItem("2", "0", "Scope") + wordItem("2", "0", "Terms"), parts: numbers, want: "Article IV Scope\nArticle V Terms\n"},
		"bullets":                    {body: wordItem("3", "0", "x"), parts: numbers, want: "- x\n"},
		"numbers of headings":        {body: wordStyled("H1", "Scope") + wordStyled("H2", "Of it") + wordStyled("H2", "Beyond") + wordStyled("H1", "Terms") + wordStyled("H2", "All"), parts: numbers, want: "1 Scope\n=======\n\n1.1 Of it\n---------\n\n1.2 Beyond\n----------\n\n2 Terms\n=======\n\n2.1 All\n-------\n"},
		"an empty item has a number": {body: wordItem("1", "0", "one") + wordItem("1", "0", "") + wordItem("1", "0", "three"), parts: numbers, want: "1. one\n2. \n3. three\n"},
		"lines of code":              {body: wordStyled("Code", "a") + wordStyled("Code", "b"), parts: numbers, want: "    a\n    b\n"},
		"content controls everywhere": {
			body: `<w:sdt><w:sdtPr/><w:sdtContent><w:p>` + wordRun("block ") + `<w:sdt><w:sdtContent>` + wordRun("inline") + `</w:sdtContent></w:sdt></w:p></w:sdtContent></w:sdt>` +
				`<w:tbl><w:sdt><w:sdtContent><w:tr><w:sdt><w:sdtContent><w:tc>` + wordParagraph("cell") + `</w:tc></w:sdtContent></w:sdt><w:tc>` + wordParagraph("99") + `</w:tc></w:tr></w:sdtContent></w:sdt></w:tbl>`,
			want: "block inline\n\ncell | 99\n",
		},
		"hidden text":             {body: `<w:p>` + wordRun("seen ") + wordRun("secret", "<w:vanish/>") + wordRun("too") + `</w:p>`, want: "seen too\n", notes: []string{"hidden text was left out in 1 place"}},
		"hidden by a style":       {body: `<w:p>` + wordRun("seen") + wordRun("secret", `<w:rStyle w:val="Secret"/>`) + `</w:p>` + wordStyled("SecretP", "secret"), parts: numbers, want: "seen\n", notes: []string{"hidden text was left out in 2 places"}},
		"shown against its style": {body: `<w:p>` + wordRun("seen", `<w:rStyle w:val="Secret"/>`, `<w:vanish w:val="0"/>`) + `</w:p>`, parts: numbers, want: "seen\n"},
		"a hidden row":            {body: wordTable(`<w:tr><w:trPr><w:hidden/></w:trPr><w:tc>`+wordParagraph("secret")+`</w:tc></w:tr>`, wordRow(wordParagraph("seen"))), want: "seen\n", notes: []string{"hidden text"}},
		"a deleted row":           {body: wordTable(wordRow(wordParagraph("kept")), `<w:tr><w:trPr><w:del w:id="1"/></w:trPr><w:tc>`+wordParagraph("gone")+`</w:tc></w:tr>`), want: "kept\n", notes: []string{"tracked changes", "1 deleted row"}},
		"an insertion":            {body: `<w:p>` + wordRun("kept ") + `<w:ins>` + wordRun("new") + `</w:ins></w:p>`, want: "kept new\n", notes: []string{"tracked changes", "1 insertion"}},
		"a move":                  {body: `<w:p><w:moveFrom>` + wordRun("moved ") + `</w:moveFrom>` + wordRun("kept ") + `<w:moveTo>` + wordRun("moved") + `</w:moveTo></w:p>`, want: "kept moved\n", notes: []string{"1 move"}},
		"a deleted end of a paragraph": {
			body: `<w:p><w:pPr><w:rPr><w:del w:id="1"/></w:rPr></w:pPr>` + wordRun("one ") + `</w:p>` + wordParagraph("paragraph") + wordParagraph("another"),
			want: "one paragraph\n\nanother\n", notes: []string{"1 deletion"},
		},
		"a large first letter":     {body: `<w:p><w:pPr><w:framePr w:dropCap="drop"/></w:pPr>` + wordRun("O") + `</w:p>` + wordParagraph("nce upon a time"), want: "Once upon a time\n"},
		"a hyperlink field":        {body: `<w:p>` + wordField("begin") + wordInstruction(` HYPERLINK "https://exam`) + wordInstruction(`ple.org/a" \o "tip" `) + wordField("separate") + wordRun("the report") + wordField("end") + wordRun(".") + `</w:p>`, want: "the report <https://example.org/a>.\n"},
		"a simple hyperlink field": {body: `<w:p><w:fldSimple w:instr=" HYPERLINK &quot;https://example.org/a&quot; ">` + wordRun("the report") + `</w:fldSimple></w:p>`, want: "the report <https://example.org/a>\n"},
		"an instruction that is written as text": {
			body: `<w:p>` + wordField("begin") + wordInstruction("IF ") + wordRun("raw") + wordField("begin") + wordInstruction("PAGE") + wordField("separate") + wordRun("7") + wordField("end") + wordField("separate") + wordRun("result") + wordField("end") + `</w:p>`,
			want: "result\n",
		},
		"a field over several paragraphs": {
			body: `<w:p>` + wordField("begin") + wordInstruction("TOC") + wordField("separate") + wordRun("first") + `</w:p>` + wordParagraph("second") + `<w:p>` + wordField("end") + wordRun("after") + `</w:p>`,
			want: "first\n\nsecond\n\nafter\n",
		},
		"a field that never ends": {body: `<w:p>` + wordField("begin") + wordInstruction("IF") + wordRun("kept") + `</w:p>`, want: "kept\n", notes: []string{"1 field without an end"}},
		"a box that is ticked":    {body: `<w:p><w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox><w:default w:val="0"/><w:checked/></w:checkBox></w:ffData></w:fldChar></w:r>` + wordInstruction("FORMCHECKBOX") + wordField("end") + wordRun(" yes") + `</w:p>`, want: "☒ yes\n"},
		"a box that is not":       {body: `<w:p><w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox><w:default w:val="0"/></w:checkBox></w:ffData></w:fldChar></w:r>` + wordInstruction("FORMCHECKBOX") + wordField("separate") + wordField("end") + wordRun(" yes") + `</w:p>`, want: "☐ yes\n"},
		"what was chosen":         {body: `<w:p><w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:ddList><w:result w:val="1"/><w:listEntry w:val="red"/><w:listEntry w:val="blue"/></w:ddList></w:ffData></w:fldChar></w:r>` + wordInstruction("FORMDROPDOWN") + wordField("end") + `</w:p>`, want: "blue\n"},
		"what was written":        {body: `<w:p><w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:textInput/></w:ffData></w:fldChar></w:r>` + wordInstruction("FORMTEXT") + wordField("separate") + wordRun("Ada") + wordField("end") + `</w:p>`, want: "Ada\n"},
		"a button of a macro":     {body: `<w:p>` + wordField("begin") + wordInstruction("MACROBUTTON DoIt Press here") + wordField("end") + `</w:p>`, want: "Press here\n"},
		"a symbol by a field":     {body: `<w:p>` + wordField("begin") + wordInstruction(`SYMBOL 163 \f "Symbol"`) + wordField("end") + wordRun("5") + `</w:p>`, want: "≤5\n"},
		"a formula by a field":    {body: `<w:p>` + wordRun("x") + wordField("begin") + wordInstruction(`EQ \f(1,2)`) + wordField("end") + `</w:p>`, want: "x\n", notes: []string{"1 field without a result (EQ)"}},
		"an entry of an index":    {body: `<w:p>` + wordRun("x") + wordField("begin") + wordInstruction(`XE "x"`) + wordField("end") + `</w:p>`, want: "x\n"},
		"known symbols":           {body: `<w:p><w:r><w:sym w:font="Wingdings" w:char="F0FE"/></w:r>` + wordRun(" yes ") + `<w:r><w:sym w:font="Symbol" w:char="F0A3"/></w:r>` + wordRun("5 ") + wordRun("ü", `<w:rFonts w:ascii="Wingdings" w:hAnsi="Wingdings"/>`) + `</w:p>`, want: "☑ yes ≤5 ✓\n"},
		"unknown symbols":         {body: `<w:p><w:r><w:sym w:font="MT Extra" w:char="F04B"/></w:r></w:p>`, want: "□\n", notes: []string{"replaced by □: MT Extra (1)"}},
		"a formula":               {body: `<w:p>` + wordRun("Half is ") + `<m:oMath><m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath></w:p>`, want: "Half is 1/2\n", notes: []string{"1 formula is kept as a line of text"}},
		"how a word is read":      {body: `<w:p><w:r><w:ruby><w:rt>` + wordRun("とうきょう") + `</w:rt><w:rubyBase>` + wordRun("東京") + `</w:rubyBase></w:ruby></w:r></w:p>`, want: "東京(とうきょう)\n"},
		"a page as a part":        {body: wordParagraph("before") + `<w:altChunk r:id="word/aFChunk"/>` + wordParagraph("after"), parts: []string{"word/aFChunk", "<html><body><p>between</p></body></html>"}, want: "before\n\nbetween\n\nafter\n"},
		"a document as a part":    {body: `<w:altChunk r:id="word/aFChunk"/>`, parts: []string{"word/aFChunk", wordFile(wordParagraph("inner"))}, want: "inner\n"},
		"rich text as a part":     {body: wordParagraph("x") + `<w:altChunk r:id="word/aFChunk"/>`, parts: []string{"word/aFChunk", `{\rtf1 lost}`}, want: "x\n", notes: []string{"1 embedded document (rtf)"}},
		"a text box":              {body: `<w:p>` + wordRun("at") + `<w:r><w:drawing><wp:anchor><a:graphic><a:graphicData><wps:wsp><wps:txbx><w:txbxContent>` + wordParagraph("boxed") + `</w:txbxContent></wps:txbx></wps:wsp></a:graphicData></a:graphic></wp:anchor></w:drawing></w:r></w:p>`, want: "at\n\nboxed\n", notes: []string{"1 text box is set after"}},
		"art out of words":        {body: `<w:p><w:r><w:pict><v:shape><v:textpath string="SALE"/></v:shape></w:pict></w:r></w:p>`, want: "SALE\n"},
		"charts and objects": {
			body: `<w:p>` + wordRun("x") + `<w:r><w:drawing><wp:inline><a:graphic><a:graphicData><c:chart r:id="c"/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r><w:r><w:object><o:OLEObject ProgID="Excel.Sheet.12"/></w:object></w:r>` +
				`<w:r><w:drawing><wp:inline><a:graphic><a:graphicData><zz:hologram/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>`,
			want: "x\n", notes: []string{"left out: 1 chart, 1 embedded object (Excel.Sheet.12), 1 drawing of an unknown kind (hologram)"},
		},
		"what is not known":        {body: `<w:p>` + wordRun("x") + `<w99:marvel>` + wordRun("y") + `</w99:marvel></w:p><w99:block>` + wordParagraph("z") + `</w99:block>`, want: "xy\n\nz\n", notes: []string{"does not know, of which only text is kept: w99:marvel (1), w99:block (1)"}},
		"an unknown attribute":     {body: `<w:p><w:r><w:br w99:curl="x"/><w:t xmlns:w99="y">x</w:t></w:r></w:p>`, want: "x\n", notes: []string{"curl of br (1)"}},
		"an unknown row":           {body: `<w:tbl><w:tr><w:trPr><w99:spin/></w:trPr><w:tc>` + wordParagraph("x") + `</w:tc></w:tr></w:tbl>`, want: "x\n", notes: []string{"w99:spin (1)"}},
		"an unknown property":      {body: `<w:p>` + wordRun("x", "<w99:glitter/>") + `</w:p>`, want: "x\n", notes: []string{"w99:glitter (1)"}},
		"an unknown part":          {body: wordParagraph("x"), parts: []string{"word/hologram.xml", "<x/>"}, want: "x\n", notes: []string{"1 part of an unknown kind (hologram)"}},
		"looks":                    {body: `<w:p><w:pPr><w:jc w:val="center"/></w:pPr>` + wordRun("a", `<w:color w:val="FF0000"/>`, `<w:u w:val="single"/>`) + wordRun("b", `<w:caps/>`, `<w:highlight w:val="yellow"/>`) + `</w:p>`, want: "ab\n", notes: []string{"colour (1)", "underline (1)", "capitals (1)", "highlight (1)", "alignment (1)"}},
		"looks of a style":         {body: `<w:p>` + wordRun("a", `<w:rStyle w:val="Red"/>`) + `</w:p>`, parts: numbers, want: "a\n", notes: []string{"formatting is not carried over: colour (1)"}},
		"looks of any text":        {body: `<w:p><w:pPr><w:jc w:val="both"/><w:spacing w:after="0"/></w:pPr>` + wordRun("a", `<w:color w:val="auto"/>`, `<w:u w:val="none"/>`, `<w:sz w:val="22"/>`) + `</w:p>`, want: "a\n"},
		"comments":                 {body: `<w:p><w:commentRangeStart w:id="0"/>` + wordRun("x") + `<w:commentRangeEnd w:id="0"/><w:r><w:commentReference w:id="0"/></w:r></w:p>`, parts: []string{"word/comments.xml", `<w:comments NS><w:comment w:id="0">` + wordParagraph("remark") + `</w:comment></w:comments>`}, want: "x\n", notes: []string{"left out: 1 comment"}},
		"a header":                 {body: wordParagraph("x"), parts: []string{"word/header.xml", `<w:hdr NS>` + wordParagraph("top") + `</w:hdr>`}, want: "x\n", notes: []string{"headers and footers were left out"}},
		"a header with a picture":  {body: wordParagraph("x"), parts: []string{"word/header.xml", `<w:hdr NS><w:p><w:r><w:drawing><a:blip r:embed="i"/></w:drawing></w:r></w:p></w:hdr>`}, want: "x\n", notes: []string{"headers and footers were left out, pictures in them too"}},
		"a watermark":              {body: wordParagraph("x"), parts: []string{"word/header.xml", `<w:hdr NS><w:p><w:r><w:pict><v:shape><v:textpath string="DRAFT"/></v:shape></w:pict></w:r></w:p></w:hdr>`}, want: "x\n", notes: []string{"a watermark was left out: DRAFT"}},
		"an empty header":          {body: wordParagraph("x"), parts: []string{"word/header.xml", `<w:hdr NS>` + wordParagraph("") + `</w:hdr>`}, want: "x\n"},
		"a link to nowhere":        {body: `<w:p><w:hyperlink w:anchor="gone">` + wordRun("see") + `</w:hyperlink></w:p>`, want: "see\n", notes: []string{"1 link was taken away"}},
		"an empty cell of a merge": {body: wordTable(wordRow(`<w:tcPr><w:vMerge w:val="restart"/></w:tcPr>`+wordParagraph("a"), wordParagraph("b")), wordRow(`<w:tcPr><w:vMerge/></w:tcPr>`+wordParagraph(""), wordParagraph("c"))), want: "a | b\n  | c\n", notes: []string{"1 cell that spans several rows"}},
		"cells that are skipped":   {body: wordTable(wordRow(wordParagraph("a"), wordParagraph("b")), `<w:tr><w:trPr><w:gridBefore w:val="1"/></w:trPr><w:tc>`+wordParagraph("c")+`</w:tc></w:tr>`), want: "a | b\n  | c\n"},
		"an outline level":         {body: `<w:p><w:pPr><w:outlineLvl w:val="0"/></w:pPr>` + wordRun("Top") + `</w:p>`, want: "Top\n===\n"},
		"two bodies":               {body: wordParagraph("one") + `</w:body><w:body>` + wordParagraph("two"), want: "one\n\ntwo\n"},
		"newer than this engine":   {body: `<w:p><mc:AlternateContent><mc:Choice Requires="zz"><zz:new/></mc:Choice><mc:Fallback>` + wordRun("old") + `</mc:Fallback></mc:AlternateContent></w:p>`, want: "old\n"},
		"notes with blocks": {
			body:  `<w:p>` + wordRun("a") + `<w:r><w:endnoteReference w:id="3"/></w:r>` + wordRun("b") + `<w:r><w:footnoteReference w:id="2"/></w:r></w:p>`,
			parts: []string{"word/footnotes.xml", `<w:footnotes NS><w:footnote w:id="2">` + wordParagraph("foot") + wordParagraph("more") + `</w:footnote></w:footnotes>`, "word/endnotes.xml", `<w:endnotes NS><w:endnote w:id="3">` + wordParagraph("end") + `</w:endnote></w:endnotes>`},
			want:  "a[1]b[2]\n\n----------------------------------------\n\n1. end\n2. foot\n   more\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := convert(t, "docx", "txt", wordFile(test.body, test.parts...))
			assert.Equal(t, test.want, out.Text())
			all := strings.Join(out.Warnings, "\n")
			for _, note := range test.notes {
				assert.Contains(t, all, note)
			}
			if len(test.notes) == 0 {
				assert.Empty(t, out.Warnings)
			}
		})
	}
}

// Numbers that HTML and Markdown cannot count to are part of the text.
func TestWordNumbersOnPages(t *testing.T) {
	content := wordFile(wordItem("2", "0", "Scope")+wordParagraph("x")+wordItem("4", "0", "nine"), "word/numbering.xml", wordNumbering)
	page := convert(t, "docx", "html", content).Text()
	assert.Contains(t, page, "<ul class=\"labelled\">\n<li>Article IV Scope</li>")
	assert.Contains(t, page, "<ol start=\"9\">\n<li>nine</li>")
	md := convert(t, "docx", "md", content).Text()
	assert.Contains(t, md, "- Article IV Scope")
	assert.Contains(t, md, "9. nine")
	assert.Contains(t, testkit.PDFText(t, testkit.PDF(t), convert(t, "docx", "pdf", content).Data[0]), "Article IV")
}

func TestWordBookmarks(t *testing.T) {
	content := wordFile(`<w:p><w:hyperlink w:anchor="a_target">` + wordRun("go") + `</w:hyperlink></w:p><w:bookmarkStart w:id="0" w:name="a_target"/><w:p><w:bookmarkStart w:id="1" w:name="_GoBack"/>` + wordRun("Terms") + `</w:p>`)
	page := convert(t, "docx", "html", content).Text()
	assert.Contains(t, page, `<a href="#a_target">go</a>`)
	assert.Contains(t, page, `<p><a id="a_target"></a>Terms</p>`, "and not those that nothing leads to")
	assert.Contains(t, string(convert(t, "docx", "pdf", content).Data[0]), "/Dest [", "the PDF has a link")
}

// What was cut off a picture may be private.
func TestWordPictureIsCropped(t *testing.T) {
	parts := []string{"word/_rels/document.xml.rels", wordPictureRelation, "word/media/a.png", redAndBlue(t)}
	content := wordFile(`<w:p>`+wordRun("Before ")+wordPicture("Red sign: DANGER", `<a:srcRect r="50000"/>`)+wordRun(" after")+`</w:p>`, parts...)
	page := convert(t, "docx", "html", content).Text()
	found := regexp.MustCompile(`<p>Before <img alt="Red sign: DANGER" width="80" height="40" src="data:image/png;base64,([^"]*)"> after</p>`).FindStringSubmatch(page)
	require.Len(t, found, 2, page)

	data, err := base64.StdEncoding.DecodeString(found[1])
	require.NoError(t, err)
	shown, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	assert.Equal(t, 40, shown.Bounds().Dx())
	for x := range 40 {
		r, _, b, _ := shown.At(x, 20).RGBA()
		assert.Equal(t, []uint32{0xffff, 0}, []uint32{r, b}, "column %d is red", x)
	}
	for name, crop := range map[string]string{"nothing is left": `<a:srcRect l="60000" r="60000"/>`} {
		t.Run(name, func(t *testing.T) {
			out := convert(t, "docx", "html", wordFile(`<w:p>`+wordRun("x")+wordPicture("sign", crop)+`</w:p>`, parts...))
			assert.NotContains(t, out.Text(), "base64")
			assert.True(t, hasWarning(out.Warnings, "1 missing or damaged picture"), "%v", out.Warnings)
		})
	}
	broken := convert(t, "docx", "html", wordFile(`<w:p>`+wordRun("x")+wordPicture("sign", `<a:srcRect r="5"/>`)+`</w:p>`, "word/_rels/document.xml.rels", wordPictureRelation, "word/media/a.png", "no picture"))
	assert.NotContains(t, broken.Text(), "base64")
}

// Parts are found by relations alone, each by those of the part that refers to it.
func TestWordPartsAreFoundByTheirRelations(t *testing.T) {
	const ns = ` xmlns:w="w" xmlns:r="r"`
	build := func(files ...string) string { return string(testkit.Zip(t, files...)) }
	relations := func(all ...string) string {
		text := "<Relationships>"
		for i := 0; i+2 < len(all); i += 3 {
			text += `<Relationship Id="` + all[i] + `" Type="http://purl.oclc.org/ooxml/officeDocument/relationships/` + all[i+1] + `" Target="` + all[i+2] + `"/>`
		}
		return text + "</Relationships>"
	}
	document := `<w:document` + ns + `><w:body><w:p><w:pPr><w:pStyle w:val="X"/></w:pPr><w:r><w:t>Title</w:t></w:r><w:r><w:footnoteReference w:id="1"/></w:r></w:p><w:p><w:hyperlink r:id="a"><w:r><w:t>out</w:t></w:r></w:hyperlink></w:p></w:body></w:document>`
	content := build(
		"_rels/.rels", relations("1", "officeDocument", "/Text/main%20part.xml"),
		"text/main part.xml", document, // by another case, as packages allow
		"Text/_rels/main part.xml.rels", relations("a", "hyperlink", "https:x", "b", "styles", "looks.xml", "c", "footnotes", "/below.xml"),
		"Text/looks.xml", `<w:styles`+ns+`><w:style w:type="paragraph" w:styleId="X"><w:name w:val="heading 1"/></w:style></w:styles>`,
		"below.xml", `<w:footnotes`+ns+`><w:footnote w:id="1"><w:p><w:hyperlink r:id="a"><w:r><w:t>note</w:t></w:r></w:hyperlink></w:p></w:footnote></w:footnotes>`,
		"_rels/below.xml.rels", strings.Replace(relations("a", "hyperlink", "https://example.org/note"), "/>", ` TargetMode="External"/>`, 1),
	)
	out := convert(t, "docx", "md", content).Text()
	assert.Contains(t, out, "# Title")
	assert.Contains(t, out, "[note](https://example.org/note)", "a note has relations of its own")

	refused(t, "docx", "txt", build("word/document.xml", document), "DAMAGED_DOCUMENT")
	refused(t, "docx", "txt", build("_rels/.rels", relations("1", "officeDocument", "word/gone.xml")), "DAMAGED_DOCUMENT")
	e := refused(t, "docx", "txt", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"+strings.Repeat("\x00", 600), "PROTECTED_OR_OLD")
	assert.Contains(t, e.Message, "password")
}

func TestWordDocumentsInDocumentsEnd(t *testing.T) {
	content := wordFile(wordParagraph("innermost"))
	for range 6 {
		content = wordFile(`<w:altChunk r:id="word/aFChunk"/>`, "word/aFChunk", content)
	}
	refused(t, "docx", "txt", content, "NESTED_TOO_DEEP")
}

// FuzzWordParts: what the parts say of each other, in whatever combination.
func FuzzWordParts(f *testing.F) {
	f.Add(wordItem("1", "0", "x"), wordNumbering, wordStyles)
	f.Add(`<w:p>`+wordField("begin")+wordInstruction("HYPERLINK \\l")+wordField("separate")+wordField("end")+`</w:p>`, `<w:numbering><w:num w:numId="1"/></w:numbering>`, `<w:styles><w:style w:styleId="a"><w:basedOn w:val="a"/></w:style></w:styles>`)
	f.Add(`<w:tbl><w:tr><w:tc><w:tcPr><w:hMerge/></w:tcPr></w:tc></w:tr></w:tbl>`, `<w:numbering><w:abstractNum w:abstractNumId="0"><w:numStyleLink w:val="a"/></w:abstractNum></w:numbering>`, ``)
	f.Fuzz(func(t *testing.T, body, numbering, styles string) {
		content := wordFile(body, "word/numbering.xml", numbering, "word/styles.xml", styles, "word/footnotes.xml", `<w:footnotes NS><w:footnote w:id="1">`+body+`</w:footnote></w:footnotes>`)
		for _, target := range []string{"md", "txt", "html"} {
			_, err := testkit.Convert(t, text.New(), "docx", target, []byte(content))
			if _, known := engines.AsError(err); err != nil && !known {
				t.Fatalf("%s: %v", target, err)
			}
		}
	})
}
