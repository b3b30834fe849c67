package text

import (
	"strconv"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines/text/ooxml"
	"github.com/convilyn/convilyn-temporal/backend/engines/text/symbolfont"
)

// openField is a field that is being read: its instruction, then what it shows.
type openField struct {
	instruction strings.Builder
	shows       bool // past the instruction
	link        string
	form        *ooxml.Node // of a form field
	result      bool        // it shows something
}

// fieldsWithoutEnd are fields of a story that are begun and never ended; what follows them belongs to no field.
func fieldsWithoutEnd(n *ooxml.Node, open []*ooxml.Node) []*ooxml.Node {
	for _, c := range n.List() {
		switch {
		case c.Name == "txbxContent": // a story of its own
		case c.Name != "fldChar":
			open = fieldsWithoutEnd(c, open)
		case c.Attr("fldCharType") == "begin":
			open = append(open, c)
		case c.Attr("fldCharType") == "end" && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	return open
}

func (r *runReader) fieldCharacter(n *ooxml.Node, s style) {
	story := r.story
	switch n.Attr("fldCharType") {
	case "begin":
		if story.endless[n] {
			r.losses.left.add("field without an end")
			return
		}
		story.fields = append(story.fields, &openField{form: n.Child("ffData")})
	case "separate":
		if f := story.innermost(); f != nil && !f.shows {
			f.shows = true
			f.link = r.fieldLink(f.instruction.String())
		}
	case "end":
		f := story.innermost()
		if f == nil {
			return
		}
		story.fields = story.fields[:len(story.fields)-1]
		if !f.result || f.form.Child("checkBox") != nil || f.form.Child("ddList") != nil {
			r.emptyField(f, s)
		}
	}
}

// story is a text of its own within a document: the body, a note, a text box.
type story struct {
	fields        []*openField
	endless       map[*ooxml.Node]bool
	alignmentKept bool // by the cell that is being read
}

func newStory(n *ooxml.Node) *story {
	s := &story{endless: map[*ooxml.Node]bool{}}
	for _, begin := range fieldsWithoutEnd(n, nil) {
		s.endless[begin] = true
	}
	return s
}

func (s *story) innermost() *openField {
	if len(s.fields) == 0 {
		return nil
	}
	return s.fields[len(s.fields)-1]
}

// instructs is the field whose instruction is being read, nil where text is shown.
func (s *story) instructs() *openField {
	for _, f := range s.fields {
		if !f.shows {
			return f
		}
	}
	return nil
}

func (s *story) link() string {
	for i := len(s.fields) - 1; i >= 0; i-- {
		if s.fields[i].link != "" {
			return s.fields[i].link
		}
	}
	return ""
}

// fieldLink is where a field leads to, empty where it leads nowhere.
func (r *docxReader) fieldLink(instruction string) string {
	args := fieldArguments(instruction)
	if len(args) == 0 {
		return ""
	}
	switch strings.ToUpper(args[0]) {
	case "HYPERLINK":
		return r.hyperlinkField(args[1:])
	case "REF", "PAGEREF", "NOTEREF":
		for _, arg := range args[1:] {
			if arg == `\h` && !strings.HasPrefix(args[1], `\`) {
				return r.anchorLink(args[1])
			}
		}
	}
	return ""
}

func (r *docxReader) hyperlinkField(args []string) string {
	address, anchor := "", ""
	for i := 0; i < len(args); i++ {
		next := ""
		if i+1 < len(args) {
			next = args[i+1]
		}
		switch strings.ToLower(args[i]) {
		case `\l`:
			anchor = next
			i++
		case `\o`, `\t`:
			i++
		case `\m`, `\n`, `\h`:
		default:
			if address == "" {
				address = args[i]
			}
		}
	}
	switch {
	case address == "" && anchor != "":
		return r.anchorLink(anchor)
	case anchor != "":
		return address + "#" + anchor
	}
	return address
}

// fieldArguments parts an instruction into words; those in quotation marks may have spaces.
func fieldArguments(instruction string) []string {
	var out []string
	rest := strings.TrimSpace(instruction)
	for rest != "" {
		var word string
		if rest[0] == '"' {
			word, rest = quotedArgument(rest[1:])
		} else {
			end := strings.IndexAny(rest, " \t\u00a0\"")
			if end < 0 {
				end = len(rest)
			}
			word, rest = rest[:end], rest[end:]
		}
		out = append(out, word)
		rest = strings.TrimLeft(rest, " \t\u00a0\r\n")
	}
	return out
}

func quotedArgument(text string) (word, rest string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == '\\' || text[i+1] == '"'):
			i++
			b.WriteByte(text[i])
		case text[i] == '"':
			return b.String(), text[i+1:]
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String(), ""
}

// unseen are fields that show nothing: entries of indexes, and what sets a value.
var unseen = wordSet(`XE TC TA RD SET ASK PRIVATE BOOKMARK COMMENTS DATA NEXT NEXTIF SKIPIF ADVANCE`)

// emptyField writes what a field shows that has no text of its own.
func (r *runReader) emptyField(f *openField, s style) {
	args := fieldArguments(f.instruction.String())
	name := ""
	if len(args) > 0 {
		name = strings.ToUpper(args[0])
	}
	switch {
	case f.form.Child("checkBox") != nil:
		r.add(checkBox(f.form.Child("checkBox")), s)
	case f.form.Child("ddList") != nil:
		if !f.result {
			r.add(chosen(f.form.Child("ddList")), s)
		}
	case name == "SYMBOL" && len(args) > 1:
		r.symbolField(args[1:], s)
	case (name == "MACROBUTTON" || name == "GOTOBUTTON") && len(args) > 2:
		r.add(strings.Join(args[2:], " "), s)
	case f.form != nil, f.shows, name == "", unseen[name]:
		// An empty text field, a field whose result is empty, or one that shows nothing.
	default:
		if len(name) > 20 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=") != "" {
			name = "other"
		}
		r.losses.left.add("field without a result (" + name + ")")
	}
}

func checkBox(n *ooxml.Node) string {
	state := "default"
	if n.Child("checked") != nil {
		state = "checked"
	}
	if n.On(state) {
		return "☒"
	}
	return "☐"
}

func chosen(n *ooxml.Node) string {
	var entries []string
	for _, c := range n.Children {
		if c.Name == "listEntry" {
			entries = append(entries, c.Attr("val"))
		}
	}
	index, ok := n.Int("result")
	if !ok {
		index, _ = n.Int("default")
	}
	if index < 0 || index >= len(entries) {
		return ""
	}
	return entries[index]
}

func (r *runReader) symbolField(args []string, s style) {
	font := ""
	for i, arg := range args {
		if arg == `\f` && i+1 < len(args) {
			font = args[i+1]
		}
	}
	code, err := strconv.ParseInt(strings.ToLower(args[0]), 0, 32)
	if err != nil {
		r.losses.symbols.add("SYMBOL")
		r.add("□", s)
		return
	}
	if font != "" && !symbolfont.Known(font) && code >= 0x20 && code < 0x7F {
		r.add(string(rune(code)), s)
		return
	}
	r.symbol(font, rune(code), s)
}
