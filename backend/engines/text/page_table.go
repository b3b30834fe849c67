package text

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// columnsMost is how many columns a cell may span.
const columnsMost = 100

// table puts the rows in the order in which they are shown, with a cell in each place: what spans several rows is in
// the first of them, and the cells below it are empty.
func (p *page) table(n *html.Node) error {
	var captions, heads, bodies, feet []*html.Node
	for _, c := range children(n) {
		if c.Type != html.ElementNode {
			continue
		}
		switch c.DataAtom {
		case atom.Caption:
			captions = append(captions, c)
		case atom.Thead:
			heads = append(heads, rowsOf(c)...)
		case atom.Tfoot:
			feet = append(feet, rowsOf(c)...)
		default:
			bodies = append(bodies, rowsOf(c)...)
		}
	}
	for _, section := range [][]*html.Node{heads, bodies, feet} {
		if err := p.fillRows(section); err != nil {
			return err
		}
	}

	for _, c := range children(n) {
		n.RemoveChild(c)
	}
	for _, caption := range captions {
		n.AppendChild(caption)
	}
	appendRows(n, "thead", heads)
	appendRows(n, "tbody", append(bodies, feet...))
	return nil
}

func rowsOf(section *html.Node) []*html.Node {
	if section.DataAtom == atom.Tr {
		return []*html.Node{section}
	}
	var rows []*html.Node
	for c := range section.ChildNodes() {
		if c.DataAtom == atom.Tr {
			rows = append(rows, c)
		}
	}
	return rows
}

func appendRows(n *html.Node, name string, rows []*html.Node) {
	if len(rows) == 0 {
		return
	}
	section := element(name)
	for _, row := range rows {
		if row.Parent != nil {
			row.Parent.RemoveChild(row)
		}
		section.AppendChild(row)
	}
	n.AppendChild(section)
}

func cellsOf(row *html.Node) []*html.Node {
	var cells []*html.Node
	for c := range row.ChildNodes() {
		if c.DataAtom == atom.Td || c.DataAtom == atom.Th {
			cells = append(cells, c)
		}
	}
	return cells
}

// reach is how many more rows a cell has, and what it is.
type reach struct {
	rows int
	name string
}

// fillRows gives the rows of a section a cell wherever one from above reaches into them.
func (p *page) fillRows(rows []*html.Node) error {
	var reaching []reach // by column
	for at, row := range rows {
		column := 0
		skip := func(before *html.Node) {
			for ; column < len(reaching) && reaching[column].rows > 0; column++ {
				reaching[column].rows--
				row.InsertBefore(element(reaching[column].name), before)
				p.cells++
			}
		}
		for _, cell := range cellsOf(row) {
			skip(cell)
			across, down := spansOf(cell, len(rows)-at)
			if p.cells += across; p.cells > maxCells {
				return documentTooLarge("the tables of the page would have more than %d cells", maxCells)
			}
			if down > 1 {
				p.losses.tall++
			}
			for range across {
				for len(reaching) <= column {
					reaching = append(reaching, reach{})
				}
				reaching[column] = reach{rows: down - 1, name: cell.Data}
				column++
			}
		}
		skip(nil)
	}
	return nil
}

// spansOf reads how far a cell reaches, and leaves it as wide as that in the first of its rows.
func spansOf(cell *html.Node, rows int) (across, down int) {
	across = min(max(integer(attribute(cell, "colspan"), 1), 1), columnsMost)
	down = integer(attribute(cell, "rowspan"), 1)
	if down == 0 {
		down = rows // to the end of the section
	}
	removeAttribute(cell, "rowspan")
	removeAttribute(cell, "colspan")
	if across > 1 {
		setAttribute(cell, "colspan", strconv.Itoa(across))
	}
	if align := alignment(cell); align != "" {
		setAttribute(cell, "align", align)
	}
	return across, min(max(down, 1), rows)
}

// alignment is right, center or left, empty where a cell says nothing.
func alignment(n *html.Node) string {
	inline := strings.ReplaceAll(strings.ToLower(attribute(n, "style")), " ", "")
	for _, align := range []string{"right", "center", "left"} {
		if strings.Contains(inline, "text-align:"+align) || strings.EqualFold(strings.TrimSpace(attribute(n, "align")), align) {
			return align
		}
	}
	return ""
}
