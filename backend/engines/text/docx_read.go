package text

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/convilyn/convilyn-temporal/client"
)

// docxReader turns Word's paragraphs into blocks.
type docxReader struct {
	ctx       context.Context
	pkg       *docxPackage
	doc       *document
	relations map[string]relation
	styles    map[string]wordStyle
	lists     map[string]map[string]string // list id, level → number format
	notes     map[string][]run             // in the order of use
	noteOrder []string
	pictures  map[string][]byte // by part
	shown     int               // bytes of pictures, as often as they are shown
}

type wordStyle struct {
	name    string
	level   int // of a heading, from 1; 0 for none
	bold    bool
	italic  bool
	listID  string
	basedOn string
}

func readDocx(ctx context.Context, file string) (*document, error) {
	pkg, err := openPackage(file)
	if err != nil {
		return nil, err
	}
	defer pkg.close() //nolint:errcheck // read only
	r := &docxReader{ctx: ctx, pkg: pkg, doc: &document{}, notes: map[string][]run{}, pictures: map[string][]byte{}}
	root, err := pkg.parse("word/document.xml")
	if err != nil {
		return nil, err
	}
	if r.relations, err = pkg.relations("word/document.xml"); err != nil {
		return nil, err
	}
	if err := r.readStyles(); err != nil {
		return nil, err
	}
	if err := r.readNumbering(); err != nil {
		return nil, err
	}
	if err := r.readNotes(); err != nil {
		return nil, err
	}
	body := root.child("document").child("body")
	if body == nil {
		return nil, damaged("the document has no body")
	}
	blocks, err := r.blocks(body)
	if err != nil {
		return nil, err
	}
	blocks = append(blocks, r.noteBlocks()...)
	r.doc.blocks = blocks
	return r.doc, r.noteLosses()
}

func (r *docxReader) readStyles() error {
	root, err := r.pkg.parse("word/styles.xml")
	r.styles = map[string]wordStyle{}
	for _, s := range root.child("styles").list() {
		if s.name != "style" {
			continue
		}
		st := wordStyle{name: strings.ToLower(s.property("name")), basedOn: s.property("basedOn")}
		if outline, err := strconv.Atoi(s.child("pPr").property("outlineLvl")); err == nil && outline < 6 {
			st.level = outline + 1
		}
		if n, ok := strings.CutPrefix(st.name, "heading "); ok {
			st.level, _ = strconv.Atoi(n)
		}
		if st.name == "title" {
			st.level = 1
		}
		st.level = min(st.level, 6)
		st.bold, st.italic = s.child("rPr").on("b"), s.child("rPr").on("i")
		st.listID = s.child("pPr").child("numPr").property("numId")
		r.styles[s.attrs.get("styleId")] = st
	}
	return err
}

func (r *docxReader) readNumbering() error {
	root, err := r.pkg.parse("word/numbering.xml")
	r.lists = map[string]map[string]string{}
	abstract := map[string]map[string]string{}
	for _, n := range root.child("numbering").list() {
		switch n.name {
		case "abstractNum":
			levels := map[string]string{}
			for _, level := range n.children {
				if level.name == "lvl" {
					levels[level.attrs.get("ilvl")] = level.property("numFmt")
				}
			}
			abstract[n.attrs.get("abstractNumId")] = levels
		case "num":
			r.lists[n.attrs.get("numId")] = abstract[n.property("abstractNumId")]
		}
	}
	return err
}

func (r *docxReader) readNotes() error {
	for _, kind := range []string{"footnote", "endnote"} {
		root, err := r.pkg.parse("word/" + kind + "s.xml")
		if err != nil {
			return err
		}
		for _, n := range root.child(kind + "s").list() {
			if n.name != kind || n.attrs.get("type") != "" {
				continue
			}
			blocks, err := r.blocks(n)
			if err != nil {
				return err
			}
			r.notes[kind+n.attrs.get("id")] = flatten(blocks)
		}
	}
	return nil
}

