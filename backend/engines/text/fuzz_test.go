package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// FuzzText: bytes are a text as UTF-8 with line ends of one kind, or are refused.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"\xef\xbb\xbfa", "\xff\xfea\x00", "\xfe\xff\x00a\xd8", "a\r\nb\rc", "\x80\x9f", "\x1b[2J\x07\x07\x07\x07", strings.Repeat("\x00", 9)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out, _, err := text.DecodeText(data)
		if err != nil {
			_, known := engines.AsError(err)
			require.True(t, known, "%v", err)
			return
		}
		require.True(t, utf8.ValidString(out))
		require.NotContains(t, out, "\r")
		require.LessOrEqual(t, len(out), 3*len(data)+3)
	})
}

// FuzzDrawable: what is said to be drawable is, and nothing is drawn that would be a box.
func FuzzDrawable(f *testing.F) {
	for _, seed := range []string{"a\u00adb", "日本", "\u202ex", "e\u0301", "\xff", "\U0010ffff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		drawn, _ := text.Drawable(in)
		again, missing := text.Drawable(drawn)
		require.Empty(t, missing, "%q", drawn)
		require.Equal(t, drawn, again)
	})
}

// FuzzWordPackage: the archive itself, with parts that lead elsewhere.
func FuzzWordPackage(f *testing.F) {
	f.Add(testkit.Examples(f, "letter.docx"))
	f.Add([]byte(wordFile(`<w:p><w:r><w:t>x</w:t></w:r></w:p>`)))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := testkit.Convert(t, text.New(), "docx", "html", data)
		if _, known := engines.AsError(err); err != nil && !known {
			t.Fatal(err)
		}
	})
}
