// Package finish does to a PDF what was asked for and what the engine that made it has no way to do: it takes pages out of it,
// sets a line above and below them, and writes its properties.
package finish

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// maxBytes bounds a document: the library holds it in memory several times.
const maxBytes = 128 << 20

// New is the engine; it needs no installation. It makes a PDF of a PDF, for other engines.
func New() engines.Engine {
	return engines.Engine{
		Name: "finish", Routes: []engines.Route{{Source: "pdf", Target: "pdf", Quality: engines.Exact}}, Convert: convert,
		Options: func(string, string) []option.Option {
			return option.Of(option.NamePages, option.NameHeader, option.NameFooter,
				option.NameTitle, option.NameAuthor, option.NameSubject, option.NameKeywords)
		},
	}
}

// rules are those of the library, with no folder of its own in anybody's home.
func rules() *model.Configuration {
	noFolder()
	conf := model.NewDefaultConfiguration()
	conf.ValidationMode = model.ValidationRelaxed
	return conf
}

var noFolder = sync.OnceFunc(api.DisableConfigDir)

func convert(ctx context.Context, in engines.Request) (result engines.Result, err error) {
	defer func() {
		// The library panics on some documents that it took for sound.
		if cause := recover(); cause != nil {
			err = engines.Errorf(engines.CodeConversionFailed, "the options could not be put on the PDF: %v", cause)
		}
	}()
	info, err := os.Stat(in.InputPath)
	if err != nil {
		return engines.Result{}, fmt.Errorf("look at the PDF: %w", err)
	}
	if info.Size() > maxBytes {
		return engines.Result{}, engines.Errorf(engines.CodeConversionFailed, "the PDF has %d MB; options are put on one of at most %d", info.Size()>>20, maxBytes>>20)
	}
	data, err := os.ReadFile(in.InputPath)
	if err != nil {
		return engines.Result{}, fmt.Errorf("read the PDF: %w", err)
	}

	if bytes.Contains(data, []byte("pdfaid:part")) {
		return engines.Result{}, engines.Errorf(engines.CodeInvalidParameters,
			"pdfa does not go together with %s: what is added afterwards may not be PDF/A", strings.Join(in.Asked(), ", "))
	}

	in.Progress(90, "options")
	for _, step := range []func(engines.Request, []byte) ([]byte, []string, error){choose, setLines, describe} {
		if err := ctx.Err(); err != nil {
			return engines.Result{}, err
		}
		var warnings []string
		if data, warnings, err = step(in, data); err != nil {
			return engines.Result{}, err
		}
		result.Warnings = append(result.Warnings, warnings...)
	}
	path := filepath.Join(in.OutDir, "result.pdf")
	if err := os.WriteFile(path, data, 0o600); err != nil { //nolint:gosec // in the folder of the call
		return engines.Result{}, fmt.Errorf("write the PDF: %w", err)
	}
	result.Files = []engines.File{{Path: path, Filename: in.Stem + ".pdf", Mimetype: client.ContentType("pdf")}}
	return result, nil
}

// read opens a document that one of our engines has made.
func read(data []byte) (*model.Context, error) {
	doc, err := api.ReadValidateAndOptimize(bytes.NewReader(data), rules())
	if err != nil {
		return nil, failed(err)
	}
	return doc, nil
}

func written(doc *model.Context) ([]byte, error) {
	var out bytes.Buffer
	if err := api.WriteContext(doc, &out); err != nil {
		return nil, failed(err)
	}
	return out.Bytes(), nil
}

func failed(err error) error {
	return engines.Errorf(engines.CodeConversionFailed, "the options could not be put on the PDF: %v", err)
}

// choose keeps the pages that are asked for.
func choose(in engines.Request, data []byte) ([]byte, []string, error) {
	if len(in.Pages) == 0 {
		return data, nil, nil
	}
	doc, err := read(data)
	if err != nil {
		return nil, nil, err
	}
	pages, err := in.Pages.Select(doc.PageCount)
	if err != nil || len(pages) == doc.PageCount {
		return data, nil, err
	}
	var warnings []string
	if marks, err := pdfcpu.Bookmarks(doc); err == nil && len(marks) > 0 {
		warnings = append(warnings, fmt.Sprintf("best_effort: %d bookmarks of the document were left out with the pages that were not asked for", count(marks)))
	}
	kept := map[string]string{}
	for key, value := range map[string]string{"Title": doc.Title, "Author": doc.Author, "Subject": doc.Subject, "Keywords": doc.Keywords} {
		if value != "" {
			kept[key] = value
		}
	}
	chosen, err := pdfcpu.ExtractPages(doc, pages, false)
	if err != nil {
		return nil, nil, failed(err)
	}
	if data, err = written(chosen); err != nil || len(kept) == 0 {
		return data, warnings, err
	}
	data, err = withProperties(data, kept) // the pages come without
	return data, warnings, err
}

func count(marks []pdfcpu.Bookmark) int {
	n := len(marks)
	for _, mark := range marks {
		n += count(mark.Kids)
	}
	return n
}

// properties are the names of options in the information of a document.
var properties = map[string]string{
	option.NameTitle: "Title", option.NameAuthor: "Author", option.NameSubject: "Subject", option.NameKeywords: "Keywords",
}

// describe writes the properties that are asked for, and leaves the others.
func describe(in engines.Request, data []byte) ([]byte, []string, error) {
	given := map[string]string{}
	for name, key := range properties {
		if value := in.Options[name]; value != "" {
			given[key] = value
		}
	}
	if len(given) == 0 {
		return data, nil, nil
	}
	data, err := withProperties(data, given)
	return data, nil, err
}

func withProperties(data []byte, given map[string]string) ([]byte, error) {
	doc, err := read(data)
	if err != nil {
		return nil, err
	}
	if err := pdfcpu.PropertiesAdd(doc, given); err != nil {
		return nil, failed(err)
	}
	if err := dropMetadata(doc); err != nil {
		return nil, failed(err)
	}
	return written(doc)
}

// dropMetadata removes the second copy of the properties, which readers believe more than what was asked for.
func dropMetadata(doc *model.Context) error {
	catalog, err := doc.Catalog()
	if err != nil {
		return err
	}
	delete(catalog, "Metadata")
	doc.CatalogXMPMeta = nil
	return nil
}

// pageSizes are those of all pages as they are seen, in points.
func pageSizes(doc *model.Context) ([]types.Dim, error) {
	dims, err := doc.PageDims()
	return slices.Clone(dims), err
}
