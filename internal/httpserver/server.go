// Package httpserver makes the HTTP servers of this project: none of them lets its callers take all descriptors of the
// process, or hold a connection without getting on.
package httpserver

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	headersWithin = 10 * time.Second // all headers of a request
	idleWithin    = 2 * time.Minute  // between two requests of a connection
	headerLimit   = 64 << 10         // bytes of a request's headers
)

// Bounds are what a server allows its callers.
type Bounds struct {
	Connections int           // at once; more are hung up on
	Pace        time.Duration // in which each 16 KiB of a body must come or go
}

// New is a server that bounds headers, idle connections, the pace of bodies both ways, and the connections at once: to
// most, and to a quarter of the descriptors that the process may have.
func New(handler http.Handler, most int) *http.Server {
	return NewServer(handler, Bounds{Connections: Share(most, Descriptors()/4), Pace: paceWithin})
}

// NewServer is New with bounds of the caller's.
func NewServer(handler http.Handler, b Bounds) *http.Server {
	c := &connLimiter{limit: b.Connections, in: map[net.Conn]bool{}}
	return &http.Server{
		Handler: Paced(handler, b.Pace), ReadHeaderTimeout: headersWithin, IdleTimeout: idleWithin, MaxHeaderBytes: headerLimit, ConnState: c.changed,
	}
}

// Share is most, or part where that is less and known.
func Share(most, part int) int {
	if part > 0 {
		return min(most, part)
	}
	return most
}

// Descriptors is how many files and connections the process may have open; 0 where that is not known.
func Descriptors() int { return descriptors() }

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

// Paced breaks off bodies, both ways, that do not get on.
func Paced(next http.Handler, within time.Duration) http.Handler {
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
