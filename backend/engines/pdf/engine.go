// Package pdf reads PDF documents: their text, and their pages as pictures. PDFium does the work, compiled to
// WebAssembly, so it needs no installation and a hostile document stays in its sandbox.
package pdf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/klippa-app/go-pdfium"
	pdfiumerrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/requests"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// Bounds on a document and on what becomes of it.
const (
	maxBytes    = 256 << 20 // PDFium holds it in memory
	maxPages    = 20_000    // of which the text is taken
	maxDrawn    = 2_000     // of which pictures are made
	maxListed   = 1_000_000 // to choose from
	maxTextSize = 256 << 20 // bytes of text of all pages
)

// New is the engine. What PDFium compiles to is kept below cacheDir: without that, the first document of each
// process takes seconds.
func New(cacheDir string) engines.Engine {
	r := &runtime{cacheDir: cacheDir}
	return engines.Engine{
		Name: "pdf",
		Routes: []engines.Route{
			{Source: "pdf", Target: "txt", Quality: engines.BestEffort},
			{Source: "pdf", Target: "png", Quality: engines.BestEffort},
			{Source: "pdf", Target: "jpg", Quality: engines.BestEffort},
		},
		Options: options,
		Convert: r.convert,
		Close:   r.close,
	}
}

func options(_, target string) []option.Option {
	switch target {
	case "png":
		return option.Of(option.NamePages, option.NameDPI)
	case "jpg":
		return option.Of(option.NamePages, option.NameDPI, option.NameQuality)
	default:
		return option.Of(option.NamePages)
	}
}

func (r *runtime) convert(ctx context.Context, in engines.Request) (engines.Result, error) {
	if err := check(in.InputPath); err != nil {
		return engines.Result{}, err
	}
	in.Progress(5, "PDFium")
	pool, err := r.open()
	if err != nil {
		return engines.Result{}, err
	}
	instance, err := pool.GetInstanceWithContext(ctx)
	if err != nil {
		return engines.Result{}, fmt.Errorf("get a PDFium instance: %w", err)
	}
	defer instance.Close() //nolint:errcheck // it is thrown away
	defer killAfter(ctx, instance)()
	result, err := convertWith(ctx, instance, in)
	if ctx.Err() != nil {
		return engines.Result{}, ctx.Err() // what was killed fails in many ways
	}
	return result, err
}

// killAfter stops an instance in the middle of what it does when the context ends. What it returns ends the watch.
func killAfter(ctx context.Context, instance pdfium.Pdfium) func() {
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		_ = instance.Kill() // whatever is left of it is thrown away
	})
	return func() {
		if !stop() {
			<-killed
		}
	}
}

func convertWith(ctx context.Context, instance pdfium.Pdfium, in engines.Request) (engines.Result, error) {
	doc, err := openDocument(instance, in)
	if err != nil {
		return engines.Result{}, err
	}
	if in.Target == "txt" {
		return writeText(ctx, doc, in)
	}
	return writePictures(ctx, doc, in)
}

func check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at the input: %w", err)
	}
	if info.Size() > maxBytes {
		return &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "TOO_LARGE",
			Message: fmt.Sprintf("the PDF has %d MB; at most %d are converted", info.Size()>>20, maxBytes>>20),
		}
	}
	return nil
}

func openDocument(instance pdfium.Pdfium, in engines.Request) (*document, error) {
	data, err := os.ReadFile(in.InputPath)
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	opened, err := instance.OpenDocument(&requests.OpenDocument{File: &data})
	switch {
	case errors.Is(err, pdfiumerrors.ErrPassword), errors.Is(err, pdfiumerrors.ErrSecurity):
		return nil, locked()
	case err != nil:
		return nil, unreadable()
	}
	doc := &document{instance: instance, ref: opened.Document, layersOff: hasLayersOff(data)}
	counted, err := instance.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: doc.ref})
	if err != nil || counted.PageCount == 0 {
		return nil, &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_DOCUMENT", Message: "the PDF has no pages"}
	}
	doc.count = counted.PageCount
	if doc.count > maxListed {
		return nil, tooManyPages(doc.count, maxListed)
	}
	doc.pages, err = in.Pages.Select(doc.count)
	if most := pagesMax(in.Target); len(doc.pages) > most {
		return nil, tooManyPages(len(doc.pages), most)
	}
	return doc, err
}

