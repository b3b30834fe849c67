package text

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// New is the engine; it needs no installation.
func New() engines.Engine {
	route := func(source, target string, quality engines.Quality) engines.Route {
		return engines.Route{Source: source, Target: target, Quality: quality}
	}
	return engines.Engine{
		Name: "text",
		Routes: []engines.Route{
			route("md", "html", engines.Exact), route("html", "md", engines.BestEffort), route("txt", "html", engines.Exact),
			route("md", "txt", engines.BestEffort), route("html", "txt", engines.BestEffort),
			route("md", "pdf", engines.BestEffort), route("html", "pdf", engines.BestEffort), route("txt", "pdf", engines.BestEffort),
			route("docx", "txt", engines.BestEffort), route("docx", "md", engines.BestEffort),
			route("docx", "html", engines.BestEffort), route("docx", "pdf", engines.BestEffort),
		},
		Convert: convert, Options: options,
	}
}

// margin of a page, in millimetres, where nobody asks for another.
const margin = 22

func options(_, target string) []option.Option {
	if target != "pdf" {
		return nil
	}
	return option.Of(option.NamePaper, option.NameLandscape, option.NameMargins)
}

func convert(ctx context.Context, in engines.Request) (engines.Result, error) {
	if len(in.Pages) > 0 {
		return engines.Result{}, engines.Errorf(engines.CodeInvalidParameters, "a %s has no pages to choose from", in.Source)
	}
	doc, source, err := read(ctx, in)
	if err != nil {
		return engines.Result{}, err
	}
	in.Progress(40, "read")
	if doc.title == "" {
		doc.title = titleOf(doc, in.Stem)
	}
	var out []byte
	switch in.Target {
	case "html":
		out = writeHTML(doc, source)
	case "md":
		out, err = writeMarkdown(ctx, doc)
	case "txt":
		var text string
		text, err = writeText(doc)
		out = []byte(text)
	case "pdf":
		if doc.sheet, err = engines.SheetOf(in.Options, margin); err != nil {
			return engines.Result{}, err
		}
		out, err = writePDF(ctx, doc, in.Helped)
	default:
		err = engines.Errorf(engines.CodeUnsupportedRoute, "the text engine does not write %s", in.Target)
	}
	if err != nil {
		return engines.Result{}, err
	}
	file, err := saveOutput(in, out)
	if err != nil {
		return engines.Result{}, err
	}
	return engines.Result{Files: []engines.File{file}, Warnings: doc.warnings.list}, nil
}

// read parses the input. source is the HTML that it is or stands for, empty where there is none.
func read(ctx context.Context, in engines.Request) (doc *document, source string, err error) {
	if in.Source == "docx" {
		doc, err = readDocx(ctx, in.InputPath)
		if err == nil && in.Target == "pdf" {
			doc.warnings.add("layout_degraded: fonts, page breaks and exact positions of the Word document are not kept; LibreOffice (libreoffice-writer-nogui) keeps them")
		}
		return doc, "", err
	}
	read := ReadText
	if in.Source == "html" {
		read = ReadPage
	}
	content, warning, err := read(in.InputPath)
	if err != nil {
		return nil, "", err
	}
	if strings.TrimSpace(content) == "" {
		return nil, "", errNoContent
	}
	switch in.Source {
	case "txt":
		doc = &document{blocks: []block{preformatted{text: strings.TrimRight(content, "\n"), plain: true}}}
	case "md":
		doc, source, err = readMarkdown(ctx, content)
	default:
		doc, err = readSource(ctx, content, in.Target)
	}
	if err == nil && warning != "" {
		doc.warnings.add(warning)
	}
	if in.Source == "md" && in.Target == "html" && doc != nil {
		// The page is the renderer's own, in which nothing is lost; what the document model lost does not matter.
		kept := warnings{}
		if warning != "" {
			kept.add(warning)
		}
		doc.warnings = kept
	}
	if doc != nil {
		doc.front.note(&doc.warnings, in.Target)
	}
	return doc, source, err
}

// readMarkdown reads a text by way of the page that it becomes.
func readMarkdown(ctx context.Context, content string) (*document, string, error) {
	front, content := cutFrontMatter(content)
	source, err := markdownToHTML(ctx, content)
	if err != nil {
		return nil, "", err
	}
	source = front.heading(source) + source
	doc, err := readHTML(ctx, source)
	if err != nil {
		return nil, "", err
	}
	doc.front = front
	if front.title != "" {
		doc.title = front.title
	}
	return doc, source, nil
}

// readSource reads a page. Markdown is made of the page itself, which holds more than blocks do.
func readSource(ctx context.Context, content, target string) (*document, error) {
	if target != "md" {
		return readHTML(ctx, content)
	}
	root, lost, err := parsePage(ctx, content)
	if err != nil {
		return nil, err
	}
	doc := &document{page: root}
	lost.note(&doc.warnings)
	return doc, nil
}

// titleOf takes the first heading, or else the name of the file.
func titleOf(doc *document, otherwise string) string {
	for _, b := range doc.blocks {
		if h, ok := b.(heading); ok {
			if text := strings.TrimSpace(plainText(h.runs)); text != "" {
				return text
			}
		}
	}
	return otherwise
}

var errNoContent = &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "NO_CONTENT", Message: "the document has no text to convert"}

func saveOutput(in engines.Request, data []byte) (engines.File, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return engines.File{}, errNoContent
	}
	name := in.Stem + "." + in.Target
	path := filepath.Join(in.OutDir, "result."+in.Target)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return engines.File{}, fmt.Errorf("write the output: %w", err)
	}
	return engines.File{Path: path, Filename: name, Mimetype: client.ContentType(in.Target)}, nil
}
