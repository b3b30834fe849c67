package images_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/gen2brain/avif"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func encode(tb testing.TB, m image.Image, format string) []byte {
	tb.Helper()
	var out bytes.Buffer
	var err error
	switch format {
	case "png":
		err = png.Encode(&out, m)
	case "jpg":
		err = jpeg.Encode(&out, m, &jpeg.Options{Quality: 95})
	case "gif":
		err = gif.Encode(&out, m, nil)
	case "bmp":
		err = bmp.Encode(&out, m)
	case "tiff":
		err = tiff.Encode(&out, m, nil)
	}
	require.NoError(tb, err)
	return out.Bytes()
}

func decode(tb testing.TB, data []byte, format string) image.Image {
	tb.Helper()
	r := bytes.NewReader(data)
	read := map[string]func() (image.Image, error){
		"png": func() (image.Image, error) { return png.Decode(r) }, "jpg": func() (image.Image, error) { return jpeg.Decode(r) },
		"gif": func() (image.Image, error) { return gif.Decode(r) }, "bmp": func() (image.Image, error) { return bmp.Decode(r) },
		"tiff": func() (image.Image, error) { return tiff.Decode(r) }, "webp": func() (image.Image, error) { return webp.Decode(r) },
		"avif": func() (image.Image, error) { return avif.Decode(r) },
	}[format]
	m, err := read()
	require.NoError(tb, err)
	return m
}

// difference is the mean distance of two pictures' channels, 0 to 255, over white.
func difference(a, b image.Image) float64 {
	if a.Bounds().Size() != b.Bounds().Size() {
		return math.Inf(1)
	}
	flat := func(m image.Image) *image.RGBA {
		out := image.NewRGBA(image.Rectangle{Max: m.Bounds().Size()})
		draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
		draw.Draw(out, out.Bounds(), m, m.Bounds().Min, draw.Over)
		return out
	}
	x, y := flat(a), flat(b)
	sum := 0.0
	for i := range x.Pix {
		sum += math.Abs(float64(x.Pix[i]) - float64(y.Pix[i]))
	}
	return sum / float64(len(x.Pix)) * 4 / 3
}

func convert(tb testing.TB, source, target string, data []byte, change ...func(*engines.Request)) testkit.Converted {
	tb.Helper()
	out, err := testkit.Convert(tb, images.New(), source, target, data, change...)
	require.NoError(tb, err, "%s→%s", source, target)
	require.Len(tb, out.Data, 1)
	return out
}

func warns(c testkit.Converted, part string) bool {
	return strings.Contains(strings.Join(c.Warnings, "\n"), part)
}

func photo(tb testing.TB) image.Image {
	tb.Helper()
	full := decode(tb, testkit.Examples(tb, "photo.png"), "png")
	small := image.NewRGBA(image.Rect(0, 0, 160, 100))
	draw.Draw(small, small.Bounds(), full, image.Pt(200, 110), draw.Src)
	return small
}

// Every pair that the engine offers shows the same picture afterwards, as closely as its target can.
func TestEveryPair(t *testing.T) {
	testkit.SkipIfShort(t, "it computes for seconds")
	testkit.SkipUnderRace(t, "it draws one picture after the other")
	original := photo(t)
	inputs := map[string][]byte{}
	for _, format := range []string{"png", "jpg", "gif", "bmp", "tiff"} {
		inputs[format] = encode(t, original, format)
	}
	inputs["webp"] = convert(t, "png", "webp", inputs["png"], func(in *engines.Request) { in.ImageQuality = 100 }).Data[0]
	allowed := map[string]float64{"png": 0, "bmp": 0, "tiff": 0, "jpg": 9, "webp": 9, "avif": 9, "gif": 12} // another picture would be 50 away
	const dither = 10                                                                                       // what a GIF's speckle adds when it is compressed
	pairs := 0
	for _, route := range images.New().Routes {
		if route.Source == "heic" || route.Target == "pdf" {
			continue
		}
		pairs++
		before := decode(t, inputs[route.Source], route.Source)
		out := convert(t, route.Source, route.Target, inputs[route.Source])
		after := decode(t, out.Data[0], route.Target)
		lossy := allowed[route.Target] > 0
		limit := allowed[route.Target]
		if lossy && route.Source == "gif" {
			limit += dither
		}
		assert.LessOrEqual(t, difference(before, after), limit, "%s→%s", route.Source, route.Target)
		assert.Equal(t, lossy, len(out.Warnings) > 0, "%s→%s: %v", route.Source, route.Target, out.Warnings)
	}
	assert.Equal(t, 36, pairs)
}

