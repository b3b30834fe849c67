package inbox

import (
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/httpserver"
)

// Half-sent logins keep nobody out who has a login, nor take the connection of one who is in.
func TestHalfSentForms_KeepNobodyOut(t *testing.T) {
	b := newBench(t, withToken)
	server := httpserver.NewServer(b.h, httpserver.Bounds{Connections: 3, Pace: time.Hour, Strangers: time.Hour})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	crowd := func() {
		for range 9 {
			conn, err := net.Dial("tcp", listener.Addr().String())
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			_, err = io.WriteString(conn, "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9000\r\n\r\nname=")
			require.NoError(t, err)
		}
	}

	owner := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	t.Cleanup(owner.CloseIdleConnections)
	for i := range 3 {
		crowd()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/api/questions", nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer the-token")
		reused := false
		request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }}))
		reply, err := owner.Do(request)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, reply.Body)
		require.NoError(t, err)
		require.NoError(t, reply.Body.Close())
		require.Equal(t, http.StatusOK, reply.StatusCode)
		require.Equal(t, i > 0, reused, "its connection is kept")
	}
}

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
		t.Run(path, func(t *testing.T) {
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
		})
	}
}
