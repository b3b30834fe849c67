// Package fidelity measures what a conversion has lost: it reads the source and the output, and compares their words,
// tables, rows, pictures, pages and pixels. Its readers are its own where that is possible, so that a fault of an engine is
// not made twice; PDF alone is read by PDFium.
//
// What differs and is no loss is evened out before: case, white space, punctuation, ligatures, accents, soft hyphens,
// numbers of lists, page headers, results of fields that each program computes, and, where one side has pages, words that are
// broken at the end of a line. Only what the source has and the output lacks is a loss; what the output has beyond the
// source is none.
package fidelity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// Content is what a file holds, as far as it is compared. A count is -1 where the format has no such thing, or where it
// cannot be counted.
type Content struct {
	// Words are in reading order, in the form that is compared: lower case, letters and digits alone.
	Words []string
	// Paged reports whether lines are broken for good, and words with them.
	Paged bool
	// Partial reports whether Words are only those at the beginning, for want of room.
	Partial  bool
	Tables   int // with two rows and two columns at least, and in no other table
	Rows     int // of those
	Pictures int
	Pages    int
	Frames   int // of a picture
	Width    int // of a picture, in pixels
	Height   int
}

func uncounted() Content {
	return Content{Tables: -1, Rows: -1, Pictures: -1, Pages: -1, Frames: -1, Width: -1, Height: -1}
}

// ErrUnreadable is what a Reader says of a file that it cannot compare. The text after it is for people.
var ErrUnreadable = errors.New("cannot be compared")

func unreadable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnreadable, fmt.Sprintf(format, args...))
}

// Reader reads files of the formats that it knows. It may be used by several at once.
type Reader struct {
	// PDF reads the text of each of the pages of a PDF, all where pages is nil, and counts the pictures on them; nil where no
	// PDFs are read. pdf.Reader has one.
	PDF func(ctx context.Context, path string, pages engines.PageRange) (texts []string, pictures int, err error)
}

// reader of a format, but for PDF.
type reader func(ctx context.Context, path string, as how) (Content, error)

// how a file is read.
type how struct {
	// values has numbers taken as what they are, and not as they are shown: the other file holds values.
	values bool
	// formulas has their digits taken: the other file holds them as text.
	formulas bool
}

var readers = map[string]reader{
	"docx": readWord, "pptx": readSlides, "xlsx": readSheets,
	"odt": readOpenDocument, "ods": readOpenDocument, "odp": readOpenDocument,
	"html": readHTML, "md": readMarkdown, "epub": readBook,
	"txt": readPlain, "csv": readCSV, "rtf": readRich,
	"png": readPicture, "jpg": readPicture, "gif": readPicture, "bmp": readPicture, "tiff": readPicture, "webp": readPicture,
	"heic": readPicture, "avif": readPicture,
}

// Formats are those that Read knows, in order.
func (r Reader) Formats() []string {
	var all []string
	for format := range readers {
		all = append(all, format)
	}
	if r.PDF != nil {
		all = append(all, "pdf")
	}
	slices.Sort(all)
	return all
}

// Read reads a file of a format. Pages chooses pages of a PDF, all where nil. An error that is not ErrUnreadable is of the
// machine, not of the file.
func (r Reader) Read(ctx context.Context, path, format string, pages engines.PageRange) (Content, error) {
	return r.read(ctx, path, format, pages, how{formulas: true})
}

func (r Reader) read(ctx context.Context, path, format string, pages engines.PageRange, as how) (Content, error) {
	if err := ctx.Err(); err != nil {
		return Content{}, err
	}
	if format == "pdf" && r.PDF != nil {
		return r.readPDF(ctx, path, pages)
	}
	read, ok := readers[format]
	if !ok {
		return Content{}, unreadable("%s is not read", format)
	}
	if len(pages) > 0 {
		return Content{}, unreadable("it is not known which words are on the pages that were chosen")
	}
	return read(ctx, path, as)
}

func (r Reader) readPDF(ctx context.Context, path string, pages engines.PageRange) (Content, error) {
	texts, pictures, err := r.PDF(ctx, path, pages)
	if ctx.Err() != nil {
		return Content{}, ctx.Err()
	}
	if err != nil {
		return Content{}, unreadable("the PDF cannot be read: %v", err)
	}
	c := uncounted()
	c.Paged, c.Pages, c.Pictures = true, len(texts), pictures
	words := newWords()
	for _, page := range texts {
		words.text(page)
		words.end()
	}
	c.Words, c.Partial = words.all, words.full
	return c, nil
}

// Report is what came of a comparison.
type Report struct {
	// Skipped says why nothing was compared; empty where something was.
	Skipped string
	// Losses are sentences with numbers; none where nothing is missing.
	Losses []string
	// Words are those of the source that were compared, Missing those of them that the output lacks.
	Words, Missing int
	// Lacking are the first missing words, in the order of the source.
	Lacking []string
	// Differences are the first places where words are missing.
	Differences []Difference
}

// Check compares the input of a conversion with what it has made.
func (r Reader) Check(ctx context.Context, in engines.Request, made engines.Result) (Report, error) {
	if !isComparable(in.Source, in.Target) {
		return Report{Skipped: fmt.Sprintf("%s and %s have nothing in common that is compared", in.Source, in.Target)}, nil
	}
	as := how{values: withValues[in.Target], formulas: !withObjects[in.Target]}
	source, err := r.read(ctx, in.InputPath, in.Source, in.Pages, as)
	if err != nil {
		return skipped("the source", err)
	}
	output := uncounted()
	for i, file := range made.Files {
		one, err := r.read(ctx, file.Path, in.Target, nil, as)
		if err != nil {
			return skipped("the output", err)
		}
		output = joined(output, one, i == 0)
	}
	report := Compare(source, output)
	if len(source.Words) > 0 && report.Words == 0 && withWords[in.Target] {
		report.Skipped = "what is written from right to left cannot be read back from pages for sure"
	}
	return report, nil
}

func skipped(which string, err error) (Report, error) {
	if !errors.Is(err, ErrUnreadable) {
		return Report{}, err
	}
	return Report{Skipped: which + " " + err.Error()}, nil
}

// joined adds one more file of an output.
func joined(all, one Content, first bool) Content {
	if first {
		if one.Pages < 0 && one.Width >= 0 {
			one.Pages = 1 // a picture may be one of several pages
		}
		return one
	}
	all.Words = append(all.Words, one.Words...)
	all.Partial = all.Partial || one.Partial
	for _, count := range []struct{ all, one *int }{{&all.Tables, &one.Tables}, {&all.Rows, &one.Rows}, {&all.Pictures, &one.Pictures}} {
		if *count.one >= 0 {
			*count.all = max(*count.all, 0) + *count.one
		}
	}
	if all.Width >= 0 {
		all.Width, all.Height, all.Frames = -1, -1, all.Frames+1
		all.Pages++
	}
	return all
}
