package fidelity

import (
	"bytes"
	"context"
	"slices"
	"strings"
)

// document reads the body of a Word document: what a reader sees on its pages, but for page headers and footers.
type document struct {
	*archive
	how
	ctx context.Context

	words    *words
	shape    shape
	pictures int
	part     string
	links    map[string]relation
	hidden   map[string]bool    // styles whose text is not shown
	notes    map[string][]*node // footnotes and endnotes, by kind and id
	fields   []field
	nested   int
}

// field is one that the reader is in.
type field struct {
	code   string
	result bool // what follows is what it came to
}

func readWord(ctx context.Context, path string, as how) (Content, error) {
	a, err := openArchive(path)
	if err != nil {
		return Content{}, err
	}
	defer a.close()
	d := &document{archive: a, how: as, ctx: ctx, words: newWords(), links: map[string]relation{}, hidden: map[string]bool{}, notes: map[string][]*node{}}
	if d.part, err = a.main(); err != nil {
		return Content{}, err
	}
	body, err := d.load(d.part)
	if err != nil {
		return Content{}, err
	}
	if err := d.around(); err != nil {
		return Content{}, err
	}
	if err := d.walk(body); err != nil {
		return Content{}, err
	}
	c := uncounted()
	d.words.end()
	c.Words, c.Partial = d.words.all, d.words.full
	c.Tables, c.Rows, c.Pictures = d.shape.tables, d.shape.rows, d.pictures
	return c, nil
}

func (d *document) load(part string) (*node, error) {
	data, err := d.read(part)
	if err != nil {
		return nil, err
	}
	return parse(data)
}

// around reads the parts that the body refers to.
func (d *document) around() error {
	all, err := d.relations(d.part)
	if err != nil {
		return err
	}
	for _, r := range all {
		d.links[r.ID] = r
		var kind string
		switch {
		case r.Mode == "External" || !d.has(r.Target):
			continue
		case r.is("styles"):
			kind = "style"
		case r.is("footnotes"):
			kind = "footnote"
		case r.is("endnotes"):
			kind = "endnote"
		default:
			continue
		}
		root, err := d.load(r.Target)
		if err != nil {
			return err
		}
		for _, top := range root.kids {
			d.collect(kind, top.kids)
		}
	}
	return nil
}

func (d *document) collect(kind string, all []*node) {
	for _, n := range all {
		switch {
		case n.name == "style" && kind == "style":
			if n.kid("rPr").kid("vanish").on() {
				d.hidden[n.attr("styleId")] = true
			}
		case n.name == kind:
			d.notes[kind+n.attr("id")] = append(d.notes[kind+n.attr("id")], n)
		}
	}
}

// computed are fields whose result each program computes for itself, or that repeat what is elsewhere.
var computed = []string{"PAGE", "NUMPAGES", "PAGEREF", "SECTIONPAGES", "DATE", "TIME", "SAVEDATE", "PRINTDATE", "CREATEDATE", "EDITTIME", "FILENAME", "FILESIZE", "TOC", "INDEX", "TOA", "NUMWORDS", "NUMCHARS", "AUTHOR", "TITLE", "USERNAME", "LASTSAVEDBY", "REVNUM", "DOCPROPERTY", "REF", "NOTEREF", "STYLEREF", "SEQ", "MACROBUTTON", "RD", "TC", "XE"}

func isComputed(code string) bool {
	name, _, _ := strings.Cut(strings.TrimSpace(code), " ")
	return slices.Contains(computed, strings.ToUpper(name))
}

// passedOver reports whether the text here is the result of a field that is not compared.
func (d *document) passedOver() bool {
	return slices.ContainsFunc(d.fields, func(f field) bool { return !f.result || isComputed(f.code) })
}

func (d *document) walkAll(all []*node) error {
	for _, n := range all {
		if err := d.walk(n); err != nil {
			return err
		}
	}
	return nil
}

// walk reads an element and what is in it.
func (d *document) walk(n *node) error {
	switch n.name {
	case "p":
		return d.paragraph(n)
	case "tbl":
		d.words.end()
		d.shape.begin()
		defer d.shape.end()
	case "tr":
		if n.kid("trPr").kid("del") != nil {
			return nil
		}
		d.shape.row()
	case "tc":
		d.words.end()
		d.shape.cell()
		defer d.words.end()
	case "r":
		return d.run(n)
	case "del", "moveFrom", "rPr", "pPr", "sectPr", "tblPr", "instrText", "delText", "Fallback", "rt", "sdtPr", "annotation", "commentReference":
		return nil
	case "fldSimple":
		if isComputed(n.attr("instr")) {
			return nil
		}
	case "oMath", "oMathPara":
		if d.formulas {
			d.formula(n)
		}
		return nil
	case "altChunk":
		return d.chunk(n)
	case "AlternateContent":
		return d.alternative(n)
	}
	return d.walkAll(n.kids)
}

func (d *document) paragraph(n *node) error {
	if d.ctx.Err() != nil {
		return d.ctx.Err()
	}
	d.words.end()
	defer d.words.end()
	return d.walkAll(n.kids)
}

