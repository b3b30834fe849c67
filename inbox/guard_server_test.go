package inbox

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/httpserver"
)

// Behind its server, a half-sent form is answered and hung up on, before any login.
func TestHalfSentForms_AreHungUpOn(t *testing.T) {
	b := newBench(t, withToken)
	server := httpserver.NewServer(b.h, httpserver.Bounds{Connections: 10, Pace: 50 * time.Millisecond})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})

	for _, path := range []string{"/login", "/answer/x.y"} {
		conn, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9000\r\n\r\nname=")
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
		said, err := io.ReadAll(conn)
		require.NoError(t, err, "it never hung up")
		if path == "/login" {
			require.Contains(t, string(said), " 408 ")
		}
	}
}
