package text

import (
	"fmt"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines/text/ooxml"
)

// docxLosses counts what a Word document has and the result has not, by what it is called in the notes.
type docxLosses struct {
	left      tally // things that are left out
	unknown   tally // elements that the reader does not know; their text is kept
	formats   tally // looks
	tracked   tally // changes that were accepted
	symbols   tally // fonts of symbols that are not known
	headers   headerContent
	hidden    int
	formulas  int
	boxes     int
	merged    int // cells that span rows
	deadLinks int
	unshown   tally // formats of pictures that pages do not show
}

// headerContent is the most that was found in a page header or footer.
type headerContent int

const (
	headerEmpty headerContent = iota
	headerText
	headerPictures
)

// sentence is "3 text boxes, 1 chart".
func sentence(t tally, write func(n int, name string) string) string {
	var parts []string
	for _, name := range t.names[:min(len(t.names), namesMost)] {
		parts = append(parts, write(t.counts[name], name))
	}
	if more := len(t.names) - namesMost; more > 0 {
		parts = append(parts, counted(more, "other kind", "other kinds"))
	}
	return strings.Join(parts, ", ")
}

// plural writes "1 chart", "2 charts", "2 parts of an unknown kind".
func plural(n int, name string) string {
	if n == 1 {
		return "1 " + name
	}
	noun := name
	for _, after := range []string{" (", " of ", " without ", " to ", " or "} {
		noun, _, _ = strings.Cut(noun, after)
	}
	return fmt.Sprintf("%d %ss%s", n, noun, strings.TrimPrefix(name, noun))
}

func timesOf(n int, name string) string { return fmt.Sprintf("%s (%d)", name, n) }

// note writes the counts as notes.
func (l *docxLosses) note(w *warnings, numberFormats map[string]bool) {
	say := func(t tally, format string, write func(int, string) string) {
		if t.total() > 0 {
			w.add(fmt.Sprintf(format, sentence(t, write)))
		}
	}
	say(l.tracked, "best_effort: tracked changes were accepted, and deleted text is left out: %s", plural)
	say(l.left, "best_effort: left out: %s", plural)
	switch l.headers {
	case headerEmpty:
	case headerText:
		w.add("best_effort: page headers and footers were left out")
	case headerPictures:
		w.add("best_effort: page headers and footers were left out, pictures in them too")
	}
	say(l.unknown, "best_effort: elements and attributes that this engine does not know, of which only text is kept: %s", timesOf)
	say(l.symbols, "best_effort: symbols of special fonts were replaced by □: %s", timesOf)
	say(l.unshown, "best_effort: pictures in formats that many readers do not show: %s", timesOf)
	count := func(n int, format, one, many string) {
		if n > 0 {
			w.add(fmt.Sprintf(format, counted(n, one, many)))
		}
	}
	count(l.hidden, "best_effort: hidden text was left out in %s", "place", "places")
	count(l.formulas, "best_effort: %s of text", "formula is kept as a line", "formulas are kept as lines")
	count(l.boxes, "layout_degraded: %s", "text box is set after the paragraph that it is at", "text boxes are set after the paragraphs that they are at")
	count(l.merged, "layout_degraded: %s in the first of them only", "cell that spans several rows is", "cells that span several rows are")
	count(l.deadLinks, "best_effort: %s the document does not have", "link was taken away, since it leads to a bookmark that", "links were taken away, since they lead to bookmarks that")
	if len(numberFormats) > 0 {
		var names []string
		for name := range numberFormats {
			names = append(names, name)
		}
		slices.Sort(names)
		w.add("best_effort: numbers of lists in these formats are written as digits: " + strings.Join(names, ", "))
	}
	say(l.formats, "layout_degraded: formatting is not carried over: %s", timesOf)
}

func (l *docxLosses) unknownElement(n *ooxml.Node) {
	name := n.Name
	if n.Prefix != "" {
		name = n.Prefix + ":" + n.Name
	}
	l.unknown.add(fmt.Sprintf("%.60s", name))
}

// words makes a set.
func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}

// silent are elements that stand for nothing that a reader sees, or that is read elsewhere: properties, marks of the
// spelling, ends of ranges.
var silent = wordSet(`pPr rPr tblPr tblPrEx tblGrid trPr tcPr sdtPr sdtEndPr smartTagPr customXmlPr sectPr oMathParaPr ctrlPr
	proofErr permStart permEnd lastRenderedPageBreak bookmarkEnd fldData delInstrText
	commentRangeStart commentRangeEnd commentReference annotationRef footnoteRef endnoteRef separator continuationSeparator
	moveFromRangeStart moveFromRangeEnd moveToRangeStart moveToRangeEnd
	customXmlInsRangeStart customXmlInsRangeEnd customXmlDelRangeStart customXmlDelRangeEnd
	customXmlMoveFromRangeStart customXmlMoveFromRangeEnd customXmlMoveToRangeStart customXmlMoveToRangeEnd
	conflictIns conflictDel`)

