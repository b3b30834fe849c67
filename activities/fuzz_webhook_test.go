package activities

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var received = regexp.MustCompile(`(?i)^HTTP/\d\.\d 2\d\d`)

// FuzzWebhookReply: a notification counts as delivered after 2xx alone, and no error tells what a receiver says or where it is.
func FuzzWebhookReply(f *testing.F) {
	const last = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	for _, seed := range []string{
		last, "HTTP/1.1 204 \r\n\r\n", "HTTP/1.0 410 Gone\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n" + last,
		"HTTP/1.1 000 x\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: http://canary/\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 500 canary\r\n\r\ncanary",
		"HTTP/2 200\r\n\r\n", "canary\r\n\r\n", "", "\x00\xff", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 300) + "\r\n\r\n", "HTTP/1.1 -20 x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(f, err)
	replies := make(chan []byte, 1)
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if request, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_ = request.Write(io.Discard) // the whole of it
			}
			_, _ = conn.Write(<-replies)
			_ = conn.Close()
		}
	}()
	f.Cleanup(func() {
		_ = listener.Close()
		<-served
	})
	notifier, err := NewNotifier("http://"+listener.Addr().String()+"/hook?receiver=canary", webhookSecret, func(Notification, time.Time) string { return "https://inbox/answer/canary" })
	require.NoError(f, err)
	notifier.http.Transport = &http.Transport{DisableKeepAlives: true} // one reply, one connection
	f.Fuzz(func(t *testing.T, reply []byte) {
		replies <- reply
		err := notifier.post(t.Context(), Notification{ID: "1", Question: &NotificationQuestion{}})
		if err == nil {
			text := string(reply)
			for strings.HasPrefix(text, "HTTP/") && !received.MatchString(text) { // interim ones come first
				_, rest, more := strings.Cut(text, "\n\r\n")
				if _, other, bare := strings.Cut(text, "\n\n"); bare && (!more || len(other) > len(rest)) {
					rest, more = other, true
				}
				require.True(t, more, "%q was taken for delivered", reply)
				text = rest
			}
			require.Regexp(t, received, text)
			return
		}
		require.NotContains(t, err.Error(), "canary")
		var known *localError
		require.ErrorAs(t, err, &known)
	})
}
