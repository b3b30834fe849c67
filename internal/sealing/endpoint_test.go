package sealing

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

const page = "http://127.0.0.1:8233"

// Temporal's own remote codec speaks the protocol of its page.
func TestTheEndpointSealsAndOpens(t *testing.T) {
	keys := keysOf(t, freshLine("a"))
	server := httptest.NewServer(keys.Endpoint(page))
	t.Cleanup(server.Close)
	remote := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{
		Endpoint: server.URL, ModifyRequest: func(r *http.Request) error { r.Header.Set("Origin", page); return nil },
	})
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

func TestTheEndpointServesItsPageAlone(t *testing.T) {
	handler := keysOf(t, freshLine("a")).Endpoint(page, "http://localhost:8233")
	ask := func(method, host, peer, origin string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://"+host+"/decode", strings.NewReader(`{"payloads":[]}`))
		r.RemoteAddr = peer
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	const here = "127.0.0.1:5000"
	for _, origin := range []string{page, "http://localhost:8233"} {
		w := ask(http.MethodOptions, "127.0.0.1:9", here, origin)
		assert.Equal(t, http.StatusNoContent, w.Code)
		assert.Equal(t, origin, w.Header().Get("Access-Control-Allow-Origin"))
		assert.Contains(t, w.Header().Get("Access-Control-Allow-Headers"), "X-Namespace")
		assert.Equal(t, "Origin", w.Header().Get("Vary"))
		assert.Equal(t, http.StatusOK, ask(http.MethodPost, "127.0.0.1:9", here, origin).Code)
	}
	w := ask(http.MethodPost, "localhost:9", here, "")
	assert.Equal(t, http.StatusOK, w.Code, "Temporal's command line is no browser")
	assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
	assert.Equal(t, http.StatusNotFound, ask(http.MethodGet, "127.0.0.1:9", here, page).Code)
	for name, w := range map[string]*httptest.ResponseRecorder{
		"another page":       ask(http.MethodPost, "127.0.0.1:9", here, "https://evil.example"),
		"a sandboxed page":   ask(http.MethodPost, "127.0.0.1:9", here, "null"),
		"its preflight":      ask(http.MethodOptions, "127.0.0.1:9", here, "https://evil.example"),
		"a name made local":  ask(http.MethodPost, "evil.example:9", here, ""),
		"without a port":     ask(http.MethodPost, "evil.example", here, ""),
		"another machine":    ask(http.MethodPost, "127.0.0.1:9", "192.0.2.7:5000", page),
		"port of the other":  ask(http.MethodPost, "127.0.0.1:9", here, "http://127.0.0.1:8240"),
		"no address of ours": ask(http.MethodPost, "127.0.0.1:9", "nobody", page),
	} {
		assert.Equal(t, http.StatusForbidden, w.Code, name)
		assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"), name)
	}
}
