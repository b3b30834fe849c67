package vips

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is left out of each format, of pictures whose pixels do not fit into what this process may hold for them.
func TestStrip(t *testing.T) {
	const pixels, most = 8 << 20, 1 << 20
	data := make([]byte, pixels)
	segment := func(kind byte, body string) []byte {
		return append(binary.BigEndian.AppendUint16([]byte{0xFF, kind}, uint16(len(body)+2)), body...)
	}
	chunk := func(kind string, body []byte) []byte {
		return append(append(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), kind...), body...), "sum!"...)
	}
	piece := func(kind string, body []byte) []byte {
		out := append(binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(body))), body...)
		return append(out, make([]byte, len(body)%2)...)
	}
	webp := func(pieces ...[]byte) []byte {
		body := append([]byte("WEBP"), bytes.Join(pieces, nil)...)
		return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

	jpegStart, jpegScan := join([]byte{0xFF, 0xD8}, segment(0xE0, "JFIF\x00")), join(segment(0xDA, "scan"), data, []byte{0xFF, 0xD9})
	colours := segment(0xE2, "ICC_PROFILE\x00"+strings.Repeat("x", 60_000))
	signature := []byte("\x89PNG\r\n\x1a\n")

	for format, test := range map[string]struct{ from, want []byte }{
		"jpg": {
			join(jpegStart, segment(0xE1, "Exif\x00\x00secret"), segment(0xFE, "secret"), colours, jpegScan), join(jpegStart, colours, jpegScan),
		},
		"png": {
			join(signature, chunk("IHDR", nil), chunk("tEXt", []byte("secret")), chunk("IDAT", data), chunk("eXIf", []byte("secret")), chunk("IEND", nil)),
			join(signature, chunk("IHDR", nil), chunk("IDAT", data), chunk("IEND", nil)),
		},
		"webp": {
			webp(piece("VP8X", []byte{0x3C, 1, 2}), piece("VP8L", data), piece("EXIF", []byte("secret!")), piece("XMP ", []byte("secret"))),
			webp(piece("VP8X", []byte{0x30, 1, 2}), piece("VP8L", data)),
		},
	} {
		t.Run(format, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "picture")
			require.NoError(t, os.WriteFile(path, test.from, 0o600))

			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			require.NoError(t, strip(path, format))
			runtime.ReadMemStats(&after)

			got, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(test.want, got), "%d bytes, not %d", len(got), len(test.want))
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(most))
		})
	}
}
