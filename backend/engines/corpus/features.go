package corpus

import (
	"regexp"
	"strings"
)

// feature is something that documents of one or more formats have. In its text {1}, {2}, ... stand for words, which are given out
// in the order of their numbers.
type feature struct {
	name string
	docx string
	html string
	md   string
	odt  string

	hidden string   // numbers of words that are not for readers
	beside string   // numbers of words beside the text
	raised string   // numbers of words that are raised or lowered
	notes  []string // what a note that excuses hidden and beside words has in it
	rows   []string // numbers of the words of a row, with spaces between
	link   string   // an address
}

func (f feature) in(format string) string {
	switch format {
	case "docx":
		return f.docx
	case "html":
		return f.html
	case "md":
		return f.md
	case "odt":
		return f.odt
	}
	return ""
}

// Pieces of WordprocessingML.
func wp(inner ...string) string { return "<w:p>" + strings.Join(inner, "") + "</w:p>" }

func wr(text string, properties ...string) string {
	return "<w:r><w:rPr>" + strings.Join(properties, "") + `</w:rPr><w:t xml:space="preserve">` + text + "</w:t></w:r>"
}
func wtc(inner ...string) string { return "<w:tc>" + strings.Join(inner, "") + "</w:tc>" }
func wtr(inner ...string) string { return "<w:tr>" + strings.Join(inner, "") + "</w:tr>" }

func wtbl(inner ...string) string {
	return `<w:tbl><w:tblPr/><w:tblGrid><w:gridCol w:w="3000"/><w:gridCol w:w="3000"/></w:tblGrid>` + strings.Join(inner, "") + "</w:tbl>"
}

func wcell(text string) string { return wtc(wp(wr(text))) }

// wfield is a field with a command and the result that is shown.
func wfield(command, result string) string {
	return `<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText xml:space="preserve"> ` + command +
		` </w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>` + wr(result) + `<w:r><w:fldChar w:fldCharType="end"/></w:r>`
}

func wnum(id, text string) string {
	return `<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="` + id + `"/></w:numPr></w:pPr>` + wr(text) + "</w:p>"
}

