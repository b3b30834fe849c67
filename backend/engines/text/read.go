package text

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// maxTextBytes bounds what is read of a text; setting more than this into one document serves nobody.
const maxTextBytes = 64 << 20

// ReadText reads a text file as UTF-8, line ends as "\n". A text in another encoding is decoded, with a
// warning where that is a guess; a file that is no text is refused.
func ReadText(path string) (text string, warning string, err error) {
	file, err := os.Open(path) //nolint:gosec // the service's own input
	if err != nil {
		return "", "", fmt.Errorf("open the input: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(file, maxTextBytes+1))
	if err != nil {
		return "", "", fmt.Errorf("read the input: %w", err)
	}
	if len(data) > maxTextBytes {
		return "", "", &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "INPUT_TOO_LARGE", Message: fmt.Sprintf("the text is larger than %d bytes", maxTextBytes)}
	}
	return DecodeText(data)
}

// DecodeText is ReadText for bytes at hand.
func DecodeText(data []byte) (text string, warning string, err error) {
	switch {
	case bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}):
		data = data[3:]
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		data = decodeUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		data = decodeUTF16(data[2:], binary.BigEndian)
	}
	if isBinary(data) {
		return "", "", &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "NOT_TEXT", Message: "the file is not a text"}
	}
	if !utf8.Valid(data) {
		decoded, err := charmap.Windows1252.NewDecoder().Bytes(data)
		if err != nil {
			return "", "", &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "UNKNOWN_ENCODING", Message: "the text is in an unknown encoding; save it as UTF-8"}
		}
		data, warning = decoded, "best_effort: the text is not UTF-8 and was read as Windows-1252; accented letters may be wrong"
	}
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	return string(data), warning, nil
}

func decodeUTF16(data []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
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
