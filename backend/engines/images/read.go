package images

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"

	"github.com/gen2brain/heic"
	libwebp "github.com/gen2brain/webp"
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
	changed  bool   // the pixels were turned upright, made fewer or got other colours, so data shows another picture
	warnings []string
}

func (p *picture) warnf(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

// read decodes a file. What only another engine does well is left to that where helped.
func read(path, format string, helped bool) (*picture, error) {
	data, err := os.ReadFile(path) //nolint:gosec // a stored upload
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	return decode(data, format, helped)
}

func decode(data []byte, format string, helped bool) (*picture, error) {
	if found := sniff(data); found != format {
		return nil, mismatch(found, format)
	}
	if format == "tiff" && readTIFFTags(data).one(tiffSampleFormat, 1) == 3 {
		return nil, &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "UNSUPPORTED_VARIANT",
			Message: "the shades of the tiff are floating-point numbers, and it does not name which are black and white; " +
				"bring them to 16 bits first (ImageMagick, the package imagemagick, does so)",
		}
	}
	if what := unread(data, format); what != "" {
		return nil, notRead(format, what)
	}
	if err := checkSize(data, format); err != nil {
		return nil, err
	}
	facts := inspect(data, format)
	pixels, err := decodePixels(data, format)
	if format == "heic" && tooNarrow(facts, pixels) {
		return nil, notRead(format, "is so narrow that its colours would be read from wrong places")
	}
	switch {
	case err != nil && format == "heic":
		return nil, notRead(format, fmt.Sprintf("is damaged or of a kind that is not known (%v)", err))
	case err != nil:
		return nil, damaged(format, err)
	}

	p := &picture{image: pixels, format: format, data: data}
	if facts.otherYCbCr {
		if helped {
			return nil, notRead(format, "stores its colours as films do")
		}
		p.warnf("best_effort: the file stores its colours as films do; they are off by some shades")
	}
	if _, isCMYK := pixels.(*image.CMYK); isCMYK {
		if helped {
			return nil, notRead(format, "holds CMYK")
		}
		p.warnf("best_effort: CMYK colours were turned into RGB without a colour profile; they may look different")
	} else if err := p.toSRGB(facts.profile, helped); err != nil {
		return nil, err
	}
	p.note(facts)
	if facts.orientation > 1 {
		p.image, p.changed = turn(p.image, facts.orientation), true
	}
	return p, nil
}

// note names what of the file is in no pixel.
func (p *picture) note(f facts) {
	if f.frames > 1 {
		p.warnf("truncated: only the first of the file's pictures was converted; it holds more")
	}
	if f.alpha {
		p.warnf("best_effort: the transparency of the picture is not carried over")
	}
	if f.depth > 8 && !isDeep(p.image) {
		p.warnf("best_effort: %d bits a channel became 8", f.depth)
	}
	if f.exif {
		p.warnf("best_effort: the camera's metadata (EXIF) is not carried over")
	}
}

// narrow is the width below which the decoder of HEIC takes rows of a plane to be shorter than they are in its memory.
const narrow = 64

// tooNarrow reports whether the decoder took, or would have taken, wrong bytes for a plane of a HEIC.
func tooNarrow(f facts, pixels image.Image) bool {
	switch m := pixels.(type) {
	case nil:
		return f.width > 0 && f.width < 2*narrow
	case *image.YCbCr:
		width := m.Rect.Dx()
		if m.SubsampleRatio != image.YCbCrSubsampleRatio444 {
			width = (width + 1) / 2
		}
		return width < narrow
	default:
		return m.Bounds().Dx() < narrow
	}
}

// unread is what of a file no decoder here knows, or would read as something else; empty for none.
func unread(data []byte, format string) string {
	switch format {
	case "tiff":
		if isBigTIFF(data) {
			return "is a BigTIFF"
		}
		return tiffUnread(data)
	case "bmp":
		if _, err := bmp.DecodeConfig(bytes.NewReader(data)); errors.Is(err, bmp.ErrUnsupported) {
			return "is one of the rarer kinds (packed, of 16 bits a pixel, or with the header of another system)"
		}
	case "jpg":
		if _, err := jpeg.DecodeConfig(bytes.NewReader(data)); err != nil {
			if unsupported := jpeg.UnsupportedError(""); errors.As(err, &unsupported) {
				return "is one of the rarer kinds (" + string(unsupported) + ")"
			}
		}
	}
	return ""
}

// notRead refuses what vips does.
func notRead(format, what string) error {
	return &engines.Error{
		Code: engines.CodeUnsupportedInput, Reason: "UNSUPPORTED_VARIANT",
		Message: fmt.Sprintf("the %s cannot be read here: it %s; vips (Debian package libvips-tools) converts such files to png", format, what),
	}
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
		return decodeTIFF(data)
	case "heic":
		return heic.Decode(r)
	default:
		return decodeWebP(data)
	}
}

// decodeTIFF turns black and white round where the decoder did not: in fax codes, white runs are zeros, whatever a zero is.
func decodeTIFF(data []byte) (image.Image, error) {
	pixels, err := tiff.Decode(bytes.NewReader(data))
	gray, isGray := pixels.(*image.Gray)
	t := readTIFFTags(data)
	compression := t.one(tiffCompression, 1)
	if err != nil || !isGray || compression != 3 && compression != 4 || t.one(tiffPhotometric, 0) != 1 {
		return pixels, err
	}
	for i, v := range gray.Pix {
		gray.Pix[i] = ^v
	}
	return gray, nil
}

// decodeWebP takes what is without loss from the decoder that keeps the colour of transparent pixels, and all else from
// libwebp, whose YCbCr has the range of film: as the range of JPEG it would be gray where it is black.
func decodeWebP(data []byte) (image.Image, error) {
	r := bytes.NewReader(data)
	switch kind := webpKind(data); {
	case kind == "VP8L":
		return webp.Decode(r)
	case isAnimatedWebP(data):
		return libwebp.Decode(r)
	}
	all, err := libwebp.DecodeAll(r)
	if err != nil {
		return nil, err
	}
	if len(all.Image) == 0 {
		return nil, errors.New("it holds no picture")
	}
	return all.Image[0], nil
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

// isDeepModel reports whether a pixel takes 16 bits a channel.
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

// isDeep reports whether a picture has more than 8 bits a channel.
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
