package gotenberg_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines/gotenberg"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// FuzzReply: whatever a Gotenberg server answers, the output is the PDF that it sent, whole, or there is none and an
// error that repeats nothing of it.
func FuzzReply(f *testing.F) {
	var status int
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	f.Cleanup(server.Close)
	engine := gotenberg.New(server.URL)
	f.Cleanup(func() { _ = engine.Close() })
	for _, code := range []int{200, 204, 206, 302, 400, 401, 503, 599} {
		f.Add(code, "%PDF-1.7\nthe canary of a page")
		f.Add(code, "<html>the canary of a proxy")
	}
	f.Add(200, "")
	f.Add(200, "%PDF"+strings.Repeat("\x00", 5000))
	f.Fuzz(func(t *testing.T, code int, said string) {
		if code < 200 || code > 599 {
			return // net/http sends no such status
		}
		status, body = code, said
		out, err := testkit.Convert(t, engine, "txt", "pdf", []byte("text"))
		if err != nil {
			require.Empty(t, out.Data)
			require.False(t, len(said) > 8 && strings.Contains(err.Error(), said), "%v", err)
			return
		}
		require.Equal(t, http.StatusOK, code)
		require.Equal(t, said, string(out.Data[0]))
		require.Contains(t, said[:min(len(said), 1024)], "%PDF")
		version, err := engine.Version(t.Context())
		require.NoError(t, err)
		require.Equal(t, "Gotenberg "+strings.TrimSpace(said), version)
	})
}
