package images_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func plain(c color.Color, w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(m, m.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	return m
}

func at(t *testing.T, m image.Image, x, y int) color.NRGBA {
	t.Helper()
	c, ok := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
	require.True(t, ok)
	return c
}

// The YCbCr of WebP has the range of film: 16 is black and 235 is white.
func TestLossyWebPHasItsColours(t *testing.T) {
	for name, c := range map[string]color.NRGBA{
		"black": {0, 0, 0, 255}, "white": {255, 255, 255, 255}, "red": {255, 0, 0, 255}, "half transparent": {0, 0, 200, 128},
	} {
		t.Run(name, func(t *testing.T) {
			lossy := convert(t, "png", "webp", encode(t, plain(c, 48, 32), "png"), func(in *engines.Request) { in.ImageQuality = 90 }).Data[0]
			require.True(t, bytes.Contains(lossy, []byte("VP8 ")), "the picture is one with losses")
			got := at(t, decode(t, convert(t, "webp", "png", lossy).Data[0], "png"), 20, 20)
			for _, channel := range [][2]uint8{{c.R, got.R}, {c.G, got.G}, {c.B, got.B}, {c.A, got.A}} {
				assert.InDelta(t, channel[0], channel[1], 4, "%v", got)
			}
		})
	}
}

func pngChunk(kind string, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	out = append(append(out, kind...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// exifBlock is a block of EXIF with an orientation.
func exifBlock(orientation byte) []byte {
	return append([]byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"), orientation, 0, 0, 0, 0, 0, 0)
}

func webpWith(t *testing.T, m image.Image, kind string, body []byte, flag byte) []byte {
	t.Helper()
	simple := convert(t, "png", "webp", encode(t, m, "png"), func(in *engines.Request) { in.ImageQuality = 100 }).Data[0]
	head := []byte{flag, 0, 0, 0, byte(m.Bounds().Dx() - 1), 0, 0, byte(m.Bounds().Dy() - 1), 0, 0}
	chunk := func(kind string, body []byte) []byte {
		out := append([]byte(kind), 0, 0, 0, 0)
		binary.LittleEndian.PutUint32(out[4:], uint32(len(body)))
		if out = append(out, body...); len(body)%2 == 1 {
			out = append(out, 0)
		}
		return out
	}
	chunks := append(chunk("VP8X", head), chunk(kind, body)...)
	if kind == "EXIF" {
		chunks = append(append(chunk("VP8X", head), simple[12:]...), chunk(kind, body)...)
	} else {
		chunks = append(chunks, simple[12:]...)
	}
	out := append([]byte("RIFF\x00\x00\x00\x00WEBP"), chunks...)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

func TestOrientationOfPNGAndWebP(t *testing.T) {
	lying := plain(color.White, 40, 20)
	draw.Draw(lying, image.Rect(0, 0, 10, 10), image.NewUniform(color.NRGBA{255, 0, 0, 255}), image.Point{}, draw.Src)
	flat := encode(t, lying, "png")
	withChunk := append(append(append([]byte{}, flat[:33]...), pngChunk("eXIf", exifBlock(6))...), flat[33:]...)
	for source, data := range map[string][]byte{"png": withChunk, "webp": webpWith(t, lying, "EXIF", exifBlock(6), 0x08)} {
		t.Run(source, func(t *testing.T) {
			out := convert(t, source, "tiff", data)
			m := decode(t, out.Data[0], "tiff")
			require.Equal(t, image.Pt(20, 40), m.Bounds().Size(), "upright")
			assert.Equal(t, color.NRGBA{255, 0, 0, 255}, at(t, m, 17, 3), "the mark at the left top of the file is at the right top")
			assert.True(t, warns(out, "EXIF"))
		})
	}
}

func TestTransparentPalettesStayTransparent(t *testing.T) {
	m := image.NewPaletted(image.Rect(0, 0, 20, 10), color.Palette{color.NRGBA{}, color.NRGBA{255, 0, 0, 255}})
	draw.Draw(m, image.Rect(10, 0, 20, 10), image.NewUniform(color.NRGBA{255, 0, 0, 255}), image.Point{}, draw.Src)
	var asGIF bytes.Buffer
	require.NoError(t, gif.Encode(&asGIF, m, nil))
	for source, data := range map[string][]byte{"gif": asGIF.Bytes(), "png": encode(t, m, "png")} {
		t.Run(source, func(t *testing.T) {
			out := decode(t, convert(t, source, "tiff", data).Data[0], "tiff")
			assert.Zero(t, at(t, out, 3, 3).A)
			assert.Equal(t, color.NRGBA{255, 0, 0, 255}, at(t, out, 15, 3))
		})
	}
}

// iccProfile is one of curves and a matrix, with the primaries of Adobe RGB where it is in colour.
func iccProfile(space string, gamma float64) []byte {
	curve := append([]byte("curv\x00\x00\x00\x00\x00\x00\x00\x01"), byte(int(gamma*256)>>8), byte(int(gamma*256)), 0, 0)
	xyz := func(x, y, z float64) []byte {
		out := []byte("XYZ \x00\x00\x00\x00")
		for _, v := range []float64{x, y, z} {
			out = binary.BigEndian.AppendUint32(out, uint32(int32(v*65536)))
		}
		return out
	}
	type tag struct {
		name string
		body []byte
	}
	tags := []tag{{"desc", []byte("desc\x00\x00\x00\x00\x00\x00\x00\x05Mine\x00\x00\x00\x00")}}
	if space == "GRAY" {
		tags = append(tags, tag{"kTRC", curve})
	} else {
		tags = append(tags,
			tag{"rXYZ", xyz(0.60974, 0.31111, 0.01947)}, tag{"gXYZ", xyz(0.20528, 0.62567, 0.06087)}, tag{"bXYZ", xyz(0.14919, 0.06322, 0.74457)},
			tag{"rTRC", curve}, tag{"gTRC", curve}, tag{"bTRC", curve})
	}
	head := make([]byte, 128)
	copy(head[16:], space+"XYZ ")
	copy(head[36:], "acsp")
	table := binary.BigEndian.AppendUint32(nil, uint32(len(tags)))
	var bodies []byte
	for _, tag := range tags {
		table = append(table, tag.name...)
		table = binary.BigEndian.AppendUint32(table, uint32(132+12*len(tags)+len(bodies)))
		table = binary.BigEndian.AppendUint32(table, uint32(len(tag.body)))
		bodies = append(bodies, tag.body...)
	}
	out := slices.Concat(head, table, bodies)
	binary.BigEndian.PutUint32(out, uint32(len(out)))
	return out
}

func withICC(data, profile []byte) []byte {
	block := append([]byte("\xff\xe2\x00\x00ICC_PROFILE\x00\x01\x01"), profile...)
	binary.BigEndian.PutUint16(block[2:], uint16(len(block)-2))
	return append(append([]byte{0xff, 0xd8}, block...), data[2:]...)
}

// What the colours become is what Little CMS makes of them.
func TestColourProfilesAreApplied(t *testing.T) {
	const gamma = 2.19921875
	adobe := iccProfile("RGB ", gamma)
	before, after := color.NRGBA{100, 150, 200, 255}, color.NRGBA{66, 151, 203, 255}
	gray := image.NewGray(image.Rect(0, 0, 16, 16))
	draw.Draw(gray, gray.Bounds(), image.NewUniform(color.Gray{128}), image.Point{}, draw.Src)
	for name, test := range map[string]struct {
		source string
		data   []byte
		want   color.NRGBA
		note   string
	}{
		"jpeg":         {"jpg", withICC(encode(t, plain(before, 16, 16), "jpg"), adobe), after, `colour profile "Mine" to sRGB`},
		"webp":         {"webp", webpWith(t, plain(before, 16, 16), "ICCP", adobe, 0x20), after, `colour profile "Mine" to sRGB`},
		"outside":      {"jpg", withICC(encode(t, plain(color.NRGBA{0, 255, 0, 255}, 16, 16), "jpg"), adobe), color.NRGBA{0, 255, 0, 255}, "256 of 256 pixels have colours outside"},
		"gray":         {"jpg", withICC(encode(t, gray, "jpg"), iccProfile("GRAY", 1.8)), color.NRGBA{147, 147, 147, 255}, "to sRGB"},
		"another kind": {"jpg", withICC(encode(t, plain(before, 16, 16), "jpg"), append(adobe[:16:16], append([]byte("CMYKLab "), adobe[24:]...)...)), before, "is of a kind that is not applied"},
	} {
		t.Run(name, func(t *testing.T) {
			out := convert(t, test.source, "png", test.data)
			got := at(t, decode(t, out.Data[0], "png"), 8, 8)
			for _, channel := range [][2]uint8{{test.want.R, got.R}, {test.want.G, got.G}, {test.want.B, got.B}} {
				assert.InDelta(t, channel[0], channel[1], 2, "%v", got)
			}
			assert.True(t, warns(out, test.note), "%v", out.Warnings)
		})
	}
	t.Run("a profile that changes nothing", func(t *testing.T) {
		assert.Empty(t, convert(t, "jpg", "png", withICC(encode(t, gray, "jpg"), iccProfile("GRAY", 2.2))).Warnings[1:], "but for that note")
	})
	t.Run("what another engine does better", func(t *testing.T) {
		odd := withICC(encode(t, plain(before, 16, 16), "jpg"), append(adobe[:16:16], append([]byte("CMYKLab "), adobe[24:]...)...))
		_, err := testkit.Convert(t, images.New(), "jpg", "png", odd, func(in *engines.Request) { in.Helped = true })
		e, ok := engines.AsError(err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, "UNSUPPORTED_VARIANT", e.Reason)
	})
}

// tiffOf is a TIFF of one strip: the tags that are given, and those that every one has.
func tiffOf(width, height int, strip []byte, tags map[uint16]uint32) []byte {
	all := map[uint16]uint32{256: uint32(width), 257: uint32(height), 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: uint32(height), 279: uint32(len(strip))}
	for tag, value := range tags {
		all[tag] = value
	}
	all[273] = uint32(8 + 2 + 12*len(all) + 4)
	out := []byte("II*\x00\x08\x00\x00\x00")
	out = binary.LittleEndian.AppendUint16(out, uint16(len(all)))
	for tag := range uint16(400) {
		value, has := all[tag]
		if !has {
			continue
		}
		out = binary.LittleEndian.AppendUint16(out, tag)
		out = binary.LittleEndian.AppendUint16(out, 4)
		out = binary.LittleEndian.AppendUint32(out, 1)
		out = binary.LittleEndian.AppendUint32(out, value)
	}
	return append(append(out, 0, 0, 0, 0), strip...)
}

// A strip of white runs is of zeros in fax codes: white where 0 is white by its tag, black where not.
func TestFaxCodes(t *testing.T) {
	whiteRuns := []byte{0xff, 0x00, 0x10, 0x01} // eight rows as the one above, and the end
	for name, test := range map[string]struct {
		photometric uint32
		want        uint8
	}{"0 is white": {0, 255}, "0 is black": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			data := tiffOf(8, 8, whiteRuns, map[uint16]uint32{258: 1, 259: 4, 262: test.photometric})
			got := at(t, decode(t, convert(t, "tiff", "png", data).Data[0], "png"), 3, 3)
			assert.Equal(t, test.want, got.R)
		})
	}
}

func TestWhatVipsReadsIsRefusedWithItsName(t *testing.T) {
	narrow, err := os.ReadFile("testdata/narrow.heic")
	require.NoError(t, err)
	rle := encode(t, image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.Black, color.White}), "bmp")
	rle[30] = 1
	lossless := encode(t, photo(t), "jpg")
	lossless[bytes.Index(lossless, []byte{0xff, 0xc0})+1] = 0xc3
	pixels := make([]byte, 4*4*16)
	for name, test := range map[string]struct {
		source string
		data   []byte
		what   string
	}{
		"jpeg in tiff":     {"tiff", tiffOf(4, 4, pixels, map[uint16]uint32{259: 7}), "compressed by JPEG"},
		"fax rle":          {"tiff", tiffOf(4, 4, pixels, map[uint16]uint32{258: 1, 259: 2}), "fax codes"},
		"fax in two":       {"tiff", tiffOf(4, 4, pixels, map[uint16]uint32{258: 1, 259: 3, 292: 1}), "two-dimensional"},
		"unknown packing":  {"tiff", tiffOf(4, 4, pixels, map[uint16]uint32{259: 12345}), "method 12345"},
		"cmyk":             {"tiff", tiffOf(4, 4, pixels, map[uint16]uint32{262: 5, 277: 4}), "CMYK"},
		"float":            {"tiff", tiffOf(4, 4, pixels, map[uint16]uint32{258: 32, 339: 3}), "floating-point"},
		"float of 16 bits": {"tiff", tiffOf(4, 4, pixels, map[uint16]uint32{258: 16, 339: 3}), "floating-point"},
		"signed":           {"tiff", tiffOf(4, 4, pixels, map[uint16]uint32{339: 2}), "signed"},
		"planes":           {"tiff", tiffOf(4, 4, pixels, map[uint16]uint32{262: 2, 277: 3, 284: 2}), "channels apart"},
		"gray and alpha":   {"tiff", tiffOf(4, 4, pixels, map[uint16]uint32{277: 2, 338: 2}), "further channels"},
		"bits reversed":    {"tiff", tiffOf(4, 4, pixels, map[uint16]uint32{258: 1, 266: 2}), "reverse"},
		"BigTIFF":          {"tiff", []byte("II+\x00\x08\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00"), "BigTIFF"},
		"narrow heic":      {"heic", narrow, "narrow"},
		"packed bmp":       {"bmp", rle, "rarer"},
		"lossless jpeg":    {"jpg", lossless, "rarer"},
		"heic with no hevc": {
			"heic", append([]byte("\x00\x00\x00\x14ftypheic\x00\x00\x00\x00mif1"), []byte("\x00\x00\x00\x14ispe\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x02\x00")...), "damaged or",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, images.New(), test.source, "gif", test.data)
			e, ok := engines.AsError(err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, "UNSUPPORTED_VARIANT", e.Reason)
			assert.Contains(t, e.Message, test.what)
			if test.what != "floating-point" { // which vips does not read right, either
				assert.Contains(t, e.Message, "libvips-tools")
			}
			assert.Empty(t, out.Data)
		})
	}
}

