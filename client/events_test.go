package client

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
		t.Run(fmt.Sprintf("status %v", status), func(t *testing.T) {
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
		})
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

// A stream that says only that it lives, and of other jobs, may have lost what it had to say of this one.
func TestEventsLookThoughTheConnectionIsAlive(t *testing.T) {
	for name, test := range map[string]struct{ frame, seen string }{
		"keepalives":       {frame("keepalive", 0, `{}`), "statusJ keepalive keepalive keepalive statusJ keepalive agent_text"},
		"other jobs":       {`{"type":"progress","jobSpecId":"another"}`, "statusJ statusJ agent_text"},
		"types not known":  {frame("ping", 0, `{}`), "statusJ statusJ agent_text"},
		"word of this job": {frame("progress", 0, `{}`), "statusJ progress progress progress progress agent_text"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, session(2, func(g *gateway, ws *websocket.Conn) {
				g.set(goal(GoalSlotsPending, "")) // of which the event was lost
				for range 4 {
					send1(ws, test.frame)
				}
				send1(ws, frame("agent_text", 0, `{}`))
			}))
			now := time.Unix(0, 0)
			clock := withClock(func() time.Time { now = now.Add(time.Hour); return now })
			var seen []string
			for event, err := range g.client(t, clock).Goals.Events(t.Context(), "g/1", EventOptions{LookEvery: 5 * time.Hour}) {
				require.NoError(t, err)
				mark := ""
				if event.Job != nil {
					mark = "J"
				}
				seen = append(seen, string(event.Type)+mark)
				if event.Type == EventAgentText {
					break
				}
			}
			assert.Equal(t, test.seen, strings.Join(seen, " "))
			assert.Equal(t, goodbye, <-g.goodbyes)
		})
	}
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
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, answer(200, goal("executing", "")), test.reply)
			c, _ := newTestClient(t, a, WithMaxRetries(0))
			seen, _, err := follow(t, c, EventOptions{})
			require.Error(t, err, name)
			assert.Equal(t, "statusJ", seen, name)
			assert.Len(t, a.requests(), 1+test.looks, name)
		})
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
		want position
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