var features = []feature{
	{
		name: "plain", docx: wp(wr("{1} and {2}")) + wp(wr("{3}")), html: "<p>{1} and {2}</p><p>{3}</p>", md: "{1} and {2}\n\n{3}\n",
		odt: "<text:p>{1} and {2}</text:p><text:p>{3}</text:p>",
	},
	{
		name: "headings", docx: `<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr>` + wr("{1}") + "</w:p>" + wp(wr("{2}")),
		html: "<h1>{1}</h1><p>{2}</p><h2>{3}</h2>", md: "# {1}\n\n{2}\n\n## {3}\n", odt: `<text:h text:outline-level="1">{1}</text:h><text:p>{2}</text:p>`,
	},
	{
		name: "emphasis", docx: wp(wr("{1} "), wr("{2}", "<w:b/>"), wr(" "), wr("{3}", "<w:i/>"), wr(", {4}", "<w:u w:val=\"single\"/>")),
		html: "<p>{1} <b>{2}</b> <i>{3}</i>, <u>{4}</u></p>", md: "{1} **{2}** *{3}*, `{4}`\n",
		odt: "<text:p>{1} <text:span>{2}</text:span> <text:span>{3}</text:span></text:p>",
	},
	{
		name: "list", docx: wnum("1", "{1}") + wnum("1", "{2}") + wp(wr("{3}")), html: "<ul><li>{1}</li><li>{2}</li></ul><p>{3}</p>",
		md: "- {1}\n- {2}\n\n{3}\n", odt: "<text:list><text:list-item><text:p>{1}</text:p></text:list-item><text:list-item><text:p>{2}</text:p></text:list-item></text:list>",
	},
	{
		name: "list in a list", docx: "", html: "<ol start=5><li>{1}<ul><li>{2}</ul><li>{3}</ol>", md: "5. {1}\n   - {2}\n6. {3}\n",
		odt: "<text:list><text:list-item><text:p>{1}</text:p><text:list><text:list-item><text:p>{2}</text:p></text:list-item></text:list></text:list-item></text:list>",
	},
	{
		name: "table", docx: wtbl(wtr(wcell("{1}"), wcell("{2}")), wtr(wcell("{3}"), wcell("{4}"))) + wp(),
		html: "<table><tr><th>{1}</th><th>{2}</th></tr><tr><td>{3}</td><td>{4}</td></tr></table>",
		md:   "| {1} | {2} |\n|---|---|\n| {3} | {4} |\n",
		odt: "<table:table><table:table-column table:number-columns-repeated=\"2\"/><table:table-row><table:table-cell><text:p>{1}</text:p></table:table-cell><table:table-cell><text:p>{2}</text:p></table:table-cell></table:table-row>" +
			"<table:table-row><table:table-cell><text:p>{3}</text:p></table:table-cell><table:table-cell><text:p>{4}</text:p></table:table-cell></table:table-row></table:table>",
		rows: []string{"1 2", "3 4"},
	},
	{
		name: "open tags", html: "<table><tr><th>{1}<th>{2}<tr><td>{3}<td>{4}</table><p>{5}<p>{6}", rows: []string{"1 2", "3 4"},
	},
	{
		name: "paragraphs in a cell", docx: wtbl(wtr(wtc(wp(wr("{1}")), wp(wr("{2}"))), wcell("{3}")), wtr(wcell("{4}"), wcell("{5}"))) + wp(),
		html: "<table><tr><td><p>{1}</p><p>{2}</p></td><td>{3}</td></tr><tr><td>{4}</td><td>{5}</td></tr></table>", rows: []string{"4 5"},
	},
	{
		name: "a break in a cell", docx: wtbl(wtr(wtc(wp(wr("{1}"), "<w:r><w:br/></w:r>", wr("{2}"))), wcell("{3}")), wtr(wcell("{4}"), wcell("{5}"))) + wp(),
		html: "<table><tr><td>{1}<br>{2}</td><td>{3}</td></tr><tr><td>{4}</td><td>{5}</td></tr></table>", rows: []string{"4 5"},
	},
	{
		name: "a table in a table", docx: wtbl(wtr(wtc(wtbl(wtr(wcell("{1}"), wcell("{2}"))), wp()), wcell("{3}"))) + wp(),
		html: "<table><tr><td><table><tr><td>{1}</td><td>{2}</td></tr></table></td><td>{3}</td></tr></table>",
	},
	{
		name: "controls", docx: wtbl(wtr(wcell("{1}"), "<w:sdt><w:sdtPr/><w:sdtContent>"+wcell("{2}")+"</w:sdtContent></w:sdt>"),
			"<w:sdt><w:sdtPr/><w:sdtContent>"+wtr(wcell("{3}"), wcell("{4}"))+"</w:sdtContent></w:sdt>") +
			"<w:sdt><w:sdtPr/><w:sdtContent>" + wp(wr("{5}")) + "</w:sdtContent></w:sdt>", rows: []string{"1 2", "3 4"},
	},
	{
		name: "raised", docx: wp(wr("{1}"), wr("{2}", `<w:vertAlign w:val="superscript"/>`), wr(" {3}")), html: "<p>{1}<sup>{2}</sup> {3}</p>",
		md: "{1}<sup>{2}</sup> {3}\n", raised: "2",
	},
	{
		name: "link", docx: wp(`<w:hyperlink r:id="rLink">`, wr("{1}"), "</w:hyperlink>", wr(" {2}")), html: `<p><a href="https://example.org/linked">{1}</a> {2}</p>`,
		md: "[{1}](https://example.org/linked) {2}\n", odt: `<text:p><text:a xlink:type="simple" xlink:href="https://example.org/linked">{1}</text:a> {2}</text:p>`,
		link: "https://example.org/linked",
	},
	{name: "link by a field", docx: wp(wfield(`HYPERLINK "https://example.org/field"`, "{1}"), wr(" {2}")), link: "https://example.org/field"},
	{name: "a field", docx: wp(wr("{1} "), wfield("ADDIN corpus", "{2}"), wr(" {3}"))},
	{
		name: "hidden", docx: wp(wr("{1} "), wr("{2}", "<w:vanish/>"), wr(" {3}")), html: `<p>{1} <span hidden>{2}</span> {3}</p>`, hidden: "2",
		notes: []string{"hidden"},
	},
	{name: "a template", html: "<p>{1}</p><template><p>{2}</p></template><script>{3}</script><style>p{content:'{4}'}</style>", hidden: "2 3 4", notes: []string{"hidden", "template"}},
	{
		name: "tracked changes", docx: wp(wr("{1} "), `<w:ins w:id="1" w:author="A">`, wr("{2}"), "</w:ins>", wr(" "),
			`<w:del w:id="2" w:author="A"><w:r><w:delText>{3}</w:delText></w:r></w:del>`, wr(" {4}")), hidden: "3", notes: []string{"tracked", "change"},
	},
	{
		name: "a deleted row", docx: wtbl(wtr(wcell("{1}"), wcell("{2}")), `<w:tr><w:trPr><w:del w:id="3" w:author="A"/></w:trPr>`+wcell("{3}")+wcell("{4}")+"</w:tr>") + wp(),
		hidden: "3 4", notes: []string{"tracked", "change"}, rows: []string{"1 2"},
	},
	{
		name: "footnote", docx: wp(wr("{1}"), `<w:r><w:footnoteReference w:id="2"/></w:r>`, wr(" {2}")), md: "{1}[^a] {2}\n\n[^a]: {3}\n", beside: "3",
		odt:   `<text:p>{1}<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body><text:p>{3}</text:p></text:note-body></text:note> {2}</text:p>`,
		notes: []string{"footnote", "note"},
	},
	{
		name: "text box", docx: wp(wr("{1} "), `<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wp:inline distT="0" distB="0" distL="0" distR="0"><wp:extent cx="2000000" cy="600000"/><wp:docPr id="7" name="Box"/><a:graphic>`+
			`<a:graphicData uri="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"><wps:wsp><wps:cNvSpPr txBox="1"/><wps:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="2000000" cy="600000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></wps:spPr><wps:txbx><w:txbxContent>`+
			wp(wr("{2}"))+`</w:txbxContent></wps:txbx><wps:bodyPr/></wps:wsp></a:graphicData></a:graphic></wp:inline></w:drawing></mc:Choice></mc:AlternateContent></w:r>`), beside: "2", notes: []string{"text box"},
	},
	{name: "breaks and tabs", docx: wp(wr("{1}"), "<w:r><w:br/></w:r>", wr("{2}"), "<w:r><w:tab/></w:r>", wr("{3}"), "<w:r><w:cr/></w:r>", wr("{4}")), html: "<p>{1}<br>{2}</p><div>{3}</div>{4}<div>{5}</div>", odt: "<text:p>{1}<text:line-break/>{2}<text:tab/>{3}<text:s/>{4}</text:p>"},
	{name: "smart tags", docx: wp(`<w:smartTag w:uri="u" w:element="e">`, wr("{1}"), "</w:smartTag>", `<w:bookmarkStart w:id="5" w:name="b"/>`, wr(" {2}"), `<w:bookmarkEnd w:id="5"/>`) + `<w:customXml w:uri="u" w:element="e">` + wp(wr("{3}")) + "</w:customXml>"},
	{name: "pieces of a document", docx: `<w:altChunk r:id="rChunk"/>` + wp(wr("{1}")), notes: []string{"altChunk", "document"}},
	{name: "quotes and code", html: "<blockquote>{1}</blockquote><pre>{2}\n{3}</pre><p><code>{4}</code> <q>{5}</q></p>", md: "> {1}\n\n```\n{2}\n{3}\n```\n\n`{4}` \"{5}\"\n"},
	{name: "terms", html: "<dl><dt>{1}</dt><dd>{2}</dd></dl><details open><summary>{3}</summary>{4}</details><figure><figcaption>{5}</figcaption></figure>"},
	{name: "caption and spans", html: `<table><caption>{1}</caption><thead><tr><th colspan=2>{2}</th></tr></thead><tbody><tr><td rowspan=2>{3}</td><td>{4}</td></tr><tr><td>{5}</td></tr></tbody><tfoot><tr><td>{6}</td><td>{7}</td></tr></tfoot></table>`, beside: "1", notes: []string{"caption"}, rows: []string{"3 4", "6 7"}},
	{name: "a pipe in a cell", html: "<table><tr><th>{1}</th><th>b</th></tr><tr><td>{2}|x</td><td><code>y|{3}</code></td></tr></table>", md: "| {1} | b |\n|---|---|\n| {2}\\|x | `y\\|{3}` |\n", rows: []string{"2 3"}},
	{name: "tasks and strikes", html: "<p><del>{1}</del> {2}</p>", md: "- [x] {1}\n- [ ] {2}\n\n~~{3}~~ {4}\n"},
	{name: "entities", html: "<p>{1}&amp;{2}&nbsp;{3}&mdash;{4}&#x20;{5}</p>", md: "{1}&amp;{2}&nbsp;{3} \\* {4}\n"},
	{name: "a drawing", html: `<p>{1} <svg width="20" height="20"><text x="1" y="9">{2}</text></svg> {3}</p>`, beside: "2", notes: []string{"svg", "drawing", "picture"}},
	{name: "forms", html: `<form><label>{1}</label> <input value="{2}"> <select><option>{3}</option></select> <textarea>{4}</textarea> <button>{5}</button></form>`, beside: "2 3 4 5", notes: []string{"form", "input", "field", "control"}},
}

