package tables

import (
	"archive/zip"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// Bounds on what a workbook may unpack to. The library keeps styles and the like as objects in memory, and reads
// sheets row by row; what it does with a sheet beyond that needs the sheet as objects, too.
const (
	maxUnpacked     = 512 << 20
	maxSheetInRAM   = 16 << 20
	maxEntries      = 10_000
	maxElements     = 1_000_000 // of a part that is no sheet
	maxStrings      = 4_000_000 // elements of the shared strings
	maxDepth        = 100
	maxHeldCells    = 1_000_000 // of sheets that are looked at as objects
	maxHeldRows     = 200_000
	maxMerged       = 100_000
	maxFormulas     = 2_000   // of a workbook of which some are computed
	maxFormulaCells = 200_000 // whose places are kept
)

// bookFacts is what a look through a workbook has found.
type bookFacts struct {
	cells    int // each row up to its last one
	lastRow  int
	merged   int
	formulas int
	kept     int // cells whose format is ours
	styles   []cellStyle
	sheets   map[string]*sheetFacts // by the names of their parts
	parts    map[string]int         // things besides sheets
	names    map[string]string      // of sheets, by their relations
	targets  map[string]string      // parts, by their relations

	since1904 bool // days are counted from 1904-01-01
	early     earlyDates
}

// sheetFacts is what a sheet holds besides the values that the library gives.
type sheetFacts struct {
	numbers  []formatted
	formulas []formulaPlace
	struck   int
	hidden   int // rows
	columns  bool
	hiding   int // cells whose format shows nothing
	links    int
	others   map[string]int // elements that are not known here
	tooMany  bool
}

// formatted is a number whose format is ours.
type formatted struct {
	row, column, style int32
	value              float64
}

// formulaPlace is where a formula is.
type formulaPlace struct {
	row, column int
	array       bool
	stored      bool // the cell has a value, which may be a text without letters
}

// holds reports whether the sheets may be looked at as objects.
func (f bookFacts) holds() bool {
	return f.cells <= maxHeldCells && f.lastRow <= maxHeldRows && f.merged <= maxMerged
}

func (f bookFacts) computes() bool { return f.holds() && f.formulas <= maxFormulas }

// checkBook reads all parts of a workbook once, keeping nothing.
func checkBook(ctx context.Context, file string) (bookFacts, error) {
	facts := bookFacts{sheets: map[string]*sheetFacts{}, parts: map[string]int{}}
	book, err := zip.OpenReader(file)
	if err != nil {
		return facts, notWorkbook()
	}
	defer book.Close() //nolint:errcheck // read only
	if len(book.File) > maxEntries {
		return facts, unreadable("the workbook has more than %d parts", maxEntries)
	}
	total := uint64(0)
	for _, f := range book.File {
		if total += f.UncompressedSize64; total > maxUnpacked || f.UncompressedSize64 > maxUnpacked {
			return facts, unreadable("the workbook unpacks to more than %d MB", maxUnpacked>>20)
		}
	}
	if err := facts.lookAround(book.File); err != nil {
		return facts, err
	}
	for _, f := range book.File {
		switch strings.ToLower(path.Ext(f.Name)) {
		case ".xml", ".rels", ".vml":
			if err := checkPart(ctx, f, &facts); err != nil {
				return facts, err
			}
		}
	}
	return facts, nil
}

func unreadable(format string, args ...any) error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_DOCUMENT", Message: fmt.Sprintf(format, args...)}
}

func checkPart(ctx context.Context, f *zip.File, facts *bookFacts) error {
	content, err := f.Open()
	if err != nil {
		return notWorkbook()
	}
	defer content.Close() //nolint:errcheck // read only
	c := partCheck{facts: facts, most: maxElements, name: partName(f.Name)}
	if strings.EqualFold(path.Base(f.Name), "sharedStrings.xml") {
		c.most = maxStrings
	}
	decoder := xml.NewDecoder(content)
	for n := 0; ; n++ {
		if n%100_000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) && len(c.open) == 0 {
			return nil
		}
		if err == nil {
			err = c.token(token)
		}
		var known *engines.Error
		switch {
		case errors.As(err, &known):
			return err
		case err != nil:
			return unreadable("part %.60s of the workbook is not well-formed", f.Name)
		}
	}
}

