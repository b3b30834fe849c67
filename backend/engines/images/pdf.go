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

	"codeberg.org/go-pdf/fpdf"
)

const (
	pageShort, pageLong = 595.28, 841.89 // A4 in points
	pageMargin          = 28.35          // 10 mm
	printDPI            = 150
)

// writePDF puts the picture on one page of A4, upright or lying as the picture is: at 150 dpi, or smaller
// where it would not fit.
func writePDF(w io.Writer, p *picture, title string) error {
	kind, data, err := embeddable(p)
	if err != nil {
		return err
	}
	b := p.image.Bounds()
	orientation, pageW, pageH := "P", pageShort, pageLong
	if b.Dx() > b.Dy() {
		orientation, pageW, pageH = "L", pageLong, pageShort
	}
	width, height := float64(b.Dx())*72/printDPI, float64(b.Dy())*72/printDPI
	scale := math.Min(1, math.Min((pageW-2*pageMargin)/width, (pageH-2*pageMargin)/height))
	width, height = width*scale, height*scale
	doc := fpdf.New(orientation, "pt", "A4", "")
	doc.SetAutoPageBreak(false, 0)
	doc.SetTitle(title, true)
	doc.AddPage()
	options := fpdf.ImageOptions{ImageType: kind}
	doc.RegisterImageOptionsReader("picture", options, bytes.NewReader(data))
	doc.ImageOptions("picture", (pageW-width)/2, (pageH-height)/2, width, height, false, options, 0, "")
	if err := doc.Output(w); err != nil {
		return fmt.Errorf("write the PDF: %w", err)
	}
	return nil
}

// embeddable is the picture as PDF takes it. An upright JPEG goes in as it is; all else becomes PNG, without
// loss.
func embeddable(p *picture) (kind string, data []byte, err error) {
	if _, isCMYK := p.image.(*image.CMYK); p.format == "jpg" && !p.turned && !isCMYK {
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
	case *image.Gray, *image.Paletted, *image.NRGBA:
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
