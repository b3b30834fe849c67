package text

// table sets rows with wrapping cells. Header rows come again at the top of each page.
func (p *pdfWriter) table(t table) {
	widths := p.columnWidths(t)
	var headers []tableRow
	for _, row := range t.rows {
		if !row.header {
			break
		}
		headers = append(headers, row)
	}
	for i, row := range t.rows {
		height, cells := p.measureRow(row, widths)
		if p.y+height > p.bottom() && p.y > pageMargin {
			p.newPage()
			if i >= len(headers) {
				for _, h := range headers {
					headHeight, headCells := p.measureRow(h, widths)
					p.drawRow(h, headCells, widths, headHeight)
				}
			}
		}
		if height > p.bottom()-p.y {
			p.tallRow(row, cells, widths)
			continue
		}
		p.drawRow(row, cells, widths, height)
	}
	p.y += gap * 1.4
}

// columnWidths gives each column what its longest content asks for, and shares out what is missing.
func (p *pdfWriter) columnWidths(t table) []float64 {
	var natural []float64
	for _, row := range t.rows {
		column := 0
		for _, cell := range row.cells {
			for len(natural) < column+cell.span {
				natural = append(natural, 8)
			}
			if cell.span == 1 {
				natural[column] = max(natural[column], p.naturalWidth(cell, row.header))
			}
			column += cell.span
		}
	}
	var total float64
	for _, w := range natural {
		total += w
	}
	if total <= p.width {
		return natural
	}
	return shrink(natural, p.width)
}

func (p *pdfWriter) naturalWidth(cell tableCell, header bool) float64 {
	var widest float64
	for _, l := range p.breakRuns(cellRuns(cell, header), bodySize*0.95, 1e6) {
		widest = max(widest, l.measure())
	}
	return widest + 2*cellPad + 0.5
}

// shrink caps the widest columns until all fit: narrow ones keep what they need.
func shrink(natural []float64, available float64) []float64 {
	low, high := 0.0, available
	fits := func(limit float64) bool {
		var sum float64
		for _, w := range natural {
			sum += min(w, limit)
		}
		return sum <= available
	}
	for range 40 {
		if middle := (low + high) / 2; fits(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	out := make([]float64, len(natural))
	for i, w := range natural {
		out[i] = max(min(w, low), 0.1)
	}
	return out
}

func cellRuns(cell tableCell, header bool) []run {
	if !header {
		return cell.runs
	}
	runs := make([]run, len(cell.runs))
	for i, r := range cell.runs {
		r.bold = true
		runs[i] = r
	}
	return runs
}

// measureRow lays out the cells and tells the row's height.
func (p *pdfWriter) measureRow(row tableRow, widths []float64) (height float64, cells [][]line) {
	column, most := 0, 1
	for _, cell := range row.cells {
		lines := p.breakRuns(cellRuns(cell, row.header), bodySize*0.95, max(spanWidth(widths, column, cell.span)-2*cellPad, 2))
		cells = append(cells, lines)
		most = max(most, len(lines))
		column += cell.span
	}
	return float64(most)*lineHeight(bodySize*0.95) + 2*cellPad, cells
}

func spanWidth(widths []float64, from, span int) float64 {
	var sum float64
	for i := from; i < min(from+span, len(widths)); i++ {
		sum += widths[i]
	}
	return sum
}

func (p *pdfWriter) drawRow(row tableRow, cells [][]line, widths []float64, height float64) {
	x, column := p.left, 0
	p.pdf.SetDrawColor(edge.r, edge.g, edge.b)
	for i, cell := range row.cells {
		width := spanWidth(widths, column, cell.span)
		mode := "D"
		if row.header {
			p.pdf.SetFillColor(shade.r, shade.g, shade.b)
			mode = "FD"
		}
		p.pdf.Rect(x, p.y, width, height, mode)
		for n, l := range cells[i] {
			p.drawLine(l, x+cellPad+shift(cell.align, width-2*cellPad-l.measure()), p.y+cellPad+float64(n)*lineHeight(bodySize*0.95), bodySize*0.95)
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
func (p *pdfWriter) tallRow(row tableRow, cells [][]line, widths []float64) {
	most := 0
	for _, lines := range cells {
		most = max(most, len(lines))
	}
	for done := 0; done < most; {
		fit := int((p.bottom() - p.y - 2*cellPad) / lineHeight(bodySize*0.95))
		if fit < 1 {
			p.newPage()
			continue
		}
		fit = min(fit, most-done)
		slice := make([][]line, len(cells))
		for i, lines := range cells {
			slice[i] = lines[min(done, len(lines)):min(done+fit, len(lines))]
		}
		p.drawRow(row, slice, widths, float64(fit)*lineHeight(bodySize*0.95)+2*cellPad)
		done += fit
	}
}
