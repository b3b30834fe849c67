package images

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"slices"

	"github.com/gen2brain/avif"
	"github.com/gen2brain/webp"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// avifSpeed trades a few bytes for a tenth of the time.
const avifSpeed = 8

// maxWritten are the pixels that encoders take which need much memory for each: as many as fit into the 2 GB of a child,
// and those of a phone's camera. Without it they fail after minutes.
var maxWritten = map[string]int{"avif": 12_500_000, "webp": 50_000_000}

func fits(m image.Image, target string) error {
	b := m.Bounds()
	most, bounded := maxWritten[target]
	if !bounded || b.Dx()*b.Dy() <= most {
		return nil
	}
	return &engines.Error{
		Code: engines.CodeUnsupportedInput, Reason: "TOO_MANY_PIXELS",
		Message: fmt.Sprintf("the picture has %d x %d pixels; at most %.1f million are written as %s", b.Dx(), b.Dy(), float64(most)/1e6, target),
	}
}

func write(w io.Writer, p *picture, in engines.Request) error {
	if err := fits(p.image, in.Target); err != nil {
		return err
	}
	quality := in.ImageQuality
	if quality == 0 {
		quality = defaultQuality
	}
	if in.Target == "pdf" {
		return writePDF(w, p, in)
	}
	prepare(p, in.Target, in.Options[option.NameBackground])
	var err error
	switch in.Target {
	case "png":
		err = png.Encode(w, p.image)
	case "jpg":
		p.warnf("best_effort: JPEG keeps fine detail only in part (quality %d)", quality)
		err = jpeg.Encode(w, p.image, &jpeg.Options{Quality: quality})
	case "gif":
		err = writeGIF(w, p)
	case "bmp":
		err = bmp.Encode(w, p.image)
	case "tiff":
		err = tiff.Encode(w, p.image, &tiff.Options{Compression: tiff.Deflate, Predictor: true})
	case "webp":
		if quality < 100 {
			p.warnf("best_effort: WebP keeps fine detail only in part (quality %d; 100 keeps all)", quality)
		}
		err = webp.Encode(w, p.image, webp.Options{Quality: quality, Lossless: quality == 100, Method: webp.DefaultMethod})
	case "avif":
		if quality < 100 {
			p.warnf("best_effort: AVIF keeps fine detail only in part (quality %d)", quality)
		}
		err = avif.Encode(w, p.image, avif.Options{
			Quality: quality, QualityAlpha: quality, Speed: avifSpeed, ChromaSubsampling: image.YCbCrSubsampleRatio444,
		})
	default:
		return engines.Errorf(engines.CodeUnsupportedRoute, "the images engine does not write %s", in.Target)
	}
	if err != nil {
		return fmt.Errorf("encode %s: %w", in.Target, err)
	}
	return nil
}

// prepare gives a picture the depth and the transparency that its target has, and names what that costs.
func prepare(p *picture, target, background string) {
	if isDeep(p.image) && target != "png" && target != "tiff" {
		p.warnf("best_effort: 16 bits a channel became 8")
	}
	if (target == "jpg" || target == "bmp") && !opaque(p.image) {
		shown := "white"
		if background != "" {
			shown = background
		}
		p.warnf("best_effort: %s has no transparency; transparent parts became %s", target, shown)
		p.image = onPaper(p.image, background)
		return
	}
	p.image = normal(p.image, target)
}

// onPaper is a picture without transparency; on white where no colour is named.
func onPaper(m image.Image, background string) image.Image {
	paper := color.Color(color.White)
	if background != "" {
		r, g, b := option.RGB(background)
		paper = color.RGBA{r, g, b, 0xFF}
	}
	b := m.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(out, out.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	draw.Draw(out, out.Bounds(), m, b.Min, draw.Over)
	return out
}

func writeGIF(w io.Writer, p *picture) error {
	if paletted, ok := p.image.(*image.Paletted); ok && fitsGIF(paletted) {
		return gif.EncodeAll(w, &gif.GIF{Image: []*image.Paletted{paletted}, Delay: []int{0}})
	}
	reduced := reduce(p.image)
	if reduced.lossy {
		p.warnf("best_effort: a GIF holds 256 colours; the picture has more, and was reduced to them")
	}
	if reduced.halfTransparent {
		p.warnf("best_effort: a GIF has no half-transparent parts; they became transparent or opaque")
	}
	return gif.EncodeAll(w, &gif.GIF{Image: []*image.Paletted{reduced.image}, Delay: []int{0}})
}

// fitsGIF reports whether a picture has a palette that a GIF holds as it is.
func fitsGIF(m *image.Paletted) bool {
	half := func(c color.Color) bool {
		_, _, _, alpha := c.RGBA()
		return alpha != 0 && alpha != 0xFFFF
	}
	return len(m.Palette) <= 256 && m.Bounds().Min == (image.Point{}) && !slices.ContainsFunc(m.Palette, half)
}

// defaultQuality is the API's own for pictures.
const defaultQuality = 80
