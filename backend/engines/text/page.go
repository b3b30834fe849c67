package text

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// page is a parsed page on its way to the readers: cleaned holds nothing that they do not know, and losses is what
// was left out or put in another way.
type page struct {
	ctx    context.Context
	base   *url.URL
	losses losses
	// local are the places that links of the page lead to.
	local  map[string]bool
	marked map[string]bool // of local, those that have an anchor
	cells  int
}

// parsePage parses HTML and leaves of it what documents can hold: elements that are not known are replaced by what is
// in them, and counted.
func parsePage(ctx context.Context, source string) (*html.Node, losses, error) {
	if err := checkHTML(ctx, source); err != nil {
		return nil, losses{}, err
	}
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		if strings.Contains(err.Error(), "open stack") {
			return nil, losses{}, nestedTooDeep()
		}
		return nil, losses{}, engines.Errorf(engines.CodeUnsupportedInput, "the HTML cannot be parsed: %v", err)
	}

	p := &page{ctx: ctx, local: map[string]bool{}, marked: map[string]bool{}}
	p.survey(root)
	if err := p.clean(root, 0); err != nil {
		return nil, losses{}, err
	}
	return root, p.losses, nil
}

// survey finds what concerns the whole page: its base, and where its links lead.
func (p *page) survey(root *html.Node) {
	for n := range root.Descendants() {
		switch n.DataAtom {
		case atom.Base:
			if base, err := url.Parse(strings.TrimSpace(attribute(n, "href"))); err == nil && p.base == nil && base.Host != "" {
				p.base = base
			}
		case atom.A, atom.Area:
			if name, ok := fragment(attribute(n, "href")); ok {
				p.local[name] = true
			}
		}
	}
	known := map[string]bool{}
	for n := range root.Descendants() {
		if name := placeOf(n); p.local[name] {
			known[name] = true
		}
	}
	p.local = known
}

// fragment is the place within the page that a link leads to.
func fragment(link string) (string, bool) {
	name, ok := strings.CutPrefix(strings.TrimSpace(link), "#")
	if !ok || name == "" {
		return "", false
	}
	if unescaped, err := url.PathUnescape(name); err == nil {
		name = unescaped
	}
	return name, true
}

// placeOf is the name by which links may lead to an element.
func placeOf(n *html.Node) string {
	if n.Type != html.ElementNode {
		return ""
	}
	if id := attribute(n, "id"); id != "" || n.DataAtom != atom.A {
		return id
	}
	return attribute(n, "name")
}

func (p *page) clean(parent *html.Node, depth int) error {
	if depth > maxDepth {
		return nestedTooDeep()
	}
	if err := p.ctx.Err(); err != nil {
		return err
	}
	for n := parent.FirstChild; n != nil; {
		next := n.NextSibling
		switch n.Type {
		case html.ElementNode:
			if err := p.element(n, depth+1); err != nil {
				return err
			}
		case html.CommentNode:
			parent.RemoveChild(n)
		}
		n = next
	}
	return nil
}

// element cleans one element and what is in it.
func (p *page) element(n *html.Node, depth int) error {
	if p.drop(n) {
		n.Parent.RemoveChild(n)
		return nil
	}
	if isControl(n) {
		return p.control(n, depth)
	}

	p.noteLooks(n)
	if name := placeOf(n); p.local[name] && !p.marked[name] {
		p.marked[name] = true
		markPlace(n, name)
	}
	if err := p.clean(n, depth); err != nil {
		return err
	}
	return p.rewrite(n)
}

// drop reports whether an element is not for readers, and counts what some of them miss.
func (p *page) drop(n *html.Node) bool {
	switch {
	case isSilent[n.Data]:
		if n.DataAtom == atom.Style || n.DataAtom == atom.Link && strings.Contains(attribute(n, "rel"), "stylesheet") {
			p.losses.styleSheet(rawText(n))
		}
		return true
	case isHidden(n):
		if strings.TrimSpace(rawText(n)) != "" {
			p.losses.hidden++
		}
		return true
	case n.DataAtom == atom.Noscript:
		if strings.TrimSpace(rawText(n)) != "" || n.FirstChild != nil {
			p.losses.leftOut.add("noscript")
		}
		return true
	case n.Data == "math":
		if tex := texOf(n); tex != "" {
			p.losses.formulas++
			code := element("code")
			code.AppendChild(textNode(tex))
			n.Parent.InsertBefore(code, n)
			return true
		}
		p.losses.leftOut.add(n.Data)
		return true
	case isEmbedded[n.Data]:
		p.losses.leftOut.add(n.Data)
		return true
	case n.DataAtom == atom.Area:
		if attribute(n, "href") != "" {
			p.losses.leftOut.add("area")
		}
		return true
	}
	return false
}

