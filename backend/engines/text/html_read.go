package text

import (
	"context"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

const maxDepth = 200

// htmlReader walks a parsed page. Blocks gather in out, runs of the open paragraph in open.
type htmlReader struct {
	ctx  context.Context
	doc  *document
	out  []block
	open []run
}

func readHTML(ctx context.Context, source string) (*document, error) {
	if err := checkHTML(ctx, source); err != nil {
		return nil, err
	}
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		if strings.Contains(err.Error(), "open stack") {
			return nil, nestedTooDeep()
		}
		return nil, engines.Errorf(engines.CodeUnsupportedInput, "the HTML cannot be parsed: %v", err)
	}
	r := &htmlReader{ctx: ctx, doc: &document{}}
	if err := r.children(root, style{}, 0); err != nil {
		return nil, err
	}
	r.flush()
	r.doc.blocks = r.out
	return r.doc, nil
}

func (r *htmlReader) children(n *html.Node, s style, depth int) error {
	if depth > maxDepth {
		return nestedTooDeep()
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if err := r.node(c, s, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (r *htmlReader) node(n *html.Node, s style, depth int) error {
	switch n.Type {
	case html.TextNode:
		r.text(n.Data, s)
		return nil
	case html.ElementNode:
		r.noteStyles(n)
		return r.element(n, s, depth)
	case html.DocumentNode:
		return r.children(n, s, depth)
	}
	return nil
}

// text adds a run with white space collapsed as browsers do.
func (r *htmlReader) text(data string, s style) {
	text := strings.Join(strings.Fields(strings.ReplaceAll(data, "\u00a0", "\uE000")), " ")
	text = strings.ReplaceAll(text, "\uE000", "\u00a0")
	if data != "" && isSpace(data[0]) && !r.endsInSpace() {
		text = " " + text
	}
	if text != "" && text != " " && isSpace(data[len(data)-1]) {
		text += " "
	}
	if text != "" {
		r.open = append(r.open, run{text: text, style: s})
	}
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' || b == '\f' }

func (r *htmlReader) endsInSpace() bool {
	if len(r.open) == 0 {
		return true
	}
	last := r.open[len(r.open)-1].text
	return last == "" || last[len(last)-1] == ' ' || last[len(last)-1] == '\n'
}

// flush ends the open paragraph.
func (r *htmlReader) flush() {
	runs := trimRuns(r.open)
	r.open = nil
	if len(runs) > 0 {
		r.out = append(r.out, paragraph{runs: runs})
	}
}

func trimRuns(runs []run) []run {
	for len(runs) > 0 && strings.TrimLeft(runs[0].text, " \n") == "" {
		runs = runs[1:]
	}
	for len(runs) > 0 && strings.TrimRight(runs[len(runs)-1].text, " \n") == "" {
		runs = runs[:len(runs)-1]
	}
	if len(runs) == 0 {
		return nil
	}
	runs[0].text = strings.TrimLeft(runs[0].text, " \n")
	last := &runs[len(runs)-1]
	last.text = strings.TrimRight(last.text, " \n")
	return runs
}

// inner reads the children of an element as blocks of their own.
func (r *htmlReader) inner(n *html.Node, depth int) ([]block, error) {
	sub := &htmlReader{ctx: r.ctx, doc: r.doc}
	err := sub.children(n, style{}, depth)
	sub.flush()
	return sub.out, err
}

// runs reads the children of an element as one line of runs; blocks in it are put one after the other.
func (r *htmlReader) runs(n *html.Node, s style, depth int) ([]run, error) {
	sub := &htmlReader{ctx: r.ctx, doc: r.doc}
	if err := sub.children(n, s, depth); err != nil {
		return nil, err
	}
	if len(sub.out) == 0 {
		return trimRuns(sub.open), nil
	}
	sub.flush()
	return flatten(sub.out), nil
}

// flatten puts blocks into a line of runs, a line break between them.
func flatten(blocks []block) []run {
	var out []run
	add := func(runs ...run) {
		if len(out) > 0 && len(runs) > 0 {
			out = append(out, run{text: "\n"})
		}
		out = append(out, runs...)
	}
	for _, b := range blocks {
		switch b := b.(type) {
		case paragraph:
			add(b.runs...)
		case heading:
			add(b.runs...)
		case preformatted:
			add(run{text: b.text, style: style{code: true}})
		case quote:
			add(flatten(b.blocks)...)
		case list:
			for i, item := range b.items {
				add(append([]run{{text: b.marker(i) + " "}}, flatten(item.blocks)...)...)
			}
		case picture:
			add(run{text: "[" + b.alt + "]"})
		case table:
			for _, row := range b.rows {
				for _, cell := range row.cells {
					add(cell.runs...)
				}
			}
		}
	}
	return out
}

func (l list) marker(i int) string {
	if task := l.items[i].task; task != nil {
		if *task {
			return "[x]"
		}
		return "[ ]"
	}
	if l.ordered {
		return strconv.Itoa(l.start+i) + "."
	}
	return "•"
}

// noteStyles warns of looks that do not survive.
func (r *htmlReader) noteStyles(n *html.Node) {
	if n.DataAtom == atom.Style || hasLooks(attribute(n, "style")) || n.DataAtom == atom.Link && strings.Contains(attribute(n, "rel"), "stylesheet") {
		r.doc.warnings.add("layout_degraded: style sheets and inline styles are not applied")
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// image takes a picture that is in the document; others are never fetched.
func (r *htmlReader) image(n *html.Node) {
	alt, source := strings.TrimSpace(attribute(n, "alt")), attribute(n, "src")
	if data, mime, ok := dataURI(source); ok {
		r.flush()
		r.out = append(r.out, picture{alt: alt, data: data, mime: mime})
		return
	}
	r.doc.warnings.add("best_effort: pictures that are not inside the document were left out; their description stands in for them")
	if alt == "" {
		alt = "picture"
	}
	r.open = append(r.open, run{text: "[" + alt + "]", style: style{italic: true}})
}

func dataURI(source string) (data []byte, mime string, ok bool) {
	header, body, found := strings.Cut(source, ",")
	if !found || !strings.HasPrefix(header, "data:image/") {
		return nil, "", false
	}
	mime, encoding, _ := strings.Cut(strings.TrimPrefix(header, "data:"), ";")
	if encoding != "base64" {
		return nil, "", false
	}
	unescaped, err := url.PathUnescape(body)
	if err != nil {
		return nil, "", false
	}
	data, err = base64.StdEncoding.DecodeString(strings.TrimSpace(unescaped))
	return data, mime, err == nil
}

// hasLooks says that an inline style is more than the alignment that is kept.
func hasLooks(inline string) bool {
	inline = strings.ToLower(strings.ReplaceAll(inline, " ", ""))
	for part := range strings.SplitSeq(inline, ";") {
		if part != "" && !strings.HasPrefix(part, "text-align:") {
			return true
		}
	}
	return false
}
