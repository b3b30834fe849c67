package client

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

const (
	routeEvents = "events"
	frameLimit  = 1 << 20 // bytes
)

// WithEventsURL sets where events are streamed, wss://host or wss://host/stage; only localhost may do without TLS, and the
// host and port of WithPrivateHost where the API does without it, too.
// Empty, the default, is for following jobs by looks alone.
func WithEventsURL(url string) Option { return func(c *connection) { c.eventsURL = url } }

// WithTokenInURL sends the key to the event stream as ?token= instead of in a header, for gateways that read no
// headers. Proxies and servers may log URLs.
func WithTokenInURL() Option { return func(c *connection) { c.tokenInURL = true } }

func (c *connection) parseEventsURL(raw string) (*url.URL, error) {
	raw = strings.TrimSpace(raw)
	if raw == "" {
		return nil, nil //nolint:nilnil // no stream is a setting, too
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return nil, argumentf("events URL", "%s is not a URL with a host", RedactURL(raw))
	case u.User != nil || u.Fragment != "" || u.Query().Has("token"):
		return nil, argumentf("events URL", "%s must have no user, fragment or token; the client adds the key", u.Host)
	case u.Scheme == "wss", u.Scheme == "ws" && (isLoopbackName(u.Hostname()) || c.isPrivateHost(u)):
		return u, nil
	case c.private:
		return nil, argumentf("events URL", "%s must be wss; ws is allowed only for localhost, and for the private host %s if its API uses http", RedactURL(raw), c.base.Host)
	default:
		return nil, argumentf("events URL", "%s must be wss; ws is allowed only for localhost and for a declared private host", RedactURL(raw))
	}
}

// isPrivateHost reports whether the key goes to this host and port without TLS anyway, as declared.
func (c *connection) isPrivateHost(u *url.URL) bool {
	return c.private && c.base.Scheme == "http" && strings.EqualFold(hostPort(u), hostPort(c.base))
}

// eventConn is a connection to the event stream. One goroutine reads; all else is the feed's.
type eventConn struct {
	ws     *websocket.Conn
	timing eventTiming
	frames chan []byte   // closed when nothing more comes
	pongs  chan struct{} // answers to pings
	done   chan struct{} // closed when nobody listens any more
	beat   *time.Timer
	asked  bool // a ping awaits its pong
}

// dialEvents opens a connection, or says with which status it was refused, noReply for none. Errors of the dial
// may quote the URL and so the key: they go no further.
func (c *connection) dialEvents(ctx context.Context) (*eventConn, int) {
	target, header := *c.events, http.Header{"User-Agent": {c.userAgent}}
	if c.tokenInURL {
		query := target.Query()
		query.Set("token", string(c.key))
		target.RawQuery = query.Encode()
	} else {
		header.Set("Authorization", "Bearer "+string(c.key))
	}
	dialer := websocket.Dialer{
		Proxy: c.proxy, NetDialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext, HandshakeTimeout: dialTimeout,
	}
	started := time.Now()
	ws, response, err := dialer.DialContext(ctx, target.String(), header)
	info := RequestInfo{Method: http.MethodGet, Route: routeEvents, Attempt: 1, Duration: time.Since(started)}
	if response != nil {
		_ = response.Body.Close() // gorilla has read it
		info.Status = response.StatusCode
	}
	c.observe(info)
	if err != nil {
		return nil, info.Status
	}
	conn := &eventConn{
		ws: ws, timing: c.timing, frames: make(chan []byte), pongs: make(chan struct{}, 1), done: make(chan struct{}), beat: time.NewTimer(c.timing.ping),
	}
	ws.SetReadLimit(frameLimit)
	ws.SetPongHandler(func(string) error {
		select {
		case conn.pongs <- struct{}{}:
		default:
		}
		return nil
	})
	go conn.read(secrets{string(c.key)})
	return conn, info.Status
}

// read hands on frames, without secrets, until the connection ends; after done it only waits for that.
func (c *eventConn) read(hide secrets) {
	defer close(c.frames)
	for {
		_, data, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		select {
		case c.frames <- hide.cleanReply(data):
		case <-c.done:
		}
	}
}

func (c *eventConn) subscribe(jobSpecID string) bool {
	return c.ws.SetWriteDeadline(time.Now().Add(dialTimeout)) == nil &&
		c.ws.WriteJSON(WireSubscribe{Action: ActionSubscribe, JobSpecID: jobSpecID}) == nil
}

// keepAlive asks for a sign of life; it returns false if the last one never came.
func (c *eventConn) keepAlive() bool {
	if c.asked {
		return false
	}
	c.asked = true
	c.beat.Reset(c.timing.pong)
	return c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.timing.pong)) == nil
}

func (c *eventConn) alive() {
	c.asked = false
	c.beat.Reset(c.timing.ping)
}

// close says goodbye, once, and gives the other side a moment to answer. The reader is gone afterwards.
func (c *eventConn) close() {
	c.beat.Stop()
	close(c.done)
	deadline := time.Now().Add(c.timing.close)
	// Where the other side has closed already, so has gorilla, and this does nothing.
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), deadline)
	_ = c.ws.SetReadDeadline(deadline)
	for more := true; more; {
		_, more = <-c.frames
	}
	_ = c.ws.Close()
}
