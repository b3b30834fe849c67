package inbox

import (
	"context"
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/httpserver"
)

const (
	maxSockets   = 500 // and no more than an eighth of the descriptors
	writeTimeout = 5 * time.Second
	beatEvery    = 4 * time.Second // inbox.js takes three times as long a silence for a lost connection
)

// versions name what is shown at one moment.
type versions interface {
	// versionFor is the version of one run, or of everything where the id is empty.
	versionFor(id string) string
}

// pollEvery is how often Temporal is looked at while somebody watches.
const pollEvery = time.Second

// hub looks at Temporal once for all who watch, and not at all when nobody does.
type hub struct {
	look     func(context.Context) (versions, error)
	ticks    func() (<-chan time.Time, func())
	beats    func() (<-chan time.Time, func()) // of one open page: signs of life, where nothing else is to say
	mu       sync.Mutex
	watchers map[*watcher]struct{}
	stop     context.CancelFunc // nil while nobody watches
	done     chan struct{}      // closed when the last round of looking has ended
	most     int                // watchers
	closed   bool
	down     string // what does not answer; empty while all do
}

// liveUpdate is what an open page is told.
type liveUpdate struct {
	Version string `json:"version,omitempty"` // the newest
	Down    string `json:"down,omitempty"`    // what does not answer, by its name
}

// watcher is one open page. Updates holds at most one: only the newest matters.
type watcher struct {
	id      string // empty: everything
	last    string
	updates chan liveUpdate
}

func newHub(look func(context.Context) (versions, error)) *hub {
	return &hub{look: look, ticks: every(pollEvery), beats: every(beatEvery), watchers: map[*watcher]struct{}{}, most: httpserver.Share(maxSockets, httpserver.Descriptors()/8)}
}

// join returns nil when there are too many, or the hub is closed.
func (h *hub) join(id string) *watcher {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.watchers) >= h.most {
		return nil
	}
	w := &watcher{id: id, updates: make(chan liveUpdate, 1)}
	h.watchers[w] = struct{}{}
	if h.down != "" {
		w.send(liveUpdate{Down: h.down})
	}
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
	close(w.updates)
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
		close(w.updates)
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
		if s, err := h.look(ctx); err == nil {
			h.publish(ctx, s)
		} else { // it is made again
			h.lose(ctx, "Temporal")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
	}
}

func (h *hub) publish(ctx context.Context, v versions) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return // those who watch now have a loop of their own
	}
	h.down = ""
	for w := range h.watchers {
		version := v.versionFor(w.id)
		if version == w.last {
			continue
		}
		w.last = version
		w.send(liveUpdate{Version: version})
	}
}

// lose tells that something does not answer, by its name. What they see next is new to all.
func (h *hub) lose(ctx context.Context, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil || h.down == name {
		return
	}
	h.down = name
	for w := range h.watchers {
		w.last = ""
		w.send(liveUpdate{Down: name})
	}
}

// state is a sign of life.
func (h *hub) state() liveUpdate {
	h.mu.Lock()
	defer h.mu.Unlock()
	return liveUpdate{Down: h.down}
}

func (w *watcher) send(update liveUpdate) {
	select {
	case <-w.updates: // nobody has read the older one
	default:
	}
	w.updates <- update
}

func every(interval time.Duration) func() (<-chan time.Time, func()) {
	return func() (<-chan time.Time, func()) {
		ticker := time.NewTicker(interval)
		return ticker.C, ticker.Stop
	}
}
