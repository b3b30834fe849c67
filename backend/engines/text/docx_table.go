package text

import (
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines/text/ooxml"
)

func (r *docxReader) table(n *ooxml.Node) (table, error) {
	var t table
	r.countLooks(n.Child("tblPr"), tableProperties, tableFormats)
	before := r.spanning
	r.spanning = map[int]bool{}
	err := r.each(n, "tr", func(row *ooxml.Node) error { return r.row(&t, row) })
	r.spanning = before
	if err != nil {
		return t, err
	}
	first := n.Child("tblPr").Child("tblLook")
	if len(t.rows) > 1 && (first.Attr("firstRow") == "1" || first.Attr("firstRow") == "true") {
		t.rows[0].header = true
	}
	return t, nil
}

// each reads the elements of a name in a table or a row, those in content controls too.
func (r *docxReader) each(parent *ooxml.Node, name string, read func(*ooxml.Node) error) error {
	for _, n := range parent.Children {
		var err error
		switch n.Name {
		case name:
			err = read(n)
		case "sdt", "sdtContent", "customXml", "smartTag", "ins", "moveTo":
			err = r.each(n, name, read)
		case "AlternateContent":
			err = r.each(r.alternative(n), name, read)
		case "bookmarkStart":
			r.anchors = append(r.anchors, run{anchor: n.Attr("name")})
		default:
			if !silent[n.Name] {
				r.losses.unknownElement(n)
				err = r.each(n, name, read)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *docxReader) row(t *table, n *ooxml.Node) error {
	properties := n.Child("trPr")
	r.losses.attributes(n)
	r.countLooks(properties, rowProperties, nil)
	if properties.Child("del") != nil {
		r.losses.tracked.add("deleted row")
		return nil
	}
	if properties.Child("ins") != nil {
		r.losses.tracked.add("inserted row")
	}
	if properties.On("hidden") {
		r.losses.hidden++
		return nil
	}
	row := tableRow{header: properties.On("tblHeader")}
	if skipped, ok := properties.Int("gridBefore"); ok && skipped > 0 {
		row.cells = append(row.cells, tableCell{span: min(skipped, maxSpan)})
	}
	if err := r.each(n, "tc", func(cell *ooxml.Node) error { return r.cell(&row, cell) }); err != nil {
		return err
	}
	if len(row.cells) > 0 {
		t.rows = append(t.rows, row)
	}
	return nil
}

// maxSpan is how many columns a cell may take.
const maxSpan = 100

func (r *docxReader) cell(row *tableRow, n *ooxml.Node) error {
	properties := n.Child("tcPr")
	r.losses.attributes(n)
	r.countLooks(properties, cellProperties, cellFormats)
	if properties.Child("cellDel") != nil {
		r.losses.tracked.add("deleted cell")
		return nil
	}
	if merge := properties.Child("hMerge"); merge != nil && merge.Attr("val") != "restart" && len(row.cells) > 0 {
		row.cells[len(row.cells)-1].span++
		return nil
	}
	span, _ := properties.Int("gridSpan")
	cell := tableCell{span: min(max(span, 1), maxSpan)}
	merge, column := properties.Child("vMerge"), 0
	for _, c := range row.cells {
		column += c.span
	}
	if merge != nil && merge.Attr("val") != "restart" {
		if r.spanning[column] {
			r.losses.merged++
		}
		r.spanning[column] = false
		row.cells = append(row.cells, cell)
		return nil
	}
	r.spanning[column] = merge != nil

	kept := r.story.alignmentKept
	cell.align = alignmentOf(n)
	r.story.alignmentKept = cell.align != ""
	blocks, err := r.blocks(n)
	r.story.alignmentKept = kept
	cell.blocks = blocks
	row.cells = append(row.cells, cell)
	return err
}

func (r *docxReader) countLooks(properties *ooxml.Node, known map[string]bool, formats map[string]string) {
	for _, name := range r.losses.formatsOf(properties, known, formats) {
		r.losses.formats.add(name)
	}
}

// alignmentOf is that of all paragraphs of a cell; empty where they differ, or are as usual.
func alignmentOf(cell *ooxml.Node) string {
	align := ""
	for _, p := range cell.Children {
		if p.Name != "p" {
			continue
		}
		this := strings.Replace(p.Child("pPr").Property("jc"), "end", "right", 1)
		if this != "right" && this != "center" || align != "" && align != this {
			return ""
		}
		align = this
	}
	return align
}
