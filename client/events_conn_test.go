package client

import (
	"context"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEventsWithTheTokenInTheURL(t *testing.T) {
	g := newGateway(t, session(2, finish(1)))
	_, _, err := follow(t, g.client(t, WithTokenInURL()), EventOptions{})
	require.NoError(t, err)
	assert.Equal(t, "token="+testKey, g.dialled()[0].query)
	assert.Empty(t, g.dialled()[0].header.Get("Authorization"))
	assert.Equal(t, goodbye, <-g.goodbyes)
}

func TestEventsSayGoodbyeHoweverTheyEnd(t *testing.T) {
	talk := session(2, func(_ *gateway, ws *websocket.Conn) {
		for seq := 1; seq <= 3; seq++ {
			send1(ws, frame("progress", seq, `{}`))
		}
	})
	t.Run("break", func(t *testing.T) {
		g := newGateway(t, talk)
		for event := range g.client(t).Goals.Events(t.Context(), "g/1", EventOptions{}) {
			if event.Type == EventProgress {
				break
			}
		}
		assert.Equal(t, goodbye, <-g.goodbyes)
	})
	t.Run("context", func(t *testing.T) {
		g := newGateway(t, talk)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var faults []error
		for event, err := range g.client(t).Goals.Events(ctx, "g/1", EventOptions{}) {
			if event.Seq == 3 {
				cancel()
			}
			if err != nil {
				faults = append(faults, err)
			}
		}
		assert.Equal(t, []error{context.Canceled}, faults)
		assert.Equal(t, goodbye, <-g.goodbyes)
	})
	t.Run("panic", func(t *testing.T) {
		g := newGateway(t, talk)
		assert.Panics(t, func() {
			for event := range g.client(t).Goals.Events(t.Context(), "g/1", EventOptions{}) {
				if event.Type == EventProgress {
					panic("consumer")
				}
			}
		})
		assert.Equal(t, goodbye, <-g.goodbyes)
	})
	t.Run("job gone", func(t *testing.T) {
		g := newGateway(t, session(2, func(g *gateway, ws *websocket.Conn) {
			g.set(`{}`)
			send1(ws, frame("progress", 9, `{}`))
		}))
		seen, _, err := follow(t, g.client(t), EventOptions{})
		require.ErrorContains(t, err, "not a goal job")
		assert.Equal(t, "statusJ", seen)
		assert.Equal(t, goodbye, <-g.goodbyes)
	})
}

func TestEventsKeepTheConnectionAlive(t *testing.T) {
	g := newGateway(t, session(2, func(g *gateway, ws *websocket.Conn) {
		pings := 0
		answerPing := ws.PingHandler()
		ws.SetPingHandler(func(data string) error {
			if pings++; pings == 3 {
				finish(1)(g, ws)
			}
			return answerPing(data)
		})
	}))
	c := g.client(t)
	c.timing.ping = time.Millisecond
	seen, _, err := follow(t, c, EventOptions{})
	require.NoError(t, err)
	assert.Equal(t, "statusJ completedJ", seen)
	assert.Equal(t, goodbye, <-g.goodbyes)
	assert.Len(t, g.dialled(), 1)
}

func TestEventsLeaveAConnectionThatDoesNotAnswer(t *testing.T) {
	g := newGateway(t,
		session(2, func(_ *gateway, ws *websocket.Conn) { ws.SetPingHandler(func(string) error { return nil }) }),
		session(3, finish(1)))
	c := g.client(t)
	c.timing.ping, c.timing.pong = time.Millisecond, time.Millisecond
	c.timing.close = time.Minute
	first := true
	c.sleep = func(ctx context.Context, _ time.Duration) error {
		if first { // the second connection is a patient one
			c.timing, first = defaultTiming, false
		}
		return ctx.Err()
	}
	seen, _, err := follow(t, c, EventOptions{})
	require.NoError(t, err)
	assert.Equal(t, "statusJ statusJ completedJ", seen)
	assert.Equal(t, goodbye, <-g.goodbyes)
	assert.Equal(t, goodbye, <-g.goodbyes)
}

func TestEventsURL(t *testing.T) {
	for url, says := range map[string]string{
		"ws://events.example.org":          "must be wss",
		"https://events.example.org":       "must be wss",
		"wss://me:CANARY@events.example":   "no user",
		"wss://h/?token=CANARY":            "no user, fragment or token",
		"ws://h/?x=CANARY":                 "must be wss",
		"wss://[bad?token=CANARY":          "not a URL",
		"events.example.org":               "not a URL",
		"ws://localhost.example.org/stage": "must be wss",
	} {
		t.Run(url, func(t *testing.T) {
			_, err := New(DefaultBaseURL, testKey, WithEventsURL(url))
			var e *ArgumentError
			require.ErrorAs(t, err, &e, url)
			assert.ErrorContains(t, err, says)
			assert.NotContains(t, err.Error(), "CANARY")
		})
	}
	const private, apart = "http://Backend:8980", "https://backend:8980"
	for url, base := range map[string]string{
		"ws://backend:8981/ws": private, "ws://backend/ws": private, "ws://backend.example:8980/ws": private, "ws://database:8980/ws": private,
		"ws://backend:8980/ws": apart, "ws://backend:443/ws": "https://backend", "ws://backend:80/ws": "https://backend",
	} {
		t.Run(url, func(t *testing.T) {
			_, err := New(base, testKey, WithPrivateHost(), WithEventsURL(url))
			assert.ErrorContains(t, err, "must be wss; ws is allowed only for localhost, and for the private host ", "%s of %s", url, base)
		})
	}
	for url, base := range map[string]string{
		"ws://backend:8980/ws": private, "wss://backend:8980/ws": private, "wss://elsewhere": private, "ws://backend": "http://backend:80", "ws://[fd00::1]:80": "http://[fd00::1]",
	} {
		t.Run(url, func(t *testing.T) {
			_, err := New(base, testKey, WithPrivateHost(), WithEventsURL(url))
			assert.NoError(t, err, "%s of %s", url, base)
		})
	}
	for _, url := range []string{"", " ", "wss://h", "wss://h/stage?x=1", "ws://localhost:1/ws", "ws://127.0.0.1:1", "ws://[::1]:1"} {
		t.Run(url, func(t *testing.T) {
			_, err := New(DefaultBaseURL, testKey, WithEventsURL(url))
			assert.NoError(t, err, url)
		})
	}
}
