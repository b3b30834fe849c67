// Package libreoffice converts office documents by LibreOffice, where that is installed.
package libreoffice

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
)

const (
	soffice = "soffice"
	// firstSheetCSV asks for UTF-8 with commas, values as shown; the last -1 would ask for every sheet.
	firstSheetCSV = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false"
)

// New is the engine. It keeps an office open for an owner's next conversions. Two that run at once have a profile and a
// folder each: if they shared one, they would lose their outputs. step converts by the other engines: CSV to workbooks, and
// pages to pictures.
func New(step engines.Step) engines.Engine { return newEngine(step).asEngine() }

type engine struct {
	offices *sandbox.Pool[*office]
	step    engines.Step
}

func newEngine(step engines.Step) *engine {
	return &engine{offices: sandbox.NewPool[*office](officeIdle, officesResting), step: step}
}

func (e *engine) asEngine() engines.Engine {
	all := routes()
	for _, source := range []string{"ppt", "pptx", "odp"} {
		for _, target := range []string{"png", "jpg"} {
			all = append(all, engines.Route{Source: source, Target: target, Quality: engines.BestEffort})
		}
	}
	return engines.Engine{
		Name: "libreoffice", Package: "libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui " + mathPackage,
		Routes: all, Version: version, Convert: e.convert, Options: options,
		Close: e.close,
	}
}

func (e *engine) convert(ctx context.Context, in engines.Request) (engines.Result, error) {
	if in.Target == "png" || in.Target == "jpg" {
		return e.drawSlides(ctx, in)
	}
	return e.convertDocument(ctx, in)
}

// drawSlides makes a picture of each slide, by way of a PDF.
func (e *engine) drawSlides(ctx context.Context, in engines.Request) (engines.Result, error) {
	dir := filepath.Join(in.OutDir, "slides")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return engines.Result{}, fmt.Errorf("make a folder for the pages: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the folder of the call
	asked := in
	asked.Target, asked.OutDir, asked.Pages, asked.Options = "pdf", dir, nil, nil
	printed, err := e.convertDocument(ctx, asked)
	if err != nil {
		return engines.Result{}, err
	}
	in.Source, in.InputPath = "pdf", printed.Files[0].Path
	drawn, err := e.step(ctx, in)
	for i, note := range printed.Warnings {
		printed.Warnings[i] = strings.ReplaceAll(note, "in the pdf", "in the "+in.Target)
	}
	drawn.Warnings = append(printed.Warnings, drawn.Warnings...)
	return drawn, err
}

func (e *engine) close() error {
	e.offices.Close()
	return nil
}

func routes() []engines.Route {
	var out []engines.Route
	for _, group := range []struct{ sources, targets string }{
		{"doc docx odt rtf", "pdf docx odt rtf html txt"},
		{"ppt pptx odp", "pdf pptx odp"},
		{"xls xlsx ods", "pdf xlsx ods csv"},
		{"xls ods", "html"},
		{"csv", "ods pdf"},
		{"html", "odt docx"},
		{"txt", "odt docx rtf"},
	} {
		for source := range strings.FieldsSeq(group.sources) {
			for target := range strings.FieldsSeq(group.targets) {
				if source != target && !builtInIsBetter(source, target) {
					// Of pages Pandoc keeps the structure, quotation marks and formulas.
					out = append(out, engines.Route{Source: source, Target: target, Quality: engines.BestEffort, Reserve: source == "html"})
				}
			}
		}
	}
	return out
}

// builtInIsBetter names routes on which the engines of this program keep more, or say better what they lose.
func builtInIsBetter(source, target string) bool {
	return source == "docx" && (target == "txt" || target == "html") || source == "xlsx" && target == "csv"
}

func version(ctx context.Context) (string, error) {
	return scratch.Version(ctx, soffice, "--version", "LibreOffice")
}

func (e *engine) convertDocument(ctx context.Context, in engines.Request) (engines.Result, error) {
	place, err := scratch.Open(ctx, in, "LibreOffice")
	if err != nil {
		return engines.Result{}, err
	}
	defer place.Close()

	var lost []string
	if in.Source == "html" { // of a fragment it prints the tags
		if lost, err = cleanPage(ctx, place.Input); err != nil {
			return engines.Result{}, err
		}
	}
	// A document for people to edit keeps its tracked changes; what is read shows what they come to.
	var tracked changes
	if final := in.Target == "pdf" || in.Target == "html" || in.Target == "txt"; final {
		if tracked, err = accept(place.Input, in.Source); err != nil {
			return engines.Result{}, err
		}
	}
	if made, notes, err := e.asBook(ctx, place, in); err != nil {
		return engines.Result{}, err
	} else if made != "" {
		place.Input, lost = made, append(lost, notes...)
	}
	lost = append(append(lost, tracked.notes(in.Target)...), look(place.Input, in.Source).notes(in.Target, hasMath())...)
	outDir := filepath.Join(place.Home, "out")
	stem := strings.TrimSuffix(filepath.Base(place.Input), filepath.Ext(place.Input))
	place.Output = filepath.Join(outDir, stem+"."+in.Target) // it chooses the name itself

	in.Progress(10, "LibreOffice")
	said, err := e.run(ctx, in, place)
	if err != nil {
		return engines.Result{}, err
	}
	result, err := place.Keep(said, append(lost, losses(outDir, in.Target)...))
	if err != nil && slices.Contains(oldOffice, in.Source) {
		err = whyLocked(place.Input, in, err)
	}
	return result, err
}

// run converts in an open office or, where that fails, by a call of its own: a fault of what came before is none of this
// document's, and a call says why it fails. Its exit code does not: it is 0 for a truncated input, too. What counts is the
// file.
func (e *engine) run(ctx context.Context, in engines.Request, place *scratch.Place) (said string, err error) {
	if needsMacro(in.Options) {
		return runMacro(ctx, in, place)
	}
	err = e.offices.Use(ctx, in.Owner, startOffice, func(o *office) error { return o.convert(ctx, place, filter(in)) })
	if err == nil || ctx.Err() != nil {
		return "", ctx.Err()
	}
	args := append(settings(place.Home), "--nodefault", "--convert-to", filter(in), "--outdir", filepath.Dir(place.Output), place.Input)
	return place.Run(ctx, soffice, args, nil)
}

// cleanPage puts what browsers show of a page in its place.
func cleanPage(ctx context.Context, path string) ([]string, error) {
	page, notes, err := text.CleanPage(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, page, 0o600); err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	return notes, nil
}

func filter(in engines.Request) string {
	source, target := in.Source, in.Target
	switch {
	case target == "csv":
		return csvFilter(in.Options)
	case target == "pdf":
		return pdfFilter(source, in.Options)
	case target == "html" && (source == "odt" || source == "rtf" || source == "doc"):
		return "html:HTML (StarWriter):EmbedImages" // pictures would be files beside the page
	case source == "html" && target == "docx":
		return "docx:MS Word 2007 XML" // it opens pages as a kind of document for which it finds none by itself
	}
	return target
}

// losses name what is not in the one output that is kept.
func losses(outDir, target string) (warnings []string) {
	// A folder that is not there has no output either.
	if entries, err := os.ReadDir(outDir); err == nil && len(entries) > 1 {
		warnings = append(warnings, fmt.Sprintf("best_effort: %d pictures beside the document were left out", len(entries)-1))
	}
	switch target {
	case "csv":
		warnings = append(warnings, "truncated: a CSV holds one sheet; further sheets of the workbook, if any, were left out")
	case "txt":
		warnings = append(warnings, "best_effort: pictures, emphasis and layout were left out; the text alone was kept")
	}
	return warnings
}
