package images

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"

	"github.com/gen2brain/heic"
	animated "github.com/gen2brain/webp"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// picture is a decoded input, upright.
type picture struct {
	image    image.Image
	format   string
	data     []byte // the input as it is
	turned   bool   // the pixels were turned upright, so data shows another picture
	warnings []string
}

func (p *picture) warnf(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

func read(path, format string) (*picture, error) {
	data, err := os.ReadFile(path) //nolint:gosec // a stored upload
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	return decode(data, format)
}

func decode(data []byte, format string) (*picture, error) {
	if found := sniff(data); found != format {
		return nil, mismatch(found, format)
	}
	if err := checkSize(data, format); err != nil {
		return nil, err
	}
	pixels, err := decodePixels(data, format)
	if err != nil {
		return nil, damaged(format, err)
	}
	p := &picture{image: pixels, format: format, data: data}
	if _, isCMYK := pixels.(*image.CMYK); isCMYK {
		p.warnf("best_effort: CMYK colours were turned into RGB without a colour profile; they may look different")
	}
	facts := inspect(data, format)
	if facts.frames > 1 {
		p.warnf("truncated: only the first of the file's pictures was converted; it holds more")
	}
	if facts.profile {
		p.warnf("best_effort: the colour profile is not carried over; colours may look slightly different")
	}
	if facts.orientation > 1 {
		p.image, p.turned = turn(pixels, facts.orientation), true
	}
	if facts.exif {
		p.warnf("best_effort: the camera's metadata (EXIF) is not carried over")
	}
	return p, nil
}

func decodePixels(data []byte, format string) (image.Image, error) {
	r := bytes.NewReader(data)
	switch format {
	case "png":
		return png.Decode(r)
	case "jpg":
		return jpeg.Decode(r)
	case "gif":
		return firstFrame(data)
	case "bmp":
		return bmp.Decode(r)
	case "tiff":
		return tiff.Decode(r)
	case "heic":
		return heic.Decode(r)
	default:
		if isAnimatedWebP(data) {
			return animated.Decode(r)
		}
		return webp.Decode(r)
	}
}

// firstFrame puts the first frame of a GIF on its canvas, of which it may cover only a part.
func firstFrame(data []byte) (image.Image, error) {
	frame, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	config, err := gif.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	canvas := image.Rect(0, 0, config.Width, config.Height)
	if frame.Bounds() == canvas {
		return frame, nil
	}
	whole := image.NewNRGBA(canvas)
	draw.Draw(whole, frame.Bounds(), frame, frame.Bounds().Min, draw.Src)
	return whole, nil
}

// checkSize reads the header alone, before any memory is taken for pixels.
func checkSize(data []byte, format string) error {
	var config image.Config
	var err error
	r := bytes.NewReader(data)
	switch format {
	case "png":
		config, err = png.DecodeConfig(r)
	case "jpg":
		config, err = jpeg.DecodeConfig(r)
	case "gif":
		config, err = gif.DecodeConfig(r)
	case "bmp":
		config, err = bmp.DecodeConfig(r)
	case "tiff":
		config, err = tiff.DecodeConfig(r)
	case "heic":
		config, err = heicConfig(data)
	default:
		config, err = webp.DecodeConfig(r)
	}
	switch {
	case err != nil:
		return damaged(format, err)
	case config.Width <= 0 || config.Height <= 0:
		return damaged(format, fmt.Errorf("it is %d by %d pixels", config.Width, config.Height))
	case format == "jpg" && bytes.Count(data, []byte{0xff, 0xda}) > maxScans:
		return damaged(format, fmt.Errorf("it has more than %d scans", maxScans))
	}
	most := int64(maxPixels)
	if isDeepModel(config.ColorModel) {
		most /= 2
	}
	// Divided, not multiplied: a header may claim more than a number holds.
	if int64(config.Width) > most/int64(config.Height) {
		return &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "TOO_MANY_PIXELS",
			Message: fmt.Sprintf("the picture has %d x %d pixels; at most %d million of this depth are converted", config.Width, config.Height, most/1_000_000),
		}
	}
	return nil
}

// isDeepModel says that a pixel takes 16 bits a channel.
func isDeepModel(m color.Model) bool {
	return m == color.Gray16Model || m == color.RGBA64Model || m == color.NRGBA64Model
}

func damaged(format string, err error) error {
	return &engines.Error{
		Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_IMAGE",
		Message: fmt.Sprintf("the %s cannot be read: %v", format, err),
	}
}

func mismatch(found, claimed string) error {
	what := "is no " + claimed + " picture"
	if found != "" {
		what = fmt.Sprintf("is a %s, not a %s as its name says", found, claimed)
	}
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "FORMAT_MISMATCH", Message: "the file " + what}
}

// turn makes a picture upright that its camera recorded in one of EXIF's orientations 2 to 8.
func turn(src image.Image, orientation int) image.Image {
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	if orientation >= 5 {
		w, h = h, w
	}
	put := canvas(src, image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			sx, sy := x, y
			switch orientation {
			case 2:
				sx = w - 1 - x
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sy = h - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, w-1-x
			case 7:
				sx, sy = h-1-y, w-1-x
			case 8:
				sx, sy = h-1-y, x
			}
			put.Set(x, y, src.At(b.Min.X+sx, b.Min.Y+sy))
		}
	}
	return put
}

// canvas is an empty picture of the same depth.
func canvas(like image.Image, r image.Rectangle) draw.Image {
	switch m := like.(type) {
	case *image.Gray:
		return image.NewGray(r)
	case *image.Gray16:
		return image.NewGray16(r)
	case *image.Paletted:
		return image.NewPaletted(r, m.Palette)
	case *image.RGBA64, *image.NRGBA64:
		return image.NewNRGBA64(r)
	default:
		return image.NewNRGBA(r)
	}
}

// isDeep says that a picture has more than 8 bits a channel.
func isDeep(m image.Image) bool {
	switch m.ColorModel() {
	case color.Gray16Model, color.RGBA64Model, color.NRGBA64Model:
		return true
	default:
		return false
	}
}

const (
	// maxPixels bounds the memory of one picture: 100 million pixels take 400 MB, and so do half as many of 16 bits.
	maxPixels = 100_000_000
	// maxScans bounds how often a JPEG goes over all its pixels; real ones do ten times or so.
	maxScans = 200
)
