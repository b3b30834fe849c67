package text

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// markdownPage puts a clean page into what tables, lists and code of Markdown can hold.
type markdownPage struct {
	wide     int // cells that span columns
	html     int // tables that stay HTML
	flat     int // tables with blocks in their cells
	labels   int // items with numbers that Markdown does not count
	pictures int // that are elsewhere
	lost     tally
}

func (m *markdownPage) note(w *warnings) {
	if m.pictures > 0 {
		w.add("best_effort: " + counted(m.pictures, "picture is not inside the document, and the Markdown refers to it", "pictures are not inside the document, and the Markdown refers to them") + " by its address")
	}
	if m.html > 0 {
		w.add("layout_degraded: " + counted(m.html, "table", "tables") + " with tables in cells stayed HTML, which Markdown may hold")
	}
	if m.flat > 0 {
		w.add("layout_degraded: " + counted(m.flat, "table has", "tables have") + " cells with several paragraphs, lists or headings, whose lines are parted by <br>")
	}
	if m.wide > 0 {
		w.add("layout_degraded: " + counted(m.wide, "cell that spans several columns is", "cells that span several columns are") + " in the first of them only")
	}
	if m.labels > 0 {
		w.add("layout_degraded: " + counted(m.labels, "item", "items") + " of lists numbered in another way than 1, 2, 3 have the number in their text")
	}
	if m.lost.total() > 0 {
		w.add("best_effort: Markdown does not hold these, and they were left out: " + m.lost.String())
	}
}

func (m *markdownPage) prepare(root *html.Node) {
	// From the innermost outwards: a table is looked at when what is in it is ready.
	for _, n := range inside2outside(root) {
		switch n.DataAtom {
		case atom.Table:
			m.table(n)
		case atom.Ul, atom.Ol, atom.Menu, atom.Dir:
			m.list(n)
		case atom.Code, atom.Kbd, atom.Samp, atom.Tt, atom.Var:
			splitCode(n)
		case atom.Pre, atom.Listing, atom.Xmp, atom.Plaintext:
			m.pre(n)
		case atom.Input:
			box := boxOpen
			if hasAttribute(n, "checked") {
				box = boxTicked
			}
			replace(n, textNode(box))
		case atom.Img:
			if !strings.HasPrefix(strings.TrimSpace(attribute(n, "src")), "data:") {
				m.pictures++
			}
		}
	}
	partLists(root)
}

// inside2outside lists elements, each after those in it.
func inside2outside(root *html.Node) []*html.Node {
	var out []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			out = append(out, n)
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// pre is text alone.
func (m *markdownPage) pre(n *html.Node) {
	n.Data, n.DataAtom = "pre", atom.Pre
	for d := range n.Descendants() {
		switch {
		case d.DataAtom == atom.A && attribute(d, "href") != "":
			m.lost.add("links in preformatted text")
		case d.DataAtom == atom.Img:
			m.lost.add("pictures in preformatted text")
		}
	}
}

// splitCode makes code of the texts in an element, where it holds more than text.
func splitCode(n *html.Node) {
	if inside(n, atom.Pre) {
		return
	}
	plain := true
	for c := range n.ChildNodes() {
		plain = plain && c.Type == html.TextNode
	}
	if plain {
		return
	}
	n.Data, n.DataAtom = "span", atom.Span
	var texts []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.TextNode && strings.TrimSpace(d.Data) != "" && !inside(d, atom.Code) {
			texts = append(texts, d)
		}
	}
	for _, text := range texts {
		bare := strings.TrimSpace(text.Data)
		before, after, _ := strings.Cut(text.Data, bare)
		code := element("code")
		code.AppendChild(textNode(bare))
		replace(text, textNode(before), code, textNode(after))
	}
}

// list makes items of all that is in a list.
func (m *markdownPage) list(n *html.Node) {
	if n.DataAtom != atom.Ol {
		n.Data, n.DataAtom = "ul", atom.Ul
	}
	labelled := false
	for _, c := range children(n) {
		label := attribute(c, labelAttribute)
		switch {
		case label != "":
			labelled = true
			m.labels++
			putFirst(c, textNode(label+" "))
		case c.Type == html.TextNode && strings.TrimSpace(c.Data) == "" || c.DataAtom == atom.Li:
		default:
			item := element("li")
			n.InsertBefore(item, c)
			n.RemoveChild(c)
			item.AppendChild(c)
		}
	}
	if labelled {
		n.Data, n.DataAtom = "ul", atom.Ul
	}
}

// partLists keeps lists of a kind apart that follow each other.
func partLists(root *html.Node) {
	for _, n := range inside2outside(root) {
		if before := shownBefore(n); isList(n) && before != nil && before.Data == n.Data {
			n.Parent.InsertBefore(element(listEnd), n)
		}
	}
}

