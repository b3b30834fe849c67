package sealing

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
)

// FuzzKeyFile: a file of keys is read whole, or its fault is told without what stands in it.
func FuzzKeyFile(f *testing.F) {
	good := "k1 " + base64.StdEncoding.EncodeToString(make([]byte, keySize))
	for _, seed := range []string{good, good + "\n# x\n\nk2 " + strings.Fields(good)[1], "k1 short", "\xff\x00 AAAA", strings.Repeat("x", 70_000), "k1\tAAAA\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parse(data)
		if err != nil {
			for _, word := range strings.Fields(string(data)) {
				require.False(t, len(word) > 64 && strings.Contains(err.Error(), word), "the fault shows what stands in the file")
			}
			return
		}
		sealed, err := keys.Encode([]*common.Payload{{Data: []byte("text")}})
		require.NoError(t, err)
		opened, err := keys.Decode(sealed)
		require.NoError(t, err)
		require.Equal(t, []byte("text"), opened[0].GetData())
	})
}

// FuzzOpen: what was not sealed by our keys does not open, and the names in it do not steer a terminal.
func FuzzOpen(f *testing.F) {
	keys := keysOf(f, "k1 "+base64.StdEncoding.EncodeToString(make([]byte, keySize)))
	f.Add("k1", []byte("short"))
	f.Add("k\x1b[2J", []byte(nil))
	f.Add("", make([]byte, 100))
	f.Fuzz(func(t *testing.T, id string, data []byte) {
		payload := &common.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte(Encoding), MetadataKeyID: []byte(id)}, Data: data}
		_, err := keys.Open(payload)
		require.Error(t, err)
		require.LessOrEqual(t, len(err.Error()), 1000)
		for _, r := range err.Error() {
			require.False(t, unicode.IsControl(r), "%q", err)
		}
	})
}
