package api

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	headersWithin  = 10 * time.Second // all headers of a request
	idleWithin     = 2 * time.Minute  // between two requests of a connection
	headerLimit    = 64 << 10         // bytes of a request's headers
	connectionsMax = 2048             // at once; more are hung up on
)

// NewServer is the HTTP server that a service is meant to stand behind: it bounds headers, idle connections and
// their number. How fast bodies must come and go is up to the handler of the service.
func NewServer(handler http.Handler) *http.Server { return newServer(handler, connectionsMax) }

func newServer(handler http.Handler, connections int) *http.Server {
	c := &connLimiter{limit: connections, in: map[net.Conn]bool{}}
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: headersWithin, IdleTimeout: idleWithin, MaxHeaderBytes: headerLimit, ConnState: c.changed,
	}
}

// connLimiter hangs up on connections above a limit. Those that became event streams have left it.
type connLimiter struct {
	mu    sync.Mutex
	limit int
	in    map[net.Conn]bool
}

func (c *connLimiter) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if len(c.in) >= c.limit {
			_ = conn.Close()
			return
		}
		c.in[conn] = true
	case http.StateHijacked, http.StateClosed:
		delete(c.in, conn)
	case http.StateActive, http.StateIdle:
	}
}

// A transfer has to get on: paceBytes in each paceWithin, 550 bytes a second. Who is slower holds a connection
// and a handler for ever.
const (
	paceBytes  = 16 << 10
	paceWithin = 30 * time.Second
)

// paced breaks off bodies, both ways, that do not get on.
func paced(next http.Handler, within time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.Body != nil && r.Body != http.NoBody {
			body := &pacedBody{ReadCloser: r.Body, control: control, within: within}
			r.Body = body
			defer body.leave()
		}
		_ = control.SetWriteDeadline(time.Time{}) // the one of the request before
		out := &pacedWriter{ResponseWriter: w, control: control, within: within}
		defer out.extend() // for what is still in buffers
		next.ServeHTTP(out, r)
	})
}

// pacedBody moves the deadline of the connection each time that a piece has come.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	within  time.Duration
	left    int // bytes until the deadline moves
	ended   bool
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if b.left <= 0 && !b.ended {
		b.left = paceBytes
		_ = b.control.SetReadDeadline(time.Now().Add(b.within))
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= n
	if err != nil && !b.ended {
		b.ended = true
		if errors.Is(err, io.EOF) {
			// From here on net/http watches whether the caller is still there, for as long as the handler takes.
			_ = b.control.SetReadDeadline(time.Time{})
		}
	}
	return n, err
}

// leave bounds how long net/http may read what the handler did not want, before it sends the reply.
func (b *pacedBody) leave() {
	if !b.ended {
		_ = b.control.SetReadDeadline(time.Now().Add(b.within / 2))
	}
}

// pacedWriter gives every piece its time.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	within  time.Duration
}

func (w *pacedWriter) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(w.within)) }

func (w *pacedWriter) WriteHeader(status int) {
	w.extend()
	w.ResponseWriter.WriteHeader(status)
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	sent := 0
	for {
		w.extend()
		n, err := w.ResponseWriter.Write(p[sent:min(sent+paceBytes, len(p))])
		if sent += n; err != nil || sent >= len(p) {
			return sent, err
		}
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
