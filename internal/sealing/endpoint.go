package sealing

import (
	"net"
	"net/http"
	"net/netip"
	"slices"

	"go.temporal.io/sdk/converter"
)

// maxRequest is more than Temporal's page ever shows at once, bytes.
const maxRequest = 32 << 20

// Endpoint seals and opens for Temporal's page, by Temporal's protocol for remote codecs: POST /encode, POST /decode. It
// serves this machine alone, under an address of it, and of pages those of the given origins alone.
func (k *Keys) Endpoint(origins ...string) http.Handler {
	codec := converter.NewPayloadCodecHTTPHandler(k)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Vary", "Origin")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		origin := r.Header.Get("Origin") // tools that are no browsers send none
		if !isLocal(r) || origin != "" && !slices.Contains(origins, origin) {
			http.Error(w, "this endpoint serves Temporal's page on this machine alone", http.StatusForbidden)
			return
		}
		if origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
		}
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "POST")
			h.Set("Access-Control-Allow-Headers", "Content-Type, X-Namespace")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		codec.ServeHTTP(w, r)
	})
}

// isLocal wants both ends to be this machine: a foreign page that points its own name at 127.0.0.1 fails by the name.
func isLocal(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}
