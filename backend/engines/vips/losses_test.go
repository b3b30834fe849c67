package vips_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/vips"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// filled is a PNG of one colour, with chunks put in after its header.
func filled(t *testing.T, c color.NRGBA, chunks ...[]byte) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 16, 12))
	for y := range 12 {
		for x := range 16 {
			m.SetNRGBA(x, y, c)
		}
	}
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, m))

	const header = 8 + 25 // the signature and IHDR
	data := out.Bytes()
	return bytes.Join([][]byte{data[:header], bytes.Join(chunks, nil), data[header:]}, nil)
}

func chunk(kind string, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	out = append(append(out, kind...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// iccChunk carries a colour profile in a PNG.
func iccChunk(t *testing.T, profile []byte) []byte {
	t.Helper()
	body := bytes.NewBufferString("wide\x00\x00")
	packed := zlib.NewWriter(body)
	_, err := packed.Write(profile)
	require.NoError(t, err)
	require.NoError(t, packed.Close())
	return chunk("iCCP", body.Bytes())
}

// wideProfile is a profile with the primaries of Adobe RGB (1998), by the tables of ICC.1:2001-04.
func wideProfile() []byte {
	fixed := func(v float64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(int32(math.Round(v*65536)))) }
	xyz := func(x, y, z float64) []byte {
		return bytes.Join([][]byte{[]byte("XYZ \x00\x00\x00\x00"), fixed(x), fixed(y), fixed(z)}, nil)
	}
	curve := []byte("curv\x00\x00\x00\x00\x00\x00\x00\x01\x02\x33\x00\x00") // gamma 2.2
	words := append([]byte("desc\x00\x00\x00\x00\x00\x00\x00\x05wide\x00"), make([]byte, 79)...)
	tags := []struct {
		name string
		data []byte
	}{
		{"desc", words},
		{"cprt", []byte("text\x00\x00\x00\x00none\x00\x00\x00\x00")},
		{"wtpt", xyz(0.9505, 1, 1.0891)},
		{"rXYZ", xyz(0.60974, 0.31111, 0.01947)},
		{"gXYZ", xyz(0.20528, 0.62567, 0.06087)},
		{"bXYZ", xyz(0.14919, 0.06322, 0.74457)},
		{"rTRC", curve},
		{"gTRC", curve},
		{"bTRC", curve},
	}

	table := binary.BigEndian.AppendUint32(nil, uint32(len(tags)))
	var content []byte
	const head = 128
	for _, tag := range tags {
		at := head + 4 + 12*len(tags) + len(content)
		table = append(table, tag.name...)
		table = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(table, uint32(at)), uint32(len(tag.data)))
		content = append(content, tag.data...)
		for len(content)%4 != 0 {
			content = append(content, 0)
		}
	}
	out := make([]byte, head)
	binary.BigEndian.PutUint32(out, uint32(head+len(table)+len(content)))
	out[8] = 2
	copy(out[12:], "mntrRGB XYZ ")
	copy(out[36:], "acsp")
	copy(out[68:], bytes.Join([][]byte{fixed(0.9642), fixed(1), fixed(0.8249)}, nil))
	return bytes.Join([][]byte{out, table, content}, nil)
}

// floatTIFF is a picture of one grey pixel whose shade is a floating-point number.
func floatTIFF() []byte {
	out := []byte("II*\x00\x0c\x00\x00\x00\x00\x00\x00\x3f") // the number 0.5 lies before the directory
	entries := [][3]uint32{{256, 4, 1}, {257, 4, 1}, {258, 3, 32}, {259, 3, 1}, {262, 3, 1}, {273, 4, 8}, {277, 3, 1}, {278, 4, 1}, {279, 4, 4}, {339, 3, 3}}
	out = binary.LittleEndian.AppendUint16(out, uint16(len(entries)))
	for _, e := range entries {
		out = binary.LittleEndian.AppendUint16(out, uint16(e[0]))
		out = binary.LittleEndian.AppendUint16(out, uint16(e[1]))
		out = binary.LittleEndian.AppendUint32(out, 1)
		out = binary.LittleEndian.AppendUint32(out, e[2])
	}
	return append(out, 0, 0, 0, 0)
}

// What a target has no place for is in a note, and only that.
func TestConvert_NamesWhatATargetLacks(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	red, half := color.NRGBA{200, 30, 60, 255}, color.NRGBA{200, 30, 60, 128}
	title := chunk("tEXt", []byte("Title\x00Hello"))
	exif := chunk("eXIf", []byte("II*\x00\x08\x00\x00\x00\x01\x00\x0f\x01\x02\x00\x04\x00\x00\x00abc\x00\x00\x00\x00\x00"))

	for name, test := range map[string]struct {
		data   []byte
		target string
		notes  []string
	}{
		"nothing is lost":         {filled(t, red), "tiff", nil},
		"a title":                 {filled(t, red, title), "tiff", []string{"texts beside the picture"}},
		"EXIF to tiff":            {filled(t, red, exif), "tiff", []string{"EXIF"}},
		"EXIF to ppm":             {filled(t, red, exif), "ppm", []string{"EXIF"}},
		"EXIF to jpg, unasked":    {filled(t, red, exif), "jpg", []string{"(EXIF) is not carried over (the option metadata=keep keeps it)", "quality"}},
		"an animation":            {filled(t, red, chunk("acTL", []byte{0, 0, 0, 2, 0, 0, 0, 0})), "tiff", []string{"several pictures"}},
		"half transparent to ppm": {filled(t, half), "ppm", []string{"no transparency"}},
		"half transparent to gif": {filled(t, half), "gif", []string{"half-transparent", "256 colours"}},
		"a profile to gif":        {filled(t, red, iccChunk(t, wideProfile())), "gif", []string{"into sRGB", "256 colours"}},
		"a profile to tiff":       {filled(t, red, iccChunk(t, wideProfile())), "tiff", nil},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, "png", test.target, test.data)
			require.NoError(t, err)
			require.Len(t, out.Warnings, len(test.notes), strings.Join(out.Warnings, "\n"))
			for i, note := range test.notes {
				assert.Contains(t, out.Warnings[i], note)
			}
		})
	}
}

