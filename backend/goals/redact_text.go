package goals

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

const maxTextBytes = 64 << 20

// plainFile is a text file that is written again byte for byte but for what is redacted.
type plainFile struct {
	text   string
	encode func(text string) []byte
}

func openText(path string) (*plainFile, error) {
	data, err := readBounded(path, maxTextBytes)
	if err != nil {
		return nil, err
	}
	f := decodePlain(data)
	if f == nil || !bytes.Equal(f.encode(f.text), data) {
		return nil, &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "NOT_TEXT", Message: "the file is not a text"}
	}
	return f, nil
}

// decodePlain reads UTF-8, UTF-16 with its mark, or a letter a byte; nil for what is no text.
func decodePlain(data []byte) *plainFile {
	switch {
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		return decodeWide(data, binary.LittleEndian)
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		return decodeWide(data, binary.BigEndian)
	case bytes.IndexByte(data, 0) >= 0:
		return nil
	case utf8.Valid(data):
		return &plainFile{text: string(data), encode: func(text string) []byte { return []byte(text) }}
	}
	letters := make([]rune, len(data))
	for i, b := range data {
		letters[i] = rune(b)
	}
	return &plainFile{text: string(letters), encode: func(text string) []byte {
		var out []byte
		for _, r := range text {
			if r > 0xFF {
				r = '#'
			}
			out = append(out, byte(r))
		}
		return out
	}}
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func decodeWide(data []byte, order byteOrder) *plainFile {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return &plainFile{text: string(utf16.Decode(units)), encode: func(text string) []byte {
		var out []byte
		for _, unit := range utf16.Encode([]rune(text)) {
			out = order.AppendUint16(out, unit)
		}
		return out
	}}
}

func (f *plainFile) texts() []string { return []string{f.text} }

func (f *plainFile) unseen() []string { return nil }

func (f *plainFile) write(path string, r redaction) (counts, error) {
	text, done, err := r.text(f.text)
	if err != nil {
		return nil, err
	}
	return done, os.WriteFile(path, f.encode(text), 0o600)
}

func readBounded(path string, most int64) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // a stored upload
	if err != nil {
		return nil, fmt.Errorf("open an input: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, fmt.Errorf("read an input: %w", err)
	}
	if int64(len(data)) > most {
		return nil, &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "INPUT_TOO_LARGE", Message: fmt.Sprintf("the file has more than %d MB", most>>20)}
	}
	return data, nil
}