// noteBlocks sets the notes that the text refers to at its end.
func (r *docxReader) noteBlocks() []block {
	if len(r.noteOrder) == 0 {
		return nil
	}
	notes := list{ordered: true, start: 1}
	for _, id := range r.noteOrder {
		notes.items = append(notes.items, listItem{blocks: []block{paragraph{runs: trimRuns(r.notes[id])}}})
	}
	return []block{rule{}, notes}
}

// noteLosses names what the document has and the result has not.
func (r *docxReader) noteLosses() error {
	losses := map[string]string{
		"header": "best_effort: page headers and footers were left out", "footer": "best_effort: page headers and footers were left out",
		"comments": "best_effort: comments were left out",
	}
	seen := map[string]bool{}
	for _, rel := range r.relations {
		if rel.kind == "chart" || rel.kind == "diagramData" {
			r.doc.warnings.add("best_effort: charts and diagrams were left out")
		}
		loss := losses[rel.kind]
		if loss == "" || seen[rel.target] || r.doc.warnings.seen[loss] {
			continue
		}
		seen[rel.target] = true
		part, err := r.pkg.parse(rel.target)
		if err != nil {
			return err
		}
		if part != nil && strings.TrimSpace(allText(part)) != "" {
			r.doc.warnings.add(loss)
		}
	}
	return nil
}

func allText(n *node) string {
	if n.name == "t" {
		return n.text
	}
	var b strings.Builder
	for _, c := range n.children {
		b.WriteString(allText(c))
	}
	return b.String()
}

// blocks reads paragraphs and tables, and gathers neighbouring list paragraphs into lists.
func (r *docxReader) blocks(parent *node) ([]block, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	gatherer := &listGatherer{}
	if err := r.gather(gatherer, parent); err != nil {
		return nil, err
	}
	gatherer.flush()
	return gatherer.out, nil
}

func (r *docxReader) gather(g *listGatherer, parent *node) error {
	for _, n := range parent.children {
		switch n.name {
		case "p":
			if err := r.paragraph(g, n); err != nil {
				return err
			}
		case "tbl":
			t, err := r.table(n)
			if err != nil {
				return err
			}
			g.add(t)
		case "sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml", "AlternateContent", "Choice":
			if err := r.gather(g, n); err != nil {
				return err
			}
		case "del", "moveFrom":
			r.doc.warnings.add("best_effort: tracked changes were accepted: deleted text is left out")
		}
	}
	return nil
}

func (r *docxReader) paragraph(g *listGatherer, n *node) error {
	properties := n.child("pPr")
	st := r.style(properties.property("pStyle"))
	runs := &runReader{docxReader: r}
	if err := runs.children(n, style{}); err != nil {
		return err
	}
	text := trimRuns(runs.out)
	numbering := properties.child("numPr")
	listID, level := numbering.property("numId"), numbering.property("ilvl")
	if listID == "" {
		listID = st.listID
	}
	if outline, err := strconv.Atoi(properties.property("outlineLvl")); err == nil && outline < 6 && st.level == 0 {
		st.level = outline + 1
	}
	switch {
	case len(text) == 0:
	case st.level > 0:
		g.add(heading{level: st.level, runs: text})
	case listID != "" && listID != "0" && r.lists[listID] != nil:
		if level == "" {
			level = "0"
		}
		depth, _ := strconv.Atoi(level)
		depth = min(max(depth, 0), maxListLevel)
		g.addItem(depth, isNumbered(r.lists[listID][level]), text)
	case strings.Contains(st.name, "quote"):
		g.add(quote{blocks: []block{paragraph{runs: text}}})
	case strings.Contains(st.name, "code") || strings.Contains(st.name, "preformatted"):
		g.add(preformatted{text: plainText(text)})
	default:
		g.add(paragraph{runs: text})
	}
	for _, b := range runs.after {
		g.add(b)
	}
	return nil
}

func isNumbered(format string) bool { return format != "bullet" && format != "none" && format != "" }

