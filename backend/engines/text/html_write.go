package text

import (
	"encoding/base64"
	"fmt"
	"html"
	"slices"
	"strings"
)

const pageStyle = `body{max-width:46rem;margin:2rem auto;padding:0 1rem;font:1rem/1.6 system-ui,sans-serif;color:#1b1f24}
pre,code{font-family:ui-monospace,monospace;background:#f3f4f6;border-radius:4px}pre{padding:.8rem;overflow:auto}code{padding:.1em .3em}
pre code{padding:0}table{border-collapse:collapse}th,td{border:1px solid #c9ced6;padding:.3rem .6rem;text-align:left}th{background:#f3f4f6}
blockquote{margin-left:0;padding-left:1rem;border-left:4px solid #c9ced6;color:#4b5563}img{max-width:100%;height:auto}ul.labelled{list-style:none}
@media print{pre,pre code{white-space:pre-wrap;overflow-wrap:anywhere;overflow:visible}}`

// writeHTML makes a whole page. source is the body where there is one already.
func writeHTML(doc *document, source string) []byte {
	if source == "" {
		source = blocksHTML(doc.blocks)
	}
	return fmt.Appendf(nil, "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>%s</title>\n%s<style>%s</style>\n</head>\n<body>\n%s</body>\n</html>\n",
		html.EscapeString(doc.title), doc.front.meta(), pageStyle, source)
}

func blocksHTML(blocks []block) string {
	var b strings.Builder
	for _, block := range blocks {
		blockHTML(&b, block)
	}
	return b.String()
}

func blockHTML(b *strings.Builder, block block) {
	switch block := block.(type) {
	case heading:
		fmt.Fprintf(b, "<h%d>%s</h%d>\n", block.level, runsHTML(block.runs), block.level)
	case paragraph:
		fmt.Fprintf(b, "<p>%s</p>\n", runsHTML(block.runs))
	case preformatted:
		fmt.Fprintf(b, "<pre>%s</pre>\n", html.EscapeString(block.text))
	case quote:
		fmt.Fprintf(b, "<blockquote>\n%s</blockquote>\n", blocksHTML(block.blocks))
	case rule:
		b.WriteString("<hr>\n")
	case picture:
		fmt.Fprintf(b, "<p>%s</p>\n", pictureHTML(block))
	case list:
		listHTML(b, block)
	case table:
		tableHTML(b, block)
	}
}

func listHTML(b *strings.Builder, l list) {
	open, name := "<ul>", "ul"
	labelled := slices.ContainsFunc(l.items, func(item listItem) bool { return item.label != "" })
	if labelled {
		open = "<ul class=\"labelled\">"
	}
	if l.ordered && !labelled {
		open, name = "<ol>", "ol"
		if l.start != 1 {
			open = fmt.Sprintf("<ol start=\"%d\">", l.start)
		}
	}
	b.WriteString(open + "\n")
	for i, item := range l.items {
		b.WriteString("<li>")
		if labelled {
			b.WriteString(html.EscapeString(l.marker(i)) + " ")
		}
		if item.task != nil {
			checked := ""
			if *item.task {
				checked = " checked"
			}
			fmt.Fprintf(b, "<input type=\"checkbox\" disabled%s> ", checked)
		}
		// A lone paragraph stands in its item without being one, so that lists stay tight.
		if p, ok := lone(item.blocks); ok {
			b.WriteString(runsHTML(p.runs))
		} else {
			b.WriteString(itemHTML(item.blocks))
		}
		b.WriteString("</li>\n")
	}
	fmt.Fprintf(b, "</%s>\n", name)
}

func itemHTML(blocks []block) string {
	if len(blocks) > 0 {
		if p, ok := blocks[0].(paragraph); ok {
			return runsHTML(p.runs) + "\n" + blocksHTML(blocks[1:])
		}
	}
	return blocksHTML(blocks)
}

func lone(blocks []block) (paragraph, bool) {
	if len(blocks) != 1 {
		return paragraph{}, false
	}
	p, ok := blocks[0].(paragraph)
	return p, ok
}

func tableHTML(b *strings.Builder, t table) {
	b.WriteString("<table>\n")
	for i, row := range t.rows {
		tag := "td"
		if row.header {
			tag = "th"
		}
		if i == 0 && row.header {
			b.WriteString("<thead>\n")
		}
		b.WriteString("<tr>")
		for _, cell := range row.cells {
			attributes := ""
			if cell.span > 1 {
				attributes += fmt.Sprintf(" colspan=\"%d\"", cell.span)
			}
			if cell.align == "right" || cell.align == "center" {
				attributes += fmt.Sprintf(" style=\"text-align:%s\"", cell.align)
			}
			fmt.Fprintf(b, "<%s%s>%s</%s>", tag, attributes, cellHTML(cell.blocks), tag)
		}
		b.WriteString("</tr>\n")
		if i == 0 && row.header {
			b.WriteString("</thead>\n<tbody>\n")
		}
	}
	if len(t.rows) > 0 && t.rows[0].header {
		b.WriteString("</tbody>\n")
	}
	b.WriteString("</table>\n")
}

// cellHTML leaves out the paragraph of a cell that has one alone.
func cellHTML(blocks []block) string {
	if p, ok := lone(blocks); ok {
		return runsHTML(p.runs)
	}
	return strings.TrimSuffix(blocksHTML(blocks), "\n")
}

func pictureHTML(p picture) string {
	size := ""
	if p.width > 0 && p.height > 0 {
		size = fmt.Sprintf(" width=\"%d\" height=\"%d\"", p.width, p.height)
	}
	return fmt.Sprintf("<img alt=\"%s\"%s src=\"data:%s;base64,%s\">", html.EscapeString(p.alt), size, html.EscapeString(p.mime),
		base64.StdEncoding.EncodeToString(p.data))
}

func runsHTML(runs []run) string {
	var b strings.Builder
	for _, r := range runs {
		b.WriteString(runHTML(r))
	}
	return b.String()
}

func runHTML(r run) string {
	text := strings.ReplaceAll(html.EscapeString(r.text), "\n", "<br>\n")
	if r.picture != nil {
		text = pictureHTML(*r.picture)
	}
	if r.anchor != "" {
		return "<a id=\"" + html.EscapeString(r.anchor) + "\"></a>"
	}
	for _, tag := range []struct {
		on   bool
		name string
	}{{r.code, "code"}, {r.italic, "em"}, {r.bold, "strong"}, {r.strike, "del"}, {r.raised, "sup"}, {r.lowered, "sub"}} {
		if tag.on {
			text = "<" + tag.name + ">" + text + "</" + tag.name + ">"
		}
	}
	if r.link != "" && safeLink(r.link) {
		text = fmt.Sprintf("<a href=\"%s\">%s</a>", html.EscapeString(r.link), text)
	}
	return text
}

// safeLink leaves out what would run when clicked.
func safeLink(link string) bool {
	lower := strings.ToLower(strings.TrimSpace(link))
	return !strings.HasPrefix(lower, "javascript:") && !strings.HasPrefix(lower, "vbscript:") && !strings.HasPrefix(lower, "data:")
}
