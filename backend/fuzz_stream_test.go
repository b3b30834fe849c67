package backend_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// masked is a frame as it goes over the wire from a client, with a length of less than 126 and a mask of nothing.
func masked(first byte, text string) string {
	return string([]byte{first, 0x80 | byte(len(text)), 0, 0, 0, 0}) + text
}

// FuzzStream: no handshake and no frames of a client bring an event stream down, keep it open, or have it tell of a job
// that the key does not own.
func FuzzStream(f *testing.F) {
	s := testkit.StartService(f, testkit.WithGoals(toy("wait", func(ctx context.Context, _ *goals.Task) error {
		<-ctx.Done()
		return ctx.Err()
	})), func(c *backend.Config) { c.Keys = []string{"ck_one", "ck_two"} })
	ids := map[string]string{} // of a job, by its key
	for _, key := range []string{"ck_one", "ck_two"} {
		api, err := client.New(s.URL, key)
		require.NoError(f, err)
		job, err := api.Goals.Start(f.Context(), client.StartParams{WorkflowID: "wait"})
		require.NoError(f, err)
		ids[key] = job.JobSpecID
		api.CloseIdleConnections()
	}
	// Seeds outlive the ids of this process: these two stand for them.
	const mine, theirs = "00000000-0000-4000-8000-00000000face", "00000000-0000-4000-8000-00000000dead"
	named := strings.NewReplacer(mine, ids["ck_one"], theirs, ids["ck_two"])
	const text, last, subscribe = 0x81, 0x80, `{"action":"subscribe","jobSpecId":"` + mine + `"}`
	f.Add("", true, []byte(masked(text, `{"action":"subscribe","jobSpecId":"`+theirs+`"}`)))
	f.Add("", true, []byte(masked(text, subscribe)+masked(text, `{"action":"subscribe","jobSpecId":"`+theirs+`"}`)))
	f.Add("", true, []byte(masked(text, subscribe)))
	f.Add("", true, []byte(masked(0x01, subscribe[:20])+masked(0x89, "ping")+masked(last, subscribe[20:])))
	f.Add("", true, []byte(masked(text, `{"action":"subscribe","jobSpecId":"../x"}`)+masked(0x88, "\x03\xe8")))
	f.Add("", true, []byte(masked(text, `{"action":7}`)))
	f.Add("", true, []byte("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Add("", true, []byte("\x81\xfe\x20\x00\x00\x00\x00\x00"+strings.Repeat("[", 0x2000)))
	f.Add("", true, []byte("\x81\x05naked"))
	f.Add("", true, []byte(masked(0xf1, "reserved")))
	f.Add("", true, []byte(masked(0x88, "\x00")))
	f.Add("", false, []byte(masked(text, subscribe)))
	f.Add("Sec-WebSocket-Version: 7", true, []byte{})
	f.Add("Origin: https://elsewhere.example", true, []byte(nil))
	f.Add("Sec-WebSocket-Extensions: permessage-deflate; x=\"", true, []byte(masked(text, "{}")))
	f.Add("Sec-WebSocket-Protocol: a, \xff", true, []byte(masked(0xc1, "{}")))
	f.Fuzz(func(t *testing.T, header string, known bool, frames []byte) {
		if strings.ContainsAny(header, "\r\n") {
			return // one header, and no second request
		}
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		key := "ck_one"
		if !known {
			key = "ck_three"
		}
		shake := "GET " + client.PathEvents + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer " + key + "\r\n"
		if header != "" {
			shake += header + "\r\n"
		}
		_, _ = io.WriteString(conn, shake+"\r\n")
		in := bufio.NewReader(conn)
		reply, err := http.ReadResponse(in, &http.Request{Method: http.MethodGet})
		require.NoError(t, err)
		require.Less(t, reply.StatusCode, 500)
		if reply.StatusCode != http.StatusSwitchingProtocols {
			return
		}
		require.True(t, known, "a stream for a key that is none")
		_, _ = named.WriteString(conn, string(frames))
		tcp, ok := conn.(*net.TCPConn)
		require.True(t, ok)
		_ = tcp.CloseWrite()
		said, err := io.ReadAll(in) // the stream ends
		var timeout net.Error
		require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the stream stays open")
		require.NotContains(t, string(said), ids["ck_two"])
		require.LessOrEqual(t, len(said), 2048+len(frames)) // where the job stands, pongs and a goodbye
	})
}
