package backend

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/client"
)

const (
	streamBuffer = 256     // events that a slow reader may lag behind
	frameLimit   = 4 << 10 // bytes of a frame from a client
)

// stream is one connection that is told of one job.
type stream struct {
	jobID  string
	conn   *websocket.Conn
	faults *Faults
	events chan client.WireEvent
	gone   chan struct{} // closed when the stream is to end
	once   sync.Once
	seq    int
	held   []byte // a frame that a fault lets the next one overtake
}

func (c *stream) drop() { c.once.Do(func() { close(c.gone) }) }

func (c *stream) offer(events ...client.WireEvent) {
	for _, event := range events {
		select {
		case c.events <- event:
		default:
			c.drop()
			return
		}
	}
}

// serveEvents is the event stream: GET /ws. The key comes as Authorization or as ?token=.
func (s *Service) serveEvents(w http.ResponseWriter, r *http.Request) {
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
	// Without a CheckOrigin of ours, browsers are let in from the service's own pages alone.
	upgrader := websocket.Upgrader{Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
		writeError(w, status, "BAD_REQUEST", "This is no WebSocket handshake that is taken here: "+reason.Error()+".", nil)
	}}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // answered
	}
	defer conn.Close() //nolint:errcheck // it has been said goodbye to
	if err := s.stream(conn, caller, r); err != nil {
		s.cfg.Logger.Debug("an event stream has ended", zap.Error(err))
	}
}

func (s *Service) stream(conn *websocket.Conn, caller string, r *http.Request) error {
	conn.SetReadLimit(frameLimit)
	unbind := context.AfterFunc(s.life, func() { _ = conn.Close() }) // until the hub knows of it
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
	c := &stream{jobID: first.JobSpecID, conn: conn, faults: s.cfg.Faults, events: make(chan client.WireEvent, streamBuffer), gone: make(chan struct{})}
	if err := s.subscribe(r, c, caller); err != nil {
		return farewell(conn, websocket.ClosePolicyViolation, "there is no such job")
	}
	defer s.events.remove(c)
	unbind()
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer c.drop()
		c.listen()
	}()
	ended, err := c.tell()
	if ended {
		// The peer's own goodbye, or a while; closing over unread frames would cost it the last ones of ours.
		select {
		case <-c.gone:
		case <-time.After(closeWithin):
		}
	}
	err = errors.Join(err, conn.Close())
	<-read
	return err
}

// subscribe adds a stream between two changes of its job, and tells it where the job stands.
func (s *Service) subscribe(r *http.Request, c *stream, caller string) error {
	unlock := s.locks.lock("goal " + c.jobID)
	defer unlock()
	job, err := s.ownGoal(r.Context(), caller, c.jobID)
	if err != nil {
		return err
	}
	c.offer(s.newEvent(job.id, client.EventStatus, statusOf(job)))
	if job.status.Terminal() {
		c.offer(s.lastEvent(job))
	}
	s.events.add(c)
	return nil
}

func farewell(conn *websocket.Conn, code int, why string) error {
	return conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(writeWithin))
}

// listen notices that the peer has gone; what it says after its first frame does not matter.
func (c *stream) listen() {
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

// tell writes events until the last one, or until the stream is dropped. It says whether it came to a proper end.
func (c *stream) tell() (ended bool, err error) {
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
			if err := c.flush(); err != nil {
				return false, err
			}
			return true, farewell(c.conn, websocket.CloseNormalClosure, "")
		}
	}
}

var errFaultDisconnects = errors.New("a fault on request ends the stream")

// send numbers an event and writes it, or does what a fault wants done with it.
func (c *stream) send(event client.WireEvent) error {
	c.seq++
	event.Seq = c.seq
	frame, err := json.Marshal(event)
	if err != nil {
		return err
	}
	answer, _ := c.faults.drawEvent(event.Type)
	switch {
	case answer.Disconnect:
		return errFaultDisconnects
	case answer.Drop:
		return nil
	case answer.Reorder && c.held == nil:
		c.held = frame
		return nil
	case answer.Duplicate:
		err = c.write(frame)
	}
	return errors.Join(err, c.write(frame), c.flush())
}

// flush writes what was held back.
func (c *stream) flush() error {
	frame := c.held
	if frame == nil {
		return nil
	}
	c.held = nil
	return c.write(frame)
}

func (c *stream) write(frame []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	return c.conn.WriteMessage(websocket.TextMessage, frame)
}
