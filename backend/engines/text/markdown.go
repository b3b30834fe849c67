package text

import (
	"bytes"
	"context"
	"fmt"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	mdtext "github.com/yuin/goldmark/text"
)

// toHTML renders GitHub's dialect with footnotes. Raw HTML in a text belongs to it and is kept.
var toHTML = goldmark.New(
	goldmark.WithExtensions(extension.GFM, extension.Footnote),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
	goldmark.WithRendererOptions(html.WithUnsafe()),
)

func markdownToHTML(ctx context.Context, source string) (page string, err error) {
	if err := checkMarkdown(source); err != nil {
		return "", err
	}
	root := toHTML.Parser().Parse(mdtext.NewReader([]byte(source)))
	if depthOf(root) > maxNesting {
		return "", nestedTooDeep()
	}
	out := &rendering{ctx: ctx}
	defer func() {
		if cause := recover(); cause != nil {
			if out.err == nil {
				panic(cause)
			}
			page, err = "", out.err
		}
	}()
	if err := toHTML.Renderer().Render(out, []byte(source), root); err != nil {
		return "", fmt.Errorf("render the Markdown: %w", err)
	}
	return out.String(), nil
}

// maxNesting bounds what calls itself for each level of a parsed text.
const maxNesting = 10_000

// depthOf is how deep a tree goes, found without calling itself.
func depthOf(root ast.Node) int {
	deepest, depth := 0, 0
	for n := root; n != nil; {
		if child := n.FirstChild(); child != nil {
			n, depth = child, depth+1
			deepest = max(deepest, depth)
			continue
		}
		for n != nil && n.NextSibling() == nil {
			n, depth = n.Parent(), depth-1
		}
		if n != nil {
			n = n.NextSibling()
		}
	}
	return deepest
}

// rendering takes what the renderer writes, up to a limit. The renderer looks at no error before its end, which may
// be hours away, so that only a panic gets out of it.
type rendering struct {
	bytes.Buffer
	ctx context.Context
	err error
}

func (r *rendering) Write(p []byte) (int, error) {
	if r.err = r.ctx.Err(); r.err == nil && r.Len()+len(p) > maxResult {
		r.err = resultTooLarge()
	}
	if r.err != nil {
		panic(r.err)
	}
	return r.Buffer.Write(p)
}