// isSilent are elements that show nothing.
var isSilent = setOf("script style link meta base template source track param col colgroup datalist rp wbr basefont bgsound keygen")

// isEmbedded are elements that are no text.
var isEmbedded = setOf("svg canvas iframe video audio object embed applet frame frameset portal fencedframe model")

// isCarried are elements that the readers know, or that show nothing but what is in them.
var isCarried = setOf("html head body title h1 h2 h3 h4 h5 h6 p div section article main header footer nav aside address hgroup search " +
	"blockquote pre listing xmp plaintext ul ol menu dir li dl dt dd table caption thead tbody tfoot tr td th hr br img picture a b strong i em cite dfn " +
	"var code kbd samp tt s del strike sup sub q figure figcaption details summary dialog center span label time data bdi bdo abbr acronym nobr " +
	"ruby rb rt rtc rbc form fieldset legend optgroup option output map noframes slot small big u ins mark font blink marquee image noembed")

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}

// isHidden reports whether browsers do not show an element, by what it says itself.
func isHidden(n *html.Node) bool {
	if hasAttribute(n, "hidden") || n.DataAtom == atom.Dialog && !hasAttribute(n, "open") {
		return true
	}
	inline := attribute(n, "style")
	return inline != "" && hides(inline)
}

// hides knows the declarations of a style that take an element out of view.
func hides(style string) bool {
	style = strings.ToLower(strings.Join(strings.Fields(style), ""))
	return strings.Contains(";"+style, ";display:none") || strings.Contains(";"+style, ";visibility:hidden") ||
		strings.Contains(";"+style, ";visibility:collapse")
}

// texOf is the source of a formula, which many pages carry beside it.
func texOf(n *html.Node) string {
	for d := range n.Descendants() {
		if d.Data == "annotation" && strings.Contains(attribute(d, "encoding"), "tex") {
			return strings.TrimSpace(rawText(d))
		}
	}
	return strings.TrimSpace(attribute(n, "alttext"))
}

// rewrite puts an element whose content is clean into what the readers know.
func (p *page) rewrite(n *html.Node) error {
	if !isCarried[n.Data] {
		p.losses.unknown.add(n.Data)
		n.Data, n.DataAtom = "span", atom.Span
	}
	switch n.DataAtom {
	case atom.A:
		p.link(n)
	case atom.Img:
		setAttribute(n, "src", p.resolved(attribute(n, "src")))
	case atom.Q:
		quotationMarks(n)
	case atom.Rt:
		n.InsertBefore(textNode(" ("), n.FirstChild)
		n.AppendChild(textNode(")"))
	case atom.Abbr, atom.Acronym:
		if title := attribute(n, "title"); title != "" {
			p.losses.titles++
		}
	case atom.Dl:
		definitions(n)
	case atom.Summary:
		strengthen(n)
	case atom.Ol:
		labelItems(n)
	case atom.Table:
		return p.table(n)
	}
	return nil
}

// lookOf names looks of elements that documents do not keep.
var lookOf = map[string]string{"u": "underlined", "ins": "inserted", "mark": "highlighted", "small": "small", "big": "big", "font": "font", "blink": "blinking", "marquee": "moving"}

// noteLooks counts looks that do not survive.
func (p *page) noteLooks(n *html.Node) {
	p.losses.inline = p.losses.inline || hasLooks(attribute(n, "style"))
	if look := lookOf[n.Data]; look != "" {
		p.losses.looks.add(look)
	}
}

// hasLooks reports whether an inline style is more than the alignment that is kept.
func hasLooks(inline string) bool {
	inline = strings.ToLower(strings.ReplaceAll(inline, " ", ""))
	for part := range strings.SplitSeq(inline, ";") {
		if part != "" && !strings.HasPrefix(part, "text-align:") {
			return true
		}
	}
	return false
}

