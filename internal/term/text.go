package term

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// cells measures text. Characters that are wide in East Asian fonts alone, such as those of bars, count as narrow whatever
// the locale says: so do today's terminals.
var cells = &runewidth.Condition{StrictEmojiNeutral: true}

// Printable keeps names and messages that come from elsewhere from steering the terminal, and from showing in another
// order than they are written in. Line breaks and tabs stay.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// OneLine is printable and of one line, its spaces kept: for paths. What cannot be shown is written as in Go: \n, \x1b, \xff.
func OneLine(text string) string {
	if !strings.ContainsFunc(text, unshown) {
		return text
	}
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[0])
		case unshown(r) && r != utf8.RuneError:
			quoted := strconv.QuoteRuneToASCII(r)
			out.WriteString(quoted[1 : len(quoted)-1])
		default:
			out.WriteString(text[:size])
		}
		text = text[size:]
	}
	return out.String()
}

// unshown reports whether a character steers a terminal or has no form of its own. A byte that is no UTF-8 counts as utf8.RuneError.
func unshown(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

// Width is how many columns a text of one line takes.
func Width(text string) int { return cells.StringWidth(text) }

// runesOfColumn is the most that are kept: a family of emoji has seven in two columns.
const runesOfColumn = 4

// Cut shortens a text to so many columns, and says with … that it did.
func Cut(text string, width int) string {
	if width < 1 {
		return ""
	}
	// Marks that combine take no column: a text of them alone has no width and no end.
	if most := runesOfColumn * width; utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return cells.Truncate(text, width, "…")
}

// Pad cuts or fills a text to exactly so many columns.
func Pad(text string, width int) string {
	text = Cut(text, width)
	return text + strings.Repeat(" ", max(0, width-Width(text)))
}

// Cell is a text from elsewhere as one cell of a table, its white space folded.
func Cell(text string, width int) string {
	return Cut(Fold(text), width)
}

// Fold is a text from elsewhere in one line, its white space folded.
func Fold(text string) string { return OneLine(strings.Join(strings.Fields(text), " ")) }

// Plural counts things: 1 file, 2 files.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
