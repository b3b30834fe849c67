package text

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/strikethrough"
	tableplugin "github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// writeMarkdown turns a page into Markdown; documents that were none get there by way of HTML.
func writeMarkdown(ctx context.Context, doc *document) ([]byte, error) {
	root := doc.page
	if root == nil {
		var err error
		if root, _, err = parsePage(ctx, blocksHTML(flatCells(doc.blocks))); err != nil {
			return nil, err
		}
	}
	m := &markdownPage{}
	m.prepare(root)
	m.note(&doc.warnings)

	out, err := newMarkdownConverter().ConvertNode(root, converter.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("write Markdown: %w", err)
	}
	text := standIns.Replace(spacedItems(string(out)))
	return []byte(strings.TrimSpace(doubledSpace.ReplaceAllString(text, "$1 ")) + "\n"), nil
}

// spacedItems brings the texts of a list's items below each other by spaces, and ends the lines of empty ones.
func spacedItems(text string) string {
	text = paddedItem.ReplaceAllStringFunc(text, func(found string) string {
		parts := paddedItem.FindStringSubmatch(found)
		const most = 4 // more would begin a block of code
		return parts[2] + strings.Repeat(" ", min(len(parts[1])+1, most)) + itemBegin
	})
	return strings.ReplaceAll(emptyItem.ReplaceAllString(text, "$1"), itemBegin, "")
}

// These stand in for what the library would escape, on the way through it.
const (
	boxTicked = "\uE001"
	boxOpen   = "\uE002"
	pipeInRow = "\uE003"
	lineInRaw = "\uE004"
	itemBegin = "\uE005"
)

var (
	standIns = strings.NewReplacer(boxTicked, "[x] ", boxOpen, "[ ] ", pipeInRow, `\|`, lineInRaw, "&#10;", "<br />", "<br>")
	// paddedItem is the number of an item, filled up with zeros to the width of its list's largest.
	paddedItem   = regexp.MustCompile(`(?m)(0*)([0-9]+\.|-) ` + itemBegin)
	emptyItem    = regexp.MustCompile(`(?m) +` + itemBegin + `( *)$`)
	doubledSpace = regexp.MustCompile(`(\[[x ]\]) {2,}`)
	// entity is what readers of Markdown would take for a letter.
	entity = regexp.MustCompile(`&(#?\w+;)`)
)

func newMarkdownConverter() *converter.Converter {
	c := converter.NewConverter(converter.WithPlugins(
		base.NewBasePlugin(), commonmark.NewCommonmarkPlugin(commonmark.WithListEndComment(false),
			commonmark.WithLinkEmptyHrefBehavior(commonmark.LinkBehaviorSkip), commonmark.WithLinkEmptyContentBehavior(commonmark.LinkBehaviorSkip)),
		tableplugin.NewTablePlugin(tableplugin.WithNewlineBehavior(tableplugin.NewlineBehaviorPreserve), tableplugin.WithPresentationTables(true)),
		strikethrough.NewStrikethroughPlugin()))
	c.Register.TextTransformer(func(_ converter.Context, text string) string {
		return entity.ReplaceAllString(text, "&amp;$1")
	}, converter.PriorityEarly)
	for _, name := range []string{"sup", "sub"} {
		c.Register.RendererFor(name, converter.TagTypeInline, renderTag, converter.PriorityEarly)
	}
	c.Register.RendererFor("br", converter.TagTypeInline, renderBreak, converter.PriorityEarly)
	c.Register.RendererFor("a", converter.TagTypeInline, renderAnchor, converter.PriorityEarly)
	c.Register.RendererFor("table", converter.TagTypeBlock, renderRawTable, converter.PriorityEarly)
	c.Register.RendererFor("li", converter.TagTypeBlock, renderItem, converter.PriorityEarly)
	c.Register.RendererFor(listEnd, converter.TagTypeBlock, renderListEnd, converter.PriorityEarly)
	return c
}

// renderTag keeps an element that Markdown has no marks for as HTML around them.
func renderTag(ctx converter.Context, w converter.Writer, n *html.Node) converter.RenderStatus {
	_, _ = w.WriteString("<" + n.Data + ">")
	ctx.RenderChildNodes(ctx, w, n)
	_, _ = w.WriteString("</" + n.Data + ">")
	return converter.RenderSuccess
}

