package text

import (
	"strings"
	"unicode/utf8"
)

// maxEffort bounds how often the parser of Markdown may go over the same text: emphasis and links that are opened and
// never closed have it look through the whole paragraph each.
const maxEffort = 400_000_000

// checkMarkdown looks at what would take the parser too far: containers within containers, which it follows by calling
// itself, tables, to whose rows it adds every cell that is missing, and paragraphs that it would read over and over.
func checkMarkdown(source string) error {
	if len(source) > maxMarkdown {
		return documentTooLarge("the Markdown has more than %d MB", maxMarkdown>>20)
	}
	var c markdownCheck
	for line := range strings.Lines(source) {
		if containers(line) > maxDepth {
			return nestedTooDeep()
		}
		if c.line(strings.TrimRight(line, "\r\n")); c.cells > maxCells {
			return documentTooLarge("the tables of the Markdown would have more than %d cells", maxCells)
		}
		if c.effort+c.openMarks() > maxEffort {
			return documentTooLarge("the Markdown has too much emphasis in a paragraph, or too many open brackets or footnotes, to be read")
		}
	}
	return nil
}

// markdownCheck follows a text line by line. A paragraph counts as long as it may be, rather than too short.
type markdownCheck struct {
	before  string // the line before
	columns int    // of the table that is open, 0 for none
	cells   int
	marks   int // runs of emphasis in the paragraph
	links   int // that are opened in it and not closed nearby
	size    int // bytes of the paragraph
	notes   int // footnotes and references to them
	effort  int // of paragraphs that have ended
}

func (c *markdownCheck) openMarks() int { return c.marks*c.marks + c.links*c.size + c.notes*c.notes/4 }

func (c *markdownCheck) line(line string) {
	blank := strings.TrimSpace(line) == ""
	switch {
	case blank:
		c.columns = 0
	case c.columns == 0 && isDelimiterRow(c.before, line):
		c.columns = pipes(line) + 1
	}
	if blank || c.columns > 0 || beginsBlock(line) {
		c.effort += c.marks*c.marks + c.links*c.size
		c.marks, c.links, c.size = 0, 0, 0
	}
	c.cells += c.columns
	c.before = line
	c.size += len(line)
	c.marks += emphases(line)
	c.links += openLinks(line)
	c.notes += strings.Count(line, "[^")
	for word := range strings.FieldsSeq(line) {
		c.effort += strings.Count(word, "](") * len(word)
	}
}

// emphases counts runs of marks.
func emphases(line string) int {
	n := 0
	for i := range len(line) {
		if (line[i] == '*' || line[i] == '_' || line[i] == '~') && (i == 0 || line[i-1] != line[i]) {
			n++
		}
	}
	return n
}

const linkNearby = 1000 // bytes

func openLinks(line string) int {
	n := 0
	for at := strings.Index(line, "]("); at >= 0; {
		rest := line[at+2:]
		if !closes(rest[:min(len(rest), linkNearby)]) {
			n++
		}
		next := strings.Index(rest, "](")
		if next < 0 {
			return n
		}
		at += 2 + next
	}
	return n
}

// closes finds a bracket that is not escaped.
func closes(text string) bool {
	for i := range len(text) {
		if text[i] == ')' && (i == 0 || text[i-1] != '\\') {
			return true
		}
	}
	return false
}

// beginsBlock knows lines that no paragraph goes on with: headings, and items of lists that are no code.
func beginsBlock(line string) bool {
	text := strings.TrimLeft(line, " ")
	if len(line)-len(text) > 3 || len(text) < 3 || text[1] != ' ' || strings.TrimSpace(text[1:]) == "" {
		return false
	}
	return strings.IndexByte("-+*#", text[0]) >= 0
}

// containers counts the quotes and items that open at the beginning of a line.
func containers(line string) int {
	n := 0
	for {
		line = strings.TrimLeft(line, " \t")
		rest, found := strings.CutPrefix(line, ">")
		if !found {
			rest = strings.TrimLeft(line, "0123456789")
			if rest == "" || strings.IndexByte("-+*.)", rest[0]) < 0 {
				return n
			}
			if rest = rest[1:]; rest != "" && rest[0] != ' ' && rest[0] != '\t' {
				return n
			}
		}
		n++
		line = rest
	}
}

// isDelimiterRow knows the line below the headings of a table. Headings that hold more than plain text do not count,
// since how many they are is not known here.
func isDelimiterRow(headings, line string) bool {
	return strings.Contains(line, "-") && strings.Trim(line, "|-: \t") == "" && strings.Contains(line, "|") &&
		!strings.ContainsAny(headings, "\\`") && pipes(headings) == pipes(line) && utf8.ValidString(headings)
}

// pipes counts what parts the cells of a row.
func pipes(row string) int {
	row = strings.TrimSpace(row)
	return strings.Count(strings.TrimSuffix(strings.TrimPrefix(row, "|"), "|"), "|")
}
