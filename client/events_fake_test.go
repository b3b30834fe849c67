package client

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// gateway is a service with a stream: the nth connection gets the nth play, the last one serves the rest.
type gateway struct {
	*httptest.Server
	mu    sync.Mutex
	moved *sync.Cond
	job   string // what a look finds
	looks int
	dials []recorded
	plays []http.HandlerFunc
	// goodbyes has how each connection ended, as the gateway saw it.
	goodbyes chan int
}

func newGateway(t *testing.T, plays ...func(g *gateway) http.HandlerFunc) *gateway {
	t.Helper()
	g := &gateway{job: goal(GoalExecuting, ""), goodbyes: make(chan int, 99)}
	g.moved = sync.NewCond(&g.mu)
	for _, play := range plays {
		g.plays = append(g.plays, play(g))
	}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		if r.URL.Path != PathEvents {
			defer g.mu.Unlock()
			g.looks++
			g.moved.Broadcast()
			_, _ = io.WriteString(w, g.job)
			return
		}
		play := g.plays[min(len(g.dials), len(g.plays)-1)]
		g.dials = append(g.dials, recorded{query: r.URL.RawQuery, header: r.Header.Clone()})
		g.mu.Unlock()
		play(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) set(job string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.job = job
}

// awaitLooks returns when n looks have been answered.
func (g *gateway) awaitLooks(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.looks < n {
		g.moved.Wait()
	}
}

func (g *gateway) dialled() []recorded {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]recorded(nil), g.dials...)
}

func (g *gateway) client(t *testing.T, opts ...Option) *Client {
	t.Helper()
	opts = append([]Option{WithEventsURL("ws" + strings.TrimPrefix(g.URL, "http") + PathEvents)}, opts...)
	c, _ := newTestClient(t, &api{Server: g.Server}, opts...)
	return c
}

// session upgrades, takes the subscription, waits for the looks so far, plays, and sees the client off.
func session(looks int, play func(g *gateway, ws *websocket.Conn)) func(*gateway) http.HandlerFunc {
	return func(g *gateway) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
			if err != nil {
				g.goodbyes <- -1
				return
			}
			defer ws.Close()
			var subscribe WireSubscribe
			if ws.ReadJSON(&subscribe) != nil || subscribe != (WireSubscribe{Action: "subscribe", JobSpecID: "g/1"}) {
				g.goodbyes <- -2
				return
			}
			g.awaitLooks(looks)
			play(g, ws)
			g.goodbyes <- farewell(ws)
		}
	}
}

// farewell is the code of the client's close frame, after which nothing may come; 0 where there was none.
func farewell(ws *websocket.Conn) int {
	for {
		_, _, err := ws.ReadMessage()
		if err == nil {
			continue
		}
		var said *websocket.CloseError
		if !errors.As(err, &said) || said.Code == websocket.CloseAbnormalClosure {
			return 0
		}
		if rest, _ := io.ReadAll(ws.NetConn()); len(rest) > 0 {
			return -3
		}
		return said.Code
	}
}

func refuse(status int) func(*gateway) http.HandlerFunc {
	return func(*gateway) http.HandlerFunc { return answer(status, "no") }
}

func send1(ws *websocket.Conn, frame string) {
	_ = ws.WriteMessage(websocket.TextMessage, []byte(frame))
}

func frame(typ string, seq int, data string) string {
	return fmt.Sprintf(`{"type":%q,"schemaVersion":2,"jobSpecId":"g/1","emittedAt":"2026-06-01T08:01:02Z","seq":%d,"data":%s}`, typ, seq, data)
}

func finish(seq int) func(*gateway, *websocket.Conn) {
	return func(g *gateway, ws *websocket.Conn) {
		g.set(goal(GoalCompleted, ""))
		send1(ws, frame("completed", seq, `{}`))
	}
}

// follow runs a feed to its end: types of its events, a J on those that carry the job.
func follow(t *testing.T, c *Client, o EventOptions) (seen string, last GoalEvent, err error) {
	t.Helper()
	for event, fault := range c.Goals.Events(t.Context(), "g/1", o) {
		if fault != nil {
			require.NoError(t, err, "one error only")
			err = fault
			continue
		}
		require.NoError(t, err, "nothing after an error")
		seen += string(event.Type)
		if event.Job != nil {
			seen += "J"
		}
		seen += " "
		last = event
	}
	return strings.TrimSpace(seen), last, err
}

const goodbye = websocket.CloseNormalClosure

func plays(p ...func(*gateway) http.HandlerFunc) []func(*gateway) http.HandlerFunc { return p }
