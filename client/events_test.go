package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
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

func TestEvents(t *testing.T) {
	g := newGateway(t, session(2, func(g *gateway, ws *websocket.Conn) {
		send1(ws, frame("progress", 1, `{"progress":40}`))
		send1(ws, frame("telepathy", 2, `{}`))
		_ = ws.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"tool_started","job":{"jobSpecId":"forged","status":"completed"},"seq":3}`))
		send1(ws, `{"type":"completed","jobSpecId":"another","seq":4}`)
		finish(5)(g, ws)
	}))
	seen, last, err := follow(t, g.client(t), EventOptions{})
	require.NoError(t, err)
	assert.Equal(t, "statusJ progress tool_started completedJ", seen)
	assert.Equal(t, GoalCompleted, last.Job.Status)
	assert.Equal(t, goodbye, <-g.goodbyes)
	require.Len(t, g.dialled(), 1)
	assert.Equal(t, "Bearer "+testKey, g.dialled()[0].header.Get("Authorization"))
	assert.Empty(t, g.dialled()[0].query)
}

func TestEventsWithTheTokenInTheURL(t *testing.T) {
	g := newGateway(t, session(2, finish(1)))
	_, _, err := follow(t, g.client(t, WithTokenInURL()), EventOptions{})
	require.NoError(t, err)
	assert.Equal(t, "token="+testKey, g.dialled()[0].query)
	assert.Empty(t, g.dialled()[0].header.Get("Authorization"))
	assert.Equal(t, goodbye, <-g.goodbyes)
}

// After whatever a stream does wrong the job is read, and the end is the same.
func TestEventsThroughFaults(t *testing.T) {
	frames := func(gaps int, seqs ...int) func(*gateway) http.HandlerFunc {
		return session(2, func(g *gateway, ws *websocket.Conn) {
			for _, seq := range seqs {
				send1(ws, frame("progress", seq, `{}`))
			}
			g.awaitLooks(2 + gaps)
			finish(0)(g, ws)
		})
	}
	broken := func(play func(ws *websocket.Conn)) func(*gateway) http.HandlerFunc {
		return session(2, func(_ *gateway, ws *websocket.Conn) {
			send1(ws, frame("progress", 1, `{}`))
			play(ws)
		})
	}
	cut := func(ws *websocket.Conn) { _ = ws.NetConn().Close() }
	closed := func(ws *websocket.Conn) {
		_ = ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""))
	}
	again := session(3, finish(1))
	for name, test := range map[string]struct {
		plays    []func(*gateway) http.HandlerFunc
		seen     string
		goodbyes []int
	}{
		"in order":      {plays(frames(0, 1, 2, 3)), "statusJ progress progress progress completedJ", []int{goodbye}},
		"not numbered":  {plays(frames(0, 0, 0)), "statusJ progress progress completedJ", []int{goodbye}},
		"one lost":      {plays(frames(1, 1, 3)), "statusJ progress statusJ progress completedJ", []int{goodbye}},
		"first lost":    {plays(frames(1, 2)), "statusJ statusJ progress completedJ", []int{goodbye}},
		"one twice":     {plays(frames(1, 1, 1, 2)), "statusJ progress statusJ progress completedJ", []int{goodbye}},
		"out of order":  {plays(frames(2, 1, 3, 2, 4)), "statusJ progress statusJ progress statusJ progress progress completedJ", []int{goodbye}},
		"cut":           {plays(broken(cut), again), "statusJ progress statusJ completedJ", []int{0, goodbye}},
		"closed":        {plays(broken(closed), again), "statusJ progress statusJ completedJ", []int{websocket.CloseGoingAway, goodbye}},
		"no JSON":       {plays(broken(func(ws *websocket.Conn) { send1(ws, "<html>") }), again), "statusJ progress statusJ completedJ", []int{goodbye, goodbye}},
		"no event":      {plays(broken(func(ws *websocket.Conn) { send1(ws, `{"seq":"x"}`) }), again), "statusJ progress statusJ completedJ", []int{goodbye, goodbye}},
		"no type":       {plays(broken(func(ws *websocket.Conn) { send1(ws, `null`) }), again), "statusJ progress statusJ completedJ", []int{goodbye, goodbye}},
		"refused later": {plays(broken(cut), refuse(401)), "statusJ progress", []int{0}},
		"oversize": {
			plays(broken(func(ws *websocket.Conn) { send1(ws, strings.Repeat(" ", frameLimit+1)) }), again),
			"statusJ progress statusJ completedJ",
			[]int{websocket.CloseMessageTooBig, goodbye},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, test.plays...)
			var opts []Option
			if name == "refused later" { // then looks go on, of which the next finds the end
				opts = append(opts, WithObserver(func(i RequestInfo) {
					if i.Status == 401 {
						g.set(goal(GoalCompleted, ""))
					}
				}))
				test.seen += " completedJ"
			}
			seen, last, err := follow(t, g.client(t, opts...), EventOptions{})
			require.NoError(t, err)
			assert.Equal(t, test.seen, seen)
			assert.Equal(t, GoalCompleted, last.Job.Status)
			var goodbyes []int // of connections that overlap as the gateway sees them
			for range test.goodbyes {
				goodbyes = append(goodbyes, <-g.goodbyes)
			}
			assert.ElementsMatch(t, test.goodbyes, goodbyes)
			assert.Empty(t, g.goodbyes)
		})
	}
}

func plays(p ...func(*gateway) http.HandlerFunc) []func(*gateway) http.HandlerFunc { return p }

func TestEventsWithoutAStream(t *testing.T) {
	for name, test := range map[string]struct {
		status, dials int
		opts          []Option
	}{
		"no URL":      {200, 0, []Option{WithEventsURL("")}},
		"refused":     {401, 1, nil},
		"forbidden":   {403, 1, nil},
		"no route":    {404, dialTries, nil},
		"down":        {503, dialTries, nil},
		"no upgrade":  {200, dialTries, nil},
		"a redirect":  {302, dialTries, nil},
		"only silent": {0, dialTries, nil},
	} {
		t.Run(name, func(t *testing.T) {
			play := refuse(test.status)
			if test.status == 0 {
				play = session(0, func(_ *gateway, ws *websocket.Conn) { _ = ws.NetConn().Close() })
			}
			g := newGateway(t, play)
			polls := 0
			sleeps := withSleep(func(ctx context.Context, _ time.Duration) error {
				if len(g.dialled()) == test.dials {
					if polls++; polls == 3 {
						g.set(goal(GoalCompleted, ""))
					}
				}
				return ctx.Err()
			})
			seen, _, err := follow(t, g.client(t, append(test.opts, sleeps)...), EventOptions{})
			require.NoError(t, err)
			assert.True(t, strings.HasSuffix(seen, "completedJ"), seen)
			assert.NotContains(t, seen, "progress")
			assert.Len(t, g.dialled(), test.dials)
		})
	}
}

func TestEventsPollAtTheContractsCadence(t *testing.T) {
	still := answer(200, goal("executing", ""))
	a := newAPI(t, still, still, still, still, answer(200, goal("slots_pending", "")), answer(200, goal("cancelled", "")))
	c, slept := newTestClient(t, a)
	seen, _, err := follow(t, c, EventOptions{})
	require.NoError(t, err)
	assert.Equal(t, "statusJ statusJ cancelledJ", seen, "what did not change is not told")
	const s = time.Second
	assert.Equal(t, []time.Duration{s, s, s, 3 * s / 2, 9 * s / 4}, *slept)
}

// The last event says the same whichever way it came.
func TestEventsEndAsLooksDo(t *testing.T) {
	for status, test := range map[GoalStatus]struct {
		frame string
		want  EventType
	}{
		GoalCompleted: {frame("completed", 1, `{}`), EventCompleted},
		GoalPartial:   {frame("completed", 1, `{"status":"partial"}`), EventCompleted},
		GoalFailed:    {frame("failed", 1, `{"code":"BUDGET"}`), EventFailed},
		GoalCancelled: {frame("failed", 1, `{"code":"CANCELLED"}`), EventCancelled},
	} {
		g := newGateway(t, session(2, func(g *gateway, ws *websocket.Conn) {
			g.set(goal(status, ""))
			send1(ws, test.frame)
		}))
		_, streamed, err := follow(t, g.client(t), EventOptions{})
		require.NoError(t, err)
		_, polled, err := follow(t, g.client(t, WithEventsURL("")), EventOptions{})
		require.NoError(t, err)
		assert.Equal(t, []any{test.want, status}, []any{streamed.Type, streamed.Job.Status})
		assert.Equal(t, []any{polled.Type, polled.Job}, []any{streamed.Type, streamed.Job})
		assert.Equal(t, goodbye, <-g.goodbyes)
	}
}

func TestEventsCancelledByItsCode(t *testing.T) {
	g := newGateway(t, session(2, func(g *gateway, ws *websocket.Conn) {
		g.set(goal(GoalFailed, ""))
		send1(ws, frame("failed", 1, `{"code":"CANCELLED"}`))
	}))
	_, last, err := follow(t, g.client(t), EventOptions{})
	require.NoError(t, err)
	assert.Equal(t, EventCancelled, last.Type)
}

func TestEventsDoNotBelieveAnEndThatIsNone(t *testing.T) {
	g := newGateway(t, session(2, func(_ *gateway, ws *websocket.Conn) { send1(ws, frame("completed", 1, `{}`)) }))
	sleeps := withSleep(func(ctx context.Context, _ time.Duration) error {
		g.set(goal(GoalPartial, ""))
		return ctx.Err()
	})
	seen, last, err := follow(t, g.client(t, sleeps), EventOptions{})
	require.NoError(t, err)
	assert.Equal(t, "statusJ completedJ", seen)
	assert.Equal(t, GoalPartial, last.Job.Status)
	assert.Equal(t, goodbye, <-g.goodbyes)
}

func TestEventsLookInSilence(t *testing.T) {
	g := newGateway(t, session(4, func(g *gateway, _ *websocket.Conn) { g.set(goal(GoalReady, "")) }))
	var seen []GoalStatus
	for event, err := range g.client(t).Goals.Events(t.Context(), "g/1", EventOptions{LookEvery: time.Millisecond}) {
		require.NoError(t, err)
		seen = append(seen, event.Job.Status)
		if event.Job.Status == GoalReady { // the feed goes on while the job awaits somebody
			g.set(goal(GoalCompleted, ""))
		}
	}
	assert.Equal(t, []GoalStatus{GoalExecuting, GoalReady, GoalCompleted}, seen)
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

func TestEventsThroughLooksThatFail(t *testing.T) {
	a := newAPI(t, hangUp, answer(503, ""), answer(429, "", "Retry-After", "60"), answer(200, goal("executing", "")), answer(500, ""), answer(200, goal("completed", "")))
	c, slept := newTestClient(t, a, WithMaxRetries(0))
	seen, _, err := follow(t, c, EventOptions{})
	require.NoError(t, err)
	assert.Equal(t, "statusJ completedJ", seen)
	assert.Equal(t, time.Minute, (*slept)[2], "the wait that was asked for")
	for name, test := range map[string]struct {
		reply http.HandlerFunc
		looks int
	}{
		"refused":    {answer(401, ""), 1},
		"gone":       {answer(404, `{"code":"JOB_NOT_FOUND","message":"no"}`), 1},
		"a redirect": {answer(302, ""), 1},
		"down":       {answer(502, ""), lookTries},
	} {
		a := newAPI(t, answer(200, goal("executing", "")), test.reply)
		c, _ := newTestClient(t, a, WithMaxRetries(0))
		seen, _, err := follow(t, c, EventOptions{})
		require.Error(t, err, name)
		assert.Equal(t, "statusJ", seen, name)
		assert.Len(t, a.requests(), 1+test.looks, name)
	}
	_, _, err = follow(t, c, EventOptions{})
	require.NoError(t, err)
	for _, err := range c.Goals.Events(t.Context(), "", EventOptions{}) {
		var e *ArgumentError
		require.ErrorAs(t, err, &e)
	}
}

func TestSequence(t *testing.T) {
	var s sequence
	for _, step := range []struct {
		seq  int
		want place
	}{
		{1, inOrder},
		{2, inOrder},
		{2, seenBefore},
		{0, inOrder},
		{-7, inOrder},
		{6, afterGap},
		{4, afterGap},
		{4, seenBefore},
		{7, inOrder},
		{3, afterGap},
		{5, afterGap},
		{5, seenBefore},
		{1 << 62, afterGap},
		{1<<62 + 1, inOrder},
		{8, afterGap},
		{1 << 61, seenBefore},
	} {
		assert.Equal(t, step.want, s.place(step.seq), step.seq)
	}
	assert.LessOrEqual(t, len(s.missing), longestGap)
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
		_, err := New(DefaultBaseURL, testKey, WithEventsURL(url))
		var e *ArgumentError
		require.ErrorAs(t, err, &e, url)
		assert.ErrorContains(t, err, says)
		assert.NotContains(t, err.Error(), "CANARY")
	}
	const private, apart = "http://Backend:8980", "https://backend:8980"
	for url, base := range map[string]string{
		"ws://backend:8981/ws": private, "ws://backend/ws": private, "ws://backend.example:8980/ws": private, "ws://database:8980/ws": private,
		"ws://backend:8980/ws": apart, "ws://backend:443/ws": "https://backend", "ws://backend:80/ws": "https://backend",
	} {
		_, err := New(base, testKey, WithPrivateHost(), WithEventsURL(url))
		assert.ErrorContains(t, err, "must be wss; only localhost may do without, and the private host ", "%s of %s", url, base)
	}
	for url, base := range map[string]string{
		"ws://backend:8980/ws": private, "wss://backend:8980/ws": private, "wss://elsewhere": private, "ws://backend": "http://backend:80", "ws://[fd00::1]:80": "http://[fd00::1]",
	} {
		_, err := New(base, testKey, WithPrivateHost(), WithEventsURL(url))
		assert.NoError(t, err, "%s of %s", url, base)
	}
	for _, url := range []string{"", " ", "wss://h", "wss://h/stage?x=1", "ws://localhost:1/ws", "ws://127.0.0.1:1", "ws://[::1]:1"} {
		_, err := New(DefaultBaseURL, testKey, WithEventsURL(url))
		assert.NoError(t, err, url)
	}
}
