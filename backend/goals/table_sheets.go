package goals

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
)

// maxHeaderRow is as far down as headings are looked for.
const maxHeaderRow = 1000

// sheet is a table that can be chosen.
type sheet struct {
	tables.Table
	id    string // the value of its option
	label string
	file  string // name of its outputs, without extension
}

func (s sheet) columns() int {
	width := 0
	for _, row := range s.Rows {
		width = max(width, len(row))
	}
	return width
}

func (s sheet) extent() string {
	if len(s.Rows) == 0 {
		return "empty"
	}
	return fmt.Sprintf("%d x %d", len(s.Rows), s.columns())
}

// readSheets lists the sheets of all inputs. Inputs that cannot be read are named.
func readSheets(ctx context.Context, t *Task) ([]sheet, error) {
	var sheets []sheet
	for _, in := range t.Inputs {
		found, warnings, err := tables.Open(ctx, in.Path, in.Format, stem(in.Name))
		if e, known := engines.AsError(err); known {
			t.Lacks("%s: %s", in.Name, e.Message)
			continue
		}
		if err != nil {
			return nil, err
		}
		t.Warnings = append(t.Warnings, prefixed(in.Name, warnings)...)
		for _, table := range found {
			s := sheet{Table: table, id: table.Name, label: table.Name, file: stem(in.Name) + "-" + table.Name}
			if len(found) == 1 {
				s.file = stem(in.Name)
			}
			if len(t.Inputs) > 1 {
				s.id, s.label = in.Name+"/"+table.Name, table.Name+" of "+in.Name
			}
			s.file = fileName(s.file, "table")
			sheets = append(sheets, s)
		}
	}
	if !slices.ContainsFunc(sheets, func(s sheet) bool { return len(s.Rows) > 0 }) {
		return nil, Unusable("no table can be read: %s", strings.Join(t.Missing, "; "))
	}
	distinct(sheets)
	return sheets, nil
}

// distinct numbers ids and file names that would be the same; file names differ by more than their case.
func distinct(sheets []sheet) {
	ids, files := map[string]bool{}, map[string]bool{}
	for i := range sheets {
		sheets[i].id = unused(ids, sheets[i].id)
		sheets[i].file = unused(files, sheets[i].file)
	}
}

// unused is the name, with a number where it is taken already, and takes it.
func unused(taken map[string]bool, name string) string {
	candidate := name
	for n := 2; taken[strings.ToLower(candidate)]; n++ {
		candidate = fmt.Sprintf("%s (%d)", name, n)
	}
	taken[strings.ToLower(candidate)] = true
	return candidate
}

// commonHeader is the row, from 1, in which most sheets seem to have headings, and how sure that is.
func commonHeader(sheets []sheet) (row int, sure float64) {
	votes := map[int]int{}
	for _, s := range sheets {
		if len(s.Rows) > 0 {
			votes[headerOf(s)]++
		}
	}
	total := 0
	for r, n := range votes {
		total += n
		if n > votes[row] || n == votes[row] && r < row {
			row = r
		}
	}
	if row == 0 {
		return 0, 0.4
	}
	return row, 0.3 + 0.6*float64(votes[row])/float64(total)
}

const headerSearch = 30 // rows

// headerOf finds the first row that is as wide as the table and holds words alone; 0 where there is none.
func headerOf(s sheet) int {
	for i, row := range s.Rows[:min(len(s.Rows), headerSearch)] {
		filled, words := 0, 0
		for _, cell := range row {
			if strings.TrimSpace(cell) == "" {
				continue
			}
			filled++
			if _, isNumber := tables.Number(cell); !isNumber {
				words++
			}
		}
		if filled > 0 && filled == words && filled*5 >= s.columns()*4 {
			return i + 1
		}
	}
	return 0
}

