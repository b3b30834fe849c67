package fidelity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	nethtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"
)

func readHTML(_ context.Context, file string, _ how) (Content, error) {
	data, err := readAll(file)
	if err != nil {
		return Content{}, err
	}
	return pageOf(bytes.NewReader(data), "text/html")
}

func readAll(file string) ([]byte, error) {
	if err := checkSize(file); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file) //nolint:gosec // the job's own file
	if err != nil {
		return nil, fmt.Errorf("read a file that is compared: %w", err)
	}
	return data, nil
}

// pageOf reads a page in the encoding that it declares.
func pageOf(from io.Reader, kind string) (Content, error) {
	p := &page{words: newWords()}
	decoded, err := charset.NewReader(from, kind)
	switch {
	case errors.Is(err, io.EOF): // it is empty
	case err != nil:
		return Content{}, unreadable("its encoding is not known")
	default:
		if err := p.read(nethtml.NewTokenizer(decoded)); err != nil {
			return Content{}, err
		}
	}
	p.words.end()
	c := uncounted()
	c.Words, c.Partial = p.words.all, p.words.full
	c.Tables, c.Rows, c.Pictures = p.shape.tables, p.shape.rows, p.pictures
	return c, nil
}

// page reads what a reader sees of a page without running it.
type page struct {
	words    *words
	shape    shape
	pictures int
	raised   bool
	hidden   []atom.Atom // elements that are open below the first that is not shown
}

// unseen are elements whose content is not shown as text.
var unseen = []atom.Atom{
	atom.Head, atom.Title, atom.Script, atom.Style, atom.Template, atom.Noscript, atom.Svg, atom.Canvas, atom.Video, atom.Audio, atom.Object, atom.Iframe,
	atom.Select, atom.Textarea, atom.Button, atom.Datalist, atom.Rt, atom.Rp, atom.Noembed, atom.Noframes, atom.Map,
}

// inWords are elements that do not end a word.
var inWords = []atom.Atom{
	atom.A, atom.Abbr, atom.B, atom.Bdi, atom.Bdo, atom.Cite, atom.Code, atom.Data, atom.Del, atom.Dfn, atom.Em, atom.Font, atom.I, atom.Ins, atom.Kbd,
	atom.Mark, atom.S, atom.Samp, atom.Small, atom.Span, atom.Strike, atom.Strong, atom.Time, atom.Tt, atom.U, atom.Var, atom.Wbr, atom.Big, atom.Sup, atom.Sub,
}

// alone are elements without an end.
var alone = []atom.Atom{atom.Area, atom.Base, atom.Br, atom.Col, atom.Embed, atom.Hr, atom.Img, atom.Input, atom.Link, atom.Meta, atom.Param, atom.Source, atom.Track, atom.Wbr}

func (p *page) read(tokens *nethtml.Tokenizer) error {
	for {
		switch tokens.Next() {
		case nethtml.ErrorToken:
			if err := tokens.Err(); err != io.EOF { //nolint:errorlint // as its documentation has it
				return unreadable("the page cannot be read")
			}
			return nil
		case nethtml.TextToken:
			if len(p.hidden) == 0 {
				p.text(string(tokens.Text()))
			}
		case nethtml.StartTagToken:
			p.start(tokens.Token(), false)
		case nethtml.SelfClosingTagToken:
			p.start(tokens.Token(), true)
		case nethtml.EndTagToken:
			p.end(tokens.Token().DataAtom)
		case nethtml.CommentToken, nethtml.DoctypeToken:
		}
	}
}

// text of a raised element ends the word before it where it begins with a digit: an exponent, or the mark of a note.
func (p *page) text(s string) {
	if p.raised {
		p.words.raised(s)
		return
	}
	p.words.text(s)
}

func (p *page) start(t nethtml.Token, closed bool) {
	single := slices.Contains(alone, t.DataAtom) || closed && t.DataAtom == atom.Svg
	if len(p.hidden) > 0 {
		if t.DataAtom == atom.Body {
			p.hidden = nil // a head that was not closed
		} else if !single && len(p.hidden) < maxDepth && t.DataAtom == p.hidden[0] {
			p.hidden = append(p.hidden, t.DataAtom)
		}
		return
	}
	if !slices.Contains(inWords, t.DataAtom) {
		p.words.end()
	}
	if !single && (slices.Contains(unseen, t.DataAtom) || notShown(t)) {
		p.hidden = append(p.hidden, t.DataAtom)
		return
	}
	switch t.DataAtom {
	case atom.Sup:
		p.raised = true
	case atom.Img:
		if strings.HasPrefix(attribute(t, "src"), "data:image/") {
			p.pictures++
		}
	case atom.Table:
		p.shape.begin()
	case atom.Tr:
		p.shape.row()
	case atom.Td, atom.Th:
		p.shape.cell()
	}
}

