package workplace

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

var (
	// svgRoot is a drawing's first element, after comments and declarations.
	svgRoot = regexp.MustCompile(`^(?s)(\xEF\xBB\xBF)?\s*(<\?.*?\?>\s*|<!.*?>\s*)*<svg[\s>]`)
	// frameSync is how an MP3 without tags begins.
	frameSync = func(head []byte) bool { return len(head) > 1 && head[0] == 0xFF && head[1]&0xE6 == 0xE2 }
)

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

func looksLike(head []byte, format string) bool {
	at := func(offset int, text string) bool {
		return len(head) > offset && bytes.HasPrefix(head[offset:], []byte(text))
	}
	for _, prefix := range prefixes[format] {
		if at(0, prefix) {
			return format != "epub" || bytes.Contains(head[:min(len(head), 128)], []byte("application/epub+zip"))
		}
	}
	switch format {
	case "mp3":
		return frameSync(head)
	case "svg":
		return svgRoot.Match(head)
	case "webp":
		return at(0, "RIFF") && at(8, "WEBP")
	case "wav":
		return at(0, "RIFF") && at(8, "WAVE")
	case "avi":
		return at(0, "RIFF") && at(8, "AVI ")
	case "heic", "avif":
		return at(4, "ftyp") && len(head) >= 12 && slices.Contains(brands[format], string(head[8:12]))
	case "mp4", "m4a":
		return at(4, "ftyp")
	case "mov":
		return at(4, "ftyp") || at(4, "moov") || at(4, "mdat") || at(4, "wide") || at(4, "free")
	case "mobi", "azw3":
		return at(60, "BOOKMOBI")
	case "html":
		return !bytes.Contains(head, []byte{0}) && strings.Contains(string(head), "<") || at(0, "\xFF\xFE") || at(0, "\xFE\xFF")
	case "md", "txt", "csv", "xml":
		return !bytes.Contains(head, []byte{0}) || at(0, "\xFF\xFE") || at(0, "\xFE\xFF")
	default:
		return false
	}
}
