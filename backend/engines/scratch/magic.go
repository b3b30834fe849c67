package scratch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// headBytes is how much of a file tells its format.
const headBytes = 4096

// CheckMagic refuses a file that is not what its format says. Programs guess formats by content, and would read
// with another reader than the one that the caller named.
func CheckMagic(path, format string) error {
	file, err := os.Open(path) //nolint:gosec // paths of our own
	if err != nil {
		return fmt.Errorf("open %s: %w", format, err)
	}
	defer file.Close() //nolint:errcheck // read only
	head := make([]byte, headBytes)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_DOCUMENT", Message: "the file is empty"}
	}
	if !looksLike(head[:n], format) {
		return &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "FORMAT_MISMATCH",
			Message: fmt.Sprintf("the file is not a %s, whatever its name says", format),
		}
	}
	return nil
}

// svgRoot is a drawing's first element, after comments and declarations.
var svgRoot = regexp.MustCompile(`^(?s)\x{FEFF}?\s*(<\?.*?\?>\s*|<!.*?>\s*)*<svg[\s>]`)

// prefixes of formats that begin in one of a few ways.
var prefixes = map[string][]string{
	"docx": {"PK\x03\x04"}, "xlsx": {"PK\x03\x04"}, "pptx": {"PK\x03\x04"}, "odt": {"PK\x03\x04"}, "epub": {"PK\x03\x04"},
	"doc": {"\xD0\xCF\x11\xE0"}, "xls": {"\xD0\xCF\x11\xE0"}, "ppt": {"\xD0\xCF\x11\xE0"}, "ods": {"PK\x03\x04"}, "odp": {"PK\x03\x04"},
	"rtf": {"{\\rtf"},
	"pdf": {"%PDF-"},
	"png": {"\x89PNG\r\n\x1a\n"}, "jpg": {"\xFF\xD8\xFF"}, "gif": {"GIF87a", "GIF89a"}, "tiff": {"II*\x00", "MM\x00*", "II+\x00", "MM\x00+"},
	"jp2": {"\x00\x00\x00\x0CjP  ", "\xFF\x4F\xFF\x51"},
	"ppm": {"P1", "P2", "P3", "P4", "P5", "P6"},
	"hdr": {"#?RADIANCE", "#?RGBE"}, "exr": {"\x76\x2F\x31\x01"},
	"flac": {"fLaC", "ID3"}, "ogg": {"OggS"}, "webm": {"\x1A\x45\xDF\xA3"}, "mkv": {"\x1A\x45\xDF\xA3"}, "mp3": {"ID3"},
}

// brands of the ISO base media formats: what stands after "ftyp".
var brands = map[string][]string{
	"heic": {"heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1"},
	"avif": {"avif", "avis", "mif1"},
}

// others are formats that no prefix tells.
var others = map[string]func(head []byte) bool{
	"mp3": func(head []byte) bool { return len(head) > 1 && head[0] == 0xFF && head[1]&0xE6 == 0xE2 }, // a frame, without tags before it
	"svg": svgRoot.Match, "webp": riff("WEBP"), "wav": riff("WAVE"), "avi": riff("AVI "),
	"heic": media, "avif": media, "mp4": media, "m4a": media,
	"mov": func(head []byte) bool {
		return media(head) || slices.Contains(strings.Fields("moov mdat wide free"), string(slice(head, 4, 8)))
	},
	"mobi": palm, "azw3": palm,
	"html": func(head []byte) bool { return isText(head) && (bytes.Contains(head, []byte("<")) || utf16(head)) },
	"md":   isText, "txt": isText, "csv": isText, "xml": isText,
}

func looksLike(head []byte, format string) bool {
	for _, prefix := range prefixes[format] {
		if bytes.HasPrefix(head, []byte(prefix)) {
			return format != "epub" || bytes.Contains(slice(head, 0, 128), []byte("application/epub+zip"))
		}
	}
	other := others[format]
	if other == nil || !other(head) {
		return false
	}
	known, ok := brands[format]
	return !ok || slices.Contains(known, string(slice(head, 8, 12)))
}

// slice is what a head has between two offsets.
func slice(head []byte, from, to int) []byte {
	return head[min(from, len(head)):min(to, len(head))]
}

func riff(kind string) func(head []byte) bool {
	return func(head []byte) bool {
		return bytes.HasPrefix(head, []byte("RIFF")) && string(slice(head, 8, 12)) == kind
	}
}

// palm is the database that Kindle's books are.
func palm(head []byte) bool { return string(slice(head, 60, 68)) == "BOOKMOBI" }

func media(head []byte) bool { return string(slice(head, 4, 8)) == "ftyp" }

func utf16(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\xFF\xFE")) || bytes.HasPrefix(head, []byte("\xFE\xFF"))
}

func isText(head []byte) bool { return utf16(head) || !bytes.Contains(head, []byte{0}) }
