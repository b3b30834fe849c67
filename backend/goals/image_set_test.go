package goals_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "golang.org/x/image/webp"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// photo is a JPEG of a slope; turned says on its side, to be turned upright by its EXIF.
func photo(tb testing.TB, width, height int, turned bool) []byte {
	tb.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, color.NRGBA{R: uint8(255 * x / width), G: uint8(255 * y / height), B: 90, A: 255})
		}
	}
	var out bytes.Buffer
	require.NoError(tb, jpeg.Encode(&out, m, nil))
	if !turned {
		return out.Bytes()
	}
	exif := "\xff\xe1\x00\x22Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
	return append(append([]byte{0xff, 0xd8}, exif...), out.Bytes()[2:]...)
}

func unzip(tb testing.TB, data []byte) map[string][]byte {
	tb.Helper()
	reader, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(tb, err)
	out := map[string][]byte{}
	for _, f := range reader.File {
		content, err := f.Open()
		require.NoError(tb, err)
		require.NotContains(tb, out, f.Name)
		out[f.Name], err = io.ReadAll(content)
		require.NoError(tb, err)
	}
	return out
}

func TestImageSet(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws one picture after the other")
	testkit.SkipIfShort(t, "it computes for seconds")
	j := start(t, "goal_lane.image_set", example(t, "photo.png"), input(t, "wide.jpg", photo(t, 1500, 300, false)), input(t, "upright.jpg", photo(t, 800, 600, true)),
		input(t, "broken.png", []byte("\x89PNG\r\n\x1a\nnothing")), input(t, "Photo.jpg", photo(t, 40, 50, false)), input(t, "港の写真.jpg", photo(t, 400, 400, false)))
	j.asked("sizes", "format", "quality")
	j.accept()
	j.confirm()
	j.asked("rating", "contact_sheet")
	sheet, err := png.Decode(bytes.NewReader(j.shown("contact_sheet")))
	require.NoError(t, err)
	assert.Greater(t, testkit.Ink(sheet, image.Rect(40, 300, 300, 320)), 100, "the first picture's name stands below it")
	j.answer("contact_sheet", "change")
	j.asked("sizes", "format", "quality")
	j.answer("sizes", []string{"320", "1280", "original"})
	j.answer("format", "webp")
	j.answer("quality", 60)
	j.asked("rating", "contact_sheet")
	j.shown("contact_sheet")
	j.answer("contact_sheet", "approve")

	out := j.done()
	require.Len(t, out, 2)
	assert.Equal(t, "images.zip", j.last.Files[0].Name)
	require.Len(t, j.last.Missing, 1)
	assert.Contains(t, j.last.Missing[0], "broken.png: ")
	packed := unzip(t, out["images.zip"])
	assert.Equal(t, out["contact-sheet.png"], packed["contact-sheet.png"])
	require.Len(t, packed, 1+5*3)
	for name, want := range map[string]image.Point{
		"wide-320.webp": {X: 320, Y: 64}, "wide-1280.webp": {X: 1280, Y: 256}, "wide-original.webp": {X: 1500, Y: 300},
		"upright-320.webp": {X: 240, Y: 320}, "upright-1280.webp": {X: 600, Y: 800}, "Photo (2)-320.webp": {X: 40, Y: 50}, "港の写真-320.webp": {X: 320, Y: 320},
	} {
		t.Run(name, func(t *testing.T) {
			m, kind, err := image.Decode(bytes.NewReader(packed[name]))
			require.NoError(t, err, name)
			assert.Equal(t, "webp", kind)
			assert.Equal(t, want, m.Bounds().Size(), name)
		})
	}
	upright, _, err := image.Decode(bytes.NewReader(packed["upright-320.webp"]))
	require.NoError(t, err)
	r, g, _, _ := upright.At(230, 10).RGBA()
	assert.True(t, r < 0x3000 && g < 0x3000, "the dark corner is at the upper right once the photo stands upright")
	assert.Contains(t, strings.Join(j.last.Warnings, "\n"), "Photo.jpg: it has fewer than 1280 pixels and is not enlarged")
}

func TestImageSetFormats(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws one picture after the other")
	empty := image.NewNRGBA(image.Rect(0, 0, 700, 10))
	empty.Set(0, 0, color.NRGBA{R: 255, A: 255})
	var data bytes.Buffer
	require.NoError(t, png.Encode(&data, empty))
	for format, transparent := range map[string]bool{"jpg": false, "png": true, "webp": true} {
		t.Run(format, func(t *testing.T) {
			j := start(t, "goal_lane.image_set", input(t, "clear.png", data.Bytes()))
			j.asked("sizes", "format", "quality")
			j.accept()
			j.answer("format", format)
			j.answer("sizes", []string{"640"})
			j.confirm()
			j.asked("rating", "contact_sheet")
			j.accept()
			m, _, err := image.Decode(bytes.NewReader(unzip(t, j.done()["images.zip"])["clear-640."+format]))
			require.NoError(t, err, format)
			assert.Equal(t, 640, m.Bounds().Dx())
			_, _, _, alpha := m.At(600, 5).RGBA()
			assert.Equal(t, transparent, alpha == 0, format)
			if !transparent {
				assert.Contains(t, strings.Join(j.last.Warnings, "\n"), "transparent parts became white")
			}
		})
	}
}

