package images

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A reference that names more items than its box holds ends with the box.
func TestHEIF_ReferencesEndWithTheirBox(t *testing.T) {
	box := []byte{0, 0, 0, 14, 'd', 'i', 'm', 'g', 0, 1, 0xff, 0xff, 0, 2} // from item 1 to 65,535 items, of which one is there
	h := &heif{}
	h.read("iref", &bytesReader{data: append(binary.BigEndian.AppendUint32(nil, 0), box...)})
	require.Len(t, h.refs, 1)
	assert.Equal(t, []uint32{2}, h.refs[0].to)
}
