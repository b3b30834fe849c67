package text

import (
	"fmt"
	"slices"
	"strings"
)

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
