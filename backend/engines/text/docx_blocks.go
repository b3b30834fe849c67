package text

import (
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines/text/numbering"
	"github.com/convilyn/convilyn-temporal/backend/engines/text/ooxml"
)

// storyBlocks reads a text of its own: fields and open bookmarks do not go beyond it.
func (r *docxReader) storyBlocks(parent *ooxml.Node) ([]block, error) {
	before, anchors := r.story, r.anchors
	r.story, r.anchors = newStory(parent), nil
	blocks, err := r.blocks(parent)
	if len(r.anchors) > 0 {
		blocks = append(blocks, paragraph{runs: r.anchors})
	}
	r.story, r.anchors = before, anchors
	return blocks, err
}

// blocks reads paragraphs and tables, and gathers neighbouring list paragraphs into lists.
func (r *docxReader) blocks(parent *ooxml.Node) ([]block, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	g := &listGatherer{}
	if err := r.gather(g, parent); err != nil {
		return nil, err
	}
	g.joinPending()
	g.flush()
	return g.out, nil
}

func (r *docxReader) gather(g *listGatherer, parent *ooxml.Node) error {
	for _, n := range parent.Children {
		if err := r.gatherOne(g, n); err != nil {
			return err
		}
	}
	return nil
}

func (r *docxReader) gatherOne(g *listGatherer, n *ooxml.Node) error {
	r.losses.attributes(n)
	switch n.Name {
	case "p":
		return r.paragraph(g, n)
	case "tbl":
		t, err := r.table(n)
		if err == nil && len(t.rows) > 0 {
			g.add(t)
		}
		return err
	case "sdt", "sdtContent", "smartTag", "customXml":
		return r.gather(g, n)
	case "ins", "moveTo":
		r.tracked(n)
		return r.gather(g, n)
	case "del", "moveFrom":
		r.tracked(n)
		return nil
	case "AlternateContent":
		return r.gather(g, r.alternative(n))
	case "altChunk":
		blocks, err := r.chunk(n)
		for _, b := range blocks {
			g.add(b)
		}
		return err
	case "bookmarkStart":
		r.anchors = append(r.anchors, run{anchor: n.Attr("name")})
		return nil
	case "oMathPara", "oMath", "r", "hyperlink", "fldSimple":
		return r.paragraph(g, &ooxml.Node{Name: "p", Children: []*ooxml.Node{n}})
	case "subDoc":
		r.losses.left.add("linked document")
		return nil
	case "altChunkPr":
		return nil
	}
	if silent[n.Name] {
		return nil
	}
	r.losses.unknownElement(n)
	return r.gather(g, n)
}

// tracked counts a change that was made with its being tracked.
func (r *docxReader) tracked(n *ooxml.Node) {
	name := map[string]string{"ins": "insertion", "del": "deletion", "moveTo": "move", "moveFrom": ""}[n.Name]
	if name != "" {
		r.losses.tracked.add(name)
	}
}

// alternative is the one of several forms of the same thing that this engine reads.
func (r *docxReader) alternative(n *ooxml.Node) *ooxml.Node {
	for _, c := range n.Children {
		if c.Name != "Choice" {
			continue
		}
		requires := strings.Fields(c.Attr("Requires"))
		known := true
		for _, prefix := range requires {
			known = known && knownExtensions[prefix]
			if strings.HasPrefix(prefix, "cx") { // charts of newer kinds, whose other form is an excuse
				return c
			}
		}
		if known || n.Child("Fallback") == nil {
			return c
		}
	}
	if fallback := n.Child("Fallback"); fallback != nil {
		return fallback
	}
	return &ooxml.Node{}
}

var knownExtensions = wordSet("wps wpg wpc wp14 w14 w15 w16 w16se w16cid w16cex w16sdtdh a14 pic14 asvg m w r v o")

func (r *docxReader) paragraph(g *listGatherer, n *ooxml.Node) error {
	properties := n.Child("pPr")
	id := properties.Property("pStyle")
	if id == "" {
		id = r.defaultStyle
	}
	st := r.style(id)
	runs := &runReader{docxReader: r, paragraphStyle: st}
	if err := runs.children(n, style{}); err != nil {
		return err
	}
	r.countParagraph(properties, st)

	g.pending = append(g.pending, runs.out...)
	if !mergesWithNext(properties) {
		text := trimRuns(g.pending)
		g.pending = nil
		r.place(g, properties, st, text, properties.Child("rPr").On("vanish"))
	}
	for _, b := range runs.after {
		g.add(b)
	}
	return nil
}

func (r *docxReader) countParagraph(properties *ooxml.Node, st wordStyle) {
	for _, name := range r.losses.formatsOf(properties, paragraphProperties, paragraphFormats) {
		if name != "alignment" || !r.story.alignmentKept {
			r.losses.formats.add(name)
		}
	}
	for _, name := range st.formats {
		r.losses.formats.add(name)
	}
	mark := properties.Child("rPr")
	for _, name := range []string{"ins", "del", "moveTo"} {
		if c := mark.Child(name); c != nil {
			r.tracked(c)
		}
	}
	if properties.Child("pPrChange") != nil || mark.Child("rPrChange") != nil {
		r.losses.tracked.add("change of format")
	}
}

