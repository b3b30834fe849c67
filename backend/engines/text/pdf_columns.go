package text

import (
	"strings"
)

// Sizes that tables are set in, and how far their columns may be squeezed.
const (
	tableSize     = bodySize * 0.95
	smallestType  = 6.5 // points; below that a table is turned, and then taken apart
	wordMost      = 42  // mm at tableSize; longer words, such as addresses, may be broken
	columnLeast   = 6.4 // mm at tableSize, for one that is empty
	partedType    = 8.0 // of a table that is taken apart
	sizeStep      = 0.5
	bisectionStep = 40
)

// tableLayout is how wide the columns of a table, or of a part of it, are.
type tableLayout struct {
	size   float64 // points
	widths []float64
}

func (l tableLayout) pad() float64 { return cellPad * l.size / tableSize }

// columns is what a table asks for at tableSize, in mm.
type columns struct {
	natural []float64 // without a break
	least   []float64 // without breaking words
}

// measureTable looks at every cell, once.
func (p *pdfWriter) measureTable(t table) columns {
	if len(t.rows) == 0 {
		return columns{}
	}
	c, known := p.measured[&t.rows[0]]
	if !known {
		c = p.measureRows(t)
		p.measured[&t.rows[0]] = c
	}
	return c
}

func (p *pdfWriter) measureRows(t table) columns {
	var c columns
	for _, row := range t.rows {
		at := 0
		for _, cell := range row.cells {
			c.grow(at + cell.span)
			if cell.span == 1 {
				natural, least := p.measureCell(cell, row.header)
				c.natural[at] = max(c.natural[at], natural)
				c.least[at] = max(c.least[at], least)
			}
			at += cell.span
		}
	}
	for _, row := range t.rows {
		at := 0
		for _, cell := range row.cells {
			if cell.span > 1 {
				natural, least := p.measureCell(cell, row.header)
				widen(c.natural[at:at+cell.span], min(natural, p.width))
				widen(c.least[at:at+cell.span], least)
			}
			at += cell.span
		}
	}
	for i := range c.natural {
		c.natural[i] = max(c.natural[i], c.least[i])
	}
	return c
}

func (c *columns) grow(to int) {
	for len(c.natural) < to {
		c.natural = append(c.natural, columnLeast)
		c.least = append(c.least, columnLeast)
	}
}

// widen shares out what a cell over several columns needs more than they have.
func widen(columns []float64, needed float64) {
	missing := needed - sum(columns)
	if missing <= 0 {
		return
	}
	for i := range columns {
		columns[i] += missing / float64(len(columns))
	}
}

func sum(widths []float64) float64 {
	var total float64
	for _, w := range widths {
		total += w
	}
	return total
}

func (p *pdfWriter) measureCell(cell tableCell, header bool) (natural, least float64) {
	runs := cellRuns(cell, header)
	for _, l := range p.breakRuns(runs, tableSize, 1e6) {
		natural = max(natural, l.measure())
	}
	for _, r := range runs {
		p.use(faceOf(r.style, tableSize))
		for word := range strings.FieldsSeq(r.text) {
			least = max(least, min(p.pdf.GetStringWidth(word[:min(len(word), longWord)]), wordMost))
		}
		if r.picture != nil {
			least = max(least, wordMost/2)
		}
	}
	extra := 2*cellPad + 0.5
	return natural + extra, least + extra
}

// layout fits columns into a width, in a type that is as large as can be; false where words would be broken.
func (c columns) layout(available, largest, smallest float64) (tableLayout, bool) {
	for size := largest; size >= smallest-sizeStep/2; size -= sizeStep {
		scale := size / tableSize
		if sum(c.least)*scale > available {
			continue
		}
		if sum(c.natural)*scale <= available {
			return tableLayout{size: size, widths: scaled(c.natural, scale)}, true
		}
		return tableLayout{size: size, widths: squeeze(scaled(c.natural, scale), scaled(c.least, scale), available)}, true
	}
	return tableLayout{}, false
}

func scaled(widths []float64, by float64) []float64 {
	out := make([]float64, len(widths))
	for i, w := range widths {
		out[i] = w * by
	}
	return out
}

// squeeze caps the widest columns until all fit; none gets less than its longest word.
func squeeze(natural, least []float64, available float64) []float64 {
	capped := func(limit float64) []float64 {
		out := make([]float64, len(natural))
		for i, w := range natural {
			out[i] = max(min(w, limit), least[i])
		}
		return out
	}
	low, high := 0.0, available
	for range bisectionStep {
		if middle := (low + high) / 2; sum(capped(middle)) <= available {
			low = middle
		} else {
			high = middle
		}
	}
	return capped(low)
}

// parts takes a table apart that is too wide for a page: each part has the first column, and as many others as fit.
func (c columns) parts(available float64) (out []tablePart) {
	scale := partedType / tableSize
	least := scaled(c.least, scale)
	first := 1
	if least[0] > available/3 {
		first = 0
	}
	for at := first; at < len(least); {
		used := sum(least[:first])
		end := at
		for end < len(least) && (end == at || used+least[end] <= available) {
			used += least[end]
			end++
		}
		cut := columns{natural: append(clip(c.natural[:first]), c.natural[at:end]...), least: append(clip(c.least[:first]), c.least[at:end]...)}
		layout, fits := cut.layout(available, partedType, partedType)
		if !fits {
			layout = tableLayout{size: partedType, widths: scaled(cut.least, min(1, available/sum(cut.least)))}
		}
		out = append(out, tablePart{repeated: first, from: at, to: end, layout: layout})
		at = end
	}
	return out
}

func clip(widths []float64) []float64 { return widths[:len(widths):len(widths)] }

// tablePart is the columns of a table that are set beside each other.
type tablePart struct {
	repeated, from, to int // columns
	layout             tableLayout
}

// of leaves of a table the columns of a part. A cell that spans columns is in the part where it begins, as wide as fits.
func (pt tablePart) of(t table) table {
	var out table
	for _, row := range t.rows {
		cut := tableRow{header: row.header}
		at := 0
		for _, cell := range row.cells {
			from, to := at, at+cell.span
			at = to
			within := max(0, min(to, pt.repeated)-from) + max(0, min(to, pt.to)-max(from, pt.from, pt.repeated))
			if within == 0 {
				continue
			}
			if from >= pt.repeated && from < pt.from {
				cell.blocks = nil // its text is in the part before
			}
			cell.span = within
			cut.cells = append(cut.cells, cell)
		}
		out.rows = append(out.rows, cut)
	}
	return out
}

// pageWidth is what a page has between its margins, turned or not.
func (p *pdfWriter) pageWidth(turned bool) float64 {
	sheet := p.doc.sheet
	width := sheet.Width
	if turned {
		width = max(width, sheet.Height)
	}
	return width - sheet.Left - sheet.Right
}
