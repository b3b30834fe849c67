package libreoffice

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

var (
	magicZip = []byte("PK\x03\x04")
	magicOLE = []byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")
)

// checkMagic refuses a file that is not what its format says: LibreOffice would take any bytes for a text and
// make a document of them.
func checkMagic(path, format string) error {
	file, err := os.Open(path) //nolint:gosec // paths of our own
	if err != nil {
		return fmt.Errorf("open %s: %w", format, err)
	}
	defer file.Close() //nolint:errcheck // read only
	head := make([]byte, 1024)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_DOCUMENT", Message: "the file is empty"}
	}
	head = head[:n]
	if !looksLike(head, format) {
		return &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "FORMAT_MISMATCH",
			Message: fmt.Sprintf("the file is not a %s, whatever its name says", format),
		}
	}
	return nil
}

func looksLike(head []byte, format string) bool {
	switch format {
	case "docx", "xlsx", "pptx", "odt", "ods", "odp":
		return bytes.HasPrefix(head, magicZip)
	case "doc", "xls", "ppt":
		return bytes.HasPrefix(head, magicOLE)
	case "rtf":
		return bytes.HasPrefix(head, []byte("{\\rtf"))
	case "pdf":
		return bytes.Contains(head, []byte("%PDF-"))
	case "html":
		return strings.Contains(strings.ToLower(string(head)), "<")
	default:
		return !bytes.Contains(head, []byte{0})
	}
}
