// Package text converts between Markdown, HTML, plain text and Word documents, and sets them as PDF.
package text

import (
	"fmt"
	"strings"

	"golang.org/x/net/html"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// document is what the readers agree on and the writers set: blocks of styled runs.
type document struct {
	sheet    engines.Sheet // where it becomes a PDF
	title    string
	front    frontMatter
	blocks   []block
	warnings warnings
	// page is what the document was read from, where it is to become Markdown without a way through blocks.
	page *html.Node
}

type block interface{ isBlock() }

type heading struct {
	level int // 1-6
	runs  []run
}

type paragraph struct{ runs []run }

// preformatted keeps its line breaks and spaces.
type preformatted struct {
	text  string
	plain bool // a text file as it is, which is no code and gets no frame
}

type list struct {
	ordered bool
	start   int
	items   []listItem
}

type listItem struct {
	task   *bool  // nil unless the item is a box to tick
	label  string // of an item whose number is not that of its place, such as "(iv)" or "2.1"; else empty
	blocks []block
}

type quote struct{ blocks []block }

type table struct {
	rows []tableRow
}

type tableRow struct {
	header bool
	cells  []tableCell
}

type tableCell struct {
	blocks []block
	span   int // columns, at least 1
	align  string
}

// runs puts what is in the cell into one line of runs, a line break between its blocks.
func (c tableCell) runs() []run { return flatten(c.blocks) }

type rule struct{}

type picture struct {
	alt           string
	data          []byte
	mime          string
	width, height int // in pixels of 1/96 inch, as it is to be shown; 0 where it says nothing
}

func (heading) isBlock()      {}
func (paragraph) isBlock()    {}
func (preformatted) isBlock() {}
func (list) isBlock()         {}
func (quote) isBlock()        {}
func (table) isBlock()        {}
func (rule) isBlock()         {}
func (picture) isBlock()      {}

// style is how a run looks.
type style struct {
	bold, italic, code, strike, raised, lowered bool
	link                                        string
	unmarked                                    bool // code on a ground of its own
}

// run is text in one style; "\n" in it is a forced line break. One with a picture or an anchor has no text.
type run struct {
	text string
	style
	picture *picture
	anchor  string // a place that links lead to
}

func (r run) isText() bool { return r.picture == nil && r.anchor == "" }

// allRuns is every run of the blocks, those in lists and tables too.
func allRuns(blocks []block) []run {
	var out []run
	for _, b := range blocks {
		switch b := b.(type) {
		case paragraph:
			out = append(out, b.runs...)
		case heading:
			out = append(out, b.runs...)
		case quote:
			out = append(out, allRuns(b.blocks)...)
		case list:
			for _, item := range b.items {
				out = append(out, allRuns(item.blocks)...)
			}
		case table:
			for _, row := range b.rows {
				for _, cell := range row.cells {
					out = append(out, allRuns(cell.blocks)...)
				}
			}
		case picture:
			out = append(out, run{picture: &b})
		}
	}
	return out
}

func plainText(runs []run) string {
	var text strings.Builder
	for _, r := range runs {
		text.WriteString(r.text)
	}
	return text.String()
}

// warnings collects each loss once, in the order of appearance.
type warnings struct {
	list []string
	seen map[string]bool
}

func (w *warnings) add(text string) {
	if w.seen[text] {
		return
	}
	if w.seen == nil {
		w.seen = map[string]bool{}
	}
	w.seen[text] = true
	w.list = append(w.list, text)
}

// counted is a number with its noun.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
