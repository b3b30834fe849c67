package fidelity

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// readSlides reads the text of the slides that are shown.
func readSlides(ctx context.Context, file string, _ how) (Content, error) {
	a, err := openArchive(file)
	if err != nil {
		return Content{}, err
	}
	defer a.close()
	main, err := a.main()
	if err != nil {
		return Content{}, err
	}
	all, err := a.relations(main)
	if err != nil {
		return Content{}, err
	}
	words := newWords()
	for _, r := range all {
		if !r.is("slide") || !a.has(r.Target) {
			continue
		}
		if ctx.Err() != nil {
			return Content{}, ctx.Err()
		}
		data, err := a.read(r.Target)
		if err != nil {
			return Content{}, err
		}
		root, err := parse(data)
		if err != nil {
			return Content{}, err
		}
		if slide := root.find("sld"); slide != nil && slide.attr("show") != "0" && slide.attr("show") != "false" {
			readDrawn(slide, words)
		}
	}
	c := uncounted()
	c.Words, c.Partial = words.all, words.full
	return c, nil
}

func readDrawn(n *node, words *words) {
	switch n.name {
	case "p", "br", "tc", "tab":
		words.end()
		defer words.end()
	case "fld", "Fallback", "rPr":
		return
	case "t":
		words.text(escaped.ReplaceAllString(n.content(), " "))
		return
	}
	for _, kid := range n.kids {
		readDrawn(kid, words)
	}
}

// escaped are letters that XML cannot hold, as Office writes them.
var escaped = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

// sheets reads a workbook: texts, and numbers that are shown as they are stored. How others are shown is up to their format.
type sheets struct {
	*archive
	how
	words  *words
	shared []*node
	plain  map[int]bool // styles that show a number as it is
	veiled map[int]bool // styles that show no text
}

func readSheets(ctx context.Context, file string, as how) (Content, error) {
	a, err := openArchive(file)
	if err != nil {
		return Content{}, err
	}
	defer a.close()
	s := &sheets{archive: a, how: as, words: newWords(), plain: map[int]bool{0: true}, veiled: map[int]bool{}}
	main, err := a.main()
	if err != nil {
		return Content{}, err
	}
	all, err := a.relations(main)
	if err != nil {
		return Content{}, err
	}
	if err := s.around(all); err != nil {
		return Content{}, err
	}
	shown, err := s.shown(main)
	if err != nil {
		return Content{}, err
	}
	for _, r := range all {
		if !r.is("worksheet") || !shown[r.ID] || !a.has(r.Target) {
			continue
		}
		if ctx.Err() != nil {
			return Content{}, ctx.Err()
		}
		if err := s.sheet(r.Target); err != nil {
			return Content{}, err
		}
	}
	c := uncounted()
	c.Words, c.Partial = s.words.all, s.words.full
	return c, nil
}

// shown are the relations of the sheets that are not hidden.
func (s *sheets) shown(main string) (map[string]bool, error) {
	data, err := s.read(main)
	if err != nil {
		return nil, err
	}
	root, err := parse(data)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, sheet := range kidsOf(root.find("sheets")) {
		if state := sheet.attr("state"); state == "" || state == "visible" {
			out[sheet.attr("id")] = true
		}
	}
	return out, nil
}

func (s *sheets) around(all []relation) error {
	for _, r := range all {
		if !r.is("sharedStrings") && !r.is("styles") || !s.has(r.Target) {
			continue
		}
		data, err := s.read(r.Target)
		if err != nil {
			return err
		}
		root, err := parse(data)
		if err != nil {
			return err
		}
		if r.is("styles") {
			s.styles(root)
			continue
		}
		for _, item := range kidsOf(root.find("sst")) {
			if item.name == "si" {
				s.shared = append(s.shared, item)
			}
		}
	}
	return nil
}

// styles are plain where their number format is General, and show no text where its fourth section is empty.
func (s *sheets) styles(root *node) {
	veiled := map[string]bool{}
	for _, format := range kidsOf(root.find("numFmts")) {
		code := format.attr("formatCode")
		veiled[format.attr("numFmtId")] = strings.Count(code, ";") == 3 && strings.HasSuffix(code, ";")
	}
	at := 0
	for _, style := range kidsOf(root.find("cellXfs")) {
		if style.name == "xf" {
			id := style.attr("numFmtId")
			s.plain[at], s.veiled[at] = id == "" || id == "0", veiled[id]
			at++
		}
	}
}

func (s *sheets) sheet(part string) error {
	data, err := s.read(part)
	if err != nil {
		return err
	}
	root, err := parse(data)
	if err != nil {
		return err
	}
	hidden := hiddenColumns(root)
	for _, row := range kidsOf(root.find("sheetData")) {
		if row.attr("hidden") == "1" || row.attr("hidden") == "true" {
			continue
		}
		for _, cell := range row.kids {
			if cell.name == "c" && !slices.Contains(hidden, columnOf(cell.attr("r"))) {
				s.cell(cell)
				s.words.end()
			}
		}
	}
	return nil
}

