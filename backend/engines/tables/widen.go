package tables

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// Widths of columns are in digits of the workbook's font.
const (
	defaultWidth = 8.43
	widestColumn = 255
)

// Widen writes a copy of a workbook in which numbers and dates fit into their columns: programs print ### for those that do
// not. It reports how many columns it widened; where that is none, or the workbook is too large to look, there is no copy.
func Widen(ctx context.Context, from, to string) (widened int, err error) {
	facts, err := checkBook(ctx, from)
	if err != nil {
		return 0, err
	}
	if !facts.holds() {
		return 0, nil
	}
	book, err := excelize.OpenFile(from, excelize.Options{
		UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: maxSheetInRAM, ShortDatePattern: shortDate,
	})
	if err != nil {
		return 0, notWorkbook()
	}
	defer book.Close() //nolint:errcheck // read only
	archive, err := zip.OpenReader(from)
	if err != nil {
		return 0, notWorkbook()
	}
	defer archive.Close() //nolint:errcheck // read only

	changed := map[string][]byte{}
	for id, name := range facts.names {
		part := facts.targets[id]
		file := slices.IndexFunc(archive.File, func(f *zip.File) bool { return partName(f.Name) == part })
		if file < 0 || facts.sheets[part] == nil || archive.File[file].UncompressedSize64 > maxSheetInRAM {
			continue
		}
		s, err := readSheet(book, name, &facts, newLosses())
		if err != nil {
			return 0, err
		}
		content, err := contentOf(archive.File[file])
		if err != nil {
			return 0, err
		}
		wider, n, err := widenSheet(ctx, content, s, &facts)
		if err != nil {
			return 0, err
		}
		if n > 0 {
			changed[archive.File[file].Name] = wider
			widened += n
		}
	}
	if widened == 0 {
		return 0, nil
	}
	return widened, replaceParts(&archive.Reader, to, changed)
}

func contentOf(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, notWorkbook()
	}
	defer r.Close() //nolint:errcheck // read only
	content, err := io.ReadAll(io.LimitReader(r, maxSheetInRAM+1))
	if err != nil || len(content) > maxSheetInRAM {
		return nil, notWorkbook()
	}
	return content, nil
}

// columnRange is an element of <cols>.
type columnRange struct {
	first, last int
	width       float64
	hidden      bool
	attributes  []xml.Attr // the others
}

// sheetColumns is what a sheet says of its columns, and which of its cells are numbers.
type sheetColumns struct {
	ranges  []columnRange
	width   float64
	numbers []numberCell
	merged  map[[2]int]bool // cells that are as wide as several columns
	row     int
	column  int
	kind    string
	style   int
}

// numberCell is a cell with a number: its row and column, from 0.
type numberCell struct{ row, column, style int }

func (s *sheetColumns) start(t xml.StartElement) {
	switch t.Name.Local {
	case "sheetFormatPr":
		if width, err := strconv.ParseFloat(attr(t, "defaultColWidth"), 64); err == nil {
			s.width = width
		}
	case "col":
		s.ranges = append(s.ranges, s.columnRange(t))
	case "row":
		s.row, s.column = s.row+1, 0
		if n, err := strconv.Atoi(attr(t, "r")); err == nil {
			s.row = n
		}
	case "c":
		s.column++
		if name := strings.TrimRight(attr(t, "r"), "0123456789"); name != "" {
			s.column = columnOf(name)
		}
		s.kind = attr(t, "t")
		s.style, _ = strconv.Atoi(attr(t, "s"))
	case "v":
		if s.kind == "" || s.kind == "n" {
			s.numbers = append(s.numbers, numberCell{row: s.row - 1, column: s.column - 1, style: s.style})
		}
	case "mergeCell":
		if areas := areasOf("", attr(t, "ref")); len(areas) == 1 && areas[0].left < areas[0].right {
			s.merged[[2]int{areas[0].top - 1, areas[0].left - 1}] = true // the others show nothing
		}
	}
}

func (s *sheetColumns) columnRange(t xml.StartElement) columnRange {
	c := columnRange{width: s.width, hidden: isTrue(attr(t, "hidden"))}
	for _, a := range t.Attr {
		switch a.Name.Local {
		case "min":
			c.first, _ = strconv.Atoi(a.Value)
		case "max":
			c.last, _ = strconv.Atoi(a.Value)
		case "width":
			if width, err := strconv.ParseFloat(a.Value, 64); err == nil {
				c.width = width
			}
		case "customWidth", "bestFit":
		default:
			c.attributes = append(c.attributes, a)
		}
	}
	return c
}

var (
	columnsPart = regexp.MustCompile(`(?s)<(?:\w+:)?cols\b.*?</(?:\w+:)?cols>`)
	dataPart    = regexp.MustCompile(`<((?:\w+:)?)sheetData\b`)
)

