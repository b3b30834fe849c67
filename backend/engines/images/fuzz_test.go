package images

import (
	"image"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

var fuzzFormats = []string{"png", "jpg", "gif", "bmp", "tiff", "webp", "heic"}

// FuzzInspect: facts of a file of any kind are told within their ranges.
func FuzzInspect(f *testing.F) {
	f.Add([]byte("\x89PNG\r\n\x1a\n\xff\xff\xff\xffiCCP"))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II*\x00\xff\xff\xff\xff"))
	f.Add([]byte("GIF89a\x01\x00\x01\x00\xff\x00\x00,"))
	f.Add([]byte("RIFF\xff\xff\xff\xffWEBPICCP\xff\xff\xff\xff"))
	f.Add([]byte("II*\x00\x08\x00\x00\x00\xff\xff\x12\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sniff(data)
		for _, format := range fuzzFormats {
			found := inspect(data, format)
			require.GreaterOrEqual(t, found.frames, 1)
			require.True(t, found.orientation >= 0 && found.orientation <= 8)
		}
	})
}

// FuzzHEIC is apart from the other formats: its decoder takes a while for each.
func FuzzHEIC(f *testing.F) {
	good, err := os.ReadFile("testdata/photo.heic")
	require.NoError(f, err)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00heicmif1\x00\x00\x00\x14ispe\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x10"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decode(data, "heic", false)
		if err != nil {
			_, known := engines.AsError(err)
			require.True(t, known, "%v", err)
			return
		}
		b := p.image.Bounds()
		require.LessOrEqual(t, b.Dx()*b.Dy(), maxPixels)
	})
}

// FuzzReduce: any pixels become at most 256 colours, as many pixels as before.
func FuzzReduce(f *testing.F) {
	f.Add(uint8(3), []byte("some pixels of any colour, opaque or not"))
	f.Add(uint8(1), []byte{0, 0, 0, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, width uint8, pixels []byte) {
		w := int(width)%32 + 1
		h := len(pixels) / 4 / w
		if h == 0 {
			return
		}
		m := image.NewNRGBA(image.Rect(0, 0, w, h))
		copy(m.Pix, pixels)
		out := reduce(m)
		require.Equal(t, m.Bounds(), out.image.Bounds())
		require.LessOrEqual(t, len(out.image.Palette), 256)
		for _, index := range out.image.Pix {
			require.Less(t, int(index), len(out.image.Palette))
		}
	})
}

// FuzzProfile: any bytes are a profile that takes colours to colours, or none.
func FuzzProfile(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00"))
	f.Add(append(make([]byte, 128), 0, 0, 0, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = profileName(profileTags(pad(data))["desc"])
		p := parseProfile(data)
		if p == nil {
			return
		}
		m, _ := p.apply(image.NewNRGBA(image.Rect(0, 0, 2, 2)))
		require.Equal(t, 2, m.Bounds().Dx())
	})
}

// FuzzHEIF: the index of any file is read to its end.
func FuzzHEIF(f *testing.F) {
	for _, name := range []string{"photo.heic", "alpha.heic", "adobe-rgb.heic"} {
		good, err := os.ReadFile("testdata/" + name)
		require.NoError(f, err)
		f.Add(good[:min(len(good), 1200)])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var found facts
		inspectHEIC(data, &found)
		require.GreaterOrEqual(t, found.frames, 1)
		_ = tiffUnread(data)
	})
}
