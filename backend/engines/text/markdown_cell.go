package text

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// flattenCell puts the blocks of a cell into one line, a break between them, and reports whether there were several.
func flattenCell(cell *html.Node) bool {
	f := &cellLine{}
	f.blocks(cell)
	f.trim()
	for _, c := range detached(cell) {
		_ = c // what was of use is in the line
	}
	for _, n := range f.out {
		cell.AppendChild(n)
	}
	escapePipes(cell)
	return f.several
}

// cellLine gathers what is in a cell.
type cellLine struct {
	out     []*html.Node
	several bool
	ended   bool // a block has, so that what follows begins a line
}

func (f *cellLine) blocks(parent *html.Node) {
	for _, n := range children(parent) {
		switch {
		case n.Type == html.TextNode && strings.TrimSpace(n.Data) == "" && len(f.out) == 0:
		case n.DataAtom == atom.Pre:
			f.end()
			f.code(n)
			f.end()
		case isList(n):
			f.end()
			f.list(n)
			f.end()
		case n.DataAtom == atom.Hr:
			f.end()
		case isBlockElement(n.DataAtom) || holdsBlocks(n):
			f.end()
			f.block(n)
			f.end()
		default:
			f.put(n)
		}
	}
}

// block takes what is in a block; headings are bold.
func (f *cellLine) block(n *html.Node) {
	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		strong := element("strong")
		for _, c := range detached(n) {
			strong.AppendChild(c)
		}
		f.put(strong)
	default:
		f.blocks(n)
	}
}

func (f *cellLine) list(n *html.Node) {
	number := integer(attribute(n, "start"), 1)
	for _, item := range children(n) {
		if item.Type != html.ElementNode {
			continue
		}
		f.end()
		marker := "• "
		if n.DataAtom == atom.Ol {
			marker = strconv.Itoa(number) + ". "
			number++
		}
		if item.DataAtom == atom.Li && strings.TrimSpace(rawText(item)) != "" {
			f.put(textNode(marker))
		}
		f.blocks(item)
	}
}

// code keeps the lines of a preformatted text.
func (f *cellLine) code(n *html.Node) {
	for _, line := range strings.Split(strings.Trim(rawText(n), "\n"), "\n") {
		f.end()
		if strings.TrimSpace(line) == "" {
			continue
		}
		code := element("code")
		code.AppendChild(textNode(line))
		f.put(code)
	}
}

func (f *cellLine) end() { f.ended = len(f.out) > 0 }

func (f *cellLine) put(n *html.Node) {
	if n.Type == html.TextNode && strings.TrimSpace(n.Data) == "" && f.ended || n.Data == listEnd {
		return
	}
	if f.ended {
		f.out = append(f.out, element("br"))
		f.several = true
	}
	f.ended = false
	if n.Parent != nil {
		n.Parent.RemoveChild(n)
	}
	f.out = append(f.out, n)
}

// trim leaves out breaks at the end.
func (f *cellLine) trim() {
	for len(f.out) > 0 {
		last := f.out[len(f.out)-1]
		if last.DataAtom != atom.Br && (last.Type != html.TextNode || strings.TrimSpace(last.Data) != "") {
			return
		}
		f.out = f.out[:len(f.out)-1]
	}
}

func holdsBlocks(n *html.Node) bool {
	for d := range n.Descendants() {
		if isBlockElement(d.DataAtom) {
			return true
		}
	}
	return false
}

// escapePipes puts something in place of pipes that the library writes as they are, where they would part cells.
func escapePipes(cell *html.Node) {
	for d := range cell.Descendants() {
		if d.Type == html.TextNode && inside(d, atom.Code, atom.Kbd, atom.Samp, atom.Tt, atom.Var) {
			d.Data = strings.ReplaceAll(d.Data, "|", pipeInRow)
		}
		for i := range d.Attr {
			d.Attr[i].Val = strings.ReplaceAll(d.Attr[i].Val, "|", pipeIn(d.Attr[i].Key))
		}
	}
}

// pipeIn is a pipe in an attribute.
func pipeIn(name string) string {
	if name == "href" || name == "src" {
		return "%7C"
	}
	return pipeInRow
}
