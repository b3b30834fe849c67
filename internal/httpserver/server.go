// Package httpserver makes the HTTP servers of this project: none of them lets its callers take all descriptors of the
// process, or hold a connection without getting on.
package httpserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
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
	// Strangers is how long the headers of a request, and each 16 KiB of its body, may take on a connection that nobody has
	// trusted. Where it is set, the oldest of these gives way when there are too many connections; 0: all are alike, and new ones
	// are hung up on.
	Strangers time.Duration
}

// New is a server that bounds headers, idle connections, the pace of bodies both ways, and the connections at once: to
// most, and to a quarter of the descriptors that the process may have.
func New(handler http.Handler, most int) *http.Server {
	return NewServer(handler, Bounds{Connections: Share(most, Descriptors()/4), Pace: paceWithin})
}

// NewGuarded is New for a handler that trusts those who show a login: others cannot keep them out by many slow requests.
func NewGuarded(handler http.Handler, most int) *http.Server {
	return NewServer(handler, Bounds{Connections: Share(most, Descriptors()/4), Pace: paceWithin, Strangers: strangersWithin})
}

// NewServer is New with bounds of the caller's.
func NewServer(handler http.Handler, b Bounds) *http.Server {
	c := &connLimiter{limit: b.Connections, giveWay: b.Strangers > 0, in: map[net.Conn]*caller{}}
	headers := headersWithin
	if b.Strangers > 0 {
		headers = min(headers, b.Strangers)
	}
	return &http.Server{
		Handler: paced(handler, b.Pace, b.Strangers), ReadHeaderTimeout: headers, IdleTimeout: idleWithin, MaxHeaderBytes: headerLimit,
		ConnContext: c.accepted, ConnState: c.changed,
	}
}

// caller is who is at the other end of a connection.
type caller struct {
	number  uint64 // of the connection
	trusted atomic.Bool
}

type callerKey struct{}

// Trust keeps the connection of a request, whose caller has shown a login or a link of ours, from giving way to strangers.
func Trust(ctx context.Context) {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		c.trusted.Store(true)
	}
}

func trusted(ctx context.Context) bool {
	c, ok := ctx.Value(callerKey{}).(*caller)
	return !ok || c.trusted.Load()
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
	limit   int
	giveWay bool // strangers do, to new connections

	mu     sync.Mutex
	number uint64
	in     map[net.Conn]*caller
}

// accepted comes before the first change of a connection.
func (c *connLimiter) accepted(ctx context.Context, conn net.Conn) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number++
	who := &caller{number: c.number}
	if len(c.in) >= c.limit && !c.makeRoom() {
		_ = conn.Close()
		return ctx
	}
	c.in[conn] = who
	return context.WithValue(ctx, callerKey{}, who)
}

// makeRoom hangs up on the stranger who has been there longest.
func (c *connLimiter) makeRoom() bool {
	var oldest net.Conn
	for conn, who := range c.in {
		if c.giveWay && !who.trusted.Load() && (oldest == nil || who.number < c.in[oldest].number) {
			oldest = conn
		}
	}
	if oldest == nil {
		return false
	}
	delete(c.in, oldest)
	_ = oldest.Close()
	return true
}

func (c *connLimiter) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateHijacked, http.StateClosed:
		delete(c.in, conn)
	case http.StateNew, http.StateActive, http.StateIdle:
	}
}

// A transfer has to get on: paceBytes in each paceWithin, 550 bytes a second. Who is slower holds a connection
// and a handler for ever.
const (
	paceBytes  = 16 << 10
	paceWithin = 30 * time.Second
	// strangersWithin is enough for a form over a thin line.
	strangersWithin = 5 * time.Second
)

// Paced breaks off bodies, both ways, that do not get on.
func Paced(next http.Handler, within time.Duration) http.Handler { return paced(next, within, 0) }

// paced gives strangers less time to send, where that is not 0.
func paced(next http.Handler, within, strangers time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.Body != nil && r.Body != http.NoBody {
			body := &pacedBody{ReadCloser: r.Body, control: control, within: within}
			if strangers > 0 {
				body.strangers, body.of = strangers, r.Context()
			}
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

	strangers time.Duration   // within, where nobody has trusted the caller; 0 for no less
	of        context.Context //nolint:containedctx // of the request, whose body this is
}

func (b *pacedBody) pace() time.Duration {
	if b.strangers > 0 && !trusted(b.of) {
		return min(b.within, b.strangers)
	}
	return b.within
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if b.left <= 0 && !b.ended {
		b.left = paceBytes
		_ = b.control.SetReadDeadline(time.Now().Add(b.pace()))
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
		_ = b.control.SetReadDeadline(time.Now().Add(b.pace() / 2))
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
