package tables

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

const (
	sheetNameMax = 31
	cellTextMax  = 32_767
)

// plainNumber is a number that a cell can hold and show again letter for letter. Leading zeros, exponents,
// plus signs and more digits than a float carries are texts: telephone numbers, codes, account numbers.
var plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.([0-9]+))?$`)

func numberOf(text string) (value float64, decimals int, ok bool) {
	match := plainNumber.FindStringSubmatch(text)
	if match == nil || len(strings.Trim(strings.ReplaceAll(text, ".", ""), "-")) > 15 {
		return 0, 0, false
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || value == 0 && text[0] == '-' || strconv.FormatFloat(value, 'f', len(match[3]), 64) != text {
		return 0, 0, false
	}
	return value, len(match[3]), true
}

// writeXLSX writes a sheet that shows what the rows show.
func writeXLSX(ctx context.Context, path string, s sheet) (warnings []string, err error) {
	book := excelize.NewFile()
	defer book.Close() //nolint:errcheck // saved before, or given up
	name := sheetName(s.name)
	if err := book.SetSheetName("Sheet1", name); err != nil {
		return nil, fmt.Errorf("write the workbook: %w", err)
	}
	last, err := excelize.CoordinatesToCellName(max(s.width(), 1), max(len(s.rows), 1))
	if err != nil {
		return nil, fmt.Errorf("write the workbook: %w", err)
	}
	if err := book.SetSheetDimension(name, "A1:"+last); err != nil {
		return nil, fmt.Errorf("write the workbook: %w", err)
	}
	stream, err := book.NewStreamWriter(name)
	if err != nil {
		return nil, fmt.Errorf("write the workbook: %w", err)
	}
	if err := setWidths(stream, s); err != nil {
		return nil, err
	}
	formats := styles{book: book, known: map[int]int{}}
	cut := 0
	for i, row := range s.rows {
		if i%1000 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		cells := make([]any, len(row))
		for c, text := range row {
			if cells[c], err = formats.cell(text, &cut); err != nil {
				return nil, err
			}
		}
		if err := stream.SetRow(fmt.Sprintf("A%d", i+1), cells); err != nil {
			return nil, fmt.Errorf("write row %d of the workbook: %w", i+1, err)
		}
	}
	if err := stream.Flush(); err != nil {
		return nil, fmt.Errorf("write the workbook: %w", err)
	}
	if err := book.SaveAs(path); err != nil {
		return nil, fmt.Errorf("write the workbook: %w", err)
	}
	if cut > 0 {
		warnings = append(warnings, fmt.Sprintf("truncated: %d cells were longer than the %d characters that Excel allows", cut, cellTextMax))
	}
	return warnings, nil
}

// styles makes one number format for each number of decimals.
type styles struct {
	book  *excelize.File
	known map[int]int
}

func (s styles) cell(text string, cut *int) (any, error) {
	value, decimals, ok := numberOf(text)
	if !ok {
		if len(text) > cellTextMax {
			if runes := []rune(text); len(runes) > cellTextMax {
				*cut++
				text = string(runes[:cellTextMax])
			}
		}
		return text, nil
	}
	if decimals == 0 {
		return value, nil
	}
	id, known := s.known[decimals]
	if !known {
		format := "0." + strings.Repeat("0", decimals)
		var err error
		if id, err = s.book.NewStyle(&excelize.Style{CustomNumFmt: &format}); err != nil {
			return nil, fmt.Errorf("write the workbook: %w", err)
		}
		s.known[decimals] = id
	}
	return excelize.Cell{StyleID: id, Value: value}, nil
}

func setWidths(stream *excelize.StreamWriter, s sheet) error {
	for c := range min(s.width(), 100) {
		widest := 8
		for r := range min(len(s.rows), 200) {
			widest = max(widest, len([]rune(s.cell(r, c)))+2)
		}
		if err := stream.SetColWidth(c+1, c+1, float64(min(widest, 60))); err != nil {
			return fmt.Errorf("write the workbook: %w", err)
		}
	}
	return nil
}

// sheetName makes a file's name one that Excel accepts.
func sheetName(name string) string {
	name = strings.Trim(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`[]:*?/\`, r) || r < ' ' {
			return '_'
		}
		return r
	}, name), "'")
	if runes := []rune(name); len(runes) > sheetNameMax {
		name = string(runes[:sheetNameMax])
	}
	if name == "" {
		return "Sheet1"
	}
	return name
}
