package tables

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// readCSV takes the delimiter that is given, or the one that fits best where that is 0.
func readCSV(path, name string, given rune) (sheet, []string, error) {
	content, warning, err := text.ReadText(path)
	if err != nil {
		return sheet{}, nil, err
	}
	delimiter := given
	if delimiter == 0 {
		delimiter = delimiterOf(content)
	}
	if err := checkRecords(content, delimiter); err != nil {
		return sheet{}, nil, err
	}
	s, err := parseCSV(content, delimiter)
	s.name = name
	var warnings []string
	if warning != "" {
		warnings = append(warnings, warning)
	}
	if given == 0 && delimiter != ',' {
		warnings = append(warnings, fmt.Sprintf("best_effort: the values were taken to be separated by %q, not by commas", delimiter))
	}
	return s, warnings, err
}

func parseCSV(content string, delimiter rune) (sheet, error) {
	reader := csv.NewReader(strings.NewReader(content))
	reader.Comma = delimiter
	reader.FieldsPerRecord = -1
	var s sheet
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var syntax *csv.ParseError
		if errors.As(err, &syntax) {
			return s, &engines.Error{
				Code: engines.CodeUnsupportedInput, Reason: "MALFORMED_CSV",
				Message: fmt.Sprintf("line %d of the CSV is malformed: %v", syntax.Line, syntax.Err),
			}
		}
		if err != nil {
			return s, fmt.Errorf("read the CSV: %w", err)
		}
		if len(s.rows) >= maxRows || len(row) > maxColumns {
			return s, tooLarge("the CSV has more than %d rows or %d columns", maxRows, maxColumns)
		}
		s.rows = append(s.rows, row)
	}
	if len(s.rows) == 0 {
		return s, &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "NO_CONTENT", Message: "the CSV has no rows"}
	}
	return s, nil
}

// delimiterOf finds the separator that splits the first lines most evenly.
func delimiterOf(content string) rune {
	best, bestScore := ',', 0
	lines := sampleLines(content, 20)
	for _, candidate := range ",;\t|" {
		least, most := -1, 0
		for _, l := range lines {
			n := countOutsideQuotes(l, candidate)
			if least < 0 || n < least {
				least = n
			}
			most = max(most, n)
		}
		score := least * 100
		if least == most {
			score *= 2
		}
		if score > bestScore {
			best, bestScore = candidate, score
		}
	}
	return best
}

// sampleLines are the first records, a quoted line break not being their end.
func sampleLines(content string, most int) []string {
	var lines []string
	start, quoted := 0, false
	for i := 0; i < len(content) && len(lines) < most; i++ {
		switch content[i] {
		case '"':
			quoted = !quoted
		case '\n':
			if !quoted {
				if l := content[start:i]; l != "" {
					lines = append(lines, l)
				}
				start = i + 1
			}
		}
	}
	if rest := content[start:]; rest != "" && len(lines) < most {
		lines = append(lines, rest)
	}
	return lines
}

func countOutsideQuotes(line string, separator rune) int {
	n, quoted := 0, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted = !quoted
		case r == separator && !quoted:
			n++
		}
	}
	return n
}

func writeCSV(path string, s sheet, asked option.Values) error {
	file, err := os.Create(path) //nolint:gosec // the job's own folder
	if err != nil {
		return fmt.Errorf("write the CSV: %w", err)
	}
	encoded := encodedAs(asked[option.NameEncoding], file)
	err = errors.Join(writeRows(encoded, s, delimiters[asked[option.NameDelimiter]]), encoded.Close(), file.Close())
	if isUnwritable(err) {
		return engines.Errorf(engines.CodeUnsupportedInput, "the table has letters that %s lacks; choose another encoding, such as UTF-8", asked[option.NameEncoding])
	}
	if err != nil {
		return fmt.Errorf("write the CSV: %w", err)
	}
	return nil
}

// writeRows separates values by commas where the delimiter is 0.
func writeRows(w io.Writer, s sheet, delimiter rune) error {
	writer := csv.NewWriter(w)
	if delimiter != 0 {
		writer.Comma = delimiter
	}
	width := s.width()
	for i := range s.rows {
		row := make([]string, width)
		copy(row, s.rows[i])
		if err := writer.Write(row); err != nil {
			return err
		}
	}
	writer.Flush()
	return writer.Error()
}
