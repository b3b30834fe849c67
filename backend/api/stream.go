package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
)

const frameLimit = 4 << 10 // bytes of a frame from a client

// Deadlines of event streams.
const (
	firstFrameWithin = 10 * time.Second
	writeWithin      = 10 * time.Second
	pingEvery        = 30 * time.Second
	pongWithin       = 75 * time.Second
	closeWithin      = 5 * time.Second
)

// serveEvents is the event stream: GET /ws. The key comes as Authorization or as ?token=.
func (s *server) serveEvents(w http.ResponseWriter, r *http.Request) {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		key = r.URL.Query().Get("token")
	}
	caller := account(strings.TrimSpace(key))
	if !s.keys.accounts[caller] {
		writeError(w, http.StatusUnauthorized, "AUTH_REQUIRED", "This key is not accepted; send Authorization: Bearer ck_...", nil)
		return
	}
	if !s.events.enter() {
		writeError(w, http.StatusServiceUnavailable, "UNAVAILABLE", "The service is about to stop.", nil)
		return
	}
	defer s.events.leave()
	// Without a CheckOrigin of ours, browsers get in from the service's own pages only.
	upgrader := websocket.Upgrader{Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
		writeError(w, status, "BAD_REQUEST", "This WebSocket handshake is not accepted: "+reason.Error()+".", nil)
	}}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // answered
	}
	defer conn.Close() //nolint:errcheck // its close frame has been sent
	if err := s.stream(conn, caller, r); err != nil {
		s.cfg.Logger.Debug("an event stream has ended", zap.Error(err))
	}
}

// connection is a stream with the WebSocket that it goes out by.
type connection struct {
	*stream

	conn *websocket.Conn
	seq  int
	// around is given each frame before it is sent, and gives what is sent in its place; nil for nothing.
	around func(kind client.EventType, frame []byte) ([][]byte, error)
}

func (s *server) stream(conn *websocket.Conn, caller string, r *http.Request) error {
	conn.SetReadLimit(frameLimit)
	unbind := context.AfterFunc(s.cfg.Life, func() { _ = conn.Close() }) // until the events know of it
	if err := conn.SetReadDeadline(time.Now().Add(firstFrameWithin)); err != nil {
		return err
	}
	var first client.WireSubscribe
	if err := conn.ReadJSON(&first); err != nil || first.Action != client.ActionSubscribe {
		return farewell(conn, websocket.ClosePolicyViolation, "the first frame must subscribe to a job")
	}
	if len(first.JobSpecID) != len(uuid.Nil.String()) || uuid.Validate(first.JobSpecID) != nil {
		return farewell(conn, websocket.ClosePolicyViolation, "jobSpecId must be a UUID")
	}

	c := &connection{stream: newStream(first.JobSpecID), conn: conn}
	if s.cfg.EventFilter != nil {
		c.around = s.cfg.EventFilter()
	}
	// Between two changes of the job, so that none is missed and none comes twice.
	err := s.goals.Watch(r.Context(), caller, c.jobID, func(job store.Goal) {
		c.offer(s.events.newEvent(job.ID, client.EventStatus, statusOf(job)))
		if job.Status.Terminal() {
			c.offer(s.events.lastEvent(job))
		}
		s.events.add(c.stream)
	})
	if err != nil {
		return farewell(conn, websocket.ClosePolicyViolation, "there is no such job")
	}
	defer s.events.remove(c.stream)
	unbind()
	return c.run()
}

// run sends events until the stream is to end, and hears the peer meanwhile.
func (c *connection) run() error {
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer c.drop()
		c.listen()
	}()

	ended, err := c.sendAll()
	if ended {
		// The peer's own goodbye, or a while; closing over unread frames would cost it the last ones of ours.
		select {
		case <-c.gone:
		case <-time.After(closeWithin):
		}
	}
	err = errors.Join(err, c.conn.Close())
	<-read
	return err
}

func farewell(conn *websocket.Conn, code int, why string) error {
	return conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(writeWithin))
}

// listen notices that the peer has gone; what it says after its first frame does not matter.
func (c *connection) listen() {
	alive := func(string) error { return c.conn.SetReadDeadline(time.Now().Add(pongWithin)) }
	c.conn.SetPongHandler(alive)
	if alive("") != nil {
		return
	}
	for {
		if _, _, err := c.conn.NextReader(); err != nil {
			return
		}
	}
}

// sendAll writes events until the last one, or until the stream is dropped. ended reports whether it was the last one.
func (c *connection) sendAll() (ended bool, err error) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-c.gone:
			return false, farewell(c.conn, websocket.CloseGoingAway, "the stream ends; read the job and subscribe again")
		case <-ping.C:
			if err := c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWithin)); err != nil {
				return false, err
			}
		case event := <-c.events:
			if err := c.send(event); err != nil {
				return false, err
			}
			if !event.Type.Terminal() {
				continue
			}
			return true, farewell(c.conn, websocket.CloseNormalClosure, "")
		}
	}
}

// send numbers an event and writes it.
func (c *connection) send(event client.WireEvent) error {
	c.seq++
	event.Seq = c.seq
	frame, err := json.Marshal(event)
	if err != nil {
		return err
	}

	frames := [][]byte{frame}
	if c.around != nil {
		if frames, err = c.around(event.Type, frame); err != nil {
			return err
		}
	}
	for _, frame := range frames {
		if err := c.conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
			return err
		}
		if err := c.conn.WriteMessage(websocket.TextMessage, frame); err != nil {
			return err
		}
	}
	return nil
}
