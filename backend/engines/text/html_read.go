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
		return r.readElement(n, s, depth)
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
func (r *htmlReader) inlineRuns(n *html.Node, s style, depth int) ([]run, error) {
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
func (r *htmlReader) readImage(n *html.Node) {
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

// element reads one element.
func (r *htmlReader) readElement(n *html.Node, s style, depth int) error {
	if inline, known := inlineStyle(n, s); known {
		if class := attribute(n, "class"); strings.Contains(class, "footnote-backref") {
			return nil
		}
		return r.children(n, inline, depth)
	}
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Template, atom.Noscript, atom.Link, atom.Meta:
		return nil
	case atom.Title:
		if r.doc.title == "" && n.FirstChild != nil {
			r.doc.title = strings.TrimSpace(n.FirstChild.Data)
		}
		return nil
	case atom.Iframe, atom.Video, atom.Audio, atom.Canvas, atom.Object, atom.Embed, atom.Svg, atom.Math:
		r.doc.warnings.add("best_effort: embedded objects (" + n.Data + ") were left out")
		return nil
	case atom.Br:
		r.open = append(r.open, run{text: "\n", style: s})
		return nil
	case atom.Img:
		r.readImage(n)
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
		s.link = attribute(n, "href")
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
		runs, err := r.inlineRuns(n, style{}, depth)
		if len(runs) > 0 {
			r.out = append(r.out, heading{level: int(n.Data[1] - '0'), runs: runs})
		}
		return err
	case atom.Pre, atom.Textarea:
		r.out = append(r.out, preformatted{text: strings.TrimRight(rawText(n), "\n")})
		return nil
	case atom.Blockquote:
		blocks, err := r.inner(n, depth)
		r.out = append(r.out, quote{blocks: blocks})
		return err
	case atom.Ul, atom.Ol, atom.Menu:
		return r.list(n, depth)
	case atom.Table:
		return r.table(n, depth)
	case atom.Dt:
		s.bold = true
	case atom.Dd:
		blocks, err := r.inner(n, depth)
		r.out = append(r.out, list{items: []listItem{{blocks: blocks}}})
		return err
	case atom.Input, atom.Select, atom.Button:
		if attribute(n, "type") != "checkbox" {
			r.doc.warnings.add("best_effort: form controls were left out")
		}
		return nil
	}
	return r.children(n, s, depth)
}

func isBlockElement(a atom.Atom) bool {
	switch a {
	case atom.Html, atom.Head, atom.Body, atom.Div, atom.P, atom.Section, atom.Article, atom.Main, atom.Header, atom.Footer, atom.Nav, atom.Aside,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Pre, atom.Blockquote, atom.Ul, atom.Ol, atom.Menu, atom.Li, atom.Table,
		atom.Figure, atom.Figcaption, atom.Dl, atom.Dt, atom.Dd, atom.Address, atom.Form, atom.Fieldset, atom.Details, atom.Summary, atom.Center:
		return true
	}
	return false
}

func rawText(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		} else if d.DataAtom == atom.Br {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func (r *htmlReader) list(n *html.Node, depth int) error {
	l := list{ordered: n.DataAtom == atom.Ol, start: 1}
	if start, err := strconv.Atoi(attribute(n, "start")); err == nil {
		l.start = start
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			continue
		}
		blocks, err := r.inner(c, depth)
		if err != nil {
			return err
		}
		l.items = append(l.items, listItem{task: taskOf(c), blocks: blocks})
	}
	if len(l.items) > 0 {
		r.out = append(r.out, l)
	}
	return nil
}

// taskOf finds the box to tick that opens an item.
func taskOf(item *html.Node) *bool {
	for c := item.FirstChild; c != nil; c = c.NextSibling {
		if c.DataAtom == atom.P {
			return taskOf(c)
		}
		if c.DataAtom == atom.Input && attribute(c, "type") == "checkbox" {
			ticked := false
			for _, a := range c.Attr {
				ticked = ticked || a.Key == "checked"
			}
			return &ticked
		}
		if c.Type == html.TextNode && strings.TrimSpace(c.Data) == "" {
			continue
		}
		return nil
	}
	return nil
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
		runs, err := r.inlineRuns(c, style{bold: c.DataAtom == atom.Th}, depth)
		if err != nil {
			return row, err
		}
		if c.DataAtom == atom.Th {
			headers++
		}
		if span, _ := strconv.Atoi(attribute(c, "rowspan")); span > 1 {
			r.doc.warnings.add("layout_degraded: cells that span several rows stand in their first row only")
		}
		span, _ := strconv.Atoi(attribute(c, "colspan"))
		row.cells = append(row.cells, tableCell{runs: runs, span: min(max(span, 1), 100), align: alignment(c)})
	}
	row.header = row.header || headers > 0 && headers == len(row.cells)
	return row, nil
}

func alignment(n *html.Node) string {
	if align := strings.ToLower(attribute(n, "align")); align != "" {
		return align
	}
	inline := strings.ReplaceAll(strings.ToLower(attribute(n, "style")), " ", "")
	for _, align := range []string{"right", "center"} {
		if strings.Contains(inline, "text-align:"+align) {
			return align
		}
	}
	return ""
}
