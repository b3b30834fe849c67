package tables

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	longestNumber = 40        // bytes of a number as a workbook stores it
	maxFormatted  = 3_000_000 // numbers whose format is ours
	maxStyles     = 100_000
	maxOtherKinds = 200
)

// cellStyle is what of a style changes what a cell shows.
type cellStyle struct {
	format  *numberFormat // nil where the library sets it
	general bool          // the format of cells that have none
	date    string        // the code, or the number, of a format of dates
	struck  bool
}

func (f *bookFacts) style(i int) cellStyle {
	if i < 0 || i >= len(f.styles) {
		return cellStyle{}
	}
	return f.styles[i]
}

// partName is a name within the package, as relations resolve to.
func partName(name string) string { return strings.ToLower(strings.TrimPrefix(name, "/")) }

// lookAround reads the styles and the list of sheets, and counts what stands beside the cells.
func (f *bookFacts) lookAround(files []*zip.File) error {
	f.names, f.targets = map[string]string{}, map[string]string{}
	for _, part := range files {
		name := partName(part.Name)
		switch {
		case path.Base(name) == "styles.xml":
			reader := &styleReader{}
			if err := eachElement(part, reader.start); err != nil {
				return err
			}
			f.styles = reader.styles()
		case path.Base(name) == "workbook.xml":
			if err := eachElement(part, f.sheetName); err != nil {
				return err
			}
		case strings.HasSuffix(name, "_rels/workbook.xml.rels"):
			if err := eachElement(part, f.relation); err != nil {
				return err
			}
		case strings.HasPrefix(path.Base(name), "drawing") && path.Ext(name) == ".xml":
			if err := eachElement(part, f.shape); err != nil {
				return err
			}
		case strings.Contains(name, "/charts/chart"), strings.Contains(name, "/chartex/"):
			f.parts["charts"]++
		case strings.Contains(name, "/embeddings/"):
			f.parts["embedded objects"]++
		case path.Base(name) == "vbaproject.bin":
			f.parts["macros"]++
		case strings.Contains(name, "/ctrlprops/"), strings.Contains(name, "/activex/activex") && path.Ext(name) == ".xml":
			f.parts["form controls"]++
		case strings.Contains(name, "/slicers/"):
			f.parts["slicers"]++
		}
	}
	return nil
}

func (f *bookFacts) shape(t xml.StartElement) {
	if t.Name.Local == "sp" || t.Name.Local == "cxnSp" {
		f.parts["text boxes and shapes"]++
	}
}

func (f *bookFacts) sheetName(t xml.StartElement) {
	if t.Name.Local == "workbookPr" {
		f.since1904 = isTrue(attr(t, "date1904"))
	}
	if t.Name.Local != "sheet" {
		return
	}
	for _, a := range t.Attr {
		if a.Name.Local == "id" && a.Name.Space != "" {
			f.names[a.Value] = attr(t, "name")
		}
	}
}

func (f *bookFacts) relation(t xml.StartElement) {
	if target := attr(t, "Target"); target != "" {
		if !strings.HasPrefix(target, "/") {
			target = path.Join("xl", target)
		}
		f.targets[attr(t, "Id")] = partName(target)
	}
}

// sheet is what was found in the part of a sheet; nil for none.
func (f *bookFacts) sheet(name string) *sheetFacts {
	for id, named := range f.names {
		if named == name {
			return f.sheets[f.targets[id]]
		}
	}
	return nil
}

// eachElement calls do for each element of a part, of which there may be so many.
func eachElement(part *zip.File, do func(xml.StartElement)) error {
	content, err := part.Open()
	if err != nil {
		return notWorkbook()
	}
	defer content.Close() //nolint:errcheck // read only
	decoder := xml.NewDecoder(content)
	for n := 0; ; n++ {
		token, err := decoder.RawToken()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil || n > 4*maxElements:
			return unreadable("part %.60s of the workbook is not well-formed, or too large", part.Name)
		}
		if start, ok := token.(xml.StartElement); ok {
			do(start)
		}
	}
}

// styleReader follows the part with the styles.
type styleReader struct {
	codes   map[int]string
	struck  []bool // by font
	cells   [][2]int
	section string
}

