package corpus

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
)

// texts are plain ones in several encodings and shapes.
func texts() []File {
	words := &vocabulary{}
	var out []File
	for _, end := range []struct{ name, text string }{{"lf", "\n"}, {"crlf", "\r\n"}, {"blank lines", "\n\n\n"}, {"tabs", "\t"}, {"form feeds", "\f"}} {
		for _, code := range []struct {
			name string
			by   encoding.Encoding
		}{{"utf-8", unicode.UTF8}, {"utf-8 with bom", unicode.UTF8BOM}, {"utf-16", unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)}} {
			truth := Truth{}
			var text strings.Builder
			for range 9 {
				word := words.next()
				truth.Words = append(truth.Words, Word{Text: word})
				text.WriteString(word + end.text)
			}
			data, err := code.by.NewEncoder().Bytes([]byte(text.String()))
			if err != nil {
				panic(err) // every word is in all of Unicode
			}
			out = append(out, File{Name: "txt/" + end.name + " " + code.name, Format: "txt", Data: data, Truth: truth})
		}
	}
	return out
}

// csvs are tables with every delimiter, encoding and kind of quotes.
func csvs() []File {
	var out []File
	add := func(name string, by encoding.Encoding, separator, quote string, rows [][]string) {
		truth := Truth{}
		var text strings.Builder
		for _, row := range rows {
			var cells []string
			for i, cell := range row {
				if i > 0 {
					text.WriteString(separator)
				}
				text.WriteString(quote + cell + quote)
				if cell != "" {
					cells = append(cells, cell)
					truth.Words = append(truth.Words, Word{Text: cell})
				}
			}
			text.WriteString("\n")
			truth.Rows = append(truth.Rows, cells)
		}
		data, err := by.NewEncoder().Bytes([]byte(text.String()))
		if err != nil {
			panic(err) // the tables below are in these encodings
		}
		out = append(out, File{Name: "csv/" + name, Format: "csv", Data: data, Truth: truth})
	}

	words := &vocabulary{}
	table := func(rows, columns int) [][]string {
		out := make([][]string, rows)
		for i := range out {
			for range columns {
				out[i] = append(out[i], words.next())
			}
		}
		return out
	}
	for _, separator := range []struct{ name, text string }{{"comma", ","}, {"semicolon", ";"}, {"tab", "\t"}} {
		for _, quote := range []struct{ name, text string }{{"bare", ""}, {"quoted", `"`}} {
			for _, shape := range [][2]int{{2, 2}, {3, 7}, {40, 3}} {
				add(fmt.Sprintf("%s %s %dx%d", separator.name, quote.name, shape[0], shape[1]), unicode.UTF8, separator.text, quote.text, table(shape[0], shape[1]))
			}
		}
	}
	add("windows-1251", charmap.Windows1251, ",", "", [][]string{{"Имя", "Возраст", "Город"}, {"Анна", "3107", "Москва"}, {"Борис", "4211", "Казань"}})
	add("shift-jis", japanese.ShiftJIS, ",", "", [][]string{{"名前", "年齢", "東京都"}, {"山田太郎", "3108", "大阪府"}, {"鈴木花子", "4212", "北海道"}})
	add("windows-1252", charmap.Windows1252, ";", "", [][]string{{"Größe", "Straße"}, {"Müller", "3109"}, {"Søren", "4213"}})
	return out
}

// workbooks have values in the formats that people use, of which it is known how they are shown.
func workbooks() []File {
	var out []File
	type value struct {
		raw    any
		format string
		shown  string
	}
	formats := []struct {
		name   string
		values []value
	}{
		{"numbers", []value{{1234.5, "0.00", "1234.50"}, {0.256, "0.0%", "25.6%"}, {-7.25, "0.00", "-7.25"}, {4321, "#,##0", "4,321"}, {0.000123, "0.00E+00", "1.23E-04"}}},
		{"sections", []value{{5, `0;-0;"nil"`, "5"}, {-5, `0;-0;"nil"`, "-5"}, {0, `0;-0;"nil"`, "nil"}, {0, `"yes";"err";"no"`, "no"}}},
		{"conditions", []value{{5551234, "[<=9999999]###-####;(###) ###-####", "555-1234"}, {5551234567, "[<=9999999]###-####;(###) ###-####", "(555) 123-4567"}}},
		{"dates", []value{{45678, "yyyy-mm-dd", "2025-01-21"}, {45678.5, "hh:mm", "12:00"}, {45678, "d mmmm yyyy", "21 January 2025"}}},
		{"padding", []value{{42, "00000", "00042"}, {7, `"No. "0`, "No. 7"}, {1.5, `0.0" kg"`, "1.5 kg"}}},
		{"texts", []value{{"=not a formula", "@", "=not a formula"}, {"00123", "@", "00123"}, {"a\nb", "@", "a\nb"}, {" x ", "@", "x"}}},
		{"truth values", []value{{true, "", "TRUE"}, {false, "", "FALSE"}}},
	}
	for _, shape := range []string{"plain", "second sheet", "gap"} {
		for _, format := range formats {
			book := excelize.NewFile()
			truth := Truth{}
			sheet, row := "Sheet1", 1
			if shape == "second sheet" {
				sheet = "Data"
				must(book.NewSheet(sheet))
				must(0, book.SetCellValue("Sheet1", "A1", "First8001"))
				truth.Words = append(truth.Words, Word{Text: "First8001"})
			}
			for i, v := range format.values {
				if shape == "gap" && i == 1 {
					row += 3
				}
				label := fmt.Sprintf("Label%d", 9000+i)
				must(0, book.SetCellValue(sheet, fmt.Sprintf("A%d", row), label))
				cell := fmt.Sprintf("B%d", row)
				must(0, book.SetCellValue(sheet, cell, v.raw))
				if v.format != "" {
					style, err := book.NewStyle(&excelize.Style{CustomNumFmt: &v.format})
					must(style, err)
					must(0, book.SetCellStyle(sheet, cell, cell, style))
				}
				beside := shape == "second sheet"
				for _, word := range append([]string{label}, strings.Fields(v.shown)...) {
					truth.Words = append(truth.Words, Word{Text: word, Beside: beside, Notes: []string{"sheet"}})
				}
				if !beside && !strings.ContainsAny(v.shown, " \n") {
					truth.Rows = append(truth.Rows, []string{label, v.shown})
				}
				row++
			}
			var data bytes.Buffer
			must(0, book.Write(&data))
			out = append(out, File{Name: "xlsx/" + format.name + " " + shape, Format: "xlsx", Data: data.Bytes(), Truth: truth})
		}
	}
	return out
}

// must ends a generator whose input is wrong; it has no other.
func must[T any](_ T, err error) {
	if err != nil {
		panic(err)
	}
}
