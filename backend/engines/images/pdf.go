package images

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"math"
	"strconv"

	"codeberg.org/go-pdf/fpdf"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client/option"
)

const (
	pageMargin = 10 // mm
	printDPI   = 150
)

// writePDF puts the picture on one page, upright or lying as the picture is: at 150 dots an inch, or smaller where it would
// not fit. Options ask for another page, or resolution.
func writePDF(w io.Writer, p *picture, in engines.Request) error {
	kind, data, err := embeddable(p)
	if err != nil {
		return err
	}
	b := p.image.Bounds()
	sheet, err := engines.SheetOf(in.Options, pageMargin)
	if err != nil {
		return err
	}
	if in.Options[option.NameLandscape] == "" && b.Dx() > b.Dy() && sheet.Height > sheet.Width {
		sheet.Width, sheet.Height = sheet.Height, sheet.Width
	}
	dpi := float64(printDPI)
	if wanted, err := strconv.Atoi(in.Options[option.NameDPI]); err == nil {
		dpi = float64(wanted)
	}
	width, height := float64(b.Dx())*25.4/dpi, float64(b.Dy())*25.4/dpi
	roomX, roomY := sheet.Width-sheet.Left-sheet.Right, sheet.Height-sheet.Top-sheet.Bottom
	scale := math.Min(1, math.Min(roomX/width, roomY/height))
	width, height = width*scale, height*scale
	doc := fpdf.NewCustom(&fpdf.InitType{UnitStr: "mm", Size: fpdf.SizeType{Wd: sheet.Width, Ht: sheet.Height}})
	doc.SetAutoPageBreak(false, 0)
	doc.SetTitle(in.Stem, true)
	doc.AddPage()
	options := fpdf.ImageOptions{ImageType: kind}
	doc.RegisterImageOptionsReader("picture", options, bytes.NewReader(data))
	doc.ImageOptions("picture", sheet.Left+(roomX-width)/2, sheet.Top+(roomY-height)/2, width, height, false, options, 0, "")
	if err := doc.Output(w); err != nil {
		return fmt.Errorf("write the PDF: %w", err)
	}
	return nil
}

// embeddable is the picture as PDF takes it. An upright JPEG goes in as it is; all else becomes PNG, without
// loss.
func embeddable(p *picture) (kind string, data []byte, err error) {
	if _, isCMYK := p.image.(*image.CMYK); p.format == "jpg" && !p.changed && !isCMYK {
		return "JPG", p.data, nil
	}
	if isDeep(p.image) {
		p.warnf("best_effort: 16 bits a channel became 8")
	}
	var out bytes.Buffer
	if err := png.Encode(&out, normal(p.image, "pdf")); err != nil {
		return "", nil, errors.Join(errors.New("encode the picture for the PDF"), err)
	}
	return "PNG", out.Bytes(), nil
}

// normal is the same picture in a type that encoders write as it is. A decoded JPEG, for one, would
// otherwise become a PNG of 16 bits a channel.
func normal(m image.Image, target string) image.Image {
	keepsDepth := target == "png" || target == "tiff"
	switch m.(type) {
	case *image.Paletted:
		if target == "png" || target == "gif" || target == "tiff" && opaque(m) { // a TIFF's palette has no transparency
			return m
		}
	case *image.Gray, *image.NRGBA:
		if keepsDepth || target == "gif" {
			return m
		}
	case *image.Gray16, *image.RGBA64, *image.NRGBA64:
		if keepsDepth {
			return m
		}
	}
	b := m.Bounds()
	at := image.Rect(0, 0, b.Dx(), b.Dy())
	if _, done := m.(*image.NRGBA); done && b.Min == (image.Point{}) {
		return m
	}
	var out draw.Image = image.NewNRGBA(at)
	if opaque(m) {
		out = image.NewRGBA(at)
	}
	draw.Draw(out, at, m, b.Min, draw.Src)
	return out
}

func opaque(m image.Image) bool {
	o, ok := m.(interface{ Opaque() bool })
	return !ok || o.Opaque()
}