func locked() error {
	return &engines.Error{
		Code: engines.CodeUnsupportedInput, Reason: engines.ReasonEncrypted, Message: "the PDF is protected by a password, which is an option (--password-file FILE)",
	}
}

func unreadable() error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_DOCUMENT", Message: "the file is damaged, or not a PDF as its name says"}
}

func pagesMax(target string) int {
	if target == "txt" {
		return maxPages
	}
	return maxDrawn
}

func tooManyPages(count, most int) error {
	return &engines.Error{
		Code: engines.CodeUnsupportedInput, Reason: "TOO_MANY_PAGES",
		Message: fmt.Sprintf("%d pages are to be converted; at most %d are at once, so choose some by a page range", count, most),
	}
}

// writeText writes the text of the pages, with a form feed between them.
func writeText(ctx context.Context, doc *document, in engines.Request) (engines.Result, error) {
	var out strings.Builder
	var empty []int
	comments, fields := 0, 0
	for i, number := range doc.pages {
		if err := ctx.Err(); err != nil {
			return engines.Result{}, err
		}
		over := doc.annotations(number)
		text, err := doc.textWith(number, over)
		if err != nil {
			return engines.Result{}, engines.Errorf(engines.CodeConversionFailed, "page %d cannot be read: %s", number, reasonOf(err))
		}
		if lines := fieldLines(over, text); len(lines) > 0 {
			fields += len(lines)
			text = strings.TrimLeft(text+"\n"+strings.Join(lines, "\n"), "\n")
		}
		comments += unread(over, text)
		if text == "" {
			empty = append(empty, number)
		}
		if i > 0 {
			out.WriteString("\f")
		}
		if text != "" {
			out.WriteString(text + "\n")
		}
		if out.Len() > maxTextSize {
			return engines.Result{}, &engines.Error{
				Code: engines.CodeUnsupportedInput, Reason: "RESULT_TOO_LARGE", Message: fmt.Sprintf("the text has more than %d MB", maxTextSize>>20),
			}
		}
		in.Progress(10+85*(i+1)/len(doc.pages), fmt.Sprintf("page %d of %d", i+1, len(doc.pages)))
	}
	if len(empty) == len(doc.pages) {
		return engines.Result{}, &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "NO_TEXT_LAYER",
			Message: doc.noText(comments),
		}
	}
	result := engines.Result{Warnings: []string{"layout_degraded: columns, tables and positions are not kept in plain text"}}
	if len(empty) > 0 {
		result.Warnings = append(result.Warnings, fmt.Sprintf("best_effort: no text on %s; if it shows writing, it is a picture", pageList(empty)))
	}
	if comments > 0 {
		result.Warnings = append(result.Warnings, fmt.Sprintf("best_effort: %d comments or notes on the pages have text that was left out", comments))
	}
	if fields > 0 {
		result.Warnings = append(result.Warnings, fmt.Sprintf("layout_degraded: %d values of form fields or texts typed over a page are at its end", fields))
	}
	if doc.utf8Units {
		result.Warnings = append(result.Warnings, "best_effort: the PDF has a wrong table of its letters, which was read as Cyrillic in UTF-8")
	}
	if doc.layersOff {
		result.Warnings = append(result.Warnings, "best_effort: the PDF has layers that are switched off; the text holds what is on them, too")
	}
	path := filepath.Join(in.OutDir, "result.txt")
	if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
		return engines.Result{}, fmt.Errorf("write the output: %w", err)
	}
	result.Files = []engines.File{{Path: path, Filename: in.Stem + ".txt", Mimetype: client.ContentType("txt")}}
	return result, nil
}

// tidy gives text the line ends of a text file, and turns PDFium's marks of a broken word into hyphens.
func tidy(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0002", "-", "\x00", "").Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

func pageList(pages []int) string {
	const shown = 10
	var names []string
	for _, page := range pages[:min(len(pages), shown)] {
		names = append(names, fmt.Sprint(page))
	}
	list := "page " + names[0]
	if len(names) > 1 {
		list = "pages " + strings.Join(names, ", ")
	}
	if more := len(pages) - shown; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}
