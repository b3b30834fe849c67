// Package tesseract reads the writing on pictures, and on pages that are only pictures, by Tesseract, where that is installed.
package tesseract

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

const (
	program = "tesseract"
	// Package is what to install; each further language is tesseract-ocr-LANGUAGE.
	Package = "tesseract-ocr"
	// maxPages bounds how long a document takes, at some seconds a page.
	maxPages = 100
	// pageDPI is at which pages are drawn; Tesseract was trained on letters of that size.
	pageDPI = "300"
	// unsure is the confidence below which a word is named.
	unsure = 60
	// shownWords of those are.
	shownWords = 8
)

// readHere are the formats that Tesseract reads. Others, those that cameras turn, and those of which it reads the first of several
// pictures without a word, become PNG first.
var readHere = []string{"png", "bmp", "tiff"}

// New is the engine. step converts by the other engines: pictures to PNG, and pages to pictures.
func New(step engines.Step) engines.Engine {
	r := reader{step: step}
	engine := engines.Engine{Name: program, Package: Package, Version: version, Options: options, Convert: r.convert}
	for source := range strings.FieldsSeq("png jpg gif bmp tiff webp heic") {
		for _, target := range []string{"txt", "md"} {
			engine.Routes = append(engine.Routes, engines.Route{Source: source, Target: target, Quality: engines.BestEffort})
		}
		// Others make a PDF faster, of which nobody can search the text.
		engine.Routes = append(engine.Routes, engines.Route{Source: source, Target: "pdf", Quality: engines.BestEffort, Reserve: true})
	}
	// Where the pages have text of their own, that is taken.
	engine.Routes = append(engine.Routes, engines.Route{Source: "pdf", Target: "txt", Quality: engines.BestEffort, Reserve: true})
	return engine
}

func options(source, target string) []option.Option {
	switch {
	case source == "pdf":
		return option.Of(option.NamePages)
	case target == "pdf":
		return option.Of(option.NameOCR, option.NameDPI)
	}
	return nil
}

func version(ctx context.Context) (string, error) {
	return scratch.Version(ctx, program, "--version", "tesseract ")
}

type reader struct {
	step engines.Step
}

func (r reader) convert(ctx context.Context, in engines.Request) (engines.Result, error) {
	if in.Source != "pdf" && len(in.Pages) > 0 {
		return engines.Result{}, engines.Errorf(engines.CodeInvalidParameters, "a page range is not possible for %s to %s", in.Source, in.Target)
	}
	pictures, notes, err := r.pictures(ctx, in)
	if err != nil {
		return engines.Result{}, err
	}
	defer os.RemoveAll(filepath.Join(in.OutDir, "pages")) //nolint:errcheck // in the folder of the call

	var all found
	for i, picture := range pictures {
		if err := all.read(ctx, in, picture); err != nil {
			return engines.Result{}, err
		}
		in.Progress(20+75*(i+1)/len(pictures), fmt.Sprintf("page %d of %d", i+1, len(pictures)))
	}
	if in.Target == "pdf" {
		return all.searchable(in, notes)
	}
	if all.words == 0 {
		return engines.Result{}, &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "NO_TEXT_FOUND",
			Message: "no writing was recognised (OCR by Tesseract, languages " + all.languages + "); further languages are packages called tesseract-ocr-LANGUAGE",
		}
	}
	text := strings.Join(all.pages, "\f")
	if in.Target == "md" {
		text = markdown(strings.Join(all.pages, "\n"))
	}
	path := filepath.Join(in.OutDir, "result."+in.Target)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return engines.Result{}, fmt.Errorf("write the output: %w", err)
	}
	return engines.Result{
		Files:    []engines.File{{Path: path, Filename: in.Stem + "." + in.Target, Mimetype: client.ContentType(in.Target)}},
		Warnings: append(notes, all.notes()...),
	}, nil
}

// searchable is the PDF that Tesseract made: the picture, with its writing unseen in its place.
func (f *found) searchable(in engines.Request, notes []string) (engines.Result, error) {
	path := filepath.Join(in.OutDir, "result.pdf")
	if err := os.WriteFile(path, f.pdf, 0o600); err != nil {
		return engines.Result{}, fmt.Errorf("write the output: %w", err)
	}
	if f.words == 0 {
		notes = append(notes, "best_effort: no writing was recognised (OCR by Tesseract, languages "+f.languages+"); the pages are pictures alone")
	} else {
		notes = append(notes, f.sureness()...)
	}
	return engines.Result{
		Files: []engines.File{{Path: path, Filename: in.Stem + ".pdf", Mimetype: client.ContentType("pdf")}}, Warnings: notes,
	}, nil
}

// picture is a file to read.
type picture struct{ path, format string }

// pictures are what is to be read of an input, in order.
func (r reader) pictures(ctx context.Context, in engines.Request) ([]picture, []string, error) {
	if slices.Contains(readHere, in.Source) {
		return []picture{{in.InputPath, in.Source}}, nil, nil
	}
	dir := filepath.Join(in.OutDir, "pages")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make a folder for the pages: %w", err)
	}
	asked := engines.Request{Source: in.Source, Target: "png", InputPath: in.InputPath, OutDir: dir, Stem: "page", Pages: in.Pages, Progress: func(int, string) {}}
	if in.Source == "pdf" {
		asked.Options = option.Values{option.NameDPI: pageDPI}
	}
	drawn, err := r.step(ctx, asked)
	if err != nil {
		return nil, nil, err
	}
	if len(drawn.Files) > maxPages {
		return nil, nil, &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "TOO_MANY_PAGES",
			Message: fmt.Sprintf("%d pages are to be read by OCR; at most %d are at once, so choose some by a page range", len(drawn.Files), maxPages),
		}
	}
	out := make([]picture, len(drawn.Files))
	for i, file := range drawn.Files {
		out[i] = picture{file.Path, "png"}
	}
	if in.Source == "pdf" { // that pages are drawn is no loss
		return out, nil, nil
	}
	return out, drawn.Warnings, nil
}

