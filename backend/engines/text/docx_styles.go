package text

import (
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines/text/ooxml"
	"github.com/convilyn/convilyn-temporal/backend/engines/text/symbolfont"
)

// wordStyle is a style with what it inherits.
type wordStyle struct {
	id, name  string
	level     int                // of a heading, from 1; 0 for none
	toggles   map[string]toggled // b, i, strike, dstrike, vanish
	vertical  string
	font      string
	listID    string
	listLevel int // -1 where it says none
	basedOn   string
	formats   []string // looks that are lost
	custom    bool     // made by the author, not one of Word's own
}

type toggled struct{ on, set bool }

// The properties that a style and the text in it turn against each other.
var toggles = []string{"b", "i", "strike", "dstrike", "vanish"}

func (r *docxReader) readStyles(part string) error {
	root, err := r.pkg.Parse(part)
	if err != nil {
		return err
	}
	for _, s := range root.Child("styles").List() {
		if s.Name != "style" {
			continue
		}
		st := r.readStyle(s)
		r.styles[st.id] = st
		isDefault := s.Attr("default") == "1" || s.Attr("default") == "true"
		if isDefault && s.Attr("type") == "paragraph" {
			r.defaultStyle = st.id
		}
	}
	return nil
}

func (r *docxReader) readStyle(s *ooxml.Node) wordStyle {
	run, paragraph := s.Child("rPr"), s.Child("pPr")
	st := wordStyle{
		id: s.Attr("styleId"), name: strings.ToLower(s.Property("name")), basedOn: s.Property("basedOn"),
		toggles: map[string]toggled{}, vertical: run.Property("vertAlign"), listLevel: -1,
		custom: s.Attr("customStyle") == "1" || s.Attr("customStyle") == "true",
	}
	for _, name := range toggles {
		on, set := run.Toggle(name)
		st.toggles[name] = toggled{on, set}
	}
	st.font = symbolFont(run)
	if outline, ok := paragraph.Int("outlineLvl"); ok {
		st.level = headingLevel(outline + 1)
	}
	if n, ok := strings.CutPrefix(st.name, "heading "); ok && len(n) == 1 && n[0] >= '1' && n[0] <= '9' {
		st.level = headingLevel(int(n[0] - '0'))
	}
	if st.name == "title" {
		st.level = 1
	}
	st.listID = paragraph.Child("numPr").Property("numId")
	if level, ok := paragraph.Child("numPr").Int("ilvl"); ok {
		st.listLevel = level
	}
	if st.custom {
		st.formats = append(r.losses.formatsOf(run, runProperties, runFormats), r.losses.formatsOf(paragraph, paragraphProperties, paragraphFormats)...)
	}
	return st
}

// headingLevel is 0 for body text; Word has nine levels, HTML six.
func headingLevel(n int) int {
	if n < 1 || n > 9 {
		return 0
	}
	return min(n, 6)
}

// style resolves a style with what it is based on.
func (r *docxReader) style(id string) wordStyle {
	if st, known := r.resolved[id]; known {
		return st
	}
	st := r.styles[id]
	if st.toggles == nil {
		st.listLevel = -1
	}
	effective := map[string]toggled{}
	for _, name := range toggles {
		effective[name] = st.toggles[name]
	}
	for parent, hops := st.basedOn, 0; parent != "" && hops < 20; hops++ {
		base := r.styles[parent]
		st.inherit(base, effective)
		parent = base.basedOn
	}
	st.toggles = effective
	r.resolved[id] = st
	return st
}

func (st *wordStyle) inherit(base wordStyle, effective map[string]toggled) {
	for _, name := range toggles {
		if !effective[name].set {
			effective[name] = base.toggles[name]
		}
	}
	if st.level == 0 {
		st.level = base.level
	}
	if st.listID == "" {
		st.listID = base.listID
	}
	if st.listLevel < 0 && base.toggles != nil {
		st.listLevel = base.listLevel
	}
	if st.vertical == "" {
		st.vertical = base.vertical
	}
	if st.font == "" {
		st.font = base.font
	}
	st.formats = slices.Concat(st.formats, base.formats)
}

// symbolFont is the font of a run, if it draws symbols in the place of letters.
func symbolFont(properties *ooxml.Node) string {
	fonts := properties.Child("rFonts")
	for _, name := range []string{"ascii", "hAnsi"} {
		if font := fonts.Attr(name); symbolfont.Known(font) {
			return font
		}
	}
	return ""
}

// look is how a run is to be shown.
type look struct {
	style
	hidden bool
	font   string // of symbols
}

// runLook is what a run's own properties, its style and that of its paragraph make of it.
func (r *runReader) runLook(properties *ooxml.Node, s style) look {
	st := r.style(properties.Property("rStyle"))
	on := func(name string) bool {
		if direct, set := properties.Toggle(name); set {
			return direct
		}
		of := st.toggles[name].on
		// What the paragraph's style says counts where the author made it; headings look as they do anyway.
		if name == "vanish" || r.paragraphStyle.custom && r.paragraphStyle.level == 0 {
			of = of != r.paragraphStyle.toggles[name].on
		}
		return of
	}
	out := look{style: s, hidden: on("vanish"), font: st.font}
	if font := symbolFont(properties); font != "" || properties.Child("rFonts").Attr("ascii") != "" {
		out.font = font
	}
	out.bold = s.bold || on("b")
	out.italic = s.italic || on("i")
	out.strike = s.strike || on("strike") || on("dstrike")
	out.code = s.code || strings.Contains(st.name, "code") || strings.Contains(st.name, "verbatim")

	vertical := properties.Property("vertAlign")
	if vertical == "" {
		vertical = st.vertical
	}
	out.raised = s.raised || vertical == "superscript"
	out.lowered = s.lowered || vertical == "subscript"
	return out
}

// countFormats counts the looks of a run that are lost. Links look like links, whatever they say.
func (r *runReader) countFormats(properties *ooxml.Node, s style) {
	formats := r.losses.formatsOf(properties, runProperties, runFormats)
	if st := r.style(properties.Property("rStyle")); st.custom {
		formats = append(formats, st.formats...)
	}
	slices.Sort(formats)
	for _, name := range slices.Compact(formats) {
		if s.link == "" || name != "colour" && name != "underline" {
			r.losses.formats.add(name)
		}
	}
}