func (r *styleReader) start(t xml.StartElement) {
	switch t.Name.Local {
	case "numFmts", "fonts", "fills", "borders", "cellStyleXfs", "cellXfs", "cellStyles", "dxfs", "colors", "extLst":
		r.section = t.Name.Local
	case "numFmt":
		id, err := strconv.Atoi(attr(t, "numFmtId"))
		if err == nil && r.section == "numFmts" && len(r.codes) < maxStyles {
			if r.codes == nil {
				r.codes = map[int]string{}
			}
			r.codes[id] = attr(t, "formatCode")
		}
	case "font":
		if r.section == "fonts" && len(r.struck) < maxStyles {
			r.struck = append(r.struck, false)
		}
	case "strike":
		if value := attr(t, "val"); r.section == "fonts" && len(r.struck) > 0 && (value == "" || isTrue(value)) {
			r.struck[len(r.struck)-1] = true
		}
	case "xf":
		if r.section == "cellXfs" && len(r.cells) < maxStyles {
			format, _ := strconv.Atoi(attr(t, "numFmtId"))
			font, _ := strconv.Atoi(attr(t, "fontId"))
			r.cells = append(r.cells, [2]int{format, font})
		}
	}
}

func (r *styleReader) styles() []cellStyle {
	parsed := map[int]*numberFormat{}
	isGeneral := map[int]bool{}
	dates := map[int]string{}
	out := make([]cellStyle, len(r.cells))
	for i, cell := range r.cells {
		format, known := parsed[cell[0]]
		if !known {
			code, custom := r.codes[cell[0]]
			if !custom {
				code = builtinFormats[cell[0]]
			}
			if code == "" {
				code = "General" // or a date that has a number of its own
			}
			if !strings.EqualFold(code, "general") {
				format = parseNumberFormat(code)
			}
			parsed[cell[0]] = format
			dates[cell[0]] = dateFormat(cell[0], r.codes[cell[0]])
			isGeneral[cell[0]] = cell[0] == 0 || custom && strings.EqualFold(code, "general")
		}
		out[i].format, out[i].general = format, isGeneral[cell[0]]
		out[i].date = dates[cell[0]]
		out[i].struck = cell[1] >= 0 && cell[1] < len(r.struck) && r.struck[cell[1]]
	}
	return out
}

// value keeps a number whose format is ours.
func (c *partCheck) value() {
	style := c.facts.style(c.style)
	if c.kind != "" && c.kind != "n" {
		return
	}
	value, err := strconv.ParseFloat(strings.TrimSpace(string(c.text)), 64)
	early := c.facts.since1904 && style.date != "" && isEarly(value)
	if err != nil || style.format == nil && !isCode(value) && !early {
		return
	}
	if c.facts.kept++; c.facts.kept > maxFormatted {
		c.own.tooMany = true
		return
	}
	c.own.numbers = append(c.own.numbers, formatted{
		row: int32(c.row), column: int32(c.column), style: int32(c.style), value: value, //nolint:gosec // within the bounds of a sheet
	})
}

// isCode reports whether a number has so many digits that the general format rounds it: those of articles and accounts
// do, and nobody reads them as amounts.
func isCode(v float64) bool { return math.Abs(v) >= 1e11 && math.Abs(v) < 1e15 && v == math.Trunc(v) }

// show is a number as its cell shows it.
func (f *bookFacts) show(n formatted) (string, bool) {
	style := f.style(int(n.style))
	if style.format != nil {
		return style.format.format(n.value)
	}
	if style.date != "" {
		return f.early.show(style.date, n.value)
	}
	return strconv.FormatFloat(n.value, 'f', -1, 64), f.isGeneral(int(n.style))
}

func (f *bookFacts) isGeneral(style int) bool {
	return style < 0 || style >= len(f.styles) || f.styles[style].general
}

// knownElements of a sheet hold no content, or content that is taken from elsewhere.
var knownElements = map[string]bool{}

