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

	"github.com/gabriel-vasile/mimetype"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// headBytes is how much of a file is looked at.
const headBytes = 4096

// CheckMagic refuses a file whose content is not of the format. Programs guess formats by content, and would read
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
	if slices.Contains(lockable, format) && IsLocked(path) {
		return Locked()
	}
	if !looksLike(head[:n], format) {
		return &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "FORMAT_MISMATCH",
			Message: fmt.Sprintf("the file is not a %s, whatever its name says", format),
		}
	}
	return nil
}

// lockable are the formats of which IsLocked knows.
var lockable = []string{"docx", "xlsx", "pptx", "odt", "ods", "odp"}

// Types that say no more than that a file is of a family: the head of an archive need not name the document in it.
const (
	anyZip = "application/zip"
	anyOLE = "application/x-ole-storage"
)

// accepted are the types that a format may be detected as.
var accepted = map[string][]string{
	"docx": {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", anyZip},
	"xlsx": {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", anyZip},
	"pptx": {"application/vnd.openxmlformats-officedocument.presentationml.presentation", anyZip},
	"odt":  {"application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text-template", anyZip},
	"ods":  {"application/vnd.oasis.opendocument.spreadsheet", "application/vnd.oasis.opendocument.spreadsheet-template", anyZip},
	"odp":  {"application/vnd.oasis.opendocument.presentation", "application/vnd.oasis.opendocument.presentation-template", anyZip},
	"epub": {"application/epub+zip"},
	"doc":  {"application/msword", anyOLE},
	"xls":  {"application/vnd.ms-excel", anyOLE},
	"ppt":  {"application/vnd.ms-powerpoint", anyOLE},
	"rtf":  {"text/rtf"},
	"pdf":  {"application/pdf"},
	"mobi": {"application/x-mobipocket-ebook"}, "azw3": {"application/x-mobipocket-ebook"},

	"png":  {"image/png", "image/apng"},
	"jpg":  {"image/jpeg"},
	"gif":  {"image/gif"},
	"bmp":  {"image/bmp"},
	"webp": {"image/webp"},
	"tiff": {"image/tiff"},
	"jp2":  {"image/jp2"},
	"heic": {"image/heic", "image/heic-sequence", "image/heif", "image/heif-sequence"},
	"avif": {"image/avif", "image/heif"},

	"mp3":  {"audio/mpeg"},
	"wav":  {"audio/wav"},
	"flac": {"audio/flac", "audio/mpeg"}, // the latter by an ID3 tag before it
	"ogg":  {"application/ogg", "audio/ogg", "video/ogg"},
	"avi":  {"video/x-msvideo"},
	"webm": {"video/webm", "video/matroska"},
	"mkv":  {"video/webm", "video/matroska"},
	"mp4":  {isoMedia}, "m4a": {isoMedia}, "mov": {isoMedia, "video/quicktime"},
}

// isoMedia stands for every type of the ISO base media formats: which brand a program writes is its own choice.
const isoMedia = "video/mp4"

// flatKinds are what documents that are one file of XML call themselves.
var flatKinds = map[string]string{"odt": "text", "ods": "spreadsheet", "odp": "presentation"}

// IsFlat reports whether an OpenDocument file is one file of XML, and no archive of parts.
func IsFlat(path string) bool {
	file, err := os.Open(path) //nolint:gosec // paths of our own
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // read only
	head := make([]byte, headBytes)
	n, _ := io.ReadFull(file, head) // a short file is none
	return isFlat(head[:n])
}

func isFlat(head []byte) bool {
	return isText(head) && bytes.Contains(head, []byte("<office:document"))
}

// alsoPrefixes begin files of formats that are not detected, or not always.
var alsoPrefixes = map[string][]string{
	"tiff": {"II+\x00", "MM\x00+"},
	"jp2":  {"\xFF\x4F\xFF\x51"},
	"ppm":  {"P1", "P2", "P3", "P4", "P5", "P6"},
	"mov":  {"\x00\x00\x00\x08wide"},
}

// svgRoot is a drawing's first element, after comments and declarations. Detection by the library asks for a namespace on
// it, in one of two spellings.
var svgRoot = regexp.MustCompile(`^(?s)\x{FEFF}?\s*(<\?.*?\?>\s*|<!.*?>\s*)*<svg[\s>]`)

func looksLike(head []byte, format string) bool {
	if slices.ContainsFunc(alsoPrefixes[format], func(prefix string) bool { return bytes.HasPrefix(head, []byte(prefix)) }) {
		return true
	}
	switch format {
	case "md", "txt", "csv", "xml":
		return isText(head)
	case "svg":
		return svgRoot.Match(head)
	case "html":
		return isText(head) && (bytes.Contains(head, []byte("<")) || isUTF16(head))
	}

	if kind, isODF := flatKinds[format]; isODF && isFlat(head) {
		return bytes.Contains(head, []byte("opendocument."+kind))
	}
	detected := mimetype.Detect(head)
	if detected.Is(anyZip) { // one with files in it
		return slices.Contains(accepted[format], anyZip) && bytes.HasPrefix(head, []byte("PK\x03\x04")) ||
			format == "epub" && bytes.Contains(head[:min(len(head), 128)], []byte("application/epub+zip"))
	}
	for _, known := range accepted[format] {
		if detected.Is(known) || known == isoMedia && isMedia(detected) {
			return true
		}
	}
	return false
}

func isMedia(detected *mimetype.MIME) bool {
	if strings.HasPrefix(detected.String(), "image/") {
		return false
	}
	for ; detected != nil; detected = detected.Parent() {
		if detected.Is(isoMedia) {
			return true
		}
	}
	return false
}

func isUTF16(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\xFF\xFE")) || bytes.HasPrefix(head, []byte("\xFE\xFF"))
}

// isText is all that tells text in any encoding: a type that is detected from a few letters at its beginning would refuse
// letters that begin with "BM" or "MZ".
func isText(head []byte) bool { return isUTF16(head) || !bytes.Contains(head, []byte{0}) }
