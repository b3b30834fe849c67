package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// Limits of an event stream. The gateway drops what is idle for about ten minutes.
const (
	frameLimit   = 1 << 20 // bytes
	pingEvery    = 240 * time.Second
	pongWithin   = 30 * time.Second
	closeWithin  = time.Second
	upgradeLimit = 20 * time.Second
)

// WithEventsURL is where event streams of goals come from: wss://host, or wss://host/stage. It has no default and
// is never derived from the API's address; without it jobs are polled. ws:// is for loopback alone.
func WithEventsURL(rawURL string) Option { return func(c *Client) { c.events = rawURL } }

// WithTokenInURL sends the key of event streams as ?token=, as gateways that look at no header want it. URLs end
// up in logs of gateways and proxies, so this is for those who have to.
func WithTokenInURL() Option { return func(c *Client) { c.tokenInURL = true } }

func checkEventsURL(raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return argumentf("events URL", "it is not a URL with a host")
	case u.User != nil || u.Fragment != "" || u.Query().Has("token"):
		return argumentf("events URL", "%s must have no user, fragment or token", u.Host)
	case u.Scheme == "wss", u.Scheme == "ws" && isLoopbackName(u.Hostname()):
		return nil
	default:
		return argumentf("events URL", "%s must be wss; only localhost may do without", u.Host)
	}
}

// dialEvents opens a stream. The key never shows in its errors.
func (c *Client) dialEvents(ctx context.Context) (*websocket.Conn, error) {
	header := http.Header{"User-Agent": {c.userAgent}}
	target := c.events
	if c.tokenInURL {
		separator := "?"
		if strings.Contains(target, "?") {
			separator = "&"
		}
		target += separator + "token=" + url.QueryEscape(string(c.key))
	} else {
		header.Set("Authorization", "Bearer "+string(c.key))
	}
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: upgradeLimit}
	conn, response, err := dialer.DialContext(ctx, target, header) //nolint:bodyclose // gorilla hands out a copy of it, with nothing to close
	if err == nil {
		conn.SetReadLimit(frameLimit)
		return conn, nil
	}
	if response != nil {
		if refusedForEver(response.StatusCode) {
			return nil, errRefused
		}
		return nil, fmt.Errorf("the gateway answered %d", response.StatusCode)
	}
	return nil, &TransportError{Method: http.MethodGet, Route: routeEvents, Err: bare(err)}
}

const routeEvents = "(event stream)"

// stream follows one connection to its end. heard says that the gateway took us.
func (f *follower) stream(ctx context.Context) (heard bool, err error) {
	conn, err := f.goals.c.dialEvents(ctx)
	if err != nil {
		return false, err
	}
	socket := &socket{conn: conn, frames: make(chan []byte), ended: make(chan error, 1), leave: make(chan struct{})}
	defer socket.close()
	if err := conn.WriteJSON(WireSubscribe{Action: ActionSubscribe, JobSpecID: f.id}); err != nil {
		return false, err
	}
	go socket.read()
	// What happened before we were subscribed was told to nobody.
	if err := f.lookAgain(ctx); err != nil {
		return true, err
	}
	return true, f.listen(ctx, socket)
}

func (f *follower) listen(ctx context.Context, s *socket) error {
	silence := time.NewTimer(f.options.LookEvery)
	defer silence.Stop()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	seq := 0
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.ended:
			return err
		case <-ping.C:
			if err := s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(pongWithin)); err != nil {
				return err
			}
		case <-silence.C:
			if err := f.lookAgain(ctx); err != nil {
				return err
			}
			silence.Reset(f.options.LookEvery)
		case frame := <-s.frames:
			err := f.hear(frame, &seq)
			if errors.Is(err, errGap) {
				err = f.lookAgain(ctx)
			}
			if err != nil {
				return err
			}
			silence.Reset(f.options.LookEvery)
		}
	}
}

// lookAgain is look, but for faults that the next look may not have.
func (f *follower) lookAgain(ctx context.Context) error {
	err := f.look(ctx)
	var fatal *fatalError
	if err == nil || errors.As(err, &fatal) || errors.Is(err, errLeft) || ctx.Err() != nil {
		return err
	}
	return nil
}

// socket reads a connection in the background and closes it once.
type socket struct {
	conn   *websocket.Conn
	frames chan []byte
	ended  chan error
	leave  chan struct{}
}

func (s *socket) read() {
	extend := func() error { return s.conn.SetReadDeadline(time.Now().Add(pingEvery + pongWithin)) }
	s.conn.SetPongHandler(func(string) error { return extend() })
	for {
		if err := extend(); err != nil {
			s.ended <- err
			return
		}
		_, frame, err := s.conn.ReadMessage()
		if err != nil {
			s.ended <- &TransportError{Method: http.MethodGet, Route: routeEvents, Sent: true, Err: bare(err)}
			return
		}
		select {
		case s.frames <- frame:
		case <-s.leave:
			s.ended <- errLeft
			return
		}
	}
}

// close says good-bye, as far as the other side still listens, and waits until nothing of the stream is left.
func (s *socket) close() {
	_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(closeWithin))
	close(s.leave)
	_ = s.conn.Close()
}