// widenSheet is the part of a sheet with columns as wide as their numbers.
func widenSheet(ctx context.Context, content []byte, s sheet, facts *bookFacts) ([]byte, int, error) {
	columns := sheetColumns{width: defaultWidth, merged: map[[2]int]bool{}}
	decoder := xml.NewDecoder(bytes.NewReader(content))
	for n := 0; ; n++ {
		if n%100_000 == 0 && ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, notWorkbook()
		}
		if start, ok := token.(xml.StartElement); ok {
			columns.start(start)
		}
	}
	if len(columns.ranges) > maxColumns { // more than there are columns
		return nil, 0, nil
	}
	n := 0
	for column, width := range columns.needed(s, facts) {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		n += columns.widen(column, width)
	}
	data := dataPart.FindSubmatchIndex(content)
	if n == 0 || data == nil {
		return nil, 0, nil
	}
	prefix := string(content[data[2]:data[3]])
	list := columns.render(prefix)
	if old := columnsPart.FindIndex(content[:data[0]]); old != nil {
		return slices.Concat(content[:old[0]], []byte(list), content[old[1]:]), n, nil
	}
	return slices.Concat(content[:data[0]], []byte(list), content[data[0]:]), n, nil
}

// needed is how wide the numbers of each column are, which count from 1.
func (s *sheetColumns) needed(shown sheet, facts *bookFacts) map[int]float64 {
	out := map[int]float64{}
	for _, at := range s.numbers {
		if at.row < 0 || at.row >= len(shown.rows) || at.column < 0 || s.merged[[2]int{at.row, at.column}] {
			continue
		}
		text := shown.cell(at.row, at.column)
		if text == "" {
			continue
		}
		if facts.isGeneral(at.style) && !strings.Contains(text, "E") { // a program rounds it to the width that there is
			text, _, _ = strings.Cut(text, ".")
		}
		out[at.column+1] = max(out[at.column+1], widthOf(text))
	}
	return out
}

// widthOf is about how wide a text is, in digits; rather less, since a column that is widened moves others.
func widthOf(text string) float64 {
	width := 0.0
	for _, r := range text {
		if strings.ContainsRune(".,:;/-()' ", r) {
			width += 0.5
		} else {
			width++
		}
	}
	return width
}

// widen gives a column a range of its own where it is too narrow, and returns 1.
func (s *sheetColumns) widen(column int, width float64) int {
	const room = 1
	wide := columnRange{first: column, last: column, width: math.Min(width+room, widestColumn)}
	for i, c := range s.ranges {
		if column < c.first || column > c.last {
			continue
		}
		if c.hidden || c.width >= width {
			return 0
		}
		wide.attributes = c.attributes
		parts := []columnRange{wide}
		if before := c; c.first < column {
			before.last = column - 1
			parts = slices.Insert(parts, 0, before)
		}
		if after := c; column < c.last {
			after.first = column + 1
			parts = append(parts, after)
		}
		s.ranges = slices.Replace(s.ranges, i, i+1, parts...)
		return 1
	}
	if s.width >= width {
		return 0
	}
	s.ranges = append(s.ranges, wide)
	return 1
}

func (s *sheetColumns) render(prefix string) string {
	slices.SortFunc(s.ranges, func(a, b columnRange) int { return a.first - b.first })
	var out strings.Builder
	out.WriteString("<" + prefix + "cols>")
	for _, c := range s.ranges {
		fmt.Fprintf(&out, `<%scol min="%d" max="%d" width="%g" customWidth="1"`, prefix, c.first, c.last, c.width)
		for _, a := range c.attributes {
			name := a.Name.Local
			if a.Name.Space != "" {
				name = a.Name.Space + ":" + name
			}
			out.WriteString(" " + name + `="`)
			_ = xml.EscapeText(&out, []byte(a.Value)) // into memory
			out.WriteString(`"`)
		}
		out.WriteString("/>")
	}
	out.WriteString("</" + prefix + "cols>")
	return out.String()
}

// replaceParts writes a copy of an archive in which some parts are others.
func replaceParts(from *zip.Reader, to string, changed map[string][]byte) (err error) {
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // a path of the caller
	if err != nil {
		return fmt.Errorf("create %s: %w", path.Base(to), err)
	}
	out := zip.NewWriter(file)
	for _, f := range from.File {
		content, isNew := changed[f.Name]
		if !isNew {
			err = errors.Join(err, out.Copy(f))
			continue
		}
		w, createErr := out.Create(f.Name)
		if createErr == nil {
			_, createErr = w.Write(content)
		}
		err = errors.Join(err, createErr)
	}
	if err = errors.Join(err, out.Close(), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path.Base(to), err)
	}
	return nil
}
