package sealing

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// Temporal's own remote codec speaks the protocol of its page.
func TestTheEndpointSealsAndOpens(t *testing.T) {
	keys := keysOf(t, freshLine("a"))
	server := httptest.NewServer(keys.Endpoint())
	t.Cleanup(server.Close)
	remote := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{Endpoint: server.URL})
	plain := []*common.Payload{{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(`"note"`)}, {Data: []byte{}}}
	sealed, err := remote.Encode(plain)
	require.NoError(t, err)
	require.Len(t, sealed, 2)
	assert.True(t, IsSealed(sealed[0]) && IsSealed(sealed[1]))
	opened, err := remote.Decode(append(sealed, plain[0]))
	require.NoError(t, err)
	assert.True(t, proto.Equal(plain[0], opened[0]))
	assert.True(t, proto.Equal(plain[0], opened[2]))
	sealed[0].Metadata[MetadataKeyID] = []byte("b")
	_, err = remote.Decode(sealed)
	require.ErrorContains(t, err, "it is sealed with key b")
}