func TestExactRoutesKeepEveryPixel(t *testing.T) {
	for _, route := range images.New().Routes {
		if route.Quality != engines.Exact {
			continue
		}
		data := encode(t, photo(t), route.Source)
		after := decode(t, convert(t, route.Source, route.Target, data).Data[0], route.Target)
		assert.Zero(t, difference(decode(t, data, route.Source), after), "%s→%s", route.Source, route.Target)
	}
}

// A JPEG's own colour model would make a PNG of 16 bits a channel, three times as large for nothing.
func TestNoPNGOf16BitsByAccident(t *testing.T) {
	for _, source := range []string{"jpg", "bmp", "gif", "tiff"} {
		out := convert(t, source, "png", encode(t, photo(t), source))
		depth := out.Data[0][24]
		assert.LessOrEqual(t, depth, byte(8), source)
	}
}

func TestDeepPicturesStayDeepWhereTheyCan(t *testing.T) {
	deep := image.NewNRGBA64(image.Rect(0, 0, 40, 30))
	for y := range 30 {
		for x := range 40 {
			deep.SetNRGBA64(x, y, color.NRGBA64{uint16(x * 1601), uint16(y * 2003), uint16(x*y*37 + 1), 0xffff})
		}
	}
	data := encode(t, deep, "png")
	after := decode(t, convert(t, "png", "tiff", data).Data[0], "tiff")
	for y := range 30 {
		for x := range 40 {
			require.Equal(t, deep.NRGBA64At(x, y), color.NRGBA64Model.Convert(after.At(x, y)))
		}
	}
	out := convert(t, "png", "jpg", data)
	assert.True(t, warns(out, "16 bits"))
}

func TestTransparency(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 40, 40))
	draw.Draw(m, image.Rect(0, 0, 20, 40), image.NewUniform(color.NRGBA{200, 0, 0, 255}), image.Point{}, draw.Src)
	data := encode(t, m, "png")
	for _, target := range []string{"jpg", "bmp"} {
		out := convert(t, "png", target, data)
		assert.True(t, warns(out, "became white"), target)
		r, g, b, _ := decode(t, out.Data[0], target).At(35, 20).RGBA()
		assert.Greater(t, min(r, g, b), uint32(0xf000), "%s: transparent parts are white, not black", target)
	}
	for _, target := range []string{"webp", "tiff", "gif", "avif"} {
		after := decode(t, convert(t, "png", target, data).Data[0], target)
		_, _, _, alpha := after.At(35, 20).RGBA()
		assert.Zero(t, alpha, "%s keeps transparency", target)
		_, _, _, alpha = after.At(5, 20).RGBA()
		assert.EqualValues(t, 0xffff, alpha, target)
	}
	draw.Draw(m, image.Rect(0, 0, 40, 40), image.NewUniform(color.NRGBA{200, 0, 0, 200}), image.Point{}, draw.Src)
	assert.True(t, warns(convert(t, "png", "gif", encode(t, m, "png")), "half-transparent"))
}

func TestAFewColoursStayAsTheyAre(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for i := range 64 * 64 {
		m.Set(i%64, i/64, color.RGBA{uint8(i % 16 * 17), uint8(i / 64 % 16 * 17), 99, 255})
	}
	out := convert(t, "png", "gif", encode(t, m, "png"))
	assert.Empty(t, out.Warnings)
	assert.Zero(t, difference(m, decode(t, out.Data[0], "gif")))
}