const maxColumns = 16_384

func hiddenColumns(root *node) []int {
	var out []int
	for _, col := range kidsOf(root.find("cols")) {
		if col.attr("hidden") != "1" && col.attr("hidden") != "true" {
			continue
		}
		first, _ := strconv.Atoi(col.attr("min"))
		last, _ := strconv.Atoi(col.attr("max"))
		for at := first; at <= min(last, maxColumns); at++ {
			out = append(out, at)
		}
	}
	return out
}

// columnOf is the number of a column, from 1; 0 where a cell does not say.
func columnOf(at string) int {
	column := 0
	for _, letter := range strings.ToUpper(at) {
		if letter < 'A' || letter > 'Z' || column > maxColumns {
			break
		}
		column = column*26 + int(letter-'A') + 1
	}
	return column
}

func (s *sheets) cell(cell *node) {
	style, _ := strconv.Atoi(cell.attr("s"))
	value := ""
	if v := cell.kid("v"); v != nil {
		value = v.content()
	}
	if s.veiled[style] {
		return
	}
	switch cell.attr("t") {
	case "s":
		if at, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && at >= 0 && at < len(s.shared) {
			readDrawn(withoutPhonetics(s.shared[at]), s.words)
		}
	case "inlineStr":
		if is := cell.kid("is"); is != nil {
			readDrawn(withoutPhonetics(is), s.words)
		}
	case "str":
		s.words.text(value)
	case "", "n":
		if s.values {
			s.words.value(value)
			return
		}
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && s.plain[style] && n > -1e10 && n < 1e10 {
			s.words.text(value)
		}
	}
}

func withoutPhonetics(n *node) *node {
	out := &node{name: n.name}
	for _, kid := range n.kids {
		if kid.name != "rPh" && kid.name != "phoneticPr" {
			out.kids = append(out.kids, kid)
		}
	}
	return out
}

// readOpenDocument reads the body of a text, of a table or of slides.
func readOpenDocument(_ context.Context, file string, as how) (Content, error) {
	a, err := openArchive(file)
	if err != nil {
		return Content{}, err
	}
	defer a.close()
	if manifest, err := a.read("META-INF/manifest.xml"); err != nil || strings.Contains(string(manifest), "encryption-data") {
		return Content{}, unreadable("it is locked by a password")
	}
	data, err := a.read("content.xml")
	if err != nil {
		return Content{}, err
	}
	root, err := parse(data)
	if err != nil {
		return Content{}, err
	}
	body := root.find("body")
	if body == nil {
		return Content{}, unreadable("it is no OpenDocument")
	}
	o := &openDocument{how: as, words: newWords()}
	o.walk(body)
	c := uncounted()
	c.Words, c.Partial = o.words.all, o.words.full
	if text := body.kid("text"); text != nil {
		c.Tables, c.Rows, c.Pictures = o.shape.tables, o.shape.rows, o.pictures
	}
	return c, nil
}

type openDocument struct {
	how
	words    *words
	shape    shape
	pictures int
}

// aside are elements that are no part of what is read, or are computed by each program.
var aside = []string{
	"tracked-changes", "annotation", "annotation-end", "hidden-text", "hidden-paragraph", "page-number", "page-count", "date", "time", "file-name",
	"author-name", "creation-date", "modification-date", "print-date", "notes", "forms", "table-of-content", "alphabetical-index", "illustration-index",
	"table-index", "object-index", "user-index", "bibliography", "sequence", "bookmark-ref", "reference-ref", "title", "desc", "note-citation",
	"event-listeners", "variable-decls", "sequence-decls", "database-ranges", "content-validations", "header", "footer", "date-time",
}

func (o *openDocument) walk(n *node) {
	switch {
	case n.name == "":
		o.words.text(n.text)
		return
	case slices.Contains(aside, n.name):
		return
	}
	switch n.name {
	case "p", "h", "tab", "s", "line-break", "list-item", "note":
		o.words.end()
		defer o.words.end()
	case "table":
		if n.attr("display") == "false" {
			return
		}
		o.shape.begin()
		defer o.shape.end()
	case "table-row":
		o.shape.row()
	case "table-cell":
		o.shape.cell()
		o.words.end()
		defer o.words.end()
		if kind := n.attr("value-type"); o.values && kind != "" && kind != "string" {
			if kind == "float" {
				o.words.value(n.attr("value"))
			}
			return
		}
	case "image":
		if at := strings.ToLower(n.attr("href")); strings.HasPrefix(at, "pictures/") && !strings.HasSuffix(at, "wmf") && !strings.HasSuffix(at, "emf") && !strings.HasSuffix(at, "svg") {
			o.pictures++
		}
	}
	for _, kid := range n.kids {
		o.walk(kid)
	}
}