// partCheck follows one part.
type partCheck struct {
	facts    *bookFacts
	open     []string // elements, by their local names
	elements int
	most     int
	sheet    bool
	row      int
	column   int
	text     []byte // of the value
	kind     string // of the cell
	style    int
	name     string
	own      *sheetFacts
}

var errDisorder = errors.New("an element ends that did not begin")

func (c *partCheck) token(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		if c.elements++; c.elements == 1 {
			if c.sheet = t.Name.Local == "worksheet"; c.sheet {
				c.own = &sheetFacts{others: map[string]int{}}
				c.facts.sheets[c.name] = c.own
			}
		}
		if len(c.open) >= maxDepth {
			return unreadable("the workbook is nested more than %d levels deep", maxDepth)
		}
		c.open = append(c.open, t.Name.Local)
		if c.sheet {
			return c.start(t)
		}
		if c.elements += len(t.Attr); c.elements > c.most {
			return unreadable("a part of the workbook has more than %d elements", c.most)
		}
	case xml.EndElement:
		if len(c.open) == 0 || c.open[len(c.open)-1] != t.Name.Local {
			return errDisorder
		}
		c.open = c.open[:len(c.open)-1]
		if c.sheet && t.Name.Local == "v" {
			c.keepStored()
			c.value()
		}
	case xml.CharData:
		if c.sheet && len(c.open) > 0 && c.open[len(c.open)-1] == "v" && len(c.text) <= longestNumber {
			c.text = append(c.text, t...)
		}
	}
	return nil
}

// keepStored notes that the cell of a formula has a value. Some programs write an empty one that is no text where there is none.
func (c *partCheck) keepStored() {
	last := len(c.own.formulas) - 1
	if last < 0 || c.kind != "str" && len(c.text) == 0 {
		return
	}
	if f := &c.own.formulas[last]; f.row == c.row && f.column == c.column {
		f.stored = true
	}
}

// start counts what the library makes of a sheet.
func (c *partCheck) start(t xml.StartElement) error {
	switch t.Name.Local {
	case "row":
		c.row, c.column = c.row+1, 0
		if n, err := strconv.Atoi(attr(t, "r")); err == nil {
			c.row = n
		}
		c.facts.lastRow = max(c.facts.lastRow, c.row)
		if isTrue(attr(t, "hidden")) {
			c.own.hidden++
		}
	case "c":
		at := c.column + 1
		if name := strings.TrimRight(attr(t, "r"), "0123456789"); name != "" {
			at = columnOf(name)
		}
		c.facts.cells += max(0, at-c.column)
		c.column = max(c.column, at)
		c.kind, c.text = attr(t, "t"), c.text[:0]
		c.style, _ = strconv.Atoi(attr(t, "s"))
	case "v", "is":
		if s := c.facts.style(c.style); s.struck && len(c.open) > 1 && c.open[len(c.open)-2] == "c" {
			c.own.struck++
		}
	case "f":
		if c.facts.formulas++; c.facts.formulas <= maxFormulaCells {
			kind := attr(t, "t")
			c.own.formulas = append(c.own.formulas, formulaPlace{row: c.row, column: c.column, array: kind == "array" || kind == "dataTable"})
		}
	case "mergeCell":
		c.facts.merged++
	default:
		c.note(t)
		if c.elements++; c.elements > 10*maxCells {
			return tooLarge("a sheet has more than %d elements", 10*maxCells)
		}
	}
	if c.row > maxRows || c.column > maxColumns || c.facts.cells > maxCells {
		return tooLarge("the sheets have more than %d rows, %d columns or %d cells", maxRows, maxColumns, maxCells)
	}
	return nil
}

func isTrue(value string) bool { return value == "1" || value == "true" }

func attr(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func notWorkbook() error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_DOCUMENT", Message: "the file is not an Excel workbook (xlsx) or is damaged"}
}