// putFirst puts a text at the beginning of an item, in its first paragraph where it has one.
func putFirst(item, text *html.Node) {
	for c := range item.ChildNodes() {
		if c.Type == html.TextNode && strings.TrimSpace(c.Data) == "" {
			continue
		}
		if c.DataAtom == atom.P || c.DataAtom == atom.Div {
			item = c
		}
		break
	}
	item.InsertBefore(text, item.FirstChild)
}

func shownBefore(n *html.Node) *html.Node {
	for n = n.PrevSibling; n != nil; n = n.PrevSibling {
		if n.Type != html.TextNode || strings.TrimSpace(n.Data) != "" {
			return n
		}
	}
	return nil
}

// table makes a table one of Markdown, a row of layout its content, and anything else HTML.
func (m *markdownPage) table(n *html.Node) {
	m.freeTable(n)
	nested, most := false, 0
	for d := range n.Descendants() {
		nested = nested || d.DataAtom == atom.Table
	}
	rows := tableRows(n)
	for _, row := range rows {
		most = max(most, len(cellsOf(row)))
	}
	role := attribute(n, "role")
	switch {
	case nested && (most <= 1 || role == "presentation" || role == "none"):
		unwrapTable(n, rows)
	case nested:
		m.html++
		setAttribute(n, rawAttribute, "")
		for d := range n.Descendants() {
			removeAttribute(d, rawAttribute)
		}
	default:
		m.plainTable(rows)
	}
}

// freeTable takes a table out of what cannot hold one in Markdown.
func (m *markdownPage) freeTable(n *html.Node) {
	for parent := n.Parent; parent != nil; {
		next := parent.Parent
		switch parent.DataAtom {
		case atom.A:
			if attribute(parent, "href") != "" {
				m.lost.add("links around a table")
			}
			replace(parent, detached(parent)...)
		case atom.B, atom.Strong, atom.I, atom.Em, atom.Del, atom.S, atom.Strike:
			replace(parent, detached(parent)...)
		}
		parent = next
	}
}

// detached are the children of an element, taken out of it.
func detached(n *html.Node) []*html.Node {
	out := children(n)
	for _, c := range out {
		n.RemoveChild(c)
	}
	return out
}

func tableRows(n *html.Node) []*html.Node {
	var rows []*html.Node
	for c := range n.ChildNodes() {
		if c.DataAtom == atom.Thead || c.DataAtom == atom.Tbody || c.DataAtom == atom.Tfoot || c.DataAtom == atom.Tr {
			rows = append(rows, rowsOf(c)...)
		}
	}
	return rows
}

// unwrapTable leaves of a table that only places things what it places.
func unwrapTable(n *html.Node, rows []*html.Node) {
	var out []*html.Node
	for c := range n.ChildNodes() {
		if c.DataAtom == atom.Caption {
			c.Data, c.DataAtom = "div", atom.Div
			out = append(out, c)
		}
	}
	for _, row := range rows {
		for _, cell := range cellsOf(row) {
			cell.Data, cell.DataAtom = "div", atom.Div
			out = append(out, cell)
		}
	}
	for _, c := range out {
		c.Parent.RemoveChild(c)
	}
	replace(n, out...)
}

// plainTable puts each cell into a line, and gives each place a cell. Only a first row of headings is one for Markdown.
func (m *markdownPage) plainTable(rows []*html.Node) {
	flat := false
	for i, row := range rows {
		heads := i == 0
		for _, cell := range cellsOf(row) {
			heads = heads && cell.DataAtom == atom.Th || i == 0 && inside(cell, atom.Thead)
		}
		for _, cell := range cellsOf(row) {
			flat = flattenCell(cell) || flat
			asHeading(cell, heads)
			m.spread(cell)
		}
		if !heads && row.Parent.DataAtom == atom.Thead {
			row.Parent.Data, row.Parent.DataAtom = "tbody", atom.Tbody
		}
	}
	if flat {
		m.flat++
	}
}

// asHeading makes a cell one of the headings, or none: the library takes the first row with one for all headings.
func asHeading(cell *html.Node, is bool) {
	if is {
		cell.Data, cell.DataAtom = "th", atom.Th
		return
	}
	if cell.DataAtom != atom.Th {
		return
	}
	cell.Data, cell.DataAtom = "td", atom.Td
	if strings.TrimSpace(rawText(cell)) == "" {
		return
	}
	strong := element("strong")
	for _, c := range detached(cell) {
		strong.AppendChild(c)
	}
	cell.AppendChild(strong)
}

// spread gives a cell that spans columns empty neighbours.
func (m *markdownPage) spread(cell *html.Node) {
	across := integer(attribute(cell, "colspan"), 1)
	removeAttribute(cell, "colspan")
	if across > 1 {
		m.wide++
	}
	for range across - 1 {
		cell.Parent.InsertBefore(element(cell.Data), cell.NextSibling)
	}
}
