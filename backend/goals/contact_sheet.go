package goals

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/convilyn/convilyn-temporal/backend/engines/images"
)

// Measures of the contact sheet in pixels.
const (
	thumbSide    = 260
	thumbGap     = 28
	sheetMargin  = 40
	sheetColumns = 4
	lineStep     = 18
)

// makeContactSheet shows every picture as it was encoded, with its name, sizes and bytes.
func makeContactSheet(ctx context.Context, t *Task, sets []pictureSet) (File, error) {
	dir, err := t.Step(ctx, stepSheet, func(ctx context.Context, dir string) error {
		t.Report(90, "drawing the contact sheet")
		return writeContactSheet(ctx, filepath.Join(dir, "contact-sheet.png"), sets, t.String("format"))
	})
	return File{
		Path: filepath.Join(dir, "contact-sheet.png"), Name: "contact-sheet.png", Mime: "image/png", Type: "image", Description: "All pictures on one sheet",
	}, err
}

// sheetPen writes on a picture.
type sheetPen struct {
	page        *image.NRGBA
	bold, plain font.Face
}

func newPen(page *image.NRGBA) (*sheetPen, error) {
	face := func(data []byte) (font.Face, error) {
		parsed, err := opentype.Parse(data)
		if err != nil {
			return nil, err
		}
		return opentype.NewFace(parsed, &opentype.FaceOptions{Size: 13, DPI: 72, Hinting: font.HintingFull})
	}
	bold, errBold := face(gobold.TTF)
	plain, errPlain := face(goregular.TTF)
	if err := errors.Join(errBold, errPlain); err != nil {
		return nil, fmt.Errorf("open the fonts: %w", err)
	}
	return &sheetPen{page: page, bold: bold, plain: plain}, nil
}

// line writes a text with its baseline at y, cut to the width of a thumbnail.
func (p *sheetPen) writeLine(face font.Face, x, y int, text string, ink color.Color) {
	d := font.Drawer{Dst: p.page, Src: image.NewUniform(ink), Face: face, Dot: fixed.P(x, y)}
	runes := []rune(text)
	for len(runes) > 0 && d.MeasureString(text).Ceil() > thumbSide {
		runes = runes[:len(runes)-1]
		text = string(runes) + "…"
	}
	d.DrawString(text)
}

func writeContactSheet(ctx context.Context, path string, sets []pictureSet, format string) error {
	lines := 0
	for _, set := range sets {
		lines = max(lines, len(set.files))
	}
	columns := min(sheetColumns, len(sets))
	rows := (len(sets) + columns - 1) / columns
	cell := image.Pt(thumbSide+thumbGap, thumbSide+lineStep*(lines+2)+thumbGap)
	page := image.NewNRGBA(image.Rect(0, 0, 2*sheetMargin+columns*cell.X-thumbGap, 2*sheetMargin+rows*cell.Y-thumbGap))
	draw.Draw(page, page.Bounds(), image.White, image.Point{}, draw.Src)
	pen, err := newPen(page)
	if err != nil {
		return err
	}
	for i, set := range sets {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := image.Pt(sheetMargin+i%columns*cell.X, sheetMargin+i/columns*cell.Y)
		if err := pen.drawCell(at, i, set, format); err != nil {
			return err
		}
	}
	return writePNG(path, page)
}

// cell draws one picture with what is to be known of it.
func (p *sheetPen) drawCell(at image.Point, index int, set pictureSet, format string) error {
	largest := set.files[0]
	for _, one := range set.files {
		if one.Width > largest.Width {
			largest = one
		}
	}
	picture, _, err := images.Open(filepath.Join(set.dir, largest.Name), format)
	if err != nil {
		return fmt.Errorf("look at %s: %w", largest.Name, err)
	}
	if b := picture.Bounds(); max(b.Dx(), b.Dy()) > thumbSide {
		picture = scaled(picture, thumbSide)
	}
	frame := image.Rectangle{Min: at, Max: at.Add(image.Pt(thumbSide, thumbSide))}
	draw.Draw(p.page, frame, image.NewUniform(color.Gray{Y: 243}), image.Point{}, draw.Src)
	b := picture.Bounds()
	corner := at.Add(image.Pt((thumbSide-b.Dx())/2, (thumbSide-b.Dy())/2))
	draw.Draw(p.page, image.Rectangle{Min: corner, Max: corner.Add(b.Size())}, picture, b.Min, draw.Over)
	y := at.Y + thumbSide + lineStep
	p.writeLine(p.bold, at.X, y, drawableName(set.name, "Picture", index), color.Gray{Y: 30})
	for _, one := range set.files {
		y += lineStep
		p.writeLine(p.plain, at.X, y, fmt.Sprintf("%d × %d, %s", one.Width, one.Height, bytesText(one.Bytes)), color.Gray{Y: 100})
	}
	return nil
}

func bytesText(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	default:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
}

func writePNG(path string, m image.Image) error {
	file, err := os.Create(path) //nolint:gosec // inside the job's own folder
	if err != nil {
		return fmt.Errorf("create a picture: %w", err)
	}
	buffered := bufio.NewWriter(file)
	return errors.Join(png.Encode(buffered, m), buffered.Flush(), file.Close())
}
