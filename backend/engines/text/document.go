// Package text converts between Markdown, HTML, plain text and Word documents, and sets them as PDF.
package text

import "strings"

// document is what the readers agree on and the writers set: blocks of styled runs.
type document struct {
	title    string
	blocks   []block
	warnings warnings
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
	task   *bool // nil unless the item is a box to tick
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
	runs  []run
	span  int // columns, at least 1
	align string
}

type rule struct{}

type picture struct {
	alt  string
	data []byte
	mime string
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

// run is text in one style; "\n" in it is a forced line break.
type run struct {
	text string
	style
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
