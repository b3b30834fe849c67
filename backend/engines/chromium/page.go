package chromium

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// base64Line is the longest line of a web archive, in bytes of the page.
const base64Line = 57

// page is a document about to be printed.
type page struct {
	source   []byte // UTF-8
	text     string // what has to be drawn
	warnings []string
	wide     bool // a table does not fit on the paper
}

// look finds what the print of a page will lack.
func look(source []byte) page {
	p := page{source: source}
	var words strings.Builder
	scripts := 0
	hidden := false
	tokens := html.NewTokenizer(bytes.NewReader(p.source))
	for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
		token := tokens.Token()
		switch kind {
		case html.TextToken:
			if !hidden {
				words.WriteString(token.Data)
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			hidden = kind == html.StartTagToken && (token.Data == "script" || token.Data == "style")
			if token.Data == "script" {
				scripts++
			}
		default:
			hidden = false
		}
	}
	p.text = words.String()
	p.wide = hasWideTable(source)
	if scripts > 0 {
		p.warnings = append(p.warnings, fmt.Sprintf("best_effort: %d scripts of the page did not run", scripts))
	}
	return p
}

// Chromium makes a page that is too wide smaller, but not by much more than a half. Columns are as wide as their longest words, in
// letters of about this width.
const (
	widestPage  = 1150 // pixels; 718 are between the margins of A4
	letterWidth = 7
	cellPadding = 12
)

// hasWideTable reports whether a table is wider than Chromium prints; what is beyond the edge of the paper is lost.
func hasWideTable(source []byte) bool {
	root, err := html.Parse(bytes.NewReader(source))
	if err != nil {
		return false
	}
	var m measure
	m.width(root)
	return m.widest > widestPage
}

// measure finds how narrow tables can be, in pixels, and visits each part of a page once.
type measure struct{ widest int } // of all tables

// width is about how narrow a part of a page can be: as its longest word, or as a table in it.
func (m *measure) width(n *html.Node) int {
	width := 0
	if n.Type == html.TextNode {
		for word := range strings.FieldsSeq(n.Data) {
			width = max(width, utf8.RuneCountInString(word)*letterWidth)
		}
		return width
	}
	if n.DataAtom == atom.Table {
		columns := map[int]int{}
		m.rows(n, columns)
		for _, column := range columns {
			width += column + cellPadding
		}
		m.widest = max(m.widest, width)
		return width
	}
	for child := range n.ChildNodes() {
		width = max(width, m.width(child))
	}
	return width
}

// rows measures the columns of a table; the rows of tables in its cells are theirs.
func (m *measure) rows(n *html.Node, columns map[int]int) {
	for child := range n.ChildNodes() {
		switch child.DataAtom {
		case atom.Thead, atom.Tbody, atom.Tfoot:
			m.rows(child, columns)
		case atom.Tr:
			column := 0
			for cell := range child.ChildNodes() {
				if cell.DataAtom != atom.Td && cell.DataAtom != atom.Th {
					continue
				}
				if width := m.width(cell); width > 0 {
					columns[column] = max(columns[column], width)
				}
				column++
			}
		default:
			m.width(child)
		}
	}
}

// mhtml wraps a page into a web archive. Chromium opens one without scripts and automatic redirects, and loads
// nothing for it but what is in the archive: no file of this machine and nothing from the network.
func mhtml(source []byte, style string) []byte {
	const head = "MIME-Version: 1.0\r\nContent-Type: multipart/related; type=\"text/html\"; boundary=\"page\"\r\n\r\n" +
		"--page\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\nContent-Location: https://page.invalid/\r\n\r\n"
	var out bytes.Buffer
	out.WriteString(head)
	out.WriteString(encode(append([]byte("\xEF\xBB\xBF"), styled(source, style)...))) // what a page says of its encoding counts more than the archive, this mark most
	out.WriteString("--page--\r\n")
	return out.Bytes()
}

var docType = regexp.MustCompile(`^(?is)\s*<!doctype[^>]*>`)

// printed is how things are on paper that are opened or scrolled on a screen: what is folded is shown, and long lines of code are
// broken, where they would be cut off.
const printed = "details:not([open])::details-content{content-visibility:visible!important;block-size:auto!important}" +
	"@media print{pre,pre code{white-space:pre-wrap!important;overflow-wrap:anywhere!important;overflow:visible!important}}"

// styleOf is how the pages are to be. A4, as the other engines print, gives way to what the page asks for; what is asked for
// by options does not.
func styleOf(options option.Values) (string, error) {
	sheet, err := engines.SheetOf(options, 10)
	if err != nil {
		return "", err
	}
	var rules []string
	if options[option.NamePaper] != "" || options[option.NameLandscape] == "true" {
		rules = append(rules, fmt.Sprintf("size:%gmm %gmm!important", sheet.Width, sheet.Height))
	} else {
		rules = append(rules, "size:A4")
	}
	if options[option.NameMargins] != "" {
		rules = append(rules, fmt.Sprintf("margin:%gmm %gmm %gmm %gmm!important", sheet.Top, sheet.Right, sheet.Bottom, sheet.Left))
	}
	style := "@page{" + strings.Join(rules, ";") + "}" + printed
	if scale := options[option.NameScale]; scale != "" {
		style += ":root{zoom:" + scale + "%!important}"
	}
	return "<style>" + style + "</style>", nil
}

// styled puts a style before all others of a page.
func styled(source []byte, style string) []byte {
	end := 0
	if at := docType.FindIndex(source); at != nil {
		end = at[1]
	}
	return slices.Concat(source[:end], []byte(style), source[end:])
}

func encode(data []byte) string {
	var out strings.Builder
	for line := range slices.Chunk(data, base64Line) {
		out.WriteString(base64.StdEncoding.EncodeToString(line) + "\r\n")
	}
	return out.String()
}
