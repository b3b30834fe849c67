package text

import (
	"bytes"
	"fmt"
	"regexp"
	"unicode"
	"unicode/utf8"

	"github.com/wlynxg/chardet"
	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/japanese"
	utf16 "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// DecodeText makes a text UTF-8, line ends as "\n". What is in another encoding is decoded, with a warning where
// that is a guess; what is no text is refused.
func DecodeText(data []byte) (text string, warning string, err error) {
	return decode(data, guessed)
}

// DecodePage is DecodeText for HTML, which may name its encoding.
func DecodePage(data []byte) (page string, warning string, err error) {
	named, name := namedEncoding(data)
	switch {
	case named == nil:
		return DecodeText(data)
	case name == "iso-2022-jp": // is valid UTF-8, and would be read as that
		if data, err = named.NewDecoder().Bytes(data); err != nil {
			return "", "", errUnknownEncoding
		}
	}
	return decode(data, func(data []byte) ([]byte, string, error) {
		decoded, err := named.NewDecoder().Bytes(data)
		return decoded, lostBytes(decoded, name), err
	})
}

// xmlEncoding is the declaration at the head of XHTML.
var xmlEncoding = regexp.MustCompile(`^\s*<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["']`)

// namedEncoding is the encoding that a page names, nil where it names none or UTF-8.
func namedEncoding(data []byte) (encoding.Encoding, string) {
	head := data[:min(len(data), 1024)] // as far as browsers look
	named, name, _ := charset.DetermineEncoding(data, "text/html")
	isDefault := name == "windows-1252" && !bytes.Contains(bytes.ToLower(head), []byte("charset"))
	if isDefault || name == "utf-8" {
		named = nil
	}

	if declared := xmlEncoding.FindSubmatch(head); named == nil && declared != nil {
		named, name = charset.Lookup(string(declared[1]))
	}
	if name == "utf-8" {
		return nil, ""
	}
	return named, name
}

// decode reads what is not UTF-8, and has no mark of its encoding, in another way.
func decode(data []byte, otherwise func([]byte) ([]byte, string, error)) (text string, warning string, err error) {
	data, _, err = transform.Bytes(utf16.BOMOverride(encoding.Nop.NewDecoder()), unmarkedUTF16(data))
	if err != nil {
		return "", "", errUnknownEncoding
	}
	if isBinary(data) {
		return "", "", &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "NOT_TEXT", Message: "the file is not a text"}
	}
	if !utf8.Valid(data) || isISO2022JP(data) {
		if data, warning, err = otherwise(data); err != nil {
			return "", "", errUnknownEncoding
		}
	}

	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	return string(data), warning, nil
}

var errUnknownEncoding = &engines.Error{
	Code: engines.CodeUnsupportedInput, Reason: "UNKNOWN_ENCODING", Message: "the text is in an unknown encoding; save it as UTF-8",
}

// unmarkedUTF16 puts a byte order mark before a text in UTF-16 that has none, which shows by its zeros.
func unmarkedUTF16(data []byte) []byte {
	sample := data[:min(len(data), 4096)&^1]
	var zeros [2]int
	for i, b := range sample {
		if b == 0 {
			zeros[i%2]++
		}
	}
	most := len(sample) / 2 * 7 / 10
	switch {
	case len(sample) < 4 || len(data)%2 != 0:
	case zeros[0] == 0 && zeros[1] > most:
		return append([]byte("\xFF\xFE"), data...)
	case zeros[1] == 0 && zeros[0] > most:
		return append([]byte("\xFE\xFF"), data...)
	}
	return data
}

func isISO2022JP(data []byte) bool {
	return bytes.Contains(data, []byte("\x1B$B")) || bytes.Contains(data, []byte("\x1B$@"))
}

// guessBytes is how much of a text its encoding is guessed from.
const guessBytes = 64 << 10

