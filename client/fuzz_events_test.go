package client

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// rawFrame is a frame as it goes over the wire to a client, with a length of less than 126.
func rawFrame(first byte, text string) string { return string([]byte{first, byte(len(text))}) + text }

// FuzzEventStream: whatever a stream brings, frames whole and broken, the feed hands on events alone, and ends with how
// the job has ended.
func FuzzEventStream(f *testing.F) {
	const text, last = 0x81, 0x80
	for _, seed := range []string{
		frame("progress", 1, `{"progress":40}`) + "\n" + frame("progress", 2, `{}`), frame("progress", 3, `{}`) + "\n" + frame("progress", 1, `{}`),
		frame("progress", 9223372036854775807, `{}`) + "\n" + frame("progress", -9223372036854775808, `{}`), frame("completed", 1, `{}`),
		frame("failed", 1, `{"code":"CANCELLED"}`), frame("slot_needed", 1, `[[]]`), `{"type":"progress","seq":1e400}`, `{"type":"progress","seq":"7","data":"\ud800"}`,
		`{"type":"completed","jobSpecId":"another"}`, `null`, `{}`, `[`, `{"type":"telepathy"}`, `{"type":"status","job":{"status":"completed"}}`, "\x00\xff",
	} {
		f.Add(seed, false)
	}
	for _, seed := range []string{
		rawFrame(text, `{"type":"progress"}`), rawFrame(0x01, `{"type":`) + rawFrame(0x89, "ping") + rawFrame(last, `"progress"}`), rawFrame(last, "alone"),
		rawFrame(0x88, "\x03\xe8bye"), rawFrame(0x88, "\x00"), rawFrame(0x8a, "pong"), rawFrame(0xf1, "reserved"), rawFrame(0x83, "unknown"), "\x81\xfe\x00\x05mask0",
		"\x81\x7f\x00\x00\x00\x00\x7f\xff\xff\xff{", "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "\x81\x7e\xff\xff" + strings.Repeat(" ", 70), "\x89\x7e\x00\x80" + strings.Repeat("p", 128), "\x81",
		"HTTP/1.1 200 OK\r\n\r\n", rawFrame(text, "\xff\xfe"), rawFrame(text, frame("progress", 1, `{}`)[:100]),
	} {
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, script string, raw bool) {
		sent := strings.Count(script, "\n") + 1
		if raw {
			sent = len(script)/2 + 1
		}
		first := session(2, func(g *gateway, ws *websocket.Conn) {
			if raw {
				conn, ok := ws.NetConn().(*net.TCPConn)
				require.True(t, ok)
				_, _ = conn.Write([]byte(script))
				_ = conn.CloseWrite()
				return
			}
			for i, line := range strings.Split(script, "\n") {
				_ = ws.WriteMessage([]int{websocket.TextMessage, websocket.BinaryMessage}[i%2], []byte(line))
			}
			_ = ws.WriteMessage(websocket.CloseMessage, nil)
		})
		g := newGateway(t, first, session(0, finish(1)))
		c := g.client(t, withSleep(func(ctx context.Context, _ time.Duration) error {
			g.set(goal(GoalCompleted, "")) // once the stream was lost, or was not to be believed
			return ctx.Err()
		}))
		looks := 0
		var events []GoalEvent
		for event, err := range c.Goals.Events(t.Context(), "g/1", EventOptions{LookEvery: time.Hour}) {
			require.NoError(t, err)
			events = append(events, event)
			if event.Job != nil {
				looks++
			}
		}
		for i, event := range events {
			require.True(t, knownEvents[event.Type], "%q", event.Type)
			require.Equal(t, "g/1", event.JobSpecID)
			require.True(t, len(event.Data) == 0 || json.Valid(event.Data), "%q", event.Data)
			require.Equal(t, i == len(events)-1, event.Type.Terminal(), "%q is not the last event", event.Type)
		}
		end := events[len(events)-1]
		require.Equal(t, EventCompleted, end.Type)
		require.Equal(t, GoalCompleted, end.Job.Status)
		require.LessOrEqual(t, len(events), 2*sent+6)
		require.LessOrEqual(t, looks, sent+6)
	})
}
