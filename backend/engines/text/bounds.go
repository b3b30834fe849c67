package text

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// Bounds on what a page or a text may grow to while it is read and written: a few kilobytes can ask for gigabytes.
const (
	maxMarkdown   = 16 << 20  // bytes; its parser is slower the longer a text is
	maxElements   = 4_000_000 // that the parser of HTML would make
	maxAttributes = 200       // of one element
	maxCells      = 2_000_000 // that the parser of Markdown would make of tables
	maxResult     = 128 << 20 // bytes
	maxIndented   = 256 << 20 // bytes of lines, counted once for each level that they are indented by
	maxPictures   = 128 << 20 // bytes of pictures, counted as often as they are shown
	maxPages      = 5_000     // of a PDF
)

func nestedTooDeep() error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "NESTED_TOO_DEEP", Message: fmt.Sprintf("the document is nested more than %d levels deep", maxDepth)}
}

func documentTooLarge(format string, args ...any) error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DOCUMENT_TOO_LARGE", Message: fmt.Sprintf(format, args...)}
}

func resultTooLarge() error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "RESULT_TOO_LARGE", Message: fmt.Sprintf("the document would become larger than %d MB", maxResult>>20)}
}

// checkHTML counts what a page would take to parse.
func checkHTML(ctx context.Context, source string) error {
	tokens := html.NewTokenizer(strings.NewReader(source))
	open, total := openTags{known: map[string]int{}}, 0
	for n := 0; ; n++ {
		if n%10_000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		tokens.NextIsNotRawText() // in drawings, a style sheet may hold elements
		kind := tokens.Next()
		if total += 1 + open.looks; total > maxElements {
			return documentTooLarge("the page has, or would need, more than %d elements", maxElements)
		}
		switch kind {
		case html.ErrorToken:
			return nil
		case html.StartTagToken, html.SelfClosingTagToken:
			raw := string(tokens.Raw())
			token := tokens.Token()
			if len(token.Attr) > maxAttributes {
				return documentTooLarge("an element has %d attributes; %d are allowed", len(token.Attr), maxAttributes)
			}
			open.startTag(token.DataAtom, raw)
		case html.EndTagToken:
			open.endTag(tokens.Token().DataAtom)
		case html.TextToken, html.CommentToken, html.DoctypeToken:
		}
	}
}

// openTags counts looks, such as <b>, that are open: where they are not ended in order, the parser opens them again
// in each block that follows, up to three of a kind. So a short page may ask for millions of elements.
type openTags struct {
	stack []openTag
	known map[string]int // by how a tag is written
	looks int
}

type openTag struct {
	name atom.Atom
	raw  string // empty where it does not count
}

func (o *openTags) startTag(name atom.Atom, raw string) {
	tag := openTag{name: name}
	if isFormatting(name) && o.known[raw] < 3 {
		tag.raw = raw
		o.known[raw]++
		o.looks++
	}
	o.stack = append(o.stack, tag)
}

func (o *openTags) endTag(name atom.Atom) {
	if len(o.stack) == 0 || o.stack[len(o.stack)-1].name != name {
		return
	}
	if raw := o.stack[len(o.stack)-1].raw; raw != "" {
		o.known[raw]--
		o.looks--
	}
	o.stack = o.stack[:len(o.stack)-1]
}

// isFormatting knows the elements that are opened again.
func isFormatting(a atom.Atom) bool {
	switch a {
	case atom.A, atom.B, atom.Big, atom.Code, atom.Em, atom.Font, atom.I, atom.Nobr, atom.S, atom.Small, atom.Strike, atom.Strong, atom.Tt, atom.U:
		return true
	}
	return false
}

const maxDepth = 200