func (p *page) link(n *html.Node) {
	link := attribute(n, "href")
	if link != "" && !safeLink(link) {
		p.losses.scripts++
		removeAttribute(n, "href")
		return
	}
	if hasAttribute(n, "href") {
		setAttribute(n, "href", p.resolved(link))
	}
}

// resolved is an address as the page's base has it.
func (p *page) resolved(address string) string {
	if p.base == nil || strings.TrimSpace(address) == "" {
		return address
	}
	if name, ok := fragment(address); ok && p.local[name] {
		return address
	}
	parsed, err := url.Parse(strings.TrimSpace(address))
	if err != nil || parsed.IsAbs() {
		return address
	}
	return p.base.ResolveReference(parsed).String()
}

// quotationMarks sets the marks that browsers draw.
func quotationMarks(n *html.Node) {
	level := 0
	for parent := n.Parent; parent != nil; parent = parent.Parent {
		if parent.DataAtom == atom.Q {
			level++
		}
	}
	marks := [2]string{"“", "”"}
	if level%2 == 1 {
		marks = [2]string{"‘", "’"}
	}
	n.InsertBefore(textNode(marks[0]), n.FirstChild)
	n.AppendChild(textNode(marks[1]))
}

// definitions makes a list of terms a bold line for each term, and a list of what it means.
func definitions(n *html.Node) {
	n.Data, n.DataAtom = "div", atom.Div
	var meanings *html.Node
	for _, c := range children(n) {
		switch c.DataAtom {
		case atom.Dt:
			strengthen(c)
			meanings = nil
		case atom.Dd:
			if meanings == nil {
				meanings = element("ul")
				n.InsertBefore(meanings, c)
			}
			n.RemoveChild(c)
			c.Data, c.DataAtom = "li", atom.Li
			meanings.AppendChild(c)
		case atom.Div:
			definitions(c)
			meanings = nil
		}
	}
}

// strengthen makes a line of its own of an element, in bold where it holds no blocks.
func strengthen(n *html.Node) {
	bold := true
	for d := range n.Descendants() {
		bold = bold && !isBlockElement(d.DataAtom)
	}
	n.Data, n.DataAtom = "div", atom.Div
	if !bold || strings.TrimSpace(rawText(n)) == "" {
		return
	}
	strong := element("strong")
	for _, c := range children(n) {
		n.RemoveChild(c)
		strong.AppendChild(c)
	}
	n.AppendChild(strong)
}

// labelItems gives items labels where their numbers are not those that a list counts by itself.
func labelItems(n *html.Node) {
	number, step := 1, 1
	if hasAttribute(n, "reversed") {
		number, step = len(itemsOf(n)), -1
	}
	number = integer(attribute(n, "start"), number)
	kind := numeralsOf(n)
	own := step < 0 || kind != "" && kind != "1"
	expected := number
	for _, item := range itemsOf(n) {
		number = integer(attribute(item, "value"), number)
		own = own || number != expected
		number, expected = number+step, expected+1
	}
	if !own {
		return
	}

	number = integer(attribute(n, "start"), 1)
	if step < 0 && !hasAttribute(n, "start") {
		number = len(itemsOf(n))
	}
	for _, item := range itemsOf(n) {
		number = integer(attribute(item, "value"), number)
		setAttribute(item, labelAttribute, numeral(number, kind)+".")
		number += step
	}
}

// numeralsOf is how a list counts: a, A, i, I, or as it is without one.
func numeralsOf(n *html.Node) string {
	if kind := attribute(n, "type"); kind != "" {
		return kind
	}
	inline := strings.ToLower(strings.Join(strings.Fields(attribute(n, "style")), ""))
	for _, style := range []struct{ name, kind string }{
		{"lower-alpha", "a"}, {"lower-latin", "a"}, {"upper-alpha", "A"}, {"upper-latin", "A"}, {"lower-roman", "i"}, {"upper-roman", "I"},
	} {
		if strings.Contains(inline, "list-style-type:"+style.name) || strings.Contains(inline, "list-style:"+style.name) {
			return style.kind
		}
	}
	return ""
}