func init() {
	for name := range strings.FieldsSeq(`worksheet sheetPr tabColor outlinePr pageSetUpPr dimension sheetViews sheetView pane selection pivotSelection pivotArea
		references reference x sheetFormatPr cols col sheetData r t rPr rPh phoneticPr b i u sz color rFont family charset scheme vertAlign outline shadow
		condense extend strike sheetCalcPr sheetProtection protectedRanges protectedRange scenarios scenario inputCells autoFilter filterColumn filters
		filter dateGroupItem customFilters customFilter top10 dynamicFilter colorFilter iconFilter sortState sortCondition dataConsolidate dataRefs dataRef
		customSheetViews customSheetView mergeCells dataValidations dataValidation formula1 formula2 hyperlinks printOptions pageMargins pageSetup rowBreaks
		colBreaks brk customProperties customPr cellWatches cellWatch ignoredErrors ignoredError smartTags drawing legacyDrawing legacyDrawingHF drawingHF
		webPublishItems tableParts tablePart extLst ext conditionalFormatting formula cfvo colorScale dataBar iconSet headerFooter oddHeader oddFooter
		evenHeader evenFooter firstHeader firstFooter controls oleObjects AlternateContent Choice Fallback control controlPr oleObject objectPr anchor from to
		colOff rowOff row sqref f id fillColor borderColor negativeFillColor negativeBorderColor axisColor cfIcon list dxf font fill patternFill bgColor fgColor
		PLV cellSmartTags cellSmartTag cellSmartTagPr conditionalFormattings sparklines colorSeries colorNegative colorAxis colorMarkers colorFirst colorLast colorHigh colorLow slicerList`) {
		knownElements[name] = true
	}
}

// note counts an element that holds something that no table has.
func (c *partCheck) note(t xml.StartElement) {
	switch name := t.Name.Local; {
	case name == "hyperlink":
		c.own.links++
	case name == "col" && isTrue(attr(t, "hidden")):
		c.own.columns = true
	case name == "cfRule":
		c.own.others["rules of conditional formatting"]++
	case name == "oddHeader" || name == "oddFooter":
		c.own.others["headers and footers of the printed page"]++
	case name == "picture":
		c.own.others["background pictures"]++
	case name == "sparkline":
		c.own.others["sparklines"]++
	case !knownElements[name] && len(c.own.others) < maxOtherKinds:
		c.own.others[fmt.Sprintf("elements %.40q", name)]++
	}
}

// setFormatted shows numbers by the formats that are ours.
func (f *bookFacts) setFormatted(s *sheet, found *sheetFacts) {
	for _, n := range found.numbers {
		text, ok := f.show(n)
		if !ok {
			continue
		}
		r, c := int(n.row)-1, int(n.column)-1
		if text == "" {
			found.hiding++
		}
		if r < 0 || c < 0 || text == "" && (r >= len(s.rows) || c >= len(s.rows[r])) {
			continue
		}
		for len(s.rows) <= r {
			s.rows = append(s.rows, nil)
		}
		for len(s.rows[r]) <= c {
			s.rows[r] = append(s.rows[r], "")
		}
		s.rows[r][c] = text
	}
}

// name puts what a sheet holds besides its values into notes.
func (found *sheetFacts) name(sheet string, losses *losses) {
	count := func(n int, format string) {
		if n > 0 {
			losses.add("best_effort: "+format, n, sheet)
		}
	}
	count(found.struck, "%d cells of sheet %q are struck through, which is not carried over")
	count(found.links, "the addresses of %d links of sheet %q were left out; their texts stayed")
	count(found.hidden, "%d rows of sheet %q are hidden in the workbook, and are shown")
	count(found.hiding, "%d cells of sheet %q have a number format that shows nothing, and are empty")
	if found.columns {
		losses.add("best_effort: columns of sheet %q are hidden in the workbook, and are shown", sheet)
	}
	if found.tooMany {
		losses.add("best_effort: sheet %q is too large for number formats of its own; some numbers look different", sheet)
	}
	for _, kind := range slices.Sorted(maps.Keys(found.others)) {
		losses.add("best_effort: %d %s of sheet %q were left out", found.others[kind], kind, sheet)
	}
}

// nameParts puts what stands beside the sheets into notes.
func (f *bookFacts) nameParts(losses *losses) {
	for _, kind := range slices.Sorted(maps.Keys(f.parts)) {
		losses.add("best_effort: %d %s of the workbook were left out", f.parts[kind], kind)
	}
}