// style resolves a style with what it is based on.
func (r *docxReader) style(id string) wordStyle {
	st := r.styles[id]
	for parent, hops := st.basedOn, 0; parent != "" && hops < 20; hops++ {
		base := r.styles[parent]
		if st.level == 0 {
			st.level = base.level
		}
		if st.listID == "" {
			st.listID = base.listID
		}
		parent = base.basedOn
	}
	return st
}

// maxListLevel is the deepest that Word knows, from 0.
const maxListLevel = 8

// listGatherer nests list paragraphs by their level.
type listGatherer struct {
	out  []block
	open []openList
}

type openList struct {
	depth int
	list  list
}

func (g *listGatherer) add(b block) {
	g.flush()
	g.out = append(g.out, b)
}

func (g *listGatherer) addItem(depth int, ordered bool, runs []run) {
	for len(g.open) > 0 && (g.innermost().depth > depth || g.innermost().depth == depth && g.innermost().list.ordered != ordered) {
		g.pop()
	}
	if len(g.open) == 0 || g.innermost().depth < depth {
		g.open = append(g.open, openList{depth: depth, list: list{ordered: ordered, start: 1}})
	}
	top := g.innermost()
	top.list.items = append(top.list.items, listItem{blocks: []block{paragraph{runs: runs}}})
}

func (g *listGatherer) innermost() *openList { return &g.open[len(g.open)-1] }

// pop closes the innermost list into the item it belongs to.
func (g *listGatherer) pop() {
	closed := g.innermost().list
	g.open = g.open[:len(g.open)-1]
	if len(g.open) == 0 {
		g.out = append(g.out, closed)
		return
	}
	items := g.innermost().list.items
	last := &items[len(items)-1]
	last.blocks = append(last.blocks, closed)
}

func (g *listGatherer) flush() {
	for len(g.open) > 0 {
		g.pop()
	}
}

func (r *docxReader) table(n *node) (table, error) {
	var t table
	for _, rowNode := range n.children {
		if rowNode.name != "tr" {
			continue
		}
		row := tableRow{header: rowNode.child("trPr").on("tblHeader")}
		for _, cellNode := range rowNode.children {
			if cellNode.name != "tc" {
				continue
			}
			cell, err := r.readCell(cellNode)
			if err != nil {
				return t, err
			}
			row.cells = append(row.cells, cell)
		}
		t.rows = append(t.rows, row)
	}
	if len(t.rows) > 1 && n.child("tblPr").child("tblLook").attr("firstRow") == "1" {
		t.rows[0].header = true
	}
	return t, nil
}

func (n *node) attr(name string) string {
	if n == nil {
		return ""
	}
	return n.attrs.get(name)
}

func (r *docxReader) readCell(n *node) (tableCell, error) {
	properties := n.child("tcPr")
	span, _ := strconv.Atoi(properties.property("gridSpan"))
	cell := tableCell{span: min(max(span, 1), 100)}
	if merge := properties.child("vMerge"); merge != nil && merge.attrs.get("val") != "restart" {
		r.doc.warnings.add("layout_degraded: cells that span several rows stand in their first row only")
		return cell, nil
	}
	blocks, err := r.blocks(n)
	cell.runs = flatten(blocks)
	return cell, err
}

// picture takes an embedded picture. One that is shown often is unpacked once, and counts each time: pages hold a
// copy wherever it is shown.
func (r *docxReader) picture(id, alt string) (picture, bool, error) {
	target := r.relations[id].target
	data, known := r.pictures[target]
	if !known {
		var err error
		if data, known, err = r.pkg.read(target); err != nil || !known {
			return picture{}, false, err
		}
		r.pictures[target] = data
	}
	if r.shown += len(data); r.shown > maxPictures {
		return picture{}, false, resultTooLarge()
	}
	format, _ := client.FormatOf(target)
	if alt == "" {
		alt = path.Base(target)
	}
	return picture{alt: alt, data: data, mime: client.ContentType(format)}, true, nil
}

