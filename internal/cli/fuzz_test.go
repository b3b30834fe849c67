package cli

import (
	"encoding/json"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// FuzzAnswer: whatever is typed becomes JSON or a fault; a choice is always one of those offered.
func FuzzAnswer(f *testing.F) {
	for _, kind := range []string{"choice", "multi_choice", "number", "boolean", "date", "file", "text", "other"} {
		f.Add(kind, "2")
		f.Add(kind, "Red, Green, dark")
		f.Add(kind, "@/no/such/file")
	}
	f.Add("number", "1e400")
	f.Add("number", "0x1p-2")
	f.Fuzz(func(t *testing.T, kind, text string) {
		q := question("q", kind)
		q.Options = colours
		value, err := parseValue(q, text)
		if err != nil {
			return
		}
		require.True(t, json.Valid(value), "%q", value)
		if kind == "choice" {
			var one string
			require.NoError(t, json.Unmarshal(value, &one))
			offered := false
			for _, option := range colours {
				offered = offered || option.Value == one
			}
			require.True(t, offered, "%q chose %q", text, one)
		}
	})
}

// FuzzPrintable: no text steers the terminal, or shows in another order than it runs.
func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"a\x1b[2Jb", "invoice\u202efdp.exe", "\xff\x9b31m", "a\u2028b", "\u200fx\u2066y\u2069", "line\nline\ttab"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range printable(text) {
			require.False(t, unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r), "%q", printable(text))
		}
		require.NotContains(t, oneLine(text), "\n")
		require.Equal(t, printable(text), printable(printable(text)))
	})
}