// renderBreak keeps a line break in a cell.
func renderBreak(_ converter.Context, w converter.Writer, n *html.Node) converter.RenderStatus {
	if !inside(n, atom.Td, atom.Th) {
		return converter.RenderTryNext
	}
	_, _ = w.WriteString("<br>")
	return converter.RenderSuccess
}

// renderItem marks where the text of an item begins. An empty item would be left out, and the next one get its number.
func renderItem(ctx converter.Context, w converter.Writer, n *html.Node) converter.RenderStatus {
	var content bytes.Buffer
	ctx.RenderChildNodes(ctx, &content, n)
	_, _ = w.WriteString(itemBegin)
	_, _ = w.Write(ctx.UnEscapeContent(bytes.TrimSpace(content.Bytes()))) // which goes by what is at the beginning
	return converter.RenderSuccess
}

func renderAnchor(_ converter.Context, w converter.Writer, n *html.Node) converter.RenderStatus {
	id := attribute(n, "id")
	if id == "" || hasAttribute(n, "href") || n.FirstChild != nil {
		return converter.RenderTryNext
	}
	_, _ = w.WriteString(`<a id="` + html.EscapeString(id) + `"></a>`)
	return converter.RenderSuccess
}

// listEnd parts neighbouring lists, which would be read as one.
const listEnd = "list-end"

func renderListEnd(_ converter.Context, w converter.Writer, _ *html.Node) converter.RenderStatus {
	_, _ = w.WriteString("\n\n<!-- -->\n\n")
	return converter.RenderSuccess
}

// rawAttribute marks tables that stay HTML.
const rawAttribute = "data-raw"

// renderRawTable keeps a table that Markdown cannot hold as HTML, in one line: an empty one would end it.
func renderRawTable(_ converter.Context, w converter.Writer, n *html.Node) converter.RenderStatus {
	if !hasAttribute(n, rawAttribute) {
		return converter.RenderTryNext
	}
	bare(n)
	var b strings.Builder
	if err := html.Render(&b, n); err != nil {
		return converter.RenderTryNext
	}
	_, _ = w.WriteString("\n\n" + strings.ReplaceAll(b.String(), "\n", " ") + "\n\n")
	return converter.RenderSuccess
}

// keptAttributes are those that mean something in HTML that stands in Markdown.
var keptAttributes = setOf("href src alt colspan align start id width height type checked disabled")

// bare leaves of a tree what was kept of the page, and puts line breaks of texts where they are not in the way.
func bare(n *html.Node) {
	raw := n.DataAtom == atom.Pre
	for d := range n.Descendants() {
		if d.Type == html.TextNode && (raw || inside(d, atom.Pre)) {
			d.Data = strings.ReplaceAll(d.Data, "\n", lineInRaw)
		}
		bareAttributes(d)
	}
	bareAttributes(n)
}

func bareAttributes(n *html.Node) {
	kept := n.Attr[:0]
	for _, a := range n.Attr {
		if keptAttributes[a.Key] {
			kept = append(kept, a)
		}
	}
	n.Attr = kept
}

func inside(n *html.Node, kinds ...atom.Atom) bool {
	for parent := n.Parent; parent != nil; parent = parent.Parent {
		for _, kind := range kinds {
			if parent.DataAtom == kind {
				return true
			}
		}
	}
	return false
}

// flatCells puts tables that are in the cell of a table into lines.
func flatCells(blocks []block) []block {
	out := slices.Clone(blocks)
	for i, b := range out {
		switch b := b.(type) {
		case quote:
			out[i] = quote{blocks: flatCells(b.blocks)}
		case list:
			b.items = slices.Clone(b.items)
			for n := range b.items {
				b.items[n].blocks = flatCells(b.items[n].blocks)
			}
			out[i] = b
		case table:
			flat := table{rows: slices.Clone(b.rows)}
			for n, row := range flat.rows {
				flat.rows[n].cells = slices.Clone(row.cells)
				for c, cell := range row.cells {
					flat.rows[n].cells[c].blocks = []block{paragraph{runs: cell.runs()}}
				}
			}
			out[i] = flat
		}
	}
	return out
}