// labelAttribute holds the number of an item that has one of its own.
const labelAttribute = "data-label"

func itemsOf(n *html.Node) []*html.Node {
	return slices.DeleteFunc(children(n), func(c *html.Node) bool { return c.DataAtom != atom.Li })
}

// markPlace puts an anchor where the text of an element begins.
func markPlace(n *html.Node, name string) {
	anchor := element("a")
	setAttribute(anchor, "id", name)
	if n.DataAtom == atom.A && attribute(n, "href") == "" {
		removeAttribute(n, "id")
		removeAttribute(n, "name")
		n.Parent.InsertBefore(anchor, n)
		return
	}
	first := firstShown(n)
	if first == nil {
		return
	}
	for parent := first.Parent; parent != nil; parent = parent.Parent {
		if parent.DataAtom == atom.Pre || parent.DataAtom == atom.A || parent.DataAtom == atom.Code {
			first = parent
		}
	}
	first.Parent.InsertBefore(anchor, first)
}

// firstShown is the first text or picture of an element.
func firstShown(n *html.Node) *html.Node {
	if n.DataAtom == atom.Img || n.DataAtom == atom.Hr {
		return n
	}
	for d := range n.Descendants() {
		if d.DataAtom == atom.Img || d.Type == html.TextNode && strings.TrimSpace(d.Data) != "" && !isSilent[d.Parent.Data] {
			return d
		}
	}
	return nil
}

// note adds what was lost to the warnings of a document.
func (l *losses) note(w *warnings) {
	for _, text := range l.sentences() {
		w.add(text)
	}
}

// losses counts what a page has and a document has not.
type losses struct {
	leftOut  tally // elements, by name
	controls tally
	looks    tally
	unknown  tally
	hidden   int
	formulas int
	titles   int
	tall     int // cells that span several rows
	scripts  int // links that run one
	sheets   int
	hiding   bool // of style sheets
	inline   bool // styles of elements
}

func (l *losses) styleSheet(text string) {
	l.sheets++
	l.hiding = l.hiding || strings.Contains(strings.Join(strings.Fields(strings.ToLower(text)), ""), "display:none")
}

func (l *losses) sentences() []string {
	var out []string
	add := func(is bool, format string, args ...any) {
		if is {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(l.sheets > 0 || l.inline, "layout_degraded: style sheets and inline styles are not applied")
	add(l.hiding, "best_effort: style sheets hide some elements of the page (display:none); their text is in the result")
	add(l.leftOut.total() > 0, "best_effort: embedded objects (%s) were left out", l.leftOut.String())
	add(l.hidden > 0, "best_effort: %s left out, as browsers do", counted(l.hidden, "hidden element was", "hidden elements were"))
	add(l.controls.total() > 0, "best_effort: form controls (%s) are kept as the text that they show", l.controls.String())
	add(l.formulas > 0, "best_effort: %s kept as TeX source", counted(l.formulas, "formula is", "formulas are"))
	add(l.tall > 0, "layout_degraded: %s in the first of them only", counted(l.tall, "cell that spans several rows is", "cells that span several rows are"))
	add(l.looks.total() > 0, "layout_degraded: these looks are not kept: %s", l.looks.String())
	add(l.titles > 0, "best_effort: %s left out", counted(l.titles, "title of an abbreviation was", "titles of abbreviations were"))
	add(l.scripts > 0, "best_effort: %s left out", counted(l.scripts, "link that runs a script was", "links that run scripts were"))
	add(l.unknown.total() > 0, "best_effort: elements that are not known (%s) are kept as the text in them", l.unknown.String())
	return out
}

// tally counts things by name, in the order of their first appearance.
type tally struct {
	names  []string
	counts map[string]int
}

// namesMost is how many kinds a note names.
const namesMost = 12

func (t *tally) add(name string) {
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	if t.counts[name] == 0 {
		t.names = append(t.names, name)
	}
	t.counts[name]++
}

func (t *tally) total() int { return len(t.names) }

func (t *tally) String() string {
	var parts []string
	for i, name := range t.names {
		if i == namesMost {
			parts = append(parts, fmt.Sprintf("%d other kinds", len(t.names)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%d %.40s", t.counts[name], name))
	}
	return strings.Join(parts, ", ")
}
