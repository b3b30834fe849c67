package text

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/backend/engines/text/omml"
	"github.com/convilyn/convilyn-temporal/backend/engines/text/ooxml"
	"github.com/convilyn/convilyn-temporal/backend/engines/text/symbolfont"
)

// runReader reads what is inside a paragraph. Text boxes come after it.
type runReader struct {
	*docxReader
	paragraphStyle wordStyle
	out            []run
	after          []block
	look           look // of the run that is being read
	joined         joiner
}

func (r *runReader) children(n *ooxml.Node, s style) error {
	for _, c := range n.Children {
		if err := r.node(c, s); err != nil {
			return err
		}
	}
	return nil
}

// node reads what structures a paragraph.
func (r *runReader) node(n *ooxml.Node, s style) error {
	r.losses.attributes(n)
	switch n.Name {
	case "r":
		return r.run(n, s)
	case "hyperlink":
		s.link = r.linkOf(n)
		return r.children(n, s)
	case "fldSimple":
		return r.simpleField(n, s)
	case "sdt", "sdtContent", "smartTag", "customXml", "dir", "bdo":
		return r.children(n, s)
	case "ins", "moveTo":
		r.tracked(n)
		return r.children(n, s)
	case "del", "moveFrom":
		r.tracked(n)
		return nil
	case "AlternateContent":
		return r.children(r.alternative(n), s)
	case "bookmarkStart":
		if r.story.instructs() == nil {
			r.out = append(r.out, run{anchor: n.Attr("name")})
		}
		return nil
	case "oMath":
		r.losses.formulas++
		r.add(omml.Text(n), s)
		return nil
	case "oMathPara":
		return r.children(n, s)
	case "subDoc":
		r.losses.left.add("linked document")
		return nil
	}
	if silent[n.Name] {
		return nil
	}
	return r.content(n, s)
}

func (r *runReader) run(n *ooxml.Node, s style) error {
	properties := n.Child("rPr")
	if s.link == "" {
		s.link = r.story.link()
	}
	before := r.look
	r.look = r.runLook(properties, s)
	defer func() { r.look = before }()
	if properties.Child("rPrChange") != nil {
		r.losses.tracked.add("change of format")
	}
	if r.look.hidden {
		return r.hiddenRun(n, s)
	}
	if n.Child("t") != nil {
		r.countFormats(properties, s)
	}
	return r.children(n, r.look.style)
}

// hiddenRun reads nothing but the marks of fields, whose text may not be hidden.
func (r *runReader) hiddenRun(n *ooxml.Node, s style) error {
	shown := false
	for _, c := range n.Children {
		switch c.Name {
		case "fldChar":
			r.fieldCharacter(c, s)
		case "instrText":
			r.instruction(c.Text)
		case "t", "drawing", "pict", "object", "sym":
			shown = true
		}
	}
	if shown && r.story.instructs() == nil {
		r.losses.hidden++
	}
	return nil
}

func (r *runReader) instruction(text string) {
	if f := r.story.instructs(); f != nil {
		f.instruction.WriteString(text)
	}
}

// content reads what a run holds.
func (r *runReader) content(n *ooxml.Node, s style) error {
	switch n.Name {
	case "t":
		r.text(n.Text, s)
	case "delText":
	case "tab", "ptab":
		r.add("\t", s)
	case "br", "cr":
		if kind := n.Attr("type"); kind == "" || kind == "textWrapping" {
			r.add("\n", s)
		}
	case "noBreakHyphen":
		r.add("\u2011", s)
	case "softHyphen":
		r.add("\u00ad", s)
	case "sym", "symEx":
		r.symbolOf(n, s)
	case "fldChar":
		r.fieldCharacter(n, s)
	case "instrText":
		r.instruction(n.Text)
	case "footnoteReference", "endnoteReference":
		return r.reference(strings.TrimSuffix(n.Name, "Reference")+n.Attr("id"), s)
	case "ruby":
		return r.ruby(n, s)
	case "drawing", "pict", "object":
		return r.drawing(n, s)
	case "pgNum", "dayShort", "dayLong", "monthShort", "monthLong", "yearShort", "yearLong":
		r.losses.left.add("page number or date")
	case "contentPart":
		r.losses.left.add("handwritten part")
	default:
		r.losses.unknownElement(n)
		return r.children(n, s)
	}
	return nil
}