// guessed decodes a text in the encoding that it looks like most.
func guessed(data []byte) (decoded []byte, warning string, err error) {
	if broken, parts := utf8Parts(data); parts > 2*broken {
		decoded = bytes.ToValidUTF8(data, []byte("\uFFFD"))
		return decoded, invalidBytes(broken, "UTF-8"), nil
	}
	if isISO2022JP(data) {
		decoded, err = japanese.ISO2022JP.NewDecoder().Bytes(data)
		return decoded, lostBytes(decoded, "ISO-2022-JP"), err
	}

	guess, name := guessEncoding(data[:min(len(data), guessBytes)])
	decoded, err = guess.NewDecoder().Bytes(data)
	note := fmt.Sprintf("best_effort: the text is not UTF-8 and was read as %s, which is a guess; save it as UTF-8 to be sure", name)
	if name == western {
		note = "best_effort: the text is not UTF-8 and was read as Windows-1252; accented letters may be wrong"
	}
	if lost := lostBytes(decoded, name); lost != "" {
		note += "; " + lost[len("best_effort: "):]
	}
	return decoded, note, err
}

// lostBytes warns of what is not valid in an encoding.
func lostBytes(decoded []byte, name string) string {
	if n := bytes.Count(decoded, []byte("\uFFFD")); n > 0 {
		return invalidBytes(n, name)
	}
	return ""
}

func invalidBytes(places int, name string) string {
	return fmt.Sprintf("best_effort: the text is not valid %s everywhere: � is in %s", name, counted(places, "place", "places"))
}

// utf8Parts counts what is broken in a text, and what only UTF-8 has.
func utf8Parts(data []byte) (broken, parts int) {
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			broken++
		case size > 1:
			parts++
		}
		data = data[size:]
	}
	return broken, parts
}

const (
	western = "Windows-1252"
	// sureEnough is the confidence below which the library's guess is no better than the most frequent encoding.
	sureEnough = 0.8
)

// manyBytes are the encodings in which a letter has several bytes: whether a text is in them can be checked.
var manyBytes = map[string]bool{"SHIFT_JIS": true, "CP932": true, "EUC-JP": true, "GB2312": true, "GB18030": true, "Big5": true, "EUC-KR": true, "CP949": true}

// guessEncoding asks the library, and checks what can be checked.
func guessEncoding(data []byte) (encoding.Encoding, string) {
	if isEastAsian(japanese.ShiftJIS, data) && hasLeads(data) {
		return japanese.ShiftJIS, "Shift_JIS"
	}

	guess := chardet.Detect(data)
	label := guess.Encoding
	switch {
	case label == "GB2312":
		label = "GB18030" // its superset
	case label == "ISO-8859-7" && (bytes.IndexByte(data, 0xA2) >= 0 || bytes.IndexByte(data, 0xB6) < 0):
		label = "Windows-1253" // in which Ά is another byte
	}
	found, err := htmlindex.Get(label)
	switch {
	case err != nil || label == "ISO-8859-1":
	case manyBytes[label]:
		if isEastAsian(found, data) {
			return found, label
		}
	case guess.Confidence >= sureEnough:
		return found, label
	}
	return charmap.Windows1252, western
}

// hasLeads reports whether most letters of several bytes begin as frequent ones of Shift_JIS do; accented letters of
// Western encodings lie above that.
func hasLeads(data []byte) bool {
	leads, others := 0, 0
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case b >= 0x81 && b <= 0x9F:
			leads++
			i++
		case b >= 0xE0 && b <= 0xFC:
			others++
			i++
		}
	}
	return leads > others
}

// isEastAsian reports whether data is valid in an encoding, and makes words of it: a letter of Han among Latin ones is
// an accent or a quotation mark, misread.
func isEastAsian(e encoding.Encoding, data []byte) bool {
	decoded, err := e.NewDecoder().Bytes(data)
	if err != nil {
		return false
	}
	together, alone, broken := 0, 0, 0
	length := 0
	end := func() {
		if length > 1 {
			together += length
		} else {
			alone += length
		}
		length = 0
	}
	for _, r := range string(decoded) {
		switch {
		case r == utf8.RuneError:
			broken++
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
			length++
			continue
		case r > 0x3000 && r < 0x3100 || r > 0xFF00: // punctuation of theirs
			continue
		case r >= 0x80:
			alone++
		}
		end()
	}
	end()
	return together > 3*alone && broken*50 <= together
}