func writeSheets(ctx context.Context, t *Task, chosen []sheet, header int, dir string) error {
	for i, s := range chosen {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.Report(10+80*i/len(chosen), "extracting "+s.label)
		headings, rows := split(s, header)
		for _, format := range t.Strings("formats") {
			data, err := setTable(format, headings, rows, s.columns())
			if err != nil {
				return fmt.Errorf("set %s as %s: %w", s.label, format, err)
			}
			if err := os.WriteFile(filepath.Join(dir, s.file+"."+tableExtensions[format]), data, 0o600); err != nil {
				return fmt.Errorf("write %s: %w", s.label, err)
			}
		}
	}
	return nil
}

// split takes the headings off, nil where there are none. Every row gets the full width.
func split(s sheet, header int) (headings []string, rows [][]string) {
	width := s.columns()
	for _, row := range s.Rows[max(header-1, 0):] {
		full := make([]string, width)
		copy(full, row)
		rows = append(rows, full)
	}
	if header == 0 {
		return nil, rows
	}
	return rows[0], rows[1:]
}

// distinctHeadings calls columns without a heading by their letters, and numbers those that would be the same.
func distinctHeadings(headings []string, width int) []string {
	taken := map[string]bool{}
	out := make([]string, width)
	for c := range width {
		if headings != nil {
			out[c] = strings.TrimSpace(headings[c])
		}
		if out[c] == "" {
			out[c], _ = excelize.ColumnNumberToName(c + 1)
		}
		out[c] = unused(taken, out[c])
	}
	return out
}

func setTable(format string, headings []string, rows [][]string, width int) ([]byte, error) {
	switch format {
	case "json":
		return setJSON(distinctHeadings(headings, width), rows)
	case "markdown":
		if headings == nil {
			headings = distinctHeadings(nil, width) // a table of Markdown has headings
		}
		text, err := tables.Table{Rows: append([][]string{headings}, rows...)}.Markdown()
		return []byte(text), err
	default:
		if headings != nil {
			rows = append([][]string{headings}, rows...)
		}
		return setCSV(rows)
	}
}

// setCSV follows RFC 4180.
func setCSV(rows [][]string) ([]byte, error) {
	var out bytes.Buffer
	writer := csv.NewWriter(&out)
	writer.UseCRLF = true
	err := writer.WriteAll(rows)
	return out.Bytes(), err
}

// setJSON writes an object a row, its keys in the order of the columns. What reads as a number is one, digit for
// digit; an empty cell is null.
func setJSON(headings []string, rows [][]string) ([]byte, error) {
	keys := make([][]byte, len(headings))
	for i, heading := range headings {
		var err error
		if keys[i], err = literal(heading); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	out.WriteString("[")
	for r, row := range rows {
		if r > 0 {
			out.WriteString(",")
		}
		out.WriteString("\n  {")
		for c, cell := range row {
			if c > 0 {
				out.WriteString(", ")
			}
			value := []byte(cell)
			if _, isNumber := tables.Number(cell); cell == "" {
				value = []byte("null")
			} else if !isNumber {
				var err error
				if value, err = literal(cell); err != nil {
					return nil, err
				}
			}
			out.Write(keys[c])
			out.WriteString(": ")
			out.Write(value)
		}
		out.WriteString("}")
	}
	out.WriteString("\n]\n")
	return out.Bytes(), nil
}

// literal is a text in JSON, with <, > and & as they are.
func literal(text string) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(text)
	return bytes.TrimSpace(out.Bytes()), err
}

func decimal(n int) string { return strconv.Itoa(n) }

// answered says whether a value is among those of an answer.
func isChosen(t *Task, slotID, value string) bool { return slices.Contains(t.Strings(slotID), value) }

var (
	tableExtensions = map[string]string{"csv": "csv", "json": "json", "markdown": "md"}
	tableTypes      = map[string]string{"csv": "csv", "json": "json", "markdown": "text"}
	tableNames      = map[string]string{"csv": "CSV", "json": "JSON", "markdown": "Markdown"}
)