// runReader reads what is inside a paragraph. Pictures and text boxes come after it.
type runReader struct {
	*docxReader
	out   []run
	after []block
}

func (r *runReader) children(n *node, s style) error {
	for _, c := range n.children {
		if err := r.node(c, s); err != nil {
			return err
		}
	}
	return nil
}

func (r *runReader) node(n *node, s style) error {
	switch n.name {
	case "r":
		return r.children(n, runStyle(n.child("rPr"), s, r.docxReader))
	case "t", "delText":
		r.add(n.text, s)
	case "tab":
		r.add("\t", s)
	case "br", "cr":
		if n.attrs.get("type") == "" || n.attrs.get("type") == "textWrapping" {
			r.add("\n", s)
		}
	case "noBreakHyphen":
		r.add("\u2011", s)
	case "sym":
		r.doc.warnings.add("best_effort: symbols of special fonts were replaced by □")
		r.add("□", s)
	case "hyperlink":
		s.link = r.linkOf(n)
		return r.children(n, s)
	case "footnoteReference", "endnoteReference":
		r.reference(strings.TrimSuffix(n.name, "Reference")+n.attrs.get("id"), s)
	case "del", "moveFrom":
		r.doc.warnings.add("best_effort: tracked changes were accepted: deleted text is left out")
	case "drawing", "pict", "object":
		return r.drawing(n)
	case "oMath", "oMathPara":
		r.doc.warnings.add("best_effort: formulas are kept as plain text only")
		r.add(allText(n), s)
	case "Fallback", "rPr", "pPr", "instrText":
		// Word repeats in Fallback what Choice has; fields show their result, not their instruction.
	default:
		return r.children(n, s)
	}
	return nil
}

func (r *runReader) add(text string, s style) {
	if text != "" {
		r.out = append(r.out, run{text: text, style: s})
	}
}

func (r *runReader) linkOf(n *node) string {
	if anchor := n.attrs.get("anchor"); anchor != "" {
		return "#" + anchor
	}
	return r.relations[n.attrs.get("id")].target
}

func (r *runReader) reference(id string, s style) {
	if _, known := r.notes[id]; !known {
		return
	}
	index := slices.Index(r.noteOrder, id)
	if index < 0 {
		r.noteOrder = append(r.noteOrder, id)
		index = len(r.noteOrder) - 1
	}
	s.raised = true
	r.add(fmt.Sprintf("[%d]", index+1), s)
}

// runStyle is what a run's own properties add.
func runStyle(properties *node, s style, r *docxReader) style {
	if properties == nil {
		return s
	}
	st := r.style(properties.property("rStyle"))
	s.bold = s.bold || st.bold || properties.on("b")
	s.italic = s.italic || st.italic || properties.on("i")
	s.strike = s.strike || properties.on("strike") || properties.on("dstrike")
	s.code = s.code || strings.Contains(st.name, "code") || strings.Contains(st.name, "verbatim")
	switch properties.property("vertAlign") {
	case "superscript":
		s.raised = true
	case "subscript":
		s.lowered = true
	}
	return s
}

// drawing takes pictures and the text of text boxes.
func (r *runReader) drawing(n *node) error {
	switch n.name {
	case "Fallback":
		return nil
	case "txbxContent":
		blocks, err := r.blocks(n)
		r.after = append(r.after, blocks...)
		return err
	case "blip", "imagedata":
		id := n.attrs.get("embed")
		if id == "" {
			id = n.attrs.get("id")
		}
		p, found, err := r.picture(id, "")
		if found {
			r.after = append(r.after, p)
		} else if err == nil {
			r.doc.warnings.add("best_effort: linked pictures were left out")
		}
		return err
	case "chart", "relIds":
		r.doc.warnings.add("best_effort: charts and diagrams were left out")
	}
	for _, c := range n.children {
		if err := r.drawing(c); err != nil {
			return err
		}
	}
	return nil
}