// What the properties of a run are: read, of no concern to the words, or a look that is lost.
var (
	runProperties = wordSet(`rStyle b i bCs iCs strike dstrike vertAlign vanish webHidden specVanish rFonts oMath
		sz szCs spacing w kern lang noProof snapToGrid rtl cs eastAsianLayout fitText position cnfStyle
		ins del moveFrom moveTo rPrChange
		ligatures numForm numSpacing stylisticSets cntxtAlts`)
	runFormats = map[string]string{
		"color": "colour", "u": "underline", "highlight": "highlight", "shd": "shading", "caps": "capitals", "smallCaps": "small capitals",
		"outline": "text effects", "shadow": "text effects", "emboss": "text effects", "imprint": "text effects", "effect": "text effects",
		"glow": "text effects", "reflection": "text effects", "textOutline": "text effects", "textFill": "text effects", "scene3d": "text effects",
		"props3d": "text effects", "bdr": "frames", "em": "emphasis marks",
	}
	paragraphProperties = wordSet(`pStyle numPr outlineLvl rPr keepNext keepLines pageBreakBefore framePr widowControl suppressLineNumbers tabs
		suppressAutoHyphens kinsoku wordWrap overflowPunct topLinePunct autoSpaceDE autoSpaceDN adjustRightInd snapToGrid spacing ind
		contextualSpacing mirrorIndents suppressOverlap textDirection textAlignment textboxTightWrap divId cnfStyle sectPr pPrChange collapsed`)
	paragraphFormats = map[string]string{"jc": "alignment", "shd": "shading", "pBdr": "frames", "bidi": "writing from right to left"}
)

// What the properties of tables, rows and cells are; their borders and measures are not kept.
var (
	tableProperties = wordSet(`tblStyle tblpPr tblOverlap tblStyleRowBandSize tblStyleColBandSize tblW jc tblCellSpacing tblInd tblBorders
		shd tblLayout tblCellMar tblLook tblCaption tblDescription tblPrChange`)
	tableFormats  = map[string]string{"bidiVisual": "tables from right to left"}
	rowProperties = wordSet(`cnfStyle divId gridBefore gridAfter wBefore wAfter cantSplit trHeight tblHeader tblCellSpacing jc hidden ins del
		trPrChange`)
	cellProperties = wordSet(`cnfStyle tcW gridSpan hMerge vMerge tcBorders noWrap tcMar textDirection tcFitText vAlign hideMark headers
		cellIns cellDel cellMerge tcPrChange`)
	cellFormats = map[string]string{"shd": "shading"}
)

// contentAttributes are those of elements that hold or stand for something that is read. Others there are unknown;
// attributes elsewhere are looks.
var contentAttributes = map[string]map[string]bool{
	"p": wordSet("paraId textId noSpellErr"), "r": {}, "t": wordSet("space"), "tab": {}, "noBreakHyphen": {}, "softHyphen": {}, "cr": {},
	"br": wordSet("type clear"), "sym": wordSet("font char"), "symEx": wordSet("font char"), "ptab": wordSet("alignment relativeTo leader"),
	"hyperlink": wordSet("id anchor history tooltip tgtFrame docLocation"), "fldSimple": wordSet("instr dirty fldLock"),
	"fldChar": wordSet("fldCharType dirty fldLock"), "instrText": wordSet("space"), "bookmarkStart": wordSet("id name colFirst colLast displacedByCustomXml"),
	"footnoteReference": wordSet("id customMarkFollows"), "endnoteReference": wordSet("id customMarkFollows"), "altChunk": wordSet("id"),
	"tbl": {}, "tr": wordSet("paraId textId"), "tc": wordSet("id"), "sdt": {}, "sdtContent": {}, "ruby": {},
}

func (l *docxLosses) attributes(n *ooxml.Node) {
	known := contentAttributes[n.Name]
	if known == nil {
		return
	}
	for _, a := range n.Attrs {
		if !known[a.Name] && !strings.HasPrefix(a.Name, "rsid") {
			l.unknown.add(fmt.Sprintf("%.40s of %.40s", a.Name, n.Name))
		}
	}
}

// formatsOf names the looks among properties. Unknown ones are counted.
func (l *docxLosses) formatsOf(properties *ooxml.Node, known map[string]bool, formats map[string]string) []string {
	var out []string
	for _, p := range properties.List() {
		name := formats[p.Name]
		switch {
		case name != "":
			if isVisible(p) && !slices.Contains(out, name) {
				out = append(out, name)
			}
		case !known[p.Name]:
			l.unknownElement(p)
		}
	}
	return out
}

// isVisible is false for a look that is that of any text.
func isVisible(p *ooxml.Node) bool {
	value := strings.ToLower(p.Attr("val"))
	among := func(usual ...string) bool { return slices.Contains(usual, value) }
	switch p.Name {
	case "color":
		return !among("", "auto", "000000")
	case "jc":
		return !among("", "left", "start", "both")
	case "shd":
		fill := strings.ToLower(p.Attr("fill"))
		return !slices.Contains([]string{"", "auto", "ffffff"}, fill) || !among("", "clear", "nil")
	case "highlight", "u", "em", "effect":
		return !among("", "none")
	case "bdr":
		return !among("nil", "none")
	case "pBdr":
		return slices.ContainsFunc(p.Children, func(c *ooxml.Node) bool { return c.Attr("val") != "nil" && c.Attr("val") != "none" })
	}
	return !among("0", "false", "off")
}
