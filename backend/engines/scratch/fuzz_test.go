package scratch

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// FuzzMagic: any bytes are taken for what they are, or refused by name.
func FuzzMagic(f *testing.F) {
	f.Add("docx", []byte("PK\x03\x04"))
	f.Add("doc", []byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"))
	f.Add("txt", []byte{0})
	f.Add("pdf", []byte(""))
	path := filepath.Join(f.TempDir(), "x")
	f.Fuzz(func(t *testing.T, format string, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		if err := CheckMagic(path, format); err != nil {
			known, ok := engines.AsError(err)
			require.True(t, ok, "%v", err)
			require.Equal(t, engines.CodeUnsupportedInput, known.Code)
			require.LessOrEqual(t, len(known.Message), 200+len(format))
		}
	})
}
