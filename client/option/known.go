package option

import "slices"

// The names.
const (
	NamePages     = "pages"
	NameQuality   = "quality"
	NamePaper     = "paper"
	NameLandscape = "landscape"
	NameMargins   = "margins"
	NameScale     = "scale"
	NameHeader    = "header"
	NameFooter    = "footer"
	NameTitle     = "title"
	NameAuthor    = "author"
	NameSubject   = "subject"
	NameKeywords  = "keywords"

	NameDPI        = "dpi"
	NameWidth      = "width"
	NameHeight     = "height"
	NameBackground = "background"
	NameDelimiter  = "delimiter"
	NameEncoding   = "encoding"
	NameSheet      = "sheet"
	NamePDFA       = "pdfa"
	NameCheck      = "check"
	NameMetadata   = "metadata"
	NameFrames     = "frames"

	NameOCR      = "ocr"
	NamePassword = "password"
	NameEncrypt  = "encrypt"
	NameOwner    = "owner"
)

// The values of NameMetadata and NameFrames.
const (
	MetadataStrip = "strip"
	MetadataKeep  = "keep"
	FramesAll     = "all"
	FramesFirst   = "first"
)

// The values of NameCheck.
const (
	CheckOff  = "off"
	CheckWarn = "warn"
	CheckFail = "fail"
)

const longestText = 200

var encodings = []string{
	"UTF-8", "UTF-8-BOM", "UTF-16LE", "UTF-16BE", "windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254",
	"ISO-8859-1", "ISO-8859-2", "ISO-8859-15", "KOI8-R", "IBM866", "macintosh", "Shift_JIS", "EUC-JP", "EUC-KR", "GB18030", "Big5",
}

// known is the table of options that engines here take. Each one means the same on every route that has it.
var known = []Option{
	{Name: NamePages, Type: Pages, Default: "all", Help: "pages to take, such as 1-5 or 2,4-: of the source where that is a PDF, else of the PDF that is made"},
	{Name: NamePaper, Type: Paper, Values: []string{"A4", "Letter", "100x150mm"}, Default: "the document's own, or A4", Help: "size of the pages"},
	{Name: NameLandscape, Type: Boolean, Default: "false", Help: "pages that are wider than high"},
	{Name: NameMargins, Type: Lengths, Max: 100, Help: "empty space at the edges: 15mm, or top,right,bottom,left"},
	{Name: NameScale, Type: Number, Min: 10, Max: 400, Default: "100", Help: "size of what is on the pages, in percent"},
	{Name: NameHeader, Type: Text, Max: longestText, Help: "line at the top of each page; {page}, {pages} and {title} are filled in"},
	{Name: NameFooter, Type: Text, Max: longestText, Help: "line at the bottom of each page; {page}, {pages} and {title} are filled in"},
	{Name: NameTitle, Type: Text, Max: longestText, Help: "title in the properties of the document"},
	{Name: NameAuthor, Type: Text, Max: longestText, Help: "author in the properties of the document"},
	{Name: NameSubject, Type: Text, Max: longestText, Help: "subject in the properties of the document"},
	{Name: NameKeywords, Type: Text, Max: longestText, Help: "keywords in the properties of the document, with commas"},
	{Name: NameDPI, Type: Integer, Min: 20, Max: 1200, Default: "150", Help: "pixels an inch"},
	{Name: NameWidth, Type: Integer, Min: 1, Max: 30_000, Help: "pixels of the picture from left to right at most; it keeps its shape, and is not enlarged"},
	{Name: NameHeight, Type: Integer, Min: 1, Max: 30_000, Help: "pixels of the picture from top to bottom at most; it keeps its shape, and is not enlarged"},
	{Name: NameBackground, Type: Color, Default: "white", Help: "what shows through transparent parts: white, black or #rrggbb"},
	{Name: NameQuality, Type: Integer, Min: 1, Max: 100, Default: "80", Help: "of pictures that are written with losses"},
	{Name: NameDelimiter, Type: Choice, Values: []string{"comma", "semicolon", "tab", "pipe"}, Default: "read: what fits best; written: comma", Help: "what is between the values of a CSV"},
	{Name: NameEncoding, Type: Choice, Values: encodings, Default: "read: what fits best; written: UTF-8", Help: "letters of a CSV; UTF-8-BOM is what Excel opens as UTF-8"},
	{Name: NameSheet, Type: Text, Max: longestText, Default: "the first, or all", Help: "sheet to take of a workbook, by its name or its number from 1"},
	{Name: NamePDFA, Type: Choice, Values: []string{"1b", "2b", "3b"}, Help: "a PDF for archives: PDF/A of this part and level"},
	{
		Name: NameMetadata, Type: Choice, Values: []string{MetadataStrip, MetadataKeep}, Default: MetadataStrip,
		Help: "what a picture says beside its pixels (camera, place, author): leave it out, or keep what the format has room for",
	},
	{Name: NameFrames, Type: Choice, Values: []string{FramesAll, FramesFirst}, Default: FramesAll, Help: "pictures of an animation to take"},
	{Name: NameOCR, Type: Boolean, Default: "false", Help: "recognise the writing on a picture, so that its PDF can be searched"},
	{Name: NamePassword, Type: Secret, Max: longestText, Help: "password that opens the input"},
	{Name: NameEncrypt, Type: Secret, Max: longestText, Help: "password that the output needs to be opened"},
	{Name: NameOwner, Type: Secret, Max: longestText, Help: "password that a PDF needs for more than to read and print it"},
	{
		Name: NameCheck, Type: Choice, Values: []string{CheckOff, CheckWarn, CheckFail}, Default: "off; of batches warn, where the service has it",
		Help: "compare the output with the source, and name a loss (warn) or fail (fail)",
	},
}

// Known lists all options that this version knows, in the order of the table.
func Known() []Option { return slices.Clone(known) }

// Of are known options, by name.
func Of(names ...string) []Option {
	out := make([]Option, 0, len(names))
	for _, o := range known {
		if slices.Contains(names, o.Name) {
			out = append(out, o)
		}
	}
	return out
}
