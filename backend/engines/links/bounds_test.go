package links

import (
	"archive/zip"
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// What unpacks to more than it may is refused when it gets there, however little it is while packed.
func TestArchive_EndsBombsEarly(t *testing.T) {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	part, err := w.Create("content.xml")
	require.NoError(t, err)
	_, err = io.WriteString(part, "<a>"+strings.Repeat("<b/>", 1<<18)+"</a>")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Less(t, packed.Len(), 1<<16)

	c := cutter{ctx: t.Context(), left: 2 << 20}
	require.NoError(t, c.archive(bytes.NewReader(packed.Bytes()), int64(packed.Len()), 0, io.Discard))
	c.left = 1 << 19
	e, ok := engines.AsError(c.archive(bytes.NewReader(packed.Bytes()), int64(packed.Len()), 0, io.Discard))
	require.True(t, ok)
	require.Equal(t, engines.CodeUnsupportedInput, e.Code)
	require.Contains(t, e.Message, "unpacks to more than")
}

// A piece without an end does not fill the memory.
func TestRecorder_BoundsATag(t *testing.T) {
	r := recorder{from: bufio.NewReader(strings.NewReader("x")), kept: make([]byte, maxToken)}
	_, err := r.ReadByte()
	require.ErrorIs(t, err, errLongToken)
}
