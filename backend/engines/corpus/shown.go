package corpus

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"
	"golang.org/x/net/html/atom"

	parser "golang.org/x/net/html"
)

// Shown is what an output says to its readers, by readers that share nothing with the engines.
type Shown struct {
	Text   string     // everything, in order; what is apart on a page is apart here
	Rows   [][]string // of all tables, by the text of their cells
	Source string     // of Markdown and pages, for addresses
}

// ErrNoReader reports that nothing here reads a format.
var ErrNoReader = errors.New("nothing here reads this format")

// Show reads an output that is not a picture.
func Show(format string, data []byte) (Shown, error) {
	switch format {
	case "txt", "md":
		text := strings.TrimPrefix(string(data), "\ufeff")
		return Shown{Text: text, Rows: lineRows(text), Source: text}, nil
	case "html":
		return showPage(data)
	case "csv":
		r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
		r.FieldsPerRecord = -1
		rows, err := r.ReadAll()
		return Shown{Text: joined(rows), Rows: rows}, wrap(err)
	case "xlsx":
		return showWorkbook(data)
	case "docx", "odt", "epub", "pptx", "ods":
		return showParts(data)
	}
	return Shown{}, ErrNoReader
}

func wrap(err error) error {
	if err != nil {
		return fmt.Errorf("read an output: %w", err)
	}
	return nil
}

func joined(rows [][]string) string {
	var out strings.Builder
	for _, row := range rows {
		out.WriteString(strings.Join(row, "\t") + "\n")
	}
	return out.String()
}

var (
	pipes   = regexp.MustCompile(`(?:^|[^\\])(?:\\\\)*\|`)
	columns = regexp.MustCompile(`\s{2,}|\s*\|\s*|\s/\s|<br\s*/?>`)
	markup  = regexp.MustCompile(`(?s)<table.*?</table>`)
)

// lineRows takes each line for a row, with cells between pipes or wide gaps. Markdown may have tables of HTML.
func lineRows(text string) [][]string {
	var out [][]string
	for _, table := range markup.FindAllString(text, -1) {
		if shown, err := showPage([]byte(table)); err == nil {
			out = append(out, shown.Rows...)
		}
	}
	for line := range strings.Lines(text) {
		cells := columns.Split(strings.TrimSpace(line), -1)
		if pipes.MatchString(line) || len(cells) > 1 {
			out = append(out, slices.DeleteFunc(cells, func(cell string) bool { return cell == "" }))
		}
	}
	return out
}

// inline are elements that a reader does not see a gap around.
var inline = []atom.Atom{
	atom.A, atom.Abbr, atom.B, atom.Bdi, atom.Bdo, atom.Cite, atom.Code, atom.Del, atom.Dfn, atom.Em, atom.Font, atom.I, atom.Ins, atom.Kbd, atom.Mark,
	atom.Q, atom.S, atom.Samp, atom.Small, atom.Span, atom.Strong, atom.Tt, atom.U, atom.Var, atom.Wbr,
}

func showPage(data []byte) (Shown, error) {
	root, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return Shown{}, wrap(err)
	}
	var out strings.Builder
	var rows [][]string
	var walk func(*parser.Node)
	walk = func(n *parser.Node) {
		switch {
		case n.Type == parser.TextNode:
			out.WriteString(n.Data)
		case n.Type == parser.ElementNode && slices.Contains([]atom.Atom{atom.Script, atom.Style, atom.Template, atom.Head}, n.DataAtom):
			return
		}
		gap := n.Type == parser.ElementNode && !slices.Contains(inline, n.DataAtom)
		start := out.Len()
		if gap {
			out.WriteString("\n")
		}
		for child := n.FirstChild; child != nil; child = child.NextSibling {
			walk(child)
		}
		if gap {
			out.WriteString("\n")
		}
		if n.DataAtom == atom.Tr && n.Type == parser.ElementNode {
			rows = append(rows, []string{})
		}
		if (n.DataAtom == atom.Td || n.DataAtom == atom.Th) && n.Type == parser.ElementNode {
			rows = append(rows, []string{"\x00" + out.String()[start:]})
		}
	}
	walk(root)
	return Shown{Text: out.String(), Rows: gathered(rows), Source: string(data)}, nil
}

