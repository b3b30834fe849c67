package text

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// writeText sets the document as plain text. Links keep their target in brackets where it is not the text itself.
func writeText(doc *document) (string, error) {
	if hasPicture(doc.blocks) {
		doc.warnings.add("best_effort: pictures cannot be part of a text; their names stand in for them")
	}
	noteStruck(doc)
	w := &textWriter{}
	text := strings.TrimRight(w.blocks(doc.blocks), "\n") + "\n"
	if w.full {
		return "", resultTooLarge()
	}
	return text, nil
}

// textWriter leaves off as soon as a part is too large: each level of nesting indents every line below it.
type textWriter struct {
	full     bool
	indented int // bytes
}

func (w *textWriter) blocks(blocks []block) string {
	var parts []string
	for _, b := range blocks {
		if text := strings.TrimRight(w.block(b), "\n "); text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "\n\n")
}

func (w *textWriter) block(b block) string {
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
		return w.indent(b.text, "    ", "    ")
	case quote:
		return w.indent(w.blocks(b.blocks), "> ", "> ")
	case rule:
		return strings.Repeat("-", 40)
	case picture:
		return "[" + b.alt + "]"
	case list:
		return w.list(b)
	case table:
		return w.table(b)
	}
	return ""
}

func runsText(runs []run) string {
	var b strings.Builder
	for i := 0; i < len(runs); i++ {
		r := runs[i]
		if r.picture != nil {
			b.WriteString("[" + r.picture.alt + "]")
		}
		text := r.text
		for ; i+1 < len(runs) && runs[i+1].isText() && sameScript(r.style, runs[i+1].style); i++ {
			text += runs[i+1].text
		}
		switch {
		case r.raised:
			text = raisedText(text)
		case r.lowered:
			text = loweredText(text)
		}
		b.WriteString(text)
		if r.link != "" && r.link != r.text && !strings.HasPrefix(r.link, "#") && safeLink(r.link) {
			b.WriteString(" <" + r.link + ">")
		}
	}
	return b.String()
}

// sameScript reports whether two runs are raised, or lowered, together.
func sameScript(a, b style) bool {
	return (a.raised || a.lowered) && a.raised == b.raised && a.lowered == b.lowered && a.link == b.link
}

func (w *textWriter) list(l list) string {
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
			parts = append(parts, strings.TrimRight(w.block(b), "\n"))
		}
		lines = append(lines, w.indent(strings.Join(parts, "\n"), marker, strings.Repeat(" ", utf8.RuneCountInString(marker))))
	}
	return strings.Join(lines, "\n")
}

func (w *textWriter) indent(text, first, rest string) string {
	size := len(text) + strings.Count(text, "\n")*len(rest)
	w.indented += size
	if w.full = w.full || size > maxResult || w.indented > maxIndented; w.full {
		return ""
	}
	return first + strings.ReplaceAll(text, "\n", "\n"+rest)
}

// columnMost is how far columns are lined up; wider cells stand out.
const columnMost = 60

// table pads the columns so that they line up.
func (w *textWriter) table(t table) string {
	var rows [][]string
	var widths []int
	for _, row := range t.rows {
		var cells []string
		for _, cell := range row.cells {
			cells = append(cells, strings.ReplaceAll(runsText(cell.runs()), "\n", " / "))
			for range cell.span - 1 {
				cells = append(cells, "")
			}
		}
		for i, cell := range cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], min(utf8.RuneCountInString(cell), columnMost))
		}
		rows = append(rows, cells)
	}
	var b strings.Builder
	for i, cells := range rows {
		if w.full = w.full || b.Len() > maxResult; w.full {
			return ""
		}
		for c, cell := range cells {
			if c > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(cell)
			if c < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", max(0, widths[c]-utf8.RuneCountInString(cell))))
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
	return slices.ContainsFunc(allRuns(blocks), func(r run) bool { return r.picture != nil })
}