func (r *runReader) add(text string, s style) {
	if text == "" {
		return
	}
	if f := r.story.instructs(); f != nil {
		f.instruction.WriteString(text)
		return
	}
	r.shows()
	if n := len(r.out); n > 0 && r.out[n-1].isText() && r.out[n-1].style == s {
		r.out[n-1].text = r.joined.join(n-1, r.out[n-1].text, text)
		return
	}
	r.out = append(r.out, run{text: text, style: s})
}

// shows notes that the open fields have something to show.
func (r *runReader) shows() {
	for _, f := range r.story.fields {
		f.result = true
	}
}

// text is text of a run, which may be in a font of symbols. Codes from U+F020 on are symbols in any font.
func (r *runReader) text(text string, s style) {
	if r.look.font == "" && !strings.ContainsFunc(text, isSymbolCode) {
		r.add(text, s)
		return
	}
	for _, c := range text {
		if r.look.font == "" && !isSymbolCode(c) {
			r.add(string(c), s)
			continue
		}
		r.symbol(r.look.font, c, s)
	}
}

func isSymbolCode(c rune) bool { return c >= 0xF020 && c <= 0xF0FF }

func (r *runReader) symbolOf(n *ooxml.Node, s style) {
	var code rune
	if _, err := fmt.Sscanf(n.Attr("char"), "%x", &code); err != nil || !utf8.ValidRune(code) {
		code = 0
	}
	r.symbol(n.Attr("font"), code, s)
}

func (r *runReader) symbol(font string, code rune, s style) {
	switch known, ok := symbolfont.Rune(font, code); {
	case ok:
		r.add(string(known), s)
	case code > 0xF0FF || code >= 0xA0 && code < 0xE000: // a letter of Unicode, in whatever font
		r.add(string(code), s)
	default:
		if font == "" {
			font = "no font"
		}
		r.losses.symbols.add(fmt.Sprintf("%.40s", font))
		r.add("□", s)
	}
}

// linkOf is where a hyperlink leads to; an address may have a place in it.
func (r *docxReader) linkOf(n *ooxml.Node) string {
	address, anchor := r.part.relations[n.Attr("id")].Target, n.Attr("anchor")
	switch {
	case address == "" && anchor != "":
		return r.anchorLink(anchor)
	case anchor != "" && !strings.Contains(address, "#"):
		return address + "#" + anchor
	}
	return address
}

func (r *runReader) simpleField(n *ooxml.Node, s style) error {
	f := &openField{shows: true, link: r.fieldLink(n.Attr("instr")), form: n.Child("ffData")}
	f.instruction.WriteString(n.Attr("instr"))
	if r.story.instructs() != nil {
		return r.children(n, s)
	}
	r.story.fields = append(r.story.fields, f)
	err := r.children(n, s)
	for i, open := range r.story.fields { // fields that end elsewhere stay
		if open == f {
			r.story.fields = append(r.story.fields[:i], r.story.fields[i+1:]...)
			break
		}
	}
	if !f.result {
		f.shows = false
		r.emptyField(f, s)
	}
	return err
}

func (r *runReader) reference(id string, s style) error {
	if r.story.instructs() != nil {
		return nil
	}
	number, err := r.note(id)
	if err != nil || number == 0 {
		if number == 0 && err == nil {
			r.losses.left.add("reference to a note that is missing")
		}
		return err
	}
	s.raised = true
	r.add(fmt.Sprintf("[%d]", number), s)
	return nil
}

// ruby writes how a word is read behind it.
func (r *runReader) ruby(n *ooxml.Node, s style) error {
	for _, c := range n.Children {
		if c.Name == "rubyBase" {
			if err := r.children(c, s); err != nil {
				return err
			}
		}
	}
	if reading := n.Child("rt").AllText("t"); strings.TrimSpace(reading) != "" {
		r.add("("+reading+")", s)
	}
	return nil
}
