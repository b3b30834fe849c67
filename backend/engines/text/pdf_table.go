package text

import (
	"fmt"
	"slices"
)

// partsMost is how often a table is taken apart; each time, all of its cells are looked at.
const partsMost = 50

// table sets rows with wrapping cells: in smaller type, on a page that is turned, or in parts where it is too wide.
func (p *pdfWriter) table(t table) {
	asked := p.measureTable(t)
	if len(asked.least) == 0 {
		return
	}
	if layout, fits := asked.layout(p.width, tableSize, smallestType); fits {
		p.rows(t, layout)
		return
	}
	parts := asked.parts(p.width)
	if len(parts) > partsMost {
		panic(documentTooLarge("a table has %d columns, which do not fit %d pages", len(asked.least), partsMost))
	}
	p.doc.warnings.add(fmt.Sprintf("layout_degraded: a table of %d columns is too wide for a page and is set in %d parts, one below the other", len(asked.least), len(parts)))
	for _, part := range parts {
		p.rows(part.of(t), part.layout)
	}
}

// needsTurning reports whether a table fits a page that is turned, or is parted less on one.
func (p *pdfWriter) needsTurning(t table) bool {
	asked := p.measureTable(t)
	_, fits := asked.layout(p.pageWidth(false), tableSize, smallestType)
	return len(asked.least) > 0 && !fits
}

// rows sets the rows of a table. Header rows come again at the top of each page.
func (p *pdfWriter) rows(t table, layout tableLayout) {
	var headers []tableRow
	for _, row := range t.rows {
		if !row.header {
			break
		}
		headers = append(headers, row)
	}
	for i, row := range t.rows {
		height, cells := p.measureRow(row, layout)
		if p.y+height > p.bottom() && p.y > p.doc.sheet.Top {
			p.newPage()
			if i >= len(headers) {
				for _, h := range headers {
					headHeight, headCells := p.measureRow(h, layout)
					p.drawRow(h, headCells, layout, headHeight)
				}
			}
		}
		if height > p.bottom()-p.y {
			p.tallRow(row, cells, layout)
			continue
		}
		p.drawRow(row, cells, layout, height)
	}
	p.y += gap * 1.4
}

func cellRuns(cell tableCell, header bool) []run {
	runs := cell.runs()
	if !header {
		return runs
	}
	for i, r := range runs {
		r.bold = true
		runs[i] = r
	}
	return runs
}

// measureRow lays out the cells and tells the row's height.
func (p *pdfWriter) measureRow(row tableRow, layout tableLayout) (height float64, cells [][]line) {
	column, most := 0, lineHeight(layout.size)
	for _, cell := range row.cells {
		lines := p.breakRuns(cellRuns(cell, row.header), layout.size, max(spanWidth(layout.widths, column, cell.span)-2*layout.pad(), 2))
		cells = append(cells, lines)
		most = max(most, heightOf(lines, layout.size))
		column += cell.span
	}
	return most + 2*layout.pad(), cells
}

func spanWidth(widths []float64, from, span int) float64 {
	var sum float64
	for i := from; i < min(from+span, len(widths)); i++ {
		sum += widths[i]
	}
	return sum
}

func (p *pdfWriter) drawRow(row tableRow, cells [][]line, layout tableLayout, height float64) {
	x, column := p.left, 0
	p.pdf.SetDrawColor(edge.r, edge.g, edge.b)
	for i, cell := range row.cells {
		width := spanWidth(layout.widths, column, cell.span)
		mode := "D"
		if row.header {
			p.pdf.SetFillColor(shade.r, shade.g, shade.b)
			mode = "FD"
		}
		p.pdf.Rect(x, p.y, width, height, mode)
		top := p.y + layout.pad()
		for _, l := range cells[i] {
			p.drawLine(l, x+layout.pad()+shift(cell.align, width-2*layout.pad()-l.measure()), top, layout.size)
			top += l.height(layout.size)
		}
		x += width
		column += cell.span
	}
	p.y += height
}

func shift(align string, free float64) float64 {
	switch align {
	case "right":
		return max(0, free)
	case "center":
		return max(0, free/2)
	}
	return 0
}

// tallRow sets a row that is higher than the rest of the page in slices.
func (p *pdfWriter) tallRow(row tableRow, cells [][]line, layout tableLayout) {
	left := slices.Clone(cells)
	for slices.ContainsFunc(left, func(lines []line) bool { return len(lines) > 0 }) {
		free := p.bottom() - p.y - 2*layout.pad()
		slice, height := make([][]line, len(left)), 0.0
		for i, lines := range left {
			n, used := fitting(lines, layout.size, free)
			slice[i], height = lines[:n], max(height, used)
		}
		if height == 0 {
			p.newPage()
			continue
		}
		for i := range left {
			left[i] = left[i][len(slice[i]):]
		}
		p.drawRow(row, slice, layout, height+2*layout.pad())
	}
}

// fitting is how many lines fit into a height, and what they take of it.
func fitting(lines []line, size, free float64) (n int, used float64) {
	for n < len(lines) && used+lines[n].height(size) <= free {
		used += lines[n].height(size)
		n++
	}
	return n, used
}
