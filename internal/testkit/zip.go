package testkit

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// Zip packs parts, names and contents in turn.
func Zip(tb testing.TB, parts ...string) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(parts); i += 2 {
		part, err := w.Create(parts[i])
		require.NoError(tb, err)
		_, err = io.WriteString(part, parts[i+1])
		require.NoError(tb, err)
	}
	require.NoError(tb, w.Close())
	return out.Bytes()
}
