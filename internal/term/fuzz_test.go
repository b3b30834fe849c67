package term

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzPrintable: no text steers the terminal, or shows in another order than it is written in.
func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"a\x1b[2Jb", "invoice\u202efdp.exe", "\xff\x9b31m", "a\u2028b", "\u200fx\u2066y\u2069", "line\nline\ttab"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range Printable(text) {
			require.False(t, unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r), "%q", Printable(text))
		}
		require.NotContains(t, OneLine(text), "\n")
		require.Equal(t, Printable(text), Printable(Printable(text)))
	})
}

// FuzzPad: whatever a name holds, its cell takes exactly its columns, and has an end.
func FuzzPad(f *testing.F) {
	for _, seed := range []string{"report.docx", "日本語.docx", "👩‍👩‍👧 🇨🇭", "e\u0301\u0301", "\xff", ""} {
		f.Add(seed, 7)
	}
	f.Fuzz(func(t *testing.T, text string, width int) {
		if width < 1 || width > 200 {
			return
		}
		cell := Pad(OneLine(text), width)
		require.Equal(t, width, Width(cell), "%q", cell)
		require.LessOrEqual(t, utf8.RuneCountInString(cell), runesOfColumn*width+1+width)
	})
}
