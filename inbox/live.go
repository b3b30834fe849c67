package inbox

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	maxSockets   = 500
	writeTimeout = 5 * time.Second
)

// hub looks at Temporal once for all who watch, and not at all when nobody does.
type hub struct {
	look     func(context.Context) (*snapshot, error)
	ticks    func() (<-chan time.Time, func())
	mu       sync.Mutex
	watchers map[*watcher]struct{}
	stop     context.CancelFunc // nil while nobody watches
	done     chan struct{}      // closed when the last round of looking has ended
	closed   bool
}

// watcher is one open page. News holds at most one version: only the newest matters.
type watcher struct {
	run  string // empty: everything
	last string
	news chan string
}

func newHub(look func(context.Context) (*snapshot, error), ticks func() (<-chan time.Time, func())) *hub {
	return &hub{look: look, ticks: ticks, watchers: map[*watcher]struct{}{}}
}

// join returns nil when there are too many, or the hub is closed.
func (h *hub) join(run string) *watcher {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.watchers) >= maxSockets {
		return nil
	}
	w := &watcher{run: run, news: make(chan string, 1)}
	h.watchers[w] = struct{}{}
	if h.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		h.stop, h.done = cancel, make(chan struct{})
		go h.watch(ctx, h.done)
	}
	return w
}

func (h *hub) leave(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, in := h.watchers[w]; !in {
		return
	}
	delete(h.watchers, w)
	close(w.news)
	if len(h.watchers) == 0 {
		h.stop()
		h.stop = nil
	}
}

func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	done := h.done
	for w := range h.watchers {
		delete(h.watchers, w)
		close(w.news)
	}
	if h.stop != nil {
		h.stop()
		h.stop = nil
	}
	h.mu.Unlock()
	if done != nil {
		<-done
	}
}

func (h *hub) watch(ctx context.Context, done chan struct{}) {
	defer close(done)
	ticks, stop := h.ticks()
	defer stop()
	for {
		if s, err := h.look(ctx); err == nil { // a look that fails is made again
			h.publish(ctx, s)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
	}
}

func (h *hub) publish(ctx context.Context, s *snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return // those who watch now have a loop of their own
	}
	for w := range h.watchers {
		version := s.versionFor(w.run)
		if version == w.last {
			continue
		}
		w.last = version
		select {
		case <-w.news: // nobody has read the older one
		default:
		}
		w.news <- version
	}
}

// live is a socket that says which version of the page is the newest: first what is, then what changes.
func (in *Inbox) live(w http.ResponseWriter, r *http.Request) {
	watcher := in.hub.join(r.URL.Query().Get("run"))
	if watcher == nil {
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer in.hub.leave(watcher)
	socket, err := in.upgrader.Upgrade(w, r, nil) // refuses other origins
	if err != nil {
		return // it has answered
	}
	defer func() { _ = socket.Close() }()
	socket.SetReadLimit(512)
	go func() {
		for {
			if _, _, err := socket.ReadMessage(); err != nil {
				in.hub.leave(watcher) // ends the loop below
				return
			}
		}
	}()
	for version := range watcher.news {
		_ = socket.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err := socket.WriteJSON(map[string]string{"version": version}); err != nil {
			return
		}
	}
	_ = socket.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(time.Second))
}