// mergesWithNext reports whether the end of a paragraph was deleted, or is no end but that of a large first letter.
func mergesWithNext(properties *ooxml.Node) bool {
	mark := properties.Child("rPr")
	drop := properties.Child("framePr").Attr("dropCap")
	return mark.Child("del") != nil || mark.Child("moveFrom") != nil || drop == "drop" || drop == "margin"
}

// place makes a paragraph the block that it is.
func (r *docxReader) place(g *listGatherer, properties *ooxml.Node, st wordStyle, text []run, hidden bool) {
	if hidden && len(text) == 0 {
		return
	}
	number, numbered := r.number(properties, st)
	if len(text) == 0 && (!numbered || number.Label == "") {
		return
	}
	if outline, ok := properties.Int("outlineLvl"); ok && st.level == 0 {
		st.level = headingLevel(outline + 1)
	}
	text, r.anchors = append(r.anchors, text...), nil
	code := strings.Contains(st.name, "code") || strings.Contains(st.name, "preformatted")
	switch {
	case st.level > 0:
		if number.Label != "" {
			text = append([]run{{text: number.Label + " "}}, text...)
		}
		g.add(heading{level: st.level, runs: text})
	case numbered && (number.Bullet || number.Label != ""):
		g.addItem(r.depthOf(properties, st), number, text)
	case strings.Contains(st.name, "quote"):
		g.add(quote{blocks: []block{paragraph{runs: text}}})
	case code && isPlain(text):
		g.addCode(plainText(text))
	default:
		g.add(paragraph{runs: text})
	}
}

func isPlain(runs []run) bool {
	for _, r := range runs {
		if !r.isText() || r.link != "" {
			return false
		}
	}
	return true
}

// number counts a paragraph that belongs to a list. The list is named by the paragraph, or by its style.
func (r *docxReader) number(properties *ooxml.Node, st wordStyle) (numbering.Number, bool) {
	id := properties.Child("numPr").Property("numId")
	if id == "" {
		id = st.listID
	}
	if id == "" || id == "0" {
		return numbering.Number{}, false
	}
	return r.lists.Next(id, r.depthOf(properties, st))
}

// depthOf is the level of a paragraph in its list, from 0.
func (r *docxReader) depthOf(properties *ooxml.Node, st wordStyle) int {
	depth, set := properties.Child("numPr").Int("ilvl")
	if !set {
		depth = max(st.listLevel, 0)
		if level, ok := r.lists.LevelOf(st.listID, st.id); ok && properties.Child("numPr").Property("numId") == "" {
			depth = level
		}
	}
	return min(max(depth, 0), numbering.Levels-1)
}

// listGatherer nests list paragraphs by their level.
type listGatherer struct {
	out     []block
	open    []openList
	pending []run // of a paragraph that goes on with the next one
	code    joiner
}

// joiner adds to the last text of a list, in which texts are only put at the end, without copying it each time.
type joiner struct {
	text strings.Builder
	at   int // the place in the list
}

func (j *joiner) join(at int, before string, more ...string) string {
	if j.at != at || j.text.Len() != len(before) {
		j.text = strings.Builder{}
		j.text.WriteString(before)
		j.at = at
	}
	for _, text := range more {
		j.text.WriteString(text)
	}
	return j.text.String()
}

type openList struct {
	depth int
	kind  listKind
	list  list
}

type listKind int

const (
	bullets listKind = iota
	digits
	labels
)

func kindOf(n numbering.Number) listKind {
	switch {
	case n.Bullet:
		return bullets
	case n.Plain():
		return digits
	}
	return labels
}

func (g *listGatherer) add(b block) {
	g.joinPending()
	g.flush()
	g.out = append(g.out, b)
}

// joinPending ends a paragraph that has nothing to go on with.
func (g *listGatherer) joinPending() {
	if runs := trimRuns(g.pending); len(runs) > 0 {
		g.pending = nil
		g.flush()
		g.out = append(g.out, paragraph{runs: runs})
	}
}

// addCode joins lines of code that follow each other.
func (g *listGatherer) addCode(text string) {
	if len(g.open) == 0 && len(g.out) > 0 {
		if before, ok := g.out[len(g.out)-1].(preformatted); ok {
			before.text = g.code.join(len(g.out)-1, before.text, "\n", text)
			g.out[len(g.out)-1] = before
			return
		}
	}
	g.add(preformatted{text: text})
}

func (g *listGatherer) addItem(depth int, number numbering.Number, runs []run) {
	g.joinPending()
	kind := kindOf(number)
	for len(g.open) > 0 && (g.innermost().depth > depth || g.innermost().depth == depth && !g.innermost().continues(kind, number)) {
		g.pop()
	}
	if len(g.open) == 0 || g.innermost().depth < depth {
		opened := openList{depth: depth, kind: kind, list: list{ordered: kind != bullets, start: 1}}
		if kind == digits {
			opened.list.start = number.Value
		}
		g.open = append(g.open, opened)
	}
	item := listItem{blocks: []block{paragraph{runs: runs}}}
	if kind == labels {
		item.label = number.Label
	}
	top := g.innermost()
	top.list.items = append(top.list.items, item)
}

// continues reports whether an item is the next one of a list: of its kind, and with the number that it would have.
func (o *openList) continues(kind listKind, number numbering.Number) bool {
	return kind == o.kind && (kind != digits || number.Value == o.list.start+len(o.list.items))
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
