package text

import (
	"strings"
	"unicode/utf8"
)

// writeText sets the document as plain text. Links keep their target in brackets where it is not the text itself.
func writeText(doc *document) string {
	if hasPicture(doc.blocks) {
		doc.warnings.add("best_effort: pictures cannot be part of a text; their names stand in for them")
	}
	return strings.TrimRight(blocksText(doc.blocks), "\n") + "\n"
}

func blocksText(blocks []block) string {
	var parts []string
	for _, b := range blocks {
		if text := strings.TrimRight(blockText(b), "\n "); text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "\n\n")
}

func blockText(b block) string {
	switch b := b.(type) {
	case heading:
		text := runsText(b.runs)
		line := map[int]string{1: "=", 2: "-"}[b.level]
		if line == "" {
			return text
		}
		return text + "\n" + strings.Repeat(line, utf8.RuneCountInString(text))
	case paragraph:
		return runsText(b.runs)
	case preformatted:
		return indent(b.text, "    ", "    ")
	case quote:
		return indent(blocksText(b.blocks), "> ", "> ")
	case rule:
		return strings.Repeat("-", 40)
	case picture:
		return "[" + b.alt + "]"
	case list:
		return listText(b)
	case table:
		return tableText(b)
	}
	return ""
}

func runsText(runs []run) string {
	var b strings.Builder
	for _, r := range runs {
		b.WriteString(r.text)
		if r.link != "" && r.link != r.text && !strings.HasPrefix(r.link, "#") && safeLink(r.link) {
			b.WriteString(" <" + r.link + ">")
		}
	}
	return b.String()
}

func listText(l list) string {
	var lines []string
	for i, item := range l.items {
		marker := l.marker(i) + " "
		switch {
		case marker == "• ":
			marker = "- "
		case item.task != nil:
			marker = "- " + marker
		}
		var parts []string
		for _, b := range item.blocks {
			parts = append(parts, strings.TrimRight(blockText(b), "\n"))
		}
		lines = append(lines, indent(strings.Join(parts, "\n"), marker, strings.Repeat(" ", len(marker))))
	}
	return strings.Join(lines, "\n")
}

func indent(text, first, rest string) string {
	return first + strings.ReplaceAll(text, "\n", "\n"+rest)
}

// tableText pads the columns so that they line up.
func tableText(t table) string {
	var rows [][]string
	var widths []int
	for _, row := range t.rows {
		var cells []string
		for _, cell := range row.cells {
			cells = append(cells, strings.ReplaceAll(runsText(cell.runs), "\n", " / "))
			for range cell.span - 1 {
				cells = append(cells, "")
			}
		}
		for i, cell := range cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
		rows = append(rows, cells)
	}
	var b strings.Builder
	for i, cells := range rows {
		for c, cell := range cells {
			if c > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(cell)
			if c < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell)))
			}
		}
		b.WriteByte('\n')
		if t.rows[i].header && (i+1 == len(rows) || !t.rows[i+1].header) {
			for c, width := range widths {
				if c > 0 {
					b.WriteString("-+-")
				}
				b.WriteString(strings.Repeat("-", width))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func hasPicture(blocks []block) bool {
	for _, b := range blocks {
		switch b := b.(type) {
		case picture:
			return true
		case quote:
			if hasPicture(b.blocks) {
				return true
			}
		case list:
			for _, item := range b.items {
				if hasPicture(item.blocks) {
					return true
				}
			}
		}
	}
	return false
}