// gathered makes rows of cells, which stand before the mark of their row.
func gathered(marks [][]string) [][]string {
	var out [][]string
	var row []string
	for _, mark := range marks {
		if len(mark) == 0 {
			out, row = append(out, row), nil
			continue
		}
		row = append(row, strings.TrimSpace(strings.TrimPrefix(mark[0], "\x00")))
	}
	return out
}

func showWorkbook(data []byte) (Shown, error) {
	book, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		return Shown{}, wrap(err)
	}
	defer book.Close() //nolint:errcheck // read only
	var out [][]string
	for _, sheet := range book.GetSheetList() {
		rows, err := book.GetRows(sheet)
		if err != nil {
			return Shown{}, wrap(err)
		}
		out = append(out, rows...)
	}
	return Shown{Text: joined(out), Rows: out}, nil
}

// Elements of documents of parts, by local names: after some there is a gap, and some are not for readers.
var (
	gaps  = strings.Fields("p h br cr tab line-break s tc table-cell tr table-row li list-item title td th div h1 h2 h3 h4 h5 h6 blockquote pre dt dd sup sub noBreakHyphen note-citation note-body figcaption caption")
	mute  = strings.Fields("instrText delText script style tracked-changes annotation head Fallback posOffset pctWidth pctHeight styles automatic-styles")
	cells = strings.Fields("tc table-cell td th")
)

// isText knows the parts of a document that readers see.
func isText(name string) bool {
	dir, base := path.Split(name)
	switch {
	case strings.HasSuffix(name, ".rels"), strings.HasPrefix(base, "settings"), strings.HasPrefix(base, "nav."), strings.HasPrefix(base, "toc."):
		return false
	case dir == "word/":
		return strings.HasPrefix(base, "document") || strings.HasPrefix(base, "footnotes") || strings.HasPrefix(base, "endnotes") ||
			strings.HasPrefix(base, "header") || strings.HasPrefix(base, "footer")
	case dir == "ppt/slides/", base == "content.xml" && dir == "":
		return true
	}
	return strings.HasSuffix(name, ".xhtml") || strings.HasSuffix(name, ".html")
}

func showParts(data []byte) (Shown, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return Shown{}, wrap(err)
	}
	files := slices.Clone(archive.File)
	slices.SortFunc(files, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	var all Shown
	for _, file := range files {
		if !isText(file.Name) {
			continue
		}
		content, err := file.Open()
		if err != nil {
			return Shown{}, wrap(err)
		}
		part, err := showXML(content)
		if err := errors.Join(err, content.Close()); err != nil {
			return Shown{}, fmt.Errorf("read part %q: %w", file.Name, err)
		}
		all.Text += part.Text + "\n"
		all.Rows = append(all.Rows, part.Rows...)
	}
	return all, nil
}

func showXML(from io.Reader) (Shown, error) {
	decoder := xml.NewDecoder(from)
	decoder.Strict = false
	decoder.Entity = xml.HTMLEntity
	var out strings.Builder
	var marks [][]string
	var starts []int
	for skip := 0; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return Shown{Text: out.String(), Rows: gathered(marks)}, nil
		}
		if err != nil {
			return Shown{}, wrap(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if skip > 0 || slices.Contains(mute, token.Name.Local) {
				skip++
				continue
			}
			if slices.Contains(gaps, token.Name.Local) {
				out.WriteString("\n")
			}
			if slices.Contains(cells, token.Name.Local) {
				starts = append(starts, out.Len())
			}
		case xml.EndElement:
			if skip > 0 {
				skip--
				continue
			}
			if slices.Contains(gaps, token.Name.Local) {
				out.WriteString("\n")
			}
			if slices.Contains(cells, token.Name.Local) && len(starts) > 0 {
				marks = append(marks, []string{"\x00" + out.String()[starts[len(starts)-1]:]})
				starts = starts[:len(starts)-1]
			}
			if slices.Contains([]string{"tr", "table-row"}, token.Name.Local) {
				marks = append(marks, []string{})
			}
		case xml.CharData:
			if skip == 0 {
				out.WriteString(html.UnescapeString(string(token)))
			}
		}
	}
}
