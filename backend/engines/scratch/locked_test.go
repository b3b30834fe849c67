package scratch_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
)

// The container of an encrypted document is the same, whatever is in it.
func TestDocumentsBehindPasswordsAreRefusedAsSuch(t *testing.T) {
	f := excelize.NewFile()
	defer f.Close()
	var locked bytes.Buffer
	require.NoError(t, f.Write(&locked, excelize.Options{Password: "secret"}))
	const name = "E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00"
	across := append([]byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), make([]byte, 1<<20-20)...)
	for file, data := range map[string][]byte{"docx": locked.Bytes(), "xlsx": locked.Bytes(), "pptx": append(across, name...)} {
		t.Run(file, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "in")
			require.NoError(t, os.WriteFile(path, data, 0o600))
			e, ok := engines.AsError(scratch.CheckMagic(path, file))
			require.True(t, ok)
			assert.Equal(t, "ENCRYPTED", e.Reason)
			assert.Contains(t, e.Message, "protected by a password")
		})
	}
	t.Run("an old document", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in")
		require.NoError(t, os.WriteFile(path, across, 0o600))
		assert.False(t, scratch.IsLocked(path))
	})
}
