package sealing

import (
	"net/http"

	"go.temporal.io/sdk/converter"
)

// maxRequest is more than Temporal's page ever shows at once, bytes.
const maxRequest = 32 << 20

// Endpoint seals and opens for Temporal's page, by Temporal's protocol for remote codecs: POST .../encode, POST .../decode. It
// opens for everybody who reaches it: whoever serves it sees to who that is.
func (k *Keys) Endpoint() http.Handler {
	codec := converter.NewPayloadCodecHTTPHandler(k)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		codec.ServeHTTP(w, r)
	})
}
