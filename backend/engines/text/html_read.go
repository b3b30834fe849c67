package text

import (
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// htmlReader walks a parsed page. Blocks gather in out, runs of the open paragraph in open.
type htmlReader struct {
	ctx  context.Context
	doc  *document
	out  []block
	open []run

	places *places // of the whole page
}

func readHTML(ctx context.Context, source string) (*document, error) {
	root, lost, err := parsePage(ctx, source)
	if err != nil {
		return nil, err
	}
	doc, err := readPage(ctx, root)
	if err != nil {
		return nil, err
	}
	lost.note(&doc.warnings)
	return doc, nil
}

// readPage makes blocks of a page that is clean.
func readPage(ctx context.Context, root *html.Node) (*document, error) {
	r := &htmlReader{ctx: ctx, doc: &document{}, places: &places{}}
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
		return r.readElement(n, s, depth)
	case html.DocumentNode:
		return r.children(n, s, depth)
	}
	return nil
}

// text adds a run with white space collapsed as browsers do.
func (r *htmlReader) text(data string, s style) {
	text := collapsed(data)
	if r.endsInSpace() {
		text = strings.TrimPrefix(text, " ")
	}
	if text != "" {
		r.add(run{text: text, style: s}, strings.TrimSpace(text) != "")
	}
}

// add puts a run into the open paragraph, behind the anchors of its place where it can be seen.
func (r *htmlReader) add(one run, shown bool) {
	if shown {
		for _, name := range r.places.waiting {
			r.open = append(r.open, run{anchor: name})
		}
		r.places.waiting = nil
	}
	r.open = append(r.open, one)
}

// places are anchors that have been met, and wait for what they are anchors of.
type places struct{ waiting []string }