func TestCMYKIsLeftToVipsWhereThatIs(t *testing.T) {
	data, err := os.ReadFile("testdata/cmyk.jpg")
	require.NoError(t, err)
	_, err = testkit.Convert(t, images.New(), "jpg", "png", data, func(in *engines.Request) { in.Helped = true })
	e, ok := engines.AsError(err)
	require.True(t, ok, "%v", err)
	assert.Contains(t, e.Message, "libvips-tools")
	assert.True(t, warns(convert(t, "jpg", "png", data), "CMYK"), "alone, it does what it can")
}

// testdata/adobe-rgb.heic and alpha.heic were made by libheif's heif-enc of four rectangles.
func TestWhatAHEICHoldsBesidesItsPixels(t *testing.T) {
	for file, note := range map[string]string{"adobe-rgb.heic": "to sRGB", "alpha.heic": "transparency"} {
		t.Run(file, func(t *testing.T) {
			data, err := os.ReadFile("testdata/" + file)
			require.NoError(t, err)
			out := convert(t, "heic", "png", data)
			assert.True(t, warns(out, note), "%v", out.Warnings)
			if file == "adobe-rgb.heic" {
				assert.InDelta(t, 231, at(t, decode(t, out.Data[0], "png"), 20, 20).R, 5, "200 in Adobe RGB")
			}
		})
	}
}