func (p *page) end(a atom.Atom) {
	if len(p.hidden) > 0 {
		if a == p.hidden[0] {
			p.hidden = p.hidden[:len(p.hidden)-1]
		}
		return
	}
	if !slices.Contains(inWords, a) {
		p.words.end()
	}
	switch {
	case a == atom.Sup:
		p.raised = false
	case a == atom.Table && p.shape.open > 0:
		p.shape.end()
	}
}

func attribute(t nethtml.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// notShown reports whether an element says of itself that it is not shown.
func notShown(t nethtml.Token) bool {
	for _, a := range t.Attr {
		switch a.Key {
		case "hidden":
			return true
		case "style":
			style := strings.ReplaceAll(strings.ToLower(a.Val), " ", "")
			if strings.Contains(style, "display:none") || strings.Contains(style, "visibility:hidden") {
				return true
			}
		}
	}
	open := slices.ContainsFunc(t.Attr, func(a nethtml.Attribute) bool { return a.Key == "open" })
	return t.DataAtom == atom.Dialog && !open
}

var markdown = goldmark.New(
	goldmark.WithExtensions(extension.GFM, extension.Footnote, extension.DefinitionList),
	goldmark.WithRendererOptions(html.WithUnsafe()), goldmark.WithParserOptions(parser.WithHeadingAttribute()),
)

// raisedLetters are those of Pandoc's Markdown, such as 19^th^. Goldmark knows only the other half, H~2~O.
var raisedLetters = regexp.MustCompile(`\^(\pL[^\^\s]{0,20})\^`)

const maxMarkdown = 8 << 20 // bytes; some of it takes time that grows faster than its size

func readMarkdown(_ context.Context, file string, _ how) (Content, error) {
	data, err := readAll(file)
	if err != nil {
		return Content{}, err
	}
	if len(data) > maxMarkdown {
		return Content{}, unreadable("it has more than %d MB", maxMarkdown>>20)
	}
	text, ok := decoded(data)
	if !ok {
		return Content{}, unreadable("its encoding is not known")
	}
	var out bytes.Buffer
	text = raisedLetters.ReplaceAllString(withoutFront(text), "$1")
	if err := markdown.Convert([]byte(text), &out); err != nil {
		return Content{}, unreadable("the Markdown cannot be read")
	}
	return pageOf(&out, "text/html; charset=utf-8")
}

// withoutFront leaves out front matter: it is about the document, and not in it.
func withoutFront(text string) string {
	for _, mark := range []string{"---", "+++"} {
		rest, ok := strings.CutPrefix(text, mark+"\n")
		if !ok {
			continue
		}
		for _, end := range []string{"\n" + mark + "\n", "\n...\n"} {
			if _, after, found := strings.Cut(rest, end); found {
				return after
			}
		}
	}
	return text
}

// readBook reads the chapters of an EPUB, in the order of its spine.
func readBook(ctx context.Context, file string, _ how) (Content, error) {
	a, err := openArchive(file)
	if err != nil {
		return Content{}, err
	}
	defer a.close()
	chapters, err := a.spine()
	if err != nil {
		return Content{}, err
	}
	c := Content{Pages: -1, Frames: -1, Width: -1, Height: -1, Pictures: -1}
	for _, chapter := range chapters {
		if ctx.Err() != nil {
			return Content{}, ctx.Err()
		}
		data, err := a.read(chapter)
		if err != nil {
			return Content{}, err
		}
		one, err := pageOf(bytes.NewReader(data), "application/xhtml+xml; charset=utf-8")
		if err != nil {
			return Content{}, err
		}
		c.Words = append(c.Words, one.Words...)
		c.Tables, c.Rows, c.Partial = c.Tables+one.Tables, c.Rows+one.Rows, c.Partial || one.Partial
	}
	return c, nil
}

func (a *archive) spine() ([]string, error) {
	data, err := a.read("META-INF/container.xml")
	if err != nil {
		return nil, err
	}
	root, err := parse(data)
	if err != nil {
		return nil, err
	}
	at := root.find("rootfile")
	if at == nil {
		return nil, unreadable("it is no EPUB")
	}
	name := at.attr("full-path")
	if data, err = a.read(name); err != nil {
		return nil, err
	}
	if root, err = parse(data); err != nil {
		return nil, err
	}
	items := map[string]string{}
	for _, item := range kidsOf(root.find("manifest")) {
		if !strings.Contains(item.attr("properties"), "nav") {
			items[item.attr("id")] = path.Join(path.Dir(name), item.attr("href"))
		}
	}
	var out []string
	for _, entry := range kidsOf(root.find("spine")) {
		if chapter := items[entry.attr("idref")]; a.has(chapter) && entry.attr("linear") != "no" {
			out = append(out, chapter)
		}
	}
	return out, nil
}

func kidsOf(n *node) []*node {
	if n == nil {
		return nil
	}
	return n.kids
}