// collapsed makes one space of each run of those spaces that break lines.
func collapsed(data string) string {
	var b strings.Builder
	space := false
	for i := range len(data) {
		if isSpace(data[i]) {
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		}
		space = false
		b.WriteByte(data[i])
	}
	return b.String()
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' || b == '\f' }

// endsInSpace reports whether a space would be the second one, or the first of its line.
func (r *htmlReader) endsInSpace() bool {
	for _, last := range slices.Backward(r.open) {
		switch {
		case last.picture != nil:
			return false
		case last.text != "":
			return last.text[len(last.text)-1] == ' ' || last.text[len(last.text)-1] == '\n'
		}
	}
	return true
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
	for len(runs) > 0 && runs[0].isText() && strings.TrimLeft(runs[0].text, " \n") == "" {
		runs = runs[1:]
	}
	for len(runs) > 0 && runs[len(runs)-1].isText() && strings.TrimRight(runs[len(runs)-1].text, " \n") == "" {
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
func (r *htmlReader) inner(n *html.Node, s style, depth int) ([]block, error) {
	sub := &htmlReader{ctx: r.ctx, doc: r.doc, places: r.places}
	err := sub.children(n, s, depth)
	sub.flush()
	return sub.out, err
}

// inlineRuns reads the children of an element as one line of runs; blocks in it are put one after the other.
func (r *htmlReader) inlineRuns(n *html.Node, s style, depth int) ([]run, error) {
	blocks, err := r.inner(n, s, depth)
	return flatten(blocks), err
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
			add(run{picture: &b})
		case table:
			for _, row := range b.rows {
				add(row.runs()...)
			}
		}
	}
	return out
}

// runs puts a row of a table that is in a cell into one line.
func (row tableRow) runs() []run {
	var out []run
	for i, cell := range row.cells {
		if i > 0 {
			out = append(out, run{text: " / "})
		}
		out = append(out, cell.runs()...)
	}
	return out
}

func (l list) marker(i int) string {
	if label := l.items[i].label; label != "" {
		return label
	}
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

// readImage takes a picture that is in the document; others are never fetched.
func (r *htmlReader) readImage(n *html.Node, s style) {
	alt, source := strings.TrimSpace(attribute(n, "alt")), attribute(n, "src")
	if data, mime, ok := dataURI(source); ok {
		shown := &picture{alt: alt, data: data, mime: mime}
		shown.width, shown.height = pixels(n, "width"), pixels(n, "height")
		r.add(run{picture: shown, style: s}, true)
		return
	}
	r.doc.warnings.add("best_effort: pictures that are not inside the document were left out; their description stands in for them")
	if alt == "" {
		alt = "picture"
	}
	s.italic = true
	r.add(run{text: "[" + alt + "]", style: s}, true)
}

const pixelsMost = 10_000

// pixels is a size that an element says, 0 where it says none in pixels.
func pixels(n *html.Node, name string) int {
	return min(max(integer(strings.TrimSuffix(attribute(n, name), "px"), 0), 0), pixelsMost)
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

// element reads one element.
func (r *htmlReader) readElement(n *html.Node, s style, depth int) error {
	if id := attribute(n, "id"); n.DataAtom == atom.A && id != "" && !hasAttribute(n, "href") {
		r.places.waiting = append(r.places.waiting, id)
		return nil
	}
	if inline, known := inlineStyle(n, s); known {
		if class := attribute(n, "class"); strings.Contains(class, "footnote-backref") {
			return nil
		}
		return r.children(n, inline, depth)
	}
	switch n.DataAtom {
	case atom.Title:
		if r.doc.title == "" && n.FirstChild != nil {
			r.doc.title = strings.TrimSpace(n.FirstChild.Data)
		}
		return nil
	case atom.Br:
		r.add(run{text: "\n", style: s}, false)
		return nil
	case atom.Img:
		r.readImage(n, s)
		return nil
	case atom.Hr:
		r.flush()
		r.out = append(r.out, rule{})
		return nil
	}
	return r.blockElement(n, s, depth)
}

func inlineStyle(n *html.Node, s style) (style, bool) {
	switch n.DataAtom {
	case atom.B, atom.Strong:
		s.bold = true
	case atom.I, atom.Em, atom.Cite, atom.Dfn, atom.Var:
		s.italic = true
	case atom.Code, atom.Kbd, atom.Samp, atom.Tt:
		s.code = true
	case atom.S, atom.Del, atom.Strike:
		s.strike = true
	case atom.Sup:
		s.raised = true
	case atom.Sub:
		s.lowered = true
	case atom.A:
		if hasAttribute(n, "href") {
			s.link = strings.TrimSpace(attribute(n, "href"))
		}
	case atom.Span, atom.U, atom.Ins, atom.Mark, atom.Small, atom.Abbr, atom.Font, atom.Label, atom.Time, atom.Q, atom.Bdi, atom.Bdo:
	default:
		return s, false
	}
	return s, true
}

func (r *htmlReader) blockElement(n *html.Node, s style, depth int) error {
	if isBlockElement(n.DataAtom) {
		r.flush()
		defer r.flush()
	}
	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		runs, err := r.inlineRuns(n, style{link: s.link}, depth)
		if len(runs) > 0 {
			r.out = append(r.out, heading{level: int(n.Data[1] - '0'), runs: runs})
		}
		return err
	case atom.Pre, atom.Listing, atom.Xmp, atom.Plaintext:
		r.out = append(r.out, preformatted{text: strings.TrimRight(rawText(n), "\n")})
		return nil
	case atom.Blockquote:
		blocks, err := r.inner(n, style{link: s.link}, depth)
		r.out = append(r.out, quote{blocks: blocks})
		return err
	case atom.Ul, atom.Ol, atom.Menu, atom.Dir:
		return r.list(n, s, depth)
	case atom.Table:
		return r.table(n, depth)
	case atom.Input: // a box to tick, which is that of its item
		return nil
	}
	return r.children(n, s, depth)
}

func isBlockElement(a atom.Atom) bool {
	switch a {
	case atom.Html, atom.Head, atom.Body, atom.Div, atom.P, atom.Section, atom.Article, atom.Main, atom.Header, atom.Footer, atom.Nav, atom.Aside,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Pre, atom.Blockquote, atom.Ul, atom.Ol, atom.Menu, atom.Li, atom.Table,
		atom.Figure, atom.Figcaption, atom.Dl, atom.Dt, atom.Dd, atom.Address, atom.Form, atom.Fieldset, atom.Details, atom.Summary, atom.Center,
		atom.Dir, atom.Legend, atom.Hgroup, atom.Search, atom.Dialog, atom.Noframes, atom.Listing, atom.Xmp, atom.Plaintext, atom.Hr:
		return true
	}
	return false
}

func (r *htmlReader) list(n *html.Node, s style, depth int) error {
	l := list{ordered: n.DataAtom == atom.Ol, start: integer(attribute(n, "start"), 1)}
	for c := range n.ChildNodes() {
		if c.Type == html.TextNode && strings.TrimSpace(c.Data) == "" {
			continue
		}
		blocks, err := r.item(c, style{link: s.link}, depth)
		if err != nil {
			return err
		}
		if last := len(l.items) - 1; last >= 0 && isList(c) { // of the item before it, as browsers show it
			l.items[last].blocks = append(l.items[last].blocks, blocks...)
			continue
		}
		l.items = append(l.items, listItem{task: taskOf(c), label: attribute(c, labelAttribute), blocks: blocks})
	}
	if len(l.items) > 0 {
		r.out = append(r.out, l)
	}
	return nil
}

func isList(n *html.Node) bool {
	return n.DataAtom == atom.Ul || n.DataAtom == atom.Ol || n.DataAtom == atom.Menu || n.DataAtom == atom.Dir
}

// item reads an item, or what is in a list and is none.
func (r *htmlReader) item(n *html.Node, s style, depth int) ([]block, error) {
	if n.DataAtom == atom.Li {
		return r.inner(n, s, depth)
	}
	sub := &htmlReader{ctx: r.ctx, doc: r.doc, places: r.places}
	err := sub.node(n, s, depth+1)
	sub.flush()
	return sub.out, err
}

// taskOf is the box to tick that opens an item.
func taskOf(item *html.Node) *bool {
	box := firstBox(item)
	if item.DataAtom != atom.Li || box == nil {
		return nil
	}
	ticked := hasAttribute(box, "checked")
	return &ticked
}

func (r *htmlReader) table(n *html.Node, depth int) error {
	var t table
	var caption []run
	for d := range n.Descendants() {
		if nearestTable(d) != n {
			continue
		}
		switch d.DataAtom {
		case atom.Caption:
			var err error
			if caption, err = r.inlineRuns(d, style{italic: true}, depth); err != nil {
				return err
			}
		case atom.Tr:
			row, err := r.row(d, depth)
			if err != nil {
				return err
			}
			if len(row.cells) > 0 {
				t.rows = append(t.rows, row)
			}
		}
	}
	if len(caption) > 0 {
		r.out = append(r.out, paragraph{runs: caption})
	}
	if len(t.rows) > 0 {
		r.out = append(r.out, t)
	}
	return nil
}

func nearestTable(n *html.Node) *html.Node {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.DataAtom == atom.Table {
			return p
		}
	}
	return nil
}

func (r *htmlReader) row(n *html.Node, depth int) (tableRow, error) {
	row := tableRow{header: n.Parent != nil && n.Parent.DataAtom == atom.Thead}
	headers := 0
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.DataAtom != atom.Td && c.DataAtom != atom.Th {
			continue
		}
		blocks, err := r.inner(c, style{bold: c.DataAtom == atom.Th}, depth)
		if err != nil {
			return row, err
		}
		if c.DataAtom == atom.Th {
			headers++
		}
		row.cells = append(row.cells, tableCell{blocks: blocks, span: integer(attribute(c, "colspan"), 1), align: attribute(c, "align")})
	}
	row.header = row.header || headers > 0 && headers == len(row.cells)
	return row, nil
}
