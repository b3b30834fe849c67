package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/klippa-app/go-pdfium/enums"
	pdfiumerrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
)

// Reader reads what is in a PDF, for those who compare. It may be used by several at once.
type Reader struct{ runtime }

// NewReader starts PDFium with the first document. What it compiles to is kept below cacheDir.
func NewReader(cacheDir string) *Reader { return &Reader{runtime{cacheDir: cacheDir}} }

// Close frees PDFium.
func (r *Reader) Close() error { return r.close() }

// Unlock writes a PDF without its password. One that is not locked is written as it is.
func (r *Reader) Unlock(ctx context.Context, from, to, password string) error {
	if err := check(from); err != nil {
		return err
	}
	data, err := os.ReadFile(from) //nolint:gosec // paths of our own
	if err != nil {
		return fmt.Errorf("read the input: %w", err)
	}
	pool, err := r.open()
	if err != nil {
		return err
	}
	instance, err := pool.GetInstanceWithContext(ctx)
	if err != nil {
		return fmt.Errorf("get a PDFium instance: %w", err)
	}
	defer instance.Close() //nolint:errcheck // it is thrown away
	defer killAfter(ctx, instance)()

	if _, err := instance.OpenDocument(&requests.OpenDocument{File: &data}); err == nil {
		return os.WriteFile(to, data, 0o600) //nolint:gosec // a path of ours
	}
	opened, err := instance.OpenDocument(&requests.OpenDocument{File: &data, Password: &password})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, pdfiumerrors.ErrPassword), errors.Is(err, pdfiumerrors.ErrSecurity):
		return scratch.WrongPassword()
	case err != nil:
		return unreadable()
	}
	var plain bytes.Buffer
	_, err = instance.FPDF_SaveAsCopy(&requests.FPDF_SaveAsCopy{Document: opened.Document, Flags: requests.SaveFlagRemoveSecurity, FileWriter: &plain})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return engines.Errorf(engines.CodeConversionFailed, "the PDF cannot be unlocked: %s", reasonOf(err))
	}
	return os.WriteFile(to, plain.Bytes(), 0o600)
}

// maxObjects bounds the things on all pages that are looked at for pictures.
const maxObjects = 200_000

// Read returns the text of each of the pages, all where pages is nil, and how many pictures are drawn on them. Counting ends at
// maxObjects things, with -1.
func (r *Reader) Read(ctx context.Context, path string, pages engines.PageRange) (texts []string, pictures int, err error) {
	if err := check(path); err != nil {
		return nil, 0, err
	}
	pool, err := r.open()
	if err != nil {
		return nil, 0, err
	}
	instance, err := pool.GetInstanceWithContext(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("get a PDFium instance: %w", err)
	}
	defer instance.Close() //nolint:errcheck // it is thrown away
	defer killAfter(ctx, instance)()
	doc, err := openDocument(instance, engines.Request{InputPath: path, Target: "txt", Pages: pages})
	if err != nil {
		return nil, 0, err
	}
	texts, pictures, err = doc.readAll(ctx)
	if ctx.Err() != nil {
		return nil, 0, ctx.Err()
	}
	return texts, pictures, err
}

func (d *document) readAll(ctx context.Context) (texts []string, pictures int, err error) {
	left, size := maxObjects, 0
	for _, number := range d.pages {
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		text, err := d.text(number)
		if err != nil {
			return nil, 0, engines.Errorf(engines.CodeConversionFailed, "page %d cannot be read: %s", number, reasonOf(err))
		}
		if size += len(text); size > maxTextSize {
			return nil, 0, engines.Errorf(engines.CodeUnsupportedInput, "the text has more than %d MB", maxTextSize>>20)
		}
		texts = append(texts, text)
		if left > 0 {
			pictures += d.picturesOn(number, &left)
		}
	}
	if left <= 0 {
		pictures = -1
	}
	return texts, pictures, nil
}

// picturesOn counts the pictures on a page, also those within forms.
func (d *document) picturesOn(number int, left *int) int {
	counted, err := d.instance.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: d.page(number)})
	if err != nil {
		return 0
	}
	pictures := 0
	for i := 0; i < counted.Count && *left > 0; i++ {
		got, err := d.instance.FPDFPage_GetObject(&requests.FPDFPage_GetObject{Page: d.page(number), Index: i})
		if err == nil {
			pictures += d.picturesIn(got.PageObject, 0, left)
		}
	}
	return pictures
}

const maxForms = 4 // of forms in forms

func (d *document) picturesIn(object references.FPDF_PAGEOBJECT, depth int, left *int) int {
	*left--
	kind, err := d.instance.FPDFPageObj_GetType(&requests.FPDFPageObj_GetType{PageObject: object})
	if err != nil {
		return 0
	}
	if kind.Type == enums.FPDF_PAGEOBJ_IMAGE {
		return 1
	}
	if kind.Type != enums.FPDF_PAGEOBJ_FORM || depth >= maxForms {
		return 0
	}
	counted, err := d.instance.FPDFFormObj_CountObjects(&requests.FPDFFormObj_CountObjects{PageObject: object})
	if err != nil {
		return 0
	}
	pictures := 0
	for i := 0; i < counted.Count && *left > 0; i++ {
		got, err := d.instance.FPDFFormObj_GetObject(&requests.FPDFFormObj_GetObject{PageObject: object, Index: uint64(i)})
		if err == nil {
			pictures += d.picturesIn(got.PageObject, depth+1, left)
		}
	}
	return pictures
}