func (d *document) run(n *node) error {
	properties := n.kid("rPr")
	hidden := properties.kid("vanish").on() || properties.kid("vanish") == nil && d.hidden[styleOf(properties, "rStyle")] || properties.kid("specVanish").on()
	put := d.words.text
	if align := properties.kid("vertAlign"); align != nil && align.attr("val") == "superscript" {
		put = d.words.raised
	}
	symbols := symbolFont(properties)
	for _, kid := range n.kids {
		if kid.name == "t" {
			if !hidden && !symbols && !d.passedOver() {
				put(kid.content())
			}
			continue
		}
		if err := d.inRun(kid, hidden); err != nil {
			return err
		}
	}
	return nil
}

// inRun reads what a run holds besides text.
func (d *document) inRun(n *node, hidden bool) error {
	switch n.name {
	case "tab", "br", "cr", "ptab", "noBreakHyphen":
		d.words.end()
	case "instrText":
		if top := len(d.fields) - 1; top >= 0 && !d.fields[top].result {
			d.fields[top].code += n.content()
		}
	case "fldChar":
		d.field(n.attr("fldCharType"))
	case "drawing", "pict", "object", "AlternateContent":
		if !hidden && !d.passedOver() {
			return d.drawing(n)
		}
	case "footnoteReference", "endnoteReference":
		return d.note(strings.TrimSuffix(n.name, "Reference") + n.attr("id"))
	case "ruby":
		d.words.end()
		return d.walkAll(n.kids)
	}
	return nil
}

func styleOf(properties *node, name string) string {
	if style := properties.kid(name); style != nil {
		return style.attr("val")
	}
	return ""
}

// symbolFont reports whether letters stand for signs of a font.
func symbolFont(properties *node) bool {
	fonts := properties.kid("rFonts")
	if fonts == nil {
		return false
	}
	name := strings.ToLower(fonts.attr("ascii"))
	return strings.HasPrefix(name, "wingdings") || strings.HasPrefix(name, "webdings") || name == "symbol" || strings.HasPrefix(name, "zapf")
}

func (d *document) field(kind string) {
	top := len(d.fields) - 1
	switch {
	case kind == "begin" && len(d.fields) < 100:
		d.fields = append(d.fields, field{})
	case kind == "separate" && top >= 0:
		d.fields[top].result = true
	case kind == "end" && top >= 0:
		d.fields = d.fields[:top]
	}
}

// drawing counts pictures, and reads what is written in text boxes. A box stands on its own: words go on around it.
func (d *document) drawing(n *node) error {
	switch n.name {
	case "Fallback":
		return nil
	case "AlternateContent":
		return d.alternative(n)
	case "blip", "imagedata":
		if d.isPicture(n) {
			d.pictures++
		}
	case "txbxContent":
		outer := d.words.word
		d.words.word = nil
		err := d.walkAll(n.kids)
		d.words.end()
		d.words.word = outer
		return err
	}
	for _, kid := range n.kids {
		if err := d.drawing(kid); err != nil {
			return err
		}
	}
	return nil
}

// isPicture reports whether an element shows a picture of a kind that every format carries.
func (d *document) isPicture(n *node) bool {
	id := n.attr("embed")
	if n.name == "imagedata" {
		id = n.attr("id")
	}
	target := strings.ToLower(d.links[id].Target)
	return d.has(d.links[id].Target) && slices.ContainsFunc([]string{".png", ".jpg", ".jpeg", ".gif", ".bmp"}, func(end string) bool { return strings.HasSuffix(target, end) })
}

// alternative takes the first choice, as programs do that know all name spaces.
func (d *document) alternative(n *node) error {
	for _, kid := range n.kids {
		if kid.name == "Choice" || kid.name == "Fallback" {
			for _, inner := range kid.kids {
				if err := d.drawing(inner); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return nil
}

func (d *document) note(key string) error {
	all := d.notes[key]
	delete(d.notes, key) // each is read once, wherever it is referred to
	outer := d.words.word
	d.words.word = nil
	err := d.walkAll(all)
	d.words.end()
	d.words.word = outer
	return err
}

// formula takes digits: letters and signs are written in many ways.
func (d *document) formula(n *node) {
	d.words.end()
	defer d.words.end()
	if n.name == "t" {
		for _, r := range n.content() {
			if '0' <= r && r <= '9' {
				d.words.rune(r)
			} else {
				d.words.end()
			}
		}
		return
	}
	for _, kid := range n.kids {
		d.formula(kid)
	}
}

const maxChunks = 20

// chunk reads a document that is put into this one.
func (d *document) chunk(n *node) error {
	target := d.links[n.attr("id")].Target
	data, err := d.read(target)
	if err != nil || data == nil {
		return err
	}
	if d.nested++; d.nested > maxChunks {
		return unreadable("it has more than %d documents in it", maxChunks)
	}
	switch end := strings.ToLower(target); {
	case strings.HasSuffix(end, ".txt"):
		d.words.text(string(data))
	case strings.HasSuffix(end, ".html"), strings.HasSuffix(end, ".htm"), strings.HasSuffix(end, ".xhtml"):
		page, err := pageOf(bytes.NewReader(data), "text/html")
		if err != nil {
			return err
		}
		d.words.all = append(d.words.all, page.Words...)
	}
	d.words.end()
	return nil
}
