package text

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// maxTextBytes bounds what is read of a text; setting more than this into one document serves nobody.
const maxTextBytes = 64 << 20

// ReadText reads a text file as UTF-8, line ends as "\n". A text in another encoding is decoded, with a
// warning where that is a guess; a file that is not text is refused.
func ReadText(path string) (text string, warning string, err error) {
	data, err := readBounded(path)
	if err != nil {
		return "", "", err
	}
	return DecodeText(data)
}

// ReadPage is ReadText for HTML, which may name its encoding.
func ReadPage(path string) (page string, warning string, err error) {
	data, err := readBounded(path)
	if err != nil {
		return "", "", err
	}
	return DecodePage(data)
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the service's own input
	if err != nil {
		return nil, fmt.Errorf("open the input: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(file, maxTextBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	if len(data) > maxTextBytes {
		return nil, &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "INPUT_TOO_LARGE", Message: fmt.Sprintf("the text is larger than %d bytes", maxTextBytes)}
	}
	return data, nil
}

// DecodeText is ReadText for bytes at hand.
func DecodeText(data []byte) (text string, warning string, err error) {
	return decode(data, charmap.Windows1252, "best_effort: the text is not UTF-8 and was read as Windows-1252; accented letters may be wrong")
}

// DecodePage is DecodeText for HTML, which may name its encoding.
func DecodePage(data []byte) (page string, warning string, err error) {
	named, name, _ := charset.DetermineEncoding(data, "text/html")
	switch name {
	case "utf-8", "windows-1252": // what it says where a page names none, too
		return DecodeText(data)
	case "iso-2022-jp": // is valid UTF-8, and would be read as that
		if data, err = named.NewDecoder().Bytes(data); err != nil {
			return "", "", errUnknownEncoding
		}
	}
	return decode(data, named, "")
}

// decode reads what is not UTF-8, and has no mark of its encoding, by another encoding.
func decode(data []byte, otherwise encoding.Encoding, warningThen string) (text string, warning string, err error) {
	data, _, err = transform.Bytes(unicode.BOMOverride(encoding.Nop.NewDecoder()), data)
	if err != nil {
		return "", "", errUnknownEncoding
	}
	if isBinary(data) {
		return "", "", &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "NOT_TEXT", Message: "the file is not a text"}
	}
	if !utf8.Valid(data) {
		if data, err = otherwise.NewDecoder().Bytes(data); err != nil {
			return "", "", errUnknownEncoding
		}
		warning = warningThen
	}

	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	return string(data), warning, nil
}

var errUnknownEncoding = &engines.Error{
	Code: engines.CodeUnsupportedInput, Reason: "UNKNOWN_ENCODING", Message: "the text is in an unknown encoding; save it as UTF-8",
}

// isBinary looks for what no text has: NUL, or more than a few control characters.
func isBinary(data []byte) bool {
	sample := data[:min(len(data), 64<<10)]
	controls := 0
	for _, b := range sample {
		if b == 0 {
			return true
		}
		if b < ' ' && b != '\n' && b != '\r' && b != '\t' && b != '\f' && b != 0x1B && b != '\b' {
			controls++
		}
	}
	return controls > len(sample)/100+2
}
