package tables

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

const pageStyle = `body{margin:2rem;font:1rem/1.5 system-ui,sans-serif;color:#1b1f24}table{border-collapse:collapse;margin-bottom:2rem}
th,td{border:1px solid #c9ced6;padding:.3rem .6rem;text-align:left;vertical-align:top;white-space:pre-line}th{background:#f3f4f6}`

// writeHTML sets every sheet as a table under its name; the first row heads it.
func writeHTML(title string, sheets []sheet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>%s</title>\n<style>%s</style>\n</head>\n<body>\n", html.EscapeString(title), pageStyle)
	for _, s := range sheets {
		if len(sheets) > 1 {
			fmt.Fprintf(&b, "<h2>%s</h2>\n", html.EscapeString(s.name))
		}
		if len(s.rows) == 0 {
			continue
		}
		b.WriteString("<table>\n")
		width := s.width()
		for r := range s.rows {
			tag := "td"
			if r == 0 {
				tag = "th"
				b.WriteString("<thead>\n")
			}
			b.WriteString("<tr>")
			for c := range width {
				fmt.Fprintf(&b, "<%s>%s</%s>", tag, html.EscapeString(s.cell(r, c)), tag)
			}
			b.WriteString("</tr>\n")
			if r == 0 {
				b.WriteString("</thead>\n<tbody>\n")
			}
		}
		b.WriteString("</tbody>\n</table>\n")
	}
	b.WriteString("</body>\n</html>\n")
	return b.String()
}

var markdownCell = strings.NewReplacer("\\", "\\\\", "|", "\\|", "\r\n", "<br>", "\n", "<br>", "*", "\\*", "_", "\\_", "`", "\\`", "<", "&lt;", "[", "\\[")

// writeMarkdown sets every sheet as a table of GitHub's dialect, columns lined up.
func writeMarkdown(sheets []sheet) string {
	var parts []string
	for _, s := range sheets {
		var b strings.Builder
		if len(sheets) > 1 {
			fmt.Fprintf(&b, "## %s\n\n", s.name)
		}
		if len(s.rows) > 0 {
			markdownTable(&b, s)
		}
		parts = append(parts, strings.TrimRight(b.String(), "\n"))
	}
	return strings.Join(parts, "\n\n") + "\n"
}

func markdownTable(b *strings.Builder, s sheet) {
	width := s.width()
	widths := make([]int, width)
	cells := make([][]string, len(s.rows))
	for r := range s.rows {
		for c := range width {
			text := markdownCell.Replace(s.cell(r, c))
			cells[r] = append(cells[r], text)
			widths[c] = min(max(widths[c], utf8.RuneCountInString(text), 3), 60)
		}
	}
	for r, row := range cells {
		for c, text := range row {
			fmt.Fprintf(b, "| %s%s ", text, strings.Repeat(" ", max(0, widths[c]-utf8.RuneCountInString(text))))
		}
		b.WriteString("|\n")
		if r == 0 {
			for _, w := range widths {
				fmt.Fprintf(b, "| %s ", strings.Repeat("-", w))
			}
			b.WriteString("|\n")
		}
	}
}

// writeText sets every sheet with its columns lined up.
func writeText(sheets []sheet) string {
	var b strings.Builder
	for i, s := range sheets {
		if len(sheets) > 1 {
			if i > 0 {
				b.WriteByte('\n')
			}
			fmt.Fprintf(&b, "%s\n%s\n", s.name, strings.Repeat("=", utf8.RuneCountInString(s.name)))
		}
		width := s.width()
		widths := make([]int, width)
		for r := range s.rows {
			for c := range width {
				widths[c] = max(widths[c], utf8.RuneCountInString(s.cell(r, c)))
			}
		}
		for r := range s.rows {
			var line strings.Builder
			for c := range width {
				text := strings.ReplaceAll(s.cell(r, c), "\n", " / ")
				line.WriteString(text + strings.Repeat(" ", max(0, widths[c]-utf8.RuneCountInString(text))+2))
			}
			b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		}
	}
	return b.String()
}