// Cameras store pictures lying and say so; whoever drops that note must turn the pixels.
func TestOrientation(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws one picture after the other")
	upright := image.NewRGBA(image.Rect(0, 0, 64, 32))
	draw.Draw(upright, upright.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(upright, image.Rect(0, 0, 16, 16), image.NewUniform(color.RGBA{255, 0, 0, 255}), image.Point{}, draw.Src)
	stored := map[int]func(x, y int) (int, int){ // where a pixel of the upright picture lies in the file
		1: func(x, y int) (int, int) { return x, y }, 2: func(x, y int) (int, int) { return 63 - x, y },
		3: func(x, y int) (int, int) { return 63 - x, 31 - y }, 4: func(x, y int) (int, int) { return x, 31 - y },
		5: func(x, y int) (int, int) { return y, x }, 6: func(x, y int) (int, int) { return y, 63 - x },
		7: func(x, y int) (int, int) { return 31 - y, 63 - x }, 8: func(x, y int) (int, int) { return 31 - y, x },
	}
	for orientation, place := range stored {
		size := image.Rect(0, 0, 64, 32)
		if orientation >= 5 {
			size = image.Rect(0, 0, 32, 64)
		}
		lying := image.NewRGBA(size)
		for y := range 32 {
			for x := range 64 {
				sx, sy := place(x, y)
				lying.Set(sx, sy, upright.At(x, y))
			}
		}
		data := withEXIF(encode(t, lying, "jpg"), orientation)
		out := convert(t, "jpg", "png", data)
		assert.Less(t, difference(upright, decode(t, out.Data[0], "png")), 4.0, "orientation %d", orientation)
		assert.True(t, warns(out, "EXIF"))
		pages := testkit.PDFPages(t, testkit.PDF(t), convert(t, "jpg", "pdf", data).Data[0])
		require.Len(t, pages, 1)
		b := pages[0].Bounds()
		assert.Greater(t, b.Dx(), b.Dy(), "orientation %d: a wide picture lies on a wide page", orientation)
	}
}

// withEXIF puts an EXIF block with this orientation behind a JPEG's first marker.
func withEXIF(data []byte, orientation int) []byte {
	tiffBlock := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00")
	tiffBlock = append(tiffBlock, byte(orientation), 0, 0, 0, 0, 0, 0)
	body := append([]byte("Exif\x00\x00"), tiffBlock...)
	block := append([]byte{0xff, 0xe1, 0, 0}, body...)
	binary.BigEndian.PutUint16(block[2:], uint16(len(body)+2))
	return append(append([]byte{0xff, 0xd8}, block...), data[2:]...)
}

func TestFurtherPicturesInAFileAreNamed(t *testing.T) {
	frame := func(c color.Color, r image.Rectangle) *image.Paletted {
		p := image.NewPaletted(r, color.Palette{c, color.White})
		return p
	}
	var animation bytes.Buffer
	require.NoError(t, gif.EncodeAll(&animation, &gif.GIF{
		Image: []*image.Paletted{frame(color.Black, image.Rect(5, 5, 15, 15)), frame(color.White, image.Rect(0, 0, 20, 20))},
		Delay: []int{1, 1}, Config: image.Config{Width: 20, Height: 20},
	}))
	out := convert(t, "gif", "png", animation.Bytes())
	assert.True(t, warns(out, "truncated"))
	m := decode(t, out.Data[0], "png")
	assert.Equal(t, image.Pt(20, 20), m.Bounds().Size(), "the canvas, not the frame")
	_, _, _, alpha := m.At(0, 0).RGBA()
	assert.Zero(t, alpha)
	assert.Empty(t, convert(t, "gif", "png", encode(t, photo(t), "gif")).Warnings)
	apng := encode(t, photo(t), "png")
	control := append([]byte{0, 0, 0, 8}, []byte("acTL\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00")...)
	apng = append(append(append([]byte{}, apng[:33]...), control...), apng[33:]...)
	if out, err := testkit.Convert(t, images.New(), "png", "bmp", apng); err == nil {
		assert.True(t, warns(out, "truncated"))
	}
}

func TestPicturesToPDF(t *testing.T) {
	testkit.SkipIfShort(t, "it computes for seconds")
	testkit.SkipUnderRace(t, "it draws one picture after the other")
	reader := testkit.PDF(t)
	for _, size := range []image.Point{{40, 30}, {3000, 1000}, {1000, 3000}} {
		m := image.NewRGBA(image.Rectangle{Max: size})
		draw.Draw(m, m.Bounds(), image.NewUniform(color.RGBA{200, 30, 30, 255}), image.Point{}, draw.Src)
		for _, source := range []string{"png", "jpg"} {
			data := encode(t, m, source)
			out := convert(t, source, "pdf", data)
			if source == "jpg" {
				assert.True(t, bytes.Contains(out.Data[0], data), "a JPEG goes in as it is, without a second loss")
			}
			pages := testkit.PDFPages(t, reader, out.Data[0])
			require.Len(t, pages, 1)
			b := pages[0].Bounds()
			assert.ElementsMatch(t, []int{1240, 1754}, []int{roundTo(b.Dx(), 1240, 1754), roundTo(b.Dy(), 1240, 1754)}, "A4 at 150 dpi")
			r, g, _, _ := pages[0].At(b.Dx()/2, b.Dy()/2).RGBA()
			assert.True(t, r > 0xb000 && g < 0x4000, "the picture is in the middle")
			r, g, _, _ = pages[0].At(5, 5).RGBA()
			assert.True(t, r > 0xf000 && g > 0xf000, "and has a margin")
		}
	}
}

func roundTo(n int, marks ...int) int {
	for _, mark := range marks {
		if n-mark <= 2 && mark-n <= 2 {
			return mark
		}
	}
	return n
}

func TestPicturesThatAreRefused(t *testing.T) {
	good := encode(t, photo(t), "png")
	huge := append([]byte{}, good...)
	binary.BigEndian.PutUint32(huge[16:], 100_000)
	binary.BigEndian.PutUint32(huge[20:], 100_000)
	for name, test := range map[string]struct {
		format string
		data   []byte
		reason string
	}{
		"cut":           {"png", good[:200], "DAMAGED_IMAGE"},
		"another kind":  {"jpg", good, "FORMAT_MISMATCH"},
		"text":          {"png", []byte("hello"), "FORMAT_MISMATCH"},
		"a bomb":        {"png", fixCRC(huge), "TOO_MANY_PIXELS"},
		"avif as heic":  {"heic", []byte("\x00\x00\x00\x20ftypavif0000"), "FORMAT_MISMATCH"},
		"heic no size":  {"heic", []byte("\x00\x00\x00\x20ftypheic0000"), "DAMAGED_IMAGE"},
		"jpeg of marks": {"jpg", []byte("\xff\xd8\xff\xe2\x00\x10ICC_PROFILE\x00"), "DAMAGED_IMAGE"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, images.New(), test.format, "bmp", test.data)
			e, ok := engines.AsError(err)
			require.True(t, ok, "%s: %v", name, err)
			assert.Equal(t, test.reason, e.Reason, name)
			assert.Empty(t, out.Data)
		})
	}
	_, err := testkit.Convert(t, images.New(), "png", "bmp", good, func(in *engines.Request) { in.Pages, _ = engines.ParsePageRange("1") })
	require.Error(t, err)
}

