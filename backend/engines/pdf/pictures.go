package pdf

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/klippa-app/go-pdfium/enums"
	"github.com/klippa-app/go-pdfium/requests"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

const (
	renderDPI      = 150
	maxPixels      = 40_000_000 // one page; PDFium and this program hold it at the same time
	defaultQuality = 80
)

// writePictures renders every chosen page to a file of its own.
func writePictures(ctx context.Context, doc *document, in engines.Request) (engines.Result, error) {
	wanted := dpiOf(in)
	result := engines.Result{Warnings: []string{
		fmt.Sprintf("best_effort: pages were drawn at %d dots an inch; their text can no longer be searched or copied", wanted),
	}}
	if in.Target == "jpg" {
		result.Warnings = append(result.Warnings, fmt.Sprintf("best_effort: JPEG keeps fine detail only in part (quality %d)", jpegQuality(in)))
	}
	missing := 0
	digits := len(strconv.Itoa(doc.count))
	for i, number := range doc.pages {
		if err := ctx.Err(); err != nil {
			return engines.Result{}, err
		}
		name := fmt.Sprintf("%0*d.%s", digits, number, in.Target)
		path := filepath.Join(in.OutDir, "page-"+name)
		missing += undrawn(doc.annotations(number))
		dpi, err := drawPage(doc, number, path, in)
		if err != nil {
			return engines.Result{}, err
		}
		if dpi < wanted {
			result.Warnings = append(result.Warnings, fmt.Sprintf("best_effort: page %d is so large that it was drawn at %d dots an inch", number, dpi))
		}
		shown := in.Stem + "-" + name
		if doc.count == 1 {
			shown = in.Stem + "." + in.Target
		}
		result.Files = append(result.Files, engines.File{Path: path, Filename: shown, Mimetype: client.ContentType(in.Target)})
		in.Progress(10+85*(i+1)/len(doc.pages), fmt.Sprintf("page %d of %d", i+1, len(doc.pages)))
	}
	if missing > 0 {
		result.Warnings = append(result.Warnings, fmt.Sprintf("best_effort: %d annotations bring no drawing of their own and are not in the pictures", missing))
	}
	return result, nil
}

func dpiOf(in engines.Request) int {
	if dpi, err := strconv.Atoi(in.Options[option.NameDPI]); err == nil {
		return dpi
	}
	return renderDPI
}

func drawPage(doc *document, number int, path string, in engines.Request) (dpi int, err error) {
	size, err := doc.instance.GetPageSize(&requests.GetPageSize{Page: doc.page(number)})
	if err != nil {
		return 0, engines.Errorf(engines.CodeConversionFailed, "page %d cannot be read: %s", number, reasonOf(err))
	}
	dpi = fittingDPI(size.Width, size.Height, dpiOf(in))
	if dpi == 0 {
		return 0, engines.Errorf(engines.CodeUnsupportedInput, "page %d measures %.0f x %.0f points and cannot be drawn", number, size.Width, size.Height)
	}
	drawn, err := doc.instance.RenderPageInDPI(&requests.RenderPageInDPI{
		Page: doc.page(number), DPI: dpi, RenderForm: true, Document: &doc.ref, RenderFlags: enums.FPDF_RENDER_FLAG_ANNOT,
	})
	if err != nil {
		return 0, engines.Errorf(engines.CodeConversionFailed, "page %d cannot be drawn: %s", number, reasonOf(err))
	}
	defer drawn.Cleanup()
	return dpi, save(path, drawn.Result.RenderedImage, in)
}

// fittingDPI is the wanted resolution, or a lower one where the page would have too many pixels; 0 for a page
// that has no sensible size.
func fittingDPI(width, height float64, wanted int) int {
	if !(width > 0 && height > 0) || math.IsInf(width*height, 0) {
		return 0
	}
	most := math.Sqrt(maxPixels/(width*height)) * 72
	return int(math.Min(float64(wanted), most))
}

func save(path string, page image.Image, in engines.Request) error {
	file, err := os.Create(path) //nolint:gosec // the job's own folder
	if err != nil {
		return fmt.Errorf("create the output: %w", err)
	}
	buffered := bufio.NewWriter(file)
	err = errors.Join(encode(buffered, page, in), buffered.Flush(), file.Close())
	if err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// encode writes the page on white: what a PDF leaves empty is the paper.
func encode(w io.Writer, page image.Image, in engines.Request) error {
	paper := image.NewRGBA(page.Bounds())
	draw.Draw(paper, paper.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(paper, paper.Bounds(), page, page.Bounds().Min, draw.Over)
	if in.Target == "jpg" {
		return jpeg.Encode(w, paper, &jpeg.Options{Quality: jpegQuality(in)})
	}
	return png.Encode(w, paper)
}

func jpegQuality(in engines.Request) int {
	if in.ImageQuality > 0 {
		return in.ImageQuality
	}
	return defaultQuality
}