var placeholder = regexp.MustCompile(`\{(\d+)\}`)

// builder puts features into one file.
type builder struct {
	format string
	words  *vocabulary
	body   strings.Builder
	notes  strings.Builder // footnotes of a docx
	truth  Truth
}

// add puts a feature in, with words of its own.
func (b *builder) add(f feature) {
	given := map[string]string{}
	text := f.in(b.format)
	numbers := placeholder.FindAllStringSubmatch(text, -1)
	if b.format == "docx" && f.name == "footnote" {
		if b.notes.Len() > 0 { // one footnote is enough for all
			text = strings.Replace(text, `<w:r><w:footnoteReference w:id="2"/></w:r>`, "", 1)
		} else {
			numbers = append(numbers, []string{"", "3"})
		}
	}
	for _, number := range numbers {
		if given[number[1]] == "" {
			given[number[1]] = b.words.next()
			b.truth.Words = append(b.truth.Words, Word{
				Text: given[number[1]], Hidden: contains(f.hidden, number[1]), Beside: contains(f.beside, number[1]),
				Raised: contains(f.raised, number[1]), Notes: f.notes,
			})
		}
	}
	if word := given["3"]; b.format == "docx" && f.name == "footnote" && word != "" && b.notes.Len() == 0 {
		b.notes.WriteString(`<w:footnote w:id="2">` + wp(`<w:r><w:footnoteRef/></w:r>`, wr(" "+word)) + "</w:footnote>")
	}
	for _, row := range f.rows {
		var cells []string
		for number := range strings.FieldsSeq(row) {
			cells = append(cells, given[number])
		}
		b.truth.Rows = append(b.truth.Rows, cells)
	}
	if f.link != "" {
		b.truth.Links = append(b.truth.Links, f.link)
	}
	b.body.WriteString(placeholder.ReplaceAllStringFunc(text, func(found string) string { return given[found[1:len(found)-1]] }) + "\n")
}

func contains(numbers, number string) bool {
	return strings.Contains(" "+numbers+" ", " "+number+" ")
}
