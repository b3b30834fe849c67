package sealing

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// FuzzEndpoint: whatever is posted, the codec endpoint fails by no fault of its own, and what it seals it opens again.
func FuzzEndpoint(f *testing.F) {
	handler := keysOf(f, freshLine("a")).Endpoint()
	ask := func(path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:9/", strings.NewReader(body))
		r.URL.Path, r.RemoteAddr = path, "127.0.0.1:5000"
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	for _, body := range []string{
		`{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"Im4i"}]}`, `{"payloads":[{}]}`, `{"payloads":[null]}`, `{}`, `null`, ``, `[`,
		`{"payloads":[{"metadata":{"encoding":"YmluYXJ5L2VuY3J5cHRlZA==","encryption-key-id":"YQ=="},"data":"AAAA"}]}`, `{"payloads":[{"data":"!"}]}`,
		strings.Repeat(`{"payloads":[`, 200), `{"payloads":[{"metadata":{"":""}}]}`,
	} {
		for _, path := range []string{"/encode", "/decode", "/x/decode", "/"} {
			f.Add(path, body)
		}
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		w := ask(path, body)
		require.Less(t, w.Code, 500, "%s", w.Body)
		if w.Code != http.StatusOK || !strings.HasSuffix(path, "/encode") {
			return
		}
		var sent, back common.Payloads
		require.NoError(t, protojson.Unmarshal([]byte(body), &sent))
		if slices.ContainsFunc(sent.GetPayloads(), IsSealed) {
			return // by whomever, it stays as it is
		}
		opened := ask("/decode", w.Body.String())
		require.Equal(t, http.StatusOK, opened.Code, "%s", opened.Body)
		require.NoError(t, protojson.Unmarshal(opened.Body.Bytes(), &back))
		require.True(t, proto.Equal(&sent, &back), "%s became %s", body, opened.Body)
	})
}
