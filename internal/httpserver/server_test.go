package httpserver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/httpserver"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// serve runs a server on loopback until the test ends, and says where.
func serve(t *testing.T, server *http.Server) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	return listener.Addr().String()
}

func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// heard is what the other side says until it hangs up.
func heard(t *testing.T, conn net.Conn) string {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	data, err := io.ReadAll(conn)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it never hung up")
	return string(data)
}

func TestTheServerBoundsHeaders(t *testing.T) {
	server := httpserver.New(http.NotFoundHandler(), 100)
	assert.Positive(t, server.ReadHeaderTimeout)
	assert.Positive(t, server.IdleTimeout)
	server.ReadHeaderTimeout = 50 * time.Millisecond
	address := serve(t, server)

	huge := connect(t, address)
	_, err := fmt.Fprintf(huge, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", strings.Repeat("a", 200<<10))
	require.NoError(t, err)
	assert.Contains(t, heard(t, huge), " 431 ")

	slow := connect(t, address)
	_, err = io.WriteString(slow, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	require.NoError(t, err)
	heard(t, slow) // it is hung up on, or this never ends
}

func TestTheServerBoundsConnections(t *testing.T) {
	address := serve(t, httpserver.NewServer(http.NotFoundHandler(), httpserver.Bounds{Connections: 2, Pace: time.Minute}))
	ask := func(conn net.Conn) error {
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if err != nil {
			return err
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
	first, second := connect(t, address), connect(t, address)
	require.NoError(t, ask(first))
	require.NoError(t, ask(second))
	assert.Error(t, ask(connect(t, address)), "a third connection is let in")
	require.NoError(t, ask(first), "the others are let alone")
	require.NoError(t, second.Close())
	assert.Eventually(t, func() bool { return ask(connect(t, address)) == nil }, testkit.Patience, 10*time.Millisecond, "a place that is free again is given")
}

// Strangers who send half requests give way, the oldest first; who has shown a login stays.
func TestStrangersGiveWay(t *testing.T) {
	server := httpserver.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Known") != "" {
			httpserver.Trust(r.Context())
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "served")
	}), httpserver.Bounds{Connections: 4, Pace: time.Minute, Strangers: time.Minute})
	address := serve(t, server)
	ask := func(conn net.Conn) error {
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Known: yes\r\n\r\n"); err != nil {
			return err
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	const half = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\nname="
	early := connect(t, address)
	require.NoError(t, ask(early))

	strangers := make([]net.Conn, 20)
	for i := range strangers {
		strangers[i] = connect(t, address)
		_, err := io.WriteString(strangers[i], half)
		require.NoError(t, err)
	}
	require.NoError(t, ask(connect(t, address)), "they keep somebody out")
	require.NoError(t, ask(early), "who was in is put out")
	heard(t, strangers[0]) // it is hung up on, or this never ends

	for range 2 {
		require.NoError(t, ask(connect(t, address)))
	}
	require.Error(t, ask(connect(t, address)), "those who are known are bounded, too")
	require.NoError(t, ask(early))
}

func TestStrangersHaveLessTime(t *testing.T) {
	known := make(chan error, 1)
	address := serve(t, httpserver.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Known") != "" {
			httpserver.Trust(r.Context())
		}
		_, err := io.ReadAll(r.Body)
		if r.Header.Get("X-Known") != "" {
			known <- err
		}
	}), httpserver.Bounds{Connections: 100, Pace: time.Hour, Strangers: 50 * time.Millisecond}))
	owner := connect(t, address)
	_, err := io.WriteString(owner, "POST / HTTP/1.1\r\nHost: x\r\nX-Known: yes\r\nContent-Length: 4\r\n\r\nb")
	require.NoError(t, err)

	for _, request := range []string{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nb", "GET / HTTP/1.1\r\nHost: "} {
		stranger := connect(t, address)
		_, err := io.WriteString(stranger, request)
		require.NoError(t, err)
		heard(t, stranger) // it is hung up on, or this never ends
	}
	_, err = io.WriteString(owner, "ody")
	require.NoError(t, err)
	require.NoError(t, <-known)
}

func TestBodiesMustGetOn(t *testing.T) {
	s := testkit.StartService(t)
	s.Around(func(next http.Handler) http.Handler { return httpserver.Paced(next, time.Second) })
	address := strings.TrimPrefix(s.URL, "http://")
	requests := []string{
		"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.Key() + "\r\nContent-Length: 100\r\n\r\n{",
		"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.Key() + "\r\nIdempotency-Key: k\r\nContent-Length: 100\r\n\r\n{",
		"POST /storage/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na",
		// Nobody reads the body of this one; net/http would, for as long as it takes.
		"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
	}
	conns := make([]net.Conn, len(requests))
	for i, request := range requests {
		conns[i] = connect(t, address)
		_, err := io.WriteString(conns[i], request)
		require.NoError(t, err)
	}
	for i, want := range []string{" 408 ", " 408 ", " 408 ", " 401 "} {
		assert.Contains(t, heard(t, conns[i]), want, requests[i][:30])
	}
}

func TestRepliesMustBeTaken(t *testing.T) {
	ended := make(chan error, 1)
	address := serve(t, httpserver.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, 64<<20)) // more than all buffers in between hold
		ended <- err
	}), httpserver.Bounds{Connections: 100, Pace: 50 * time.Millisecond}))
	conn := connect(t, address)
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	assert.Error(t, <-ended, "the handler waits for a reader who does not read")
}

func TestASlowHandlerIsNotCutOff(t *testing.T) {
	address := serve(t, httpserver.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		select { // longer than a client may take
		case <-r.Context().Done():
		case <-time.After(600 * time.Millisecond):
			_, _ = w.Write(body)
		}
	}), httpserver.Bounds{Connections: 100, Pace: 300 * time.Millisecond}))
	for range 2 { // the second on the same connection, which has the deadlines of the first
		response, err := http.Post("http://"+address, "text/plain", strings.NewReader("body"))
		require.NoError(t, err)
		data, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		assert.Equal(t, "body", string(data))
		require.NoError(t, response.Body.Close())
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestAServerTakesItsShareOfDescriptors(t *testing.T) {
	assert.Equal(t, 100, httpserver.Share(100, 256))
	assert.Equal(t, 256, httpserver.Share(2048, 256))
	assert.Equal(t, 2048, httpserver.Share(2048, 0), "the system does not say")
}
