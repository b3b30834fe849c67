package api

import (
	"net/http"
	"time"
)

// Lag lets tests have an event stream that nobody reads. The channel is closed when it is dropped.
func (h *Events) Lag(jobID string) <-chan struct{} {
	c := newStream(jobID)
	h.add(c)
	return c.gone
}

// NewServerFor is NewServer with room for fewer connections.
func NewServerFor(handler http.Handler, connections int) *http.Server {
	return newServer(handler, connections)
}

// Paced lets tests have less patience with slow clients.
func Paced(next http.Handler, within time.Duration) http.Handler { return paced(next, within) }
