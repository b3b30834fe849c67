package goals_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// FuzzCountPages: the library that binds PDFs gives a number or a fault, whatever it is given.
func FuzzCountPages(f *testing.F) {
	f.Add(testkit.Examples(f, "brochure.pdf"))
	f.Add([]byte("%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Count 9/Kids[2 0 R]>>\nendobj\ntrailer<</Root 1 0 R/Size 3>>"))
	f.Add([]byte("%PDF-1.7\n1 0 obj\n" + strings.Repeat("[", 5000)))
	path := filepath.Join(f.TempDir(), "x.pdf")
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		n, err := goals.CountPages(path)
		require.True(t, err != nil || n > 0, "%d pages", n)
	})
}

// FuzzValidate: a value is an answer to a question or is refused in a few words.
func FuzzValidate(f *testing.F) {
	for _, kind := range []string{"choice", "multi_choice", "number", "boolean", "date", "file", "text", "x"} {
		for _, value := range []string{`"a"`, `["a","a"]`, `1e999`, `null`, ``, `{"a":[]}`, `"2026-02-30"`} {
			f.Add(kind, []byte(value))
		}
	}
	f.Fuzz(func(t *testing.T, kind string, value []byte) {
		slot := goals.Choice("s", "?", client.SlotOption{Value: "a"}, client.SlotOption{Value: "b"})
		slot.SlotType = client.SlotType(kind)
		err := slot.Within(0, 10).Validate(value)
		if err == nil {
			require.True(t, json.Valid(value), "%q", value)
			return
		}
		require.LessOrEqual(t, len(err.Error()), 500)
	})
}

// FuzzFileNames: a text of any kind becomes a name that every file system takes.
func FuzzFileNames(f *testing.F) {
	for _, seed := range []string{"../x", "a/b\\c:d", "...", strings.Repeat("ä", 300), "\x00\x1b", "\xff", " . ", "\u202efdp"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name := goals.FileName(text)
		require.NotEmpty(t, name)
		require.True(t, filepath.IsLocal(name), "%q", name)
		require.Equal(t, filepath.Base(name), name)
		require.True(t, utf8.ValidString(name))
		require.LessOrEqual(t, utf8.RuneCountInString(name), 80)
		require.NotContains(t, name, "\x00")
	})
}