// xmpOf finds the XMP packet where its format has it.
func xmpOf(tb testing.TB, format string, data []byte) string {
	tb.Helper()
	switch format {
	case "jpg":
		require.Equal(tb, []byte{0xff, 0xd8, 0xff, 0xe1}, data[:4])
		segment := data[6 : 4+int(binary.BigEndian.Uint16(data[4:]))]
		kind, packet, _ := strings.Cut(string(segment), "\x00")
		require.Equal(tb, "http://ns.adobe.com/xap/1.0/", kind)
		return packet
	case "png":
		size := int(binary.BigEndian.Uint32(data[33:]))
		chunk := data[37 : 37+4+size]
		require.Equal(tb, crc32.ChecksumIEEE(chunk), binary.BigEndian.Uint32(data[37+4+size:]))
		packet, found := strings.CutPrefix(string(chunk), "iTXtXML:com.adobe.xmp\x00\x00\x00\x00\x00")
		require.True(tb, found)
		return packet
	}
	require.Equal(tb, len(data)-8, int(binary.LittleEndian.Uint32(data[4:])))
	require.Equal(tb, "VP8X", string(data[12:16]))
	require.NotZero(tb, data[20]&4, "the header tells of XMP")
	for rest := data[12:]; len(rest) > 8; {
		size := int(binary.LittleEndian.Uint32(rest[4:]))
		if string(rest[:4]) == "XMP " {
			return string(rest[8 : 8+size])
		}
		rest = rest[8+size+size%2:]
	}
	return ""
}

func TestImageSet_Rating(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws one picture after the other")
	glass := image.NewNRGBA(image.Rect(0, 0, 700, 10))
	glass.Set(0, 0, color.NRGBA{R: 255, A: 255})
	var transparent bytes.Buffer
	require.NoError(t, png.Encode(&transparent, glass))
	for _, format := range []string{"jpg", "png", "webp"} {
		t.Run(format, func(t *testing.T) {
			j := start(t, "goal_lane.image_set", input(t, "wide.jpg", photo(t, 640, 128, false)), input(t, "clear.png", transparent.Bytes()))
			j.asked("sizes", "format", "quality")
			j.accept()
			j.answer("sizes", []string{"640"})
			j.answer("format", format)
			j.confirm()
			assert.False(t, j.asked("rating", "contact_sheet")["rating"].Required)
			j.shown("contact_sheet")
			j.answer("rating", 4)
			j.answer("contact_sheet", "approve")

			packed := unzip(t, j.done()["images.zip"])
			for _, name := range []string{"wide-640.", "clear-640."} {
				t.Run(name, func(t *testing.T) {
					data := packed[name+format]
					var meta struct {
						RDF struct {
							Description struct {
								Rating string `xml:"http://ns.adobe.com/xap/1.0/ Rating,attr"`
							} `xml:"Description"`
						} `xml:"RDF"`
					}
					require.NoError(t, xml.Unmarshal([]byte(xmpOf(t, format, data)), &meta))
					assert.Equal(t, "4", meta.RDF.Description.Rating)
					m, _, err := image.Decode(bytes.NewReader(data))
					require.NoError(t, err)
					assert.Equal(t, 640, m.Bounds().Dx())
					_, _, _, alpha := m.At(600, 5).RGBA()
					assert.Equal(t, name == "clear-640." && format != "jpg", alpha == 0)
				})
			}
		})
	}
}

func TestImageSetOfNothing(t *testing.T) {
	j := start(t, "goal_lane.image_set", input(t, "a.png", []byte("no picture")), input(t, "huge.png", hugePNG(t)))
	j.asked("sizes", "format", "quality")
	j.accept()
	j.confirm()
	var failure *goals.Failure
	require.ErrorAs(t, j.pass(), &failure)
	assert.Equal(t, goals.CodeUnusable, failure.Code)
	assert.Contains(t, failure.Message, "a.png")
	assert.Contains(t, failure.Message, "pixels; at most")
}

// hugePNG claims more pixels than are taken.
func hugePNG(tb testing.TB) []byte {
	tb.Helper()
	var out bytes.Buffer
	require.NoError(tb, png.Encode(&out, image.NewGray(image.Rect(0, 0, 1, 1))))
	data := out.Bytes()
	binary.BigEndian.PutUint32(data[16:], 20_000)
	binary.BigEndian.PutUint32(data[20:], 6_000)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}
