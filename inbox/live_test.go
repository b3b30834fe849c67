package inbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// liveBench serves an inbox whose looks happen when the test says so.
type liveBench struct {
	*bench
	server *httptest.Server
	ticks  chan time.Time
	ended  chan struct{} // one for every loop of looking that stopped
}

func newLiveBench(t *testing.T, change ...func(*Config)) *liveBench {
	t.Helper()
	l := &liveBench{bench: newBench(t, change...), ticks: make(chan time.Time), ended: make(chan struct{}, 100)}
	l.hub.ticks = func() (<-chan time.Time, func()) { return l.ticks, func() { l.ended <- struct{}{} } }
	l.hub.beats = func() (<-chan time.Time, func()) { return nil, func() {} }
	l.server = httptest.NewServer(l.h)
	t.Cleanup(l.server.Close)
	return l
}

func (l *liveBench) dial(path string, header http.Header) (*websocket.Conn, *http.Response, error) {
	conn, reply, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(l.server.URL, "http")+path, header)
	if conn != nil {
		l.t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, reply, err
}

func (l *liveBench) version(conn *websocket.Conn) string {
	l.t.Helper()
	var news struct{ Version string }
	require.NoError(l.t, conn.ReadJSON(&news))
	return news.Version
}

// looks counts the looks at everything: each reads one list of what waits.
func (l *liveBench) looks() int {
	n := 0
	for _, query := range l.temporal.Lists() {
		if strings.Contains(query, "'waiting'") {
			n++
		}
	}
	return n
}

// tick makes the next look a fresh one.
func (l *liveBench) tick() {
	l.forget()
	l.ticks <- testNow
}

func TestAChangeReachesEveryOpenPageByOneLook(t *testing.T) {
	l := newLiveBench(t)
	l.add("w", toneRun("Letter"))
	one, _, err := l.dial("/live", nil)
	require.NoError(t, err)
	first := l.version(one)
	two, _, err := l.dial("/live", nil)
	require.NoError(t, err)
	l.tick()
	require.Equal(t, first, l.version(two))
	before := l.looks()

	_, err = l.runs.Answer(t.Context(), "w", questions.Answer{SlotID: "tone", Value: json.RawMessage(`"casual"`), AnswerID: "1"})
	require.NoError(t, err)
	l.tick()
	changed := l.version(one)
	require.NotEqual(t, first, changed)
	require.Equal(t, changed, l.version(two))
	require.Equal(t, before+1, l.looks(), "one look for all")
}

func TestAPageOfOneRunHearsOfThatRunAlone(t *testing.T) {
	l := newLiveBench(t)
	l.add("w", toneRun("Letter"))
	conn, _, err := l.dial("/live?run=w", nil)
	require.NoError(t, err)
	first := l.version(conn)
	l.add("other", toneRun("Other"))
	l.tick()
	_, err = l.runs.Answer(t.Context(), "w", questions.Answer{SlotID: "tone", Value: json.RawMessage(`"casual"`), AnswerID: "1"})
	require.NoError(t, err)
	l.tick()
	require.NotEqual(t, first, l.version(conn), "the other run's change was no news here")
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	l.Close()
	_, _, err = conn.ReadMessage()
	require.True(t, websocket.IsCloseError(err, websocket.CloseGoingAway), "%v", err)
}

func TestNobodyWatchesNobodyLooks(t *testing.T) {
	l := newLiveBench(t)
	require.Nil(t, l.hub.stop, "no loop before the first page")
	for range 2 { // and again after everybody has left
		conn, _, err := l.dial("/live", nil)
		require.NoError(t, err)
		l.version(conn)
		require.NoError(t, conn.Close())
		<-l.ended
		l.hub.mu.Lock()
		require.Empty(t, l.hub.watchers)
		require.Nil(t, l.hub.stop)
		l.hub.mu.Unlock()
	}
}

func TestSocketsOfOthersAreRefused(t *testing.T) {
	l := newLiveBench(t, withToken)
	_, reply, err := l.dial("/live", nil)
	require.Error(t, err)
	require.Equal(t, http.StatusUnauthorized, reply.StatusCode)
	login := l.post("/login", map[string][]string{"token": {"the-token"}, "name": {"Ada"}})
	header := http.Header{"Cookie": {login.Result().Cookies()[0].String()}}
	_, _, err = l.dial("/live", header)
	require.NoError(t, err)
	header.Set("Origin", "http://evil.test")
	_, reply, err = l.dial("/live", header)
	require.Error(t, err)
	require.Equal(t, http.StatusForbidden, reply.StatusCode)
}
