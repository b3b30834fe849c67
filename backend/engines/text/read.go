package text

import (
	"fmt"
	"io"
	"os"

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
