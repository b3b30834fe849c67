package inbox

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	lookEvery    = time.Second // at Temporal, once for everybody, and only while somebody watches
	barsEvery    = 2           // looks between two redraws of what runs
	pingEvery    = 30 * time.Second
	writeWithin  = 5 * time.Second
	watchersMost = 500
)

// watch tells open pages that something has changed. It looks for all of them together.
type watch struct {
	in      *Inbox
	ctx     context.Context //nolint:containedctx // lives as long as the inbox
	stop    context.CancelFunc
	mu      sync.Mutex
	pages   map[chan struct{}]bool
	looking bool
	ticks   func() (<-chan time.Time, func()) // a seam for tests
}

func newWatch(in *Inbox) *watch {
	ctx, stop := context.WithCancel(context.Background())
	return &watch{in: in, ctx: ctx, stop: stop, pages: map[chan struct{}]bool{}, ticks: func() (<-chan time.Time, func()) {
		ticker := time.NewTicker(lookEvery)
		return ticker.C, ticker.Stop
	}}
}

func (x *watch) close() { x.stop() }

// join adds a page; false where there are too many.
func (x *watch) join() (changed chan struct{}, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.pages) >= watchersMost {
		return nil, false
	}
	changed = make(chan struct{}, 1)
	x.pages[changed] = true
	if !x.looking {
		x.looking = true
		go x.look()
	}
	return changed, true
}

func (x *watch) leave(changed chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.pages, changed)
}

// idle ends the looking when nobody watches any more.
func (x *watch) idle() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.pages) == 0 {
		x.looking = false
		return true
	}
	return false
}

func (x *watch) look() {
	tick, stop := x.ticks()
	defer stop()
	before := ""
	for n := 0; ; n++ {
		now, moving := x.version()
		if now != "" && before != "" && (now != before || moving && n%barsEvery == 0) {
			x.tell()
		}
		if now != "" {
			before = now
		}
		select {
		case <-x.ctx.Done():
			return
		case <-tick:
		}
		if x.idle() {
			return
		}
	}
}

// version changes whenever the lists do; empty where Temporal does not tell. moving says that something runs.
func (x *watch) version() (version string, moving bool) {
	ctx, cancel := context.WithTimeout(x.ctx, asking)
	defer cancel()
	waiting, err := x.in.board.Waiting(ctx, waitingLimit)
	if err != nil {
		return "", false
	}
	open, err := x.in.board.Recent(ctx, true, runningLimit)
	if err != nil {
		return "", false
	}
	ended, err := x.in.board.Recent(ctx, false, recentLimit)
	if err != nil {
		return "", false
	}
	data, _ := json.Marshal([]any{waiting, open, ended}) // plain data always encodes
	sum := sha256.Sum256(data)
	return string(sum[:]), len(open) > 0
}

func (x *watch) tell() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for changed := range x.pages {
		select {
		case changed <- struct{}{}:
		default: // it has not yet read the last one
		}
	}
}

// live is the connection of one page: GET /live. It says "changed", and the page fetches what it shows.
func (in *Inbox) live(w http.ResponseWriter, r *http.Request) error {
	upgrader := websocket.Upgrader{CheckOrigin: sameOrigin, HandshakeTimeout: writeWithin}
	changed, ok := in.watch.join()
	if !ok {
		return fault(http.StatusServiceUnavailable, "Too many pages are open.")
	}
	defer in.watch.leave(changed)
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil //nolint:nilerr // the upgrader has answered
	}
	defer conn.Close() //nolint:errcheck // the page is gone
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		conn.SetReadLimit(1 << 10)
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	}()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-gone:
			return nil
		case <-in.watch.ctx.Done():
			_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(writeWithin))
			return nil
		case <-ping.C:
			if conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWithin)) != nil {
				return nil
			}
		case <-changed:
			_ = conn.SetWriteDeadline(time.Now().Add(writeWithin))
			if conn.WriteMessage(websocket.TextMessage, []byte("changed")) != nil {
				return nil
			}
		}
	}
}

// sameOrigin keeps pages elsewhere from watching. A client that names no origin is no browser.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}