// Colours by a wide profile are those that a screen shows, where the target carries no profile.
func TestConvert_AppliesAProfile(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	out, err := testkit.Convert(t, engine, "png", "ppm", filled(t, color.NRGBA{200, 100, 60, 255}, iccChunk(t, wideProfile())))
	require.NoError(t, err)

	pixel := out.Data[0][len(out.Data[0])-3:]
	for i, want := range []int{228, 100, 54} { // by the matrices of both spaces
		assert.InDelta(t, want, int(pixel[i]), 4, "%v", pixel)
	}
}

// A picture whose shades have no stated range is refused, by the name of a program that does it. It came out black.
func TestConvert_RefusesUnscaledShades(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	_, err := testkit.Convert(t, engine, "tiff", "png", floatTIFF())
	e, ok := engines.AsError(err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "UNSCALED_SHADES", e.Reason)
	assert.Contains(t, e.Message, "imagemagick")
}

// What shines through is white, whatever the depth of the picture. Of 16 bits it was black.
func TestConvert_TransparentIsWhite(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	var deep bytes.Buffer
	require.NoError(t, png.Encode(&deep, image.NewNRGBA64(image.Rect(0, 0, 16, 12))))
	for name, data := range map[string][]byte{"8 bits": filled(t, color.NRGBA{}), "16 bits": deep.Bytes()} {
		for _, target := range []string{"jpg", "ppm"} {
			t.Run(name+" to "+target, func(t *testing.T) {
				out, err := testkit.Convert(t, engine, "png", target, data)
				require.NoError(t, err)
				back, err := testkit.Convert(t, engine, target, "png", out.Data[0])
				require.NoError(t, err)
				r, g, b, _ := decode(t, back.Data[0]).At(8, 6).RGBA()
				assert.Equal(t, []uint32{0xffff, 0xffff, 0xffff}, []uint32{r, g, b})
			})
		}
	}
}

// What libvips makes of a picture by making it smaller is in a note: 8 bits a colour, and the colours of screens.
func TestConvert_NamesWhatSmallerPicturesLack(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	var deep bytes.Buffer
	require.NoError(t, png.Encode(&deep, image.NewNRGBA64(image.Rect(0, 0, 16, 12))))
	const shades, inks = "a picture that is made smaller has 8 bits", "(CMYK); a picture that is made smaller"

	for name, test := range map[string]struct {
		data           []byte
		source, target string
		width          string
		note           string
		told           bool
	}{
		"16 bits to tiff":          {deep.Bytes(), "png", "tiff", "8", shades, true},
		"16 bits to ppm":           {deep.Bytes(), "png", "ppm", "8", shades, true},
		"16 bits of the same size": {deep.Bytes(), "png", "tiff", "16", shades, false},
		"8 bits":                   {filled(t, color.NRGBA{1, 2, 3, 255}), "png", "tiff", "8", shades, false},
		"CMYK to jpg":              {printTIFF(), "tiff", "jpg", "1", inks, true},
		"CMYK of the same size":    {printTIFF(), "tiff", "jpg", "2", inks, false},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, test.source, test.target, test.data, func(in *engines.Request) {
				in.Options = map[string]string{"width": test.width}
			})
			require.NoError(t, err)
			assert.Equal(t, test.told, strings.Contains(strings.Join(out.Warnings, "\n"), test.note), "%q", out.Warnings)
		})
	}
}

// What shines through a picture that is made smaller has the colour that was asked for: that of 16 bits was clipped to white.
func TestConvert_BackgroundOfASmallerPicture(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	var deep bytes.Buffer
	require.NoError(t, png.Encode(&deep, image.NewNRGBA64(image.Rect(0, 0, 16, 12))))
	out, err := testkit.Convert(t, engine, "png", "ppm", deep.Bytes(), func(in *engines.Request) {
		in.Options = map[string]string{"width": "8", "background": "#204060"}
	})
	require.NoError(t, err)
	assert.Equal(t, []byte{0x20, 0x40, 0x60}, out.Data[0][len(out.Data[0])-3:])
}

// printTIFF is a picture of two pixels in the colours of print.
func printTIFF() []byte {
	const inks, bits = 8, 16 // where the pixels are, and how deep their four inks are
	out := []byte("II*\x00\x18\x00\x00\x00")
	out = append(out, 200, 10, 20, 0, 10, 200, 20, 0)
	out = append(out, 8, 0, 8, 0, 8, 0, 8, 0)
	entries := [][4]uint32{
		{256, 4, 1, 2}, {257, 4, 1, 1}, {258, 3, 4, bits}, {259, 3, 1, 1}, {262, 3, 1, 5}, {273, 4, 1, inks}, {277, 3, 1, 4}, {278, 4, 1, 1}, {279, 4, 1, 8},
	}
	out = binary.LittleEndian.AppendUint16(out, uint16(len(entries)))
	for _, e := range entries {
		out = binary.LittleEndian.AppendUint16(out, uint16(e[0]))
		out = binary.LittleEndian.AppendUint16(out, uint16(e[1]))
		out = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(out, e[2]), e[3])
	}
	return append(out, 0, 0, 0, 0)
}