// fixCRC makes a changed PNG header valid again.
func fixCRC(data []byte) []byte {
	sum := uint32(0xffffffff)
	for _, b := range data[12:29] {
		sum ^= uint32(b)
		for range 8 {
			sum = sum>>1 ^ 0xedb88320*(sum&1)
		}
	}
	binary.BigEndian.PutUint32(data[29:], ^sum)
	return data
}

func TestQualityMatters(t *testing.T) {
	data := encode(t, photo(t), "png")
	for _, target := range []string{"jpg", "webp", "avif"} {
		var sizes []int
		for _, quality := range []int{10, 80, 100} {
			out := convert(t, "png", target, data, func(in *engines.Request) { in.ImageQuality = quality })
			sizes = append(sizes, len(out.Data[0]))
		}
		assert.True(t, sizes[0] < sizes[1] && sizes[1] < sizes[2], "%s: %v", target, sizes)
	}
	lossless := convert(t, "png", "webp", data, func(in *engines.Request) { in.ImageQuality = 100 })
	assert.Empty(t, lossless.Warnings)
	assert.Zero(t, difference(photo(t), decode(t, lossless.Data[0], "webp")))
}

func FuzzDecode(f *testing.F) {
	for _, format := range []string{"png", "jpg", "gif", "bmp", "tiff"} {
		f.Add(encode(f, image.NewGray(image.Rect(0, 0, 4, 4)), format))
	}
	f.Add(withEXIF(encode(f, image.NewGray(image.Rect(0, 0, 4, 4)), "jpg"), 6))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, format := range []string{"png", "jpg", "gif", "bmp", "tiff", "webp"} {
			if len(data) > 1<<16 {
				return
			}
			_, err := testkit.Convert(t, images.New(), format, "png", data)
			if format == "png" {
				_, err = testkit.Convert(t, images.New(), format, "bmp", data)
			}
			if _, known := engines.AsError(err); err != nil && !known {
				t.Fatal(fmt.Errorf("%s: %w", format, err))
			}
		}
	})
}

// testdata/photo.heic was made of a part of examples/photo.png by libheif's heif-enc, quality 90.
func TestHEIC(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws one picture after the other")
	data, err := os.ReadFile("testdata/photo.heic")
	require.NoError(t, err)
	out := convert(t, "heic", "png", data)
	assert.Less(t, difference(photo(t), decode(t, out.Data[0], "png")), 9.0)
	convert(t, "heic", "jpg", data)
	convert(t, "heic", "pdf", data)
}