// found is what was read so far.
type found struct {
	pages      []string
	words      int
	confidence float64 // of all words together
	doubted    []string
	languages  string
	pdf        []byte // of the one picture, where that is the target
}

func (f *found) read(ctx context.Context, in engines.Request, p picture) error {
	place, err := scratch.Open(ctx, engines.Request{Source: p.format, Target: "txt", InputPath: p.path, OutDir: in.OutDir, Stem: in.Stem}, "Tesseract")
	if err != nil {
		return err
	}
	defer place.Close()
	if f.languages == "" {
		if f.languages, err = languages(ctx, place); err != nil {
			return err
		}
	}
	base := strings.TrimSuffix(place.Output, ".txt")
	args := []string{place.Input, base, "-l", f.languages}
	if in.Source == "pdf" {
		args = append(args, "--dpi", pageDPI)
	}
	if dpi := in.Options[option.NameDPI]; dpi != "" && in.Target == "pdf" {
		args = append(args, "--dpi", dpi)
	}
	args = append(args, "txt", "tsv")
	if in.Target == "pdf" {
		args = append(args, "pdf")
	}
	said, err := place.Run(ctx, program, args, []string{"OMP_THREAD_LIMIT=1"})
	if err != nil {
		return err
	}
	text, err := os.ReadFile(place.Output)
	if err != nil {
		return engines.Errorf(engines.CodeConversionFailed, "Tesseract read nothing of this file%s", place.LastWords(said))
	}
	if in.Target == "pdf" {
		if f.pdf, err = os.ReadFile(base + ".pdf"); err != nil { //nolint:gosec // a path of ours
			return engines.Errorf(engines.CodeConversionFailed, "Tesseract made no PDF of this file%s", place.LastWords(said))
		}
	}
	f.pages = append(f.pages, strings.TrimRight(strings.ReplaceAll(string(text), "\f", "\n"), "\n")+"\n")
	return f.weigh(base + ".tsv")
}

// weigh adds up how sure Tesseract is of each word: the eleventh of twelve columns of its table.
func (f *found) weigh(path string) error {
	table, err := os.Open(path) //nolint:gosec // paths of our own
	if err != nil {
		return fmt.Errorf("read the confidences: %w", err)
	}
	defer table.Close() //nolint:errcheck // read only
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "\t")
		const confidence, text, count = 10, 11, 12
		if len(cells) < count || strings.TrimSpace(cells[text]) == "" {
			continue
		}
		sure, err := strconv.ParseFloat(cells[confidence], 64)
		if err != nil || sure < 0 {
			continue
		}
		f.words++
		f.confidence += sure
		if sure < unsure {
			f.doubted = append(f.doubted, cells[text])
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the confidences: %w", err)
	}
	return nil
}

func (f *found) notes() []string {
	return append(f.sureness(), "layout_degraded: tables, columns, pictures and looks are not kept in what is read from pictures")
}

func (f *found) sureness() []string {
	out := []string{fmt.Sprintf("best_effort: the text was recognised from pictures (OCR, languages %s); the mean confidence of its %d words is %.0f %%",
		f.languages, f.words, f.confidence/float64(f.words))}
	if n := len(f.doubted); n > 0 {
		out = append(out, fmt.Sprintf("best_effort: %d of %d words may be wrong (confidence below %d %%): %s",
			n, f.words, unsure, strings.Join(f.doubted[:min(n, shownWords)], ", ")))
	}
	return out
}

var languageName = regexp.MustCompile(`^[A-Za-z_]{3,}$`)

// languages are all that are installed, as Tesseract takes them: somebody who installs one has texts in it.
func languages(ctx context.Context, place *scratch.Place) (string, error) {
	said, err := place.Run(ctx, program, []string{"--list-langs"}, nil)
	if err != nil {
		return "", err
	}
	var names []string
	for line := range strings.Lines(said) {
		if name := strings.TrimSpace(line); languageName.MatchString(name) && name != "osd" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "", engines.Errorf(engines.CodeConversionFailed, "Tesseract has no language; install %s-eng or another", Package)
	}
	return strings.Join(names, "+"), nil
}

var (
	marks      = regexp.MustCompile("[\\\\`*_\\[\\]<>|~]|&(#?\\w+;)")
	lineMarks  = regexp.MustCompile(`(?m)^(\s*)(#{1,6}(?:\s|$)|[-+](?:\s|$)|=+\s*$|-{2,}\s*$)`)
	lineNumber = regexp.MustCompile(`(?m)^(\s*\d{1,9})([.)])(\s|$)`)
)

// markdown is a text that reads the same as Markdown.
func markdown(text string) string {
	text = marks.ReplaceAllStringFunc(text, func(found string) string { return `\` + found })
	text = lineMarks.ReplaceAllString(text, `$1\$2`)
	return lineNumber.ReplaceAllString(text, `$1\$2$3`)
}
