package tables

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"
)

const pageStyle = `body{margin:2rem;font:1rem/1.5 system-ui,sans-serif;color:#1b1f24}table{border-collapse:collapse;margin-bottom:2rem}
th,td{border:1px solid #c9ced6;padding:.3rem .6rem;text-align:left;vertical-align:top;white-space:pre-line}th{background:#f3f4f6}`

// writeHTML sets every sheet as a table under its name; the first row heads it.
func writeHTML(p *page, title string, sheets []sheet) {
	p.put(fmt.Sprintf("<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>%s</title>\n<style>%s</style>\n</head>\n<body>\n", html.EscapeString(title), pageStyle))
	for _, s := range sheets {
		if len(sheets) > 1 {
			p.put("<h2>" + html.EscapeString(s.name) + "</h2>\n")
		}
		if len(s.rows) == 0 {
			continue
		}
		p.put("<table>\n")
		width := s.width()
		for r := range s.rows {
			open, end := "<td>", "</td>"
			if r == 0 {
				open, end = "<th>", "</th>"
				p.put("<thead>\n")
			}
			p.put("<tr>")
			for c := range width {
				p.put(open)
				p.put(html.EscapeString(s.cell(r, c)))
				p.put(end)
			}
			p.put("</tr>\n")
			if r == 0 {
				p.put("</thead>\n<tbody>\n")
			}
		}
		p.put("</tbody>\n</table>\n")
	}
	p.put("</body>\n</html>\n")
}

var markdownCell = strings.NewReplacer("\\", "\\\\", "|", "\\|", "\r\n", "<br>", "\n", "<br>", "*", "\\*", "_", "\\_", "`", "\\`", "<", "&lt;", "[", "\\[", "~", "\\~")

// entity is what readers of Markdown take for a letter.
var entity = regexp.MustCompile(`&(#?\w+;)`)

// markdownText is a text as it stands in a cell or a heading.
func markdownText(text string) string {
	return markdownCell.Replace(entity.ReplaceAllString(text, "&amp;$1"))
}

// markdownHeading is a text as it stands in a heading, whose last # would not be part of it.
func markdownHeading(text string) string {
	text = markdownText(text)
	if bare := strings.TrimRight(text, "#"); bare != text {
		return bare + strings.Repeat("\\#", len(text)-len(bare))
	}
	return text
}

// columnMost is how far columns are lined up; wider cells stand out.
const columnMost = 60

// writeMarkdown sets every sheet as a table of GitHub's dialect, columns lined up.
func writeMarkdown(p *page, sheets []sheet) {
	for i, s := range sheets {
		if i > 0 {
			p.put("\n")
		}
		if len(sheets) > 1 {
			p.put("## " + markdownHeading(s.name) + "\n")
			if len(s.rows) > 0 {
				p.put("\n")
			}
		}
		if len(s.rows) > 0 {
			markdownTable(p, s)
		}
	}
}

func markdownTable(p *page, s sheet) {
	widths := make([]int, s.width())
	for r := range s.rows {
		for c := range widths {
			widths[c] = min(max(widths[c], utf8.RuneCountInString(markdownText(s.cell(r, c))), 3), columnMost)
		}
	}
	for r := range s.rows {
		for c, width := range widths {
			text := markdownText(s.cell(r, c))
			p.put("| ")
			p.put(text)
			p.put(padding[:max(0, width-utf8.RuneCountInString(text))+1])
		}
		p.put("|\n")
		if r == 0 {
			for _, width := range widths {
				p.put("| " + strings.Repeat("-", width) + " ")
			}
			p.put("|\n")
		}
	}
}

// padding is what columns are filled up from.
var padding = strings.Repeat(" ", columnMost+2)

// writeText sets every sheet with its columns lined up.
func writeText(p *page, sheets []sheet) {
	for i, s := range sheets {
		if len(sheets) > 1 {
			if i > 0 {
				p.put("\n")
			}
			p.put(s.name + "\n" + strings.Repeat("=", utf8.RuneCountInString(s.name)) + "\n")
		}
		widths := make([]int, s.width())
		for r := range s.rows {
			for c := range widths {
				widths[c] = min(max(widths[c], utf8.RuneCountInString(s.cell(r, c))), columnMost)
			}
		}
		var line strings.Builder
		for r := range s.rows {
			line.Reset()
			for c := range s.rows[r] {
				text := strings.ReplaceAll(s.cell(r, c), "\n", " / ")
				line.WriteString(text)
				line.WriteString(padding[:max(0, widths[c]-utf8.RuneCountInString(text))+2])
			}
			p.put(strings.TrimRight(line.String(), " ") + "\n")
		}
	}
}
