package libreoffice

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/convilyn/convilyn-temporal/client/option"
)

func options(source, target string) []option.Option {
	var names []string
	if target == "png" || target == "jpg" {
		names = append(names, option.NamePages, option.NameDPI)
	}
	if target == "jpg" {
		names = append(names, option.NameQuality)
	}
	if target == "pdf" {
		names = append(names, option.NamePDFA)
		switch exporters[source] {
		case "impress": // slides have the size that they were drawn for
		case "calc":
			names = append(names, option.NamePaper, option.NameLandscape, option.NameMargins, option.NameScale)
		default:
			names = append(names, option.NamePaper, option.NameLandscape, option.NameMargins)
		}
	}
	if slices.Contains(oldOffice, source) {
		names = append(names, option.NamePassword)
	}
	if target == "csv" || source == "csv" {
		names = append(names, option.NameDelimiter)
	}
	if source == "csv" {
		names = append(names, option.NameEncoding)
	}
	return option.Of(names...)
}

// delimiters are the codes of the values of the option; a comma where it is not given.
var delimiters = map[string]int{"": ',', "comma": ',', "semicolon": ';', "tab": '\t', "pipe": '|'}

// csvFilter asks for UTF-8, values as shown, of the first sheet.
func csvFilter(asked option.Values) string {
	return strings.Replace(firstSheetCSV, ":44,", ":"+strconv.Itoa(delimiters[asked[option.NameDelimiter]])+",", 1)
}

// exporters are those that print each kind of document.
var exporters = map[string]string{
	"ppt": "impress", "pptx": "impress", "odp": "impress", "xls": "calc", "xlsx": "calc", "ods": "calc", "csv": "calc",
}

// pdfFilter leaves the choice of the exporter to the program where nothing is asked for.
func pdfFilter(source string, asked option.Values) string {
	level := asked[option.NamePDFA]
	if level == "" {
		return "pdf"
	}
	exporter := exporters[source]
	if exporter == "" {
		exporter = "writer"
	}
	return fmt.Sprintf(`pdf:%s_pdf_Export:{"SelectPdfVersion":{"type":"long","value":%q}}`, exporter, strings.TrimSuffix(level, "b"))
}
